"""The state of a site as one page that needs nothing else: no script, no font, no picture from anywhere."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from federated.files import write_whole
from site_agent.status.plots import histogram, stacked_bar
from site_agent.status.tables import FOLDS, lines
from site_agent.status.thumbnails import thumbnails
from site_agent.tables import short

if TYPE_CHECKING:
    from site_agent.archive import Archive
    from site_agent.status.holdings import Holdings, MachineCount, ViewCount
    from site_agent.status.status import SiteStatus

Pictures = Mapping[str, Sequence[bytes]]
Cell = tuple[str, str]  # its class and its content, escaped


def write_page(path: Path, status: SiteStatus, archive: Archive) -> None:
    """The page, whole or not at all, for its owner only.

    Raises:
        ConsiliumError: it cannot be written.
    """
    page = status_page(status, thumbnails(archive), datetime.now(UTC))
    write_whole(path, page.encode(), mode=0o600)


def status_page(status: SiteStatus, pictures: Pictures, when: datetime) -> str:
    """The page as HTML; `pictures`: label -> PNG files."""
    template = Template(files("site_agent").joinpath("pages", "status.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(f"{status.site}: what is here"),
        site=escape(status.site),
        federation=escape(status.federation),
        coordinator=escape(status.coordinator),
        when=f"{when:%Y-%m-%d %H:%M} UTC",
        tiles=_tiles(status.holdings),
        sections="\n".join(filter(None, _sections(status, pictures))),
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
    return "".join(f'<div class="tile"><b>{number:,}</b><span>{what}</span></div>' for number, what in numbers)


def _sections(status: SiteStatus, pictures: Pictures) -> Iterable[str]:
    held = status.holdings
    if not held.clips:
        yield _section("Images", _paragraphs(["No images have been taken in yet."]))
    else:
        yield _section("Views", _key() + _views(held, pictures))
        yield _section("Machines", _machines(held.machines))
        yield f'<div class="two">{_section("Sectors", _quality(held))}{_section("Images", _said(held))}</div>'
    if held.outside:
        yield _section("Not taken in", _outside(held))
    if held.batches:
        yield _section("Batches", _batches(held))
    yield _section("What leaves, and what answers", _exchange(status))


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _paragraphs(said: Iterable[str]) -> str:
    return "".join(f"<p>{escape(line)}</p>" for line in said)


def _table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Cell]]) -> str:
    """A table with columns of a class and a name."""
    head = _row("th", [(kind, escape(name)) for kind, name in columns])
    body = "".join(_row("td", row) for row in rows)
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>'


def _row(element: str, cells: Iterable[Cell]) -> str:
    content = "".join(f'<{element} class="{kind}">{content}</{element}>' for kind, content in cells)
    return f"<tr>{content}</tr>"


def _text(words: str, note: str = "") -> Cell:
    small = f"<small>{escape(note)}</small>" if note else ""
    return "", escape(words) + small


def _number(value: int) -> Cell:
    return "number", f"{value:,}"


def _key() -> str:
    names = "".join(f'<span><i class="part-{fold}"></i>{fold}</span>' for fold in FOLDS)
    return f'<div class="key">{names}</div>'


def _views(held: Holdings, pictures: Pictures) -> str:
    most = max(one.images for one in held.views)
    columns = [("", ""), ("", "view"), ("", "images by fold"), *(("number", name) for name in _COUNTED)]
    return _table(columns, (_view(one, most, pictures.get(one.label, ())) for one in held.views))


_COUNTED = ("patients", "files", "images")


def _view(view: ViewCount, most: int, pictures: Sequence[bytes]) -> list[Cell]:
    images = "".join(f'<img alt="" src="data:image/png;base64,{b64encode(png).decode()}">' for png in pictures)
    bar = stacked_bar({fold: view.folds.get(fold, 0) for fold in FOLDS}, most)
    counts = (view.patients, view.clips, view.images)
    return [("pictures", images), _text(view.meaning or view.label, view.label), ("", bar), *map(_number, counts)]


def _machines(machines: Sequence[MachineCount]) -> str:
    most = max(one.images for one in machines)
    columns = [("", "machine"), ("number", "expert"), ("", ""), *(("number", name) for name in _COUNTED)]
    rows = (
        [
            _text(one.machine or "not said"),
            _number(one.expert),
            ("", stacked_bar({"images": one.images}, most)),
            *map(_number, (one.patients, one.clips, one.images)),
        ]
        for one in machines
    )
    return _table(columns, rows)


def _quality(held: Holdings) -> str:
    if not held.quality.with_sector:
        return _paragraphs(["No image has a sector that was found."])
    plot = histogram(held.quality.histogram, 0.0, 1.0)
    return f'<p class="quiet">files by quality of the sector, 1 being the best</p>{plot}'


def _said(held: Holdings) -> str:
    return _paragraphs(line[:1].upper() + line[1:] + "." for line in lines(held))


def _outside(held: Holdings) -> str:
    rows = ([_text(one.state), _text(one.reason), _number(one.items)] for one in held.outside)
    table = _table([("", "state"), ("", "reason"), ("number", "items")], rows)
    return f'{table}<p class="quiet">By name: <em>consilium site quarantine</em></p>'


def _batches(held: Holdings) -> str:
    columns = [("", name) for name in ("batch", "closed", "form", "pixels")]
    rows = (
        [
            _text(one.name),
            _text(one.closed[:16].replace("T", " ")),
            _text(", ".join(one.forms)),
            _text(one.pixels),
            *map(_number, (one.expert, one.patients, one.clips, one.images)),
        ]
        for one in held.batches
    )
    return _table([*columns, ("number", "expert"), *(("number", name) for name in _COUNTED)], rows)


def _exchange(status: SiteStatus) -> str:
    answers = f"Release {status.answers} answers here." if status.answers else "No release answers here."
    waiting = f"{len(status.pending)} waiting for an approver"
    said = [
        f"Policy: {status.policy}.",
        f"{status.outbox} parcels in the outbox, {status.unread} unread in the inbox, {waiting}.",
        answers,
        *(f"A patient who was forgotten {one.forgotten}." for one in status.contributions if one.forgotten),
        *(f"Last round of work: {step.line}" for step in status.last),
    ]
    sent = (
        [_text(one.batch), _text(one.kind), _text(one.state), _text(short(one.digest))] for one in status.contributions
    )
    columns = [("", name) for name in ("batch", "kind", "state", "digest")]
    table = _table(columns, sent) if status.contributions else ""
    held = (
        [_number(one.number), _text(one.state), _text(short(one.digest)), _text(one.reason)] for one in status.releases
    )
    columns = [("number", "release"), *(("", name) for name in ("state", "digest", "reason"))]
    return _paragraphs(said) + table + (_table(columns, held) if status.releases else "")
