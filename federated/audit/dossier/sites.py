"""The data behind a release, hospital by hospital: counts that each hospital signed, and how they were judged."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from federated.audit.dossier.document import Grid, Line, Section
from federated.audit.dossier.sources import Sources
from federated.audit.dossier.stated import Stated
from federated.contract import Contribution
from federated.envelope import Opened
from federated.manifest import ReleaseManifest, ReleaseSite, ReportManifest

STATED = "statement"
ABOUT = (
    "Counts of patients that each hospital signed. No age, sex or origin is in a manifest, so that nothing can be "
    "said of groups of patients but the labels. Groups of fewer than {few} patients are marked as small "
    "and shown as they are."
)
SMALL = "{count} (small)"
CALIBRATION = {
    "own": "its own patients",
    "cross-fitted": "its own patients, scored by fits without them",
    "pooled": "all sites' patients together",
    "none": "nobody",
}
GRAM = {"released": "in the release", "kept": "kept from other sites", "imputed": "not sent"}
COUNTED = (
    "Clips of validation patients by true label, as each hospital counted them on the candidate and signed them; "
    "nothing was refused in this count, and an answer below the true label counts as right. The same patients chose "
    "ridge, scatter and temperature, so that the figures lean to the good side; what each hospital found on its test "
    "patients stays there. There is no interval: clips of one patient are not independent, and the counts do not tell "
    "patients apart."
)
MEASURES = Line(
    topic="Measures",
    text="Share of right answers, by label and hospital, among patients whom no expert learnt from.",
    source="the program",
    items=("TRIPOD+AI 12e",),
)


def few(manifest: ReleaseManifest) -> int:
    """Patients that it takes for a p-value at the release's level; fewer are marked as small."""
    return ceil(1 / manifest.alpha) - 1


def data(sources: Sources, manifest: ReleaseManifest, stated: Stated) -> Section:
    """Who contributed what.

    Raises:
        ConsiliumError: a parcel of the bundle is none.
    """
    rows = (
        ("Sources of the data", stated.data_sources, ("TRIPOD+AI 5a",)),
        ("Dates of the data", stated.data_dates, ("TRIPOD+AI 5b",)),
        ("Setting of the hospitals", stated.setting, ("TRIPOD+AI 6a",)),
        ("Who judged what images show", stated.reference_standard, ("TRIPOD+AI 8b",)),
    )
    return Section(
        title="Data, hospital by hospital",
        about=ABOUT.format(few=few(manifest)),
        lines=tuple(Line(topic=topic, text=text, source=STATED, items=items) for topic, text, items in rows),
        grids=(_sites(sources, manifest), _labels(manifest)),
    )


def _sites(sources: Sources, manifest: ReleaseManifest) -> Grid:
    rows = tuple(_site(sources, site) for site in manifest.sites)
    counts = ("parcels", "patients in batches", "training images")
    columns = ("hospital", "labels", *counts, "Gram matrix", "calibrated by", "patients")
    items = ("TRIPOD+AI 20b", "TRIPOD+AI 21")
    return Grid(title="Hospitals", columns=columns, rows=rows, numbers=(2, 3, 4, 7), items=items)


def _site(sources: Sources, site: ReleaseSite) -> tuple[str, ...]:
    heads = [sources.head(digest) for digest in site.contributions]
    manifests = [head.manifest for head in heads if head is not None and isinstance(head.manifest, Contribution)]
    whole = len(manifests) == len(site.contributions)
    patients = str(sum(each.batch_patients for each in manifests)) if whole else "not stated"
    images = str(sum(sum(each.images.values()) for each in manifests)) if whole else "not stated"
    own = CALIBRATION[site.calibration]
    labels, parcels = ", ".join(site.labels), str(len(site.contributions))
    return site.name, labels, parcels, patients, images, GRAM[site.gram], own, str(site.calibration_patients)


def _labels(manifest: ReleaseManifest) -> Grid:
    least = few(manifest)
    rows = tuple(
        (label, *(_count(site.patients.get(label), least) for site in manifest.sites)) for label in manifest.labels
    )
    columns = ("label", *(site.name for site in manifest.sites))
    numbers = tuple(range(1, len(columns)))
    title, items = "Training patients by label", ("TRIPOD+AI 20b",)
    return Grid(title=title, columns=columns, rows=rows, numbers=numbers, items=items)


def _count(count: int | None, least: int) -> str:
    if count is None:
        return "-"
    return SMALL.format(count=count) if count < least else str(count)


def performance(sources: Sources, manifest: ReleaseManifest) -> Section:
    """How often each hospital's own validation clips were answered rightly, by its report.

    Raises:
        ConsiliumError: a report is none.
    """
    reports = {site.name: _report(sources, site) for site in manifest.sites}
    told = {name: report for name, report in reports.items() if report is not None}
    missing = [name for name in reports if name not in told]
    notes = (f"No report is at hand of {', '.join(missing)}.",) if missing else ()
    names = tuple(told)
    rows = tuple(_row(manifest, label, list(told.values())) for label in manifest.labels)
    total = ("all", *(_share(report, None) for report in told.values())) if told else None
    grid = Grid(
        title="Right answers by label",
        items=("TRIPOD+AI 23a", "TRIPOD+AI 23b"),
        columns=("label", *names),
        rows=(*rows, total) if total else (),
        numbers=tuple(range(1, 1 + len(names))),
        empty="Not stated: no report is in the bundle.",
    )
    patients = Grid(
        title="Patients behind it",
        items=("TRIPOD+AI 21",),
        columns=("hospital", "validation patients", "calibration patients"),
        rows=tuple(
            (name, str(report.manifest.validation_patients), str(report.manifest.calibration_patients))
            for name, report in told.items()
        ),
        numbers=(1, 2),
        empty="Not stated.",
    )
    return Section(title="Performance", about=COUNTED, lines=(MEASURES,), grids=(grid, patients), notes=notes)


def _report(sources: Sources, site: ReleaseSite) -> Opened | None:
    opened = None if site.report is None else sources.opened(site.report)
    return opened if opened is not None and isinstance(opened.manifest, ReportManifest) else None


def _row(manifest: ReleaseManifest, label: str, reports: Sequence[Opened]) -> tuple[str, ...]:
    column = manifest.labels.index(label)
    return (label, *(_share(report, column) for report in reports))


def _share(report: Opened, column: int | None) -> str:
    """Right answers of all, as a person reads them."""
    counts = report.tensors["confusion"]
    right = int(counts.trace() if column is None else counts[column, column])
    clips = int(counts.sum() if column is None else counts[column].sum())
    return f"{right / clips:.1%} ({right} of {clips})" if clips else "-"
