"""The first page: what was taken in, and what waits for somebody."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from federated.pages.plots import Part, kinds, stacked_bars
from federated.web.exchange import Answer, Rendered, Seen
from site_agent.status.holdings import Holdings, ViewCount
from site_agent.status.status import SiteStatus, site_status
from site_agent.status.thumbnails import thumbnails
from site_agent.web.wording import short_of

if TYPE_CHECKING:
    from federated.pages.svg import Svg
    from site_agent.home import SiteHome

FOLDS = ("train", "validation", "calibration", "test")
NO_LABEL = "no label"


def data(home: SiteHome, _: Seen) -> Answer:
    """What is here, what waits, and which release answers."""
    status = site_status(home)
    held = status.holdings
    context = {
        "heading": "My data",
        "status": status,
        "held": held,
        "tiles": _tiles(status),
        "views": _views(held),
        "view_rows": [_view_row(view) for view in held.views],
        "machine_rows": [(m.machine or "not said", m.expert, m.patients, m.clips, m.images) for m in held.machines],
        "batch_rows": [
            (b.name, b.closed[:16].replace("T", " "), ", ".join(b.forms), b.pixels, b.patients, b.images)
            for b in held.batches
        ],
        "outside_rows": [(one.state, one.reason, one.items) for one in held.outside],
        "contribution_rows": [(one.batch, one.kind, one.state, one.forgotten) for one in status.contributions],
        "pictures": pictures(thumbnails(home.archive), {view.label: _name(view) for view in held.views}),
    }
    return Rendered("data.html", context)


def pictures(found: Mapping[str, Sequence[bytes]], names: Mapping[str, str]) -> list[tuple[str, str]]:
    """Each picture as an address that holds it, with what it shows."""
    return [(address_of(png), names.get(label) or label) for label, all_of in found.items() for png in all_of]


def address_of(png: bytes) -> str:
    """A picture as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _tiles(status: SiteStatus) -> list[tuple[str, str]]:
    held = status.holdings
    return [
        (f"{held.patients:,}", "patients"),
        (f"{held.clips:,}", "clips and stills"),
        (f"{held.images:,}", "images to learn from"),
        (str(len(status.pending)), "waiting for an approver"),
        (str(status.answers or "none"), "release that answers"),
    ]


def _views(held: Holdings) -> Svg:
    colours = kinds(FOLDS)
    rows = [
        (
            short_of(_name(view)),
            [Part(fold, view.folds.get(fold, 0), colours[fold]) for fold in FOLDS if view.folds.get(fold)],
        )
        for view in held.views
    ]
    most = max((view.images for view in held.views), default=0)
    return stacked_bars(rows, title="Images of each view, by what they are used for", most=float(most) or None)


def _view_row(view: ViewCount) -> tuple[object, ...]:
    return _name(view), view.label, view.patients, view.clips, view.images


def _name(view: ViewCount) -> str:
    return view.meaning or view.label or NO_LABEL
