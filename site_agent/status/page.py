"""The state of a site as one page that needs nothing else: no script, no font, no picture from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from federated.files import write_whole
from federated.tables import minute
from site_agent.page_parts import Cell, moment, number, page, paragraphs, picture, section, table, text, tiles
from site_agent.status.plots import histogram, stacked_bar
from site_agent.status.tables import FOLDS, lines
from site_agent.status.thumbnails import thumbnails
from site_agent.tables import short

if TYPE_CHECKING:
    from site_agent.archive import Archive
    from site_agent.status.holdings import Holdings, MachineCount, ViewCount
    from site_agent.status.status import SiteStatus

Pictures = Mapping[str, Sequence[bytes]]


def write_page(path: Path, status: SiteStatus, archive: Archive) -> None:
    """The page, whole or not at all, for its owner only.

    Raises:
        ConsiliumError: it cannot be written.
    """
    made = status_page(status, thumbnails(archive), datetime.now(UTC))
    write_whole(path, made.encode(), mode=0o600)


def status_page(status: SiteStatus, pictures: Pictures, when: datetime) -> str:
    """The page as HTML; `pictures`: label -> PNG files."""
    return page(
        title=f"{status.site}: what is here",
        heading=status.site,
        about=[f"federation {status.federation}, coordinator {status.coordinator}", moment(when)],
        content="\n".join(filter(None, [_tiles(status.holdings), *_sections(status, pictures)])),
        command="consilium site status --html",
    )


def _tiles(held: Holdings) -> str:
    outside = sum(one.items for one in held.outside)
    numbers = (
        (held.patients, "patients"),
        (held.clips, "clips and stills"),
        (held.images, "images"),
        (len(held.machines), "machines"),
        (outside, "not taken in"),
    )
    return tiles((f"{count:,}", what) for count, what in numbers)


def _sections(status: SiteStatus, pictures: Pictures) -> Iterable[str]:
    held = status.holdings
    if not held.clips:
        yield section("Images", paragraphs(["No images have been taken in yet."]))
    else:
        yield section("Views", _key() + _views(held, pictures))
        yield section("Machines", _machines(held.machines))
        yield f'<div class="two">{section("Sectors", _quality(held))}{section("Images", _said(held))}</div>'
    if held.outside:
        yield section("Not taken in", _outside(held))
    if held.batches:
        yield section("Batches", _batches(held))
    yield section("What leaves, and what answers", _exchange(status))


def _key() -> str:
    names = "".join(f'<span><i class="part-{fold}"></i>{fold}</span>' for fold in FOLDS)
    return f'<div class="key">{names}</div>'


def _views(held: Holdings, pictures: Pictures) -> str:
    most = max(one.images for one in held.views)
    columns = [("", ""), ("", "view"), ("", "images by fold"), *(("number", name) for name in _COUNTED)]
    return table(columns, (_view(one, most, pictures.get(one.label, ())) for one in held.views))


_COUNTED = ("patients", "files", "images")


def _view(view: ViewCount, most: int, pictures: Sequence[bytes]) -> list[Cell]:
    images = "".join(map(picture, pictures))
    bar = stacked_bar({fold: view.folds.get(fold, 0) for fold in FOLDS}, most)
    counts = (view.patients, view.clips, view.images)
    return [("pictures", images), text(view.meaning or view.label, view.label), ("", bar), *map(number, counts)]


def _machines(machines: Sequence[MachineCount]) -> str:
    most = max(one.images for one in machines)
    columns = [("", "machine"), ("number", "expert"), ("", ""), *(("number", name) for name in _COUNTED)]
    rows = (
        [
            text(one.machine or "not said"),
            number(one.expert),
            ("", stacked_bar({"images": one.images}, most)),
            *map(number, (one.patients, one.clips, one.images)),
        ]
        for one in machines
    )
    return table(columns, rows)


def _quality(held: Holdings) -> str:
    if not held.quality.with_sector:
        return paragraphs(["No image has a sector that was found."])
    plot = histogram(held.quality.histogram, 0.0, 1.0)
    return f'<p class="quiet">files by quality of the sector, 1 being the best</p>{plot}'


def _said(held: Holdings) -> str:
    return paragraphs(line[:1].upper() + line[1:] + "." for line in lines(held))


def _outside(held: Holdings) -> str:
    rows = ([text(one.state), text(one.reason), number(one.items)] for one in held.outside)
    listed = table([("", "state"), ("", "reason"), ("number", "items")], rows)
    return f'{listed}<p class="quiet">By name: <em>consilium site quarantine</em></p>'


def _batches(held: Holdings) -> str:
    columns = [("", name) for name in ("batch", "closed", "form", "pixels")]
    rows = (
        [
            text(one.name),
            text(minute(one.closed)),
            text(", ".join(one.forms)),
            text(one.pixels),
            *map(number, (one.expert, one.patients, one.clips, one.images)),
        ]
        for one in held.batches
    )
    return table([*columns, ("number", "expert"), *(("number", name) for name in _COUNTED)], rows)


def _exchange(status: SiteStatus) -> str:
    answers = f"Release {status.answers} answers here." if status.answers else "No release answers here."
    waiting = f"{len(status.pending)} waiting for an approver"
    said = [
        f"Policy: {status.policy}.",
        f"{status.outbox} parcels in the outbox, {status.unread} unread in the inbox, {waiting}.",
        answers,
        *([f"{status.lease[:1].upper()}{status.lease[1:]}."] if status.lease else []),
        *(f"A patient who was forgotten {one.forgotten}." for one in status.contributions if one.forgotten),
        *(f"Last round of work: {step.line}" for step in status.last),
    ]
    sent = ([text(one.batch), text(one.kind), text(one.state), text(short(one.digest))] for one in status.contributions)
    columns = [("", name) for name in ("batch", "kind", "state", "digest")]
    left = table(columns, sent) if status.contributions else ""
    held = ([number(one.number), text(one.state), text(short(one.digest)), text(one.reason)] for one in status.releases)
    columns = [("number", "release"), *(("", name) for name in ("state", "digest", "reason"))]
    return paragraphs(said) + left + (table(columns, held) if status.releases else "")
