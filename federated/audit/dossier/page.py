"""A dossier as one HTML file that stands alone, to be read, printed or kept as PDF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from federated.audit.dossier.document import Dossier, Grid
from federated.manifest import ReleaseManifest
from federated.pages.plots import Part, figure, kinds, stacked_bars
from federated.pages.svg import Svg
from federated.pages.templating import environment, stylesheet

PLACE = "federated.audit.dossier"
Plots = Mapping[str, Sequence[Svg]]


def page(dossier: Dossier, manifest: ReleaseManifest) -> str:
    """The whole file, with its style and plots in it.

    Args:
        dossier: what it shows.
        manifest: of the release that it is about, from which plots are drawn.
    """
    template = environment(PLACE).get_template("dossier.html")
    return template.render(dossier=dossier, style=stylesheet(), tiles=_tiles(dossier, manifest), plots=_plots(manifest))


def _tiles(dossier: Dossier, manifest: ReleaseManifest) -> list[tuple[str, str]]:
    open_risks = sum(row[1] == "open" for grid in _grids(dossier, "Risks") for row in grid.rows)
    return [
        (str(len(manifest.sites)), "hospitals"),
        (str(len(manifest.labels)), "labels"),
        (str(open_risks), "open risks"),
        (str(len(dossier.missing)), "topics not stated"),
    ]


def _grids(dossier: Dossier, title: str) -> list[Grid]:
    return [grid for section in dossier.sections for grid in section.grids if grid.title == title]


def _plots(manifest: ReleaseManifest) -> Plots:
    """Training patients of each label, by hospital."""
    colours = kinds(site.name for site in manifest.sites)
    rows = [
        (label, [Part(site.name, site.patients[label], colours[site.name], figure(site.patients[label]))
                 for site in manifest.sites if label in site.patients])
        for label in manifest.labels
    ]  # fmt: skip
    most = max((sum(part.value for part in parts) for _, parts in rows), default=1.0)
    return {"Data, hospital by hospital": [stacked_bars(rows, title="Training patients by label", most=most)]}
