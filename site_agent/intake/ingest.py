"""Taking images in: list them, look at each once, write what is left of it, and close the batch.

What was looked at is kept as it comes, so that a stopped ingest goes on where it was; a batch is closed whole or not at
all, and until then no task sees its images. The same images twice give the same catalogue.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from federated.errors import DataError
from federated.label_map import LabelMap
from federated.vocabulary import Vocabulary
from site_agent.archive import Archive
from site_agent.folds import FOLDS
from site_agent.intake.closing import close, words_waiting
from site_agent.intake.examination import Examiner, Record
from site_agent.intake.preparation import PixelRule, Rules
from site_agent.intake.reports import Findings, IngestReport
from site_agent.intake.rows import Rows
from site_agent.intake.workers import Lost, each
from site_agent.progress import track
from site_agent.sealing import pseudonym
from site_agent.sources import AUTO, source_of
from site_agent.sources.hearts import HeartsSource
from site_agent.sources.index import Columns
from site_agent.sources.source import Item, Refused, Source

AT_ONCE = 256  # rows a transaction
NEW = (
    "SELECT coalesce(label, ''), count(number), patient, json_extract(nullif(blanked, ''), '$.bright') > 0 "
    "FROM clips JOIN frames ON frames.clip = clips.id"
)


@dataclass(frozen=True)
class Order:
    """What a person asks for.

    Attributes:
        format: name of a source, or ``auto``.
        columns: of an index.
        site: only items of this site, where an index names several.
        machine: what the images come from, where the person knows better than the headers.
        pixels: ``whole`` where a person vouches that no pixel identifies anybody.
        processes: that look at items side by side; with one, nothing protects from a decoder that crashes.
    """

    format: str = AUTO
    columns: Columns = field(default_factory=Columns)
    site: str | None = None
    machine: str = ""
    pixels: PixelRule = "sector"
    processes: int = 1


def ingest(
    archive: Archive, vocabulary: Vocabulary, label_map: LabelMap, root: Path, order: Order | None = None
) -> IngestReport:
    """Takes in what a root holds; a batch is closed, or nothing can be seen to have changed.

    `label_map` says which code the hospital's words stand for. What cannot be read, or must be looked at by a person,
    is set aside with the reason.

    Raises:
        DataError: nothing of it can be used, or a label is unknown; what was looked at is not looked at again.
    """
    order = order or Order()
    source = source_of(root, order.format, order.columns)
    label_map = label_map.merged(line for line in source.labels if line[1] in vocabulary.codes)
    root_key = archive.seal.key("root", str(root.absolute()))
    items, refused = _listed(source, root, order.site)
    _codes({item.label for item in items} - {""}, vocabulary, label_map, str(root))
    _check_agreement(items, archive)
    archive.cache.sweep({row[0] for row in archive.catalogue.rows("SELECT item FROM clips")})
    findings = Findings()
    rows = Rows(archive, root_key, source.name, order.pixels)
    rows.refuse(refused, findings)
    rules = Rules(order.pixels, source.needs_sector)
    _look(items, Examiner(archive, source, rules, order.machine), rows, findings, order.processes)
    return _close(archive, vocabulary, label_map, (root, root_key), order, source, findings, items)


def _listed(source: Source, root: Path, site: str | None) -> tuple[list[Item], list[Refused]]:
    found = list(source.scan(root))
    items = [one for one in found if isinstance(one, Item)]
    refused = [one for one in found if isinstance(one, Refused)]
    if site is not None:
        chosen = [item for item in items if item.site == site]
        if not chosen:
            there = ", ".join(sorted({item.site for item in items} - {""})) or "none"
            raise DataError(f"has no image of site '{site}'; sites there: {there}", where=str(root))
        items = chosen
    if not items and not refused:
        raise DataError(f"holds nothing that can be read as {source.name}", where=str(root))
    items, twice = _once(items)
    return items, [*refused, *twice]


def _once(items: Sequence[Item]) -> tuple[list[Item], list[Refused]]:
    """Each item, and what is listed again as something else, since one of the two must be wrong."""
    first: dict[tuple[Path, str, tuple[int, ...] | None], Item] = {}
    again = [item for item in items if first.setdefault((item.path, item.name, item.frames), item) != item]
    reason = "is listed twice, the second time as something else"
    return list(first.values()), [Refused(item.name, item.path, reason) for item in again]


def _codes(words: set[str], vocabulary: Vocabulary, label_map: LabelMap, where: str) -> dict[str, str]:
    """Code of each word.

    Raises:
        DataError: a word stands for none; how many others do not is said too.
    """
    codes: dict[str, str] = {}
    unknown: list[DataError] = []
    for word in sorted(words):
        try:
            codes[word] = label_map.code_for(word, vocabulary)
        except DataError as error:
            unknown.append(error)
    if unknown:
        more = f" (and {len(unknown) - 1} other labels)" if len(unknown) > 1 else ""
        raise DataError(f"{unknown[0].what}{more}", where=where, cure=unknown[0].cure)
    return codes


def _check_agreement(items: Sequence[Item], archive: Archive) -> None:
    """A patient is in one split, the one it was in before, and a clip has one label.

    Raises:
        DataError: otherwise.
    """
    before = dict(archive.catalogue.rows("SELECT pseudonym, fold FROM patients"))
    splits: dict[str, str] = {}
    labels: dict[tuple[str, str], str] = {}
    for item in items:
        if item.fold and item.patient:
            _check_split(item, splits, before, archive.secret)
        if item.clip and labels.setdefault((item.patient, item.clip), item.label) != item.label:
            raise DataError(
                f"clip '{item.clip}' has two labels, {labels[item.patient, item.clip]} and {item.label}",
                where=item.name,
                cure="give each part a clip of its own",
            )


def _check_split(item: Item, splits: dict[str, str], before: dict[str, str], secret: bytes) -> None:
    fold = item.fold or ""
    if splits.setdefault(item.patient, fold) != fold:
        raise DataError(
            f"patient '{item.patient}' is in two splits, {splits[item.patient]} and {fold}",
            where=item.name,
            cure="put all images of a patient in one split",
        )
    was = before.get(pseudonym(secret, "patient", item.patient), fold)
    if was != fold:
        raise DataError(
            f"its patient is in {was} since an earlier ingest and cannot move to {fold}",
            where=item.name,
            cure="leave the split as it was",
        )


def _look(items: Sequence[Item], examiner: Examiner, rows: Rows, findings: Findings, processes: int) -> None:
    """Looks at what is new or has changed, and writes what it finds in the order of the items."""
    todo: list[tuple[Item, bool]] = []
    before: list[str] = []
    for item in items:
        key = examiner.key(item)
        known = rows.known(key, item)
        if known is None:
            todo.append((item, rows.cleared(key, item)))
        else:
            rows.seen_before(key, known, findings)
            before.append(key)
    rows.begin((examiner.key(item) for item, _ in todo), before)
    looked = each(examiner, todo, processes)
    with closing(looked):
        waiting: list[tuple[Item, Record]] = []
        records = _in_order(todo, looked, examiner)
        for found in track(records, total=len(todo), what="looking at images"):
            waiting.append(found)
            if len(waiting) == AT_ONCE:
                rows.add(waiting, findings)
                waiting = []
        rows.add(waiting, findings)


def _in_order(
    todo: Sequence[tuple[Item, bool]],
    looked: Iterator[tuple[tuple[Item, bool], Record | Lost]],
    examiner: Examiner,
) -> Iterator[tuple[Item, Record]]:
    """Records in the order of the items, whichever process was quicker."""
    early: dict[str, Record] = {}
    following = iter([(item, examiner.key(item)) for item, _ in todo])
    expected = next(following, None)
    for (item, _), record in looked:
        key = examiner.key(item)
        early[key] = Record(key, "refused", record.reason, passing=True) if isinstance(record, Lost) else record
        while expected is not None and expected[1] in early:
            yield expected[0], early.pop(expected[1])
            expected = next(following, None)


def _close(
    archive: Archive,
    vocabulary: Vocabulary,
    label_map: LabelMap,
    root: tuple[Path, str],
    order: Order,
    source: Source,
    findings: Findings,
    items: Sequence[Item],
) -> IngestReport:
    where, key = root
    with archive.catalogue.transaction() as connection:
        codes = _codes(words_waiting(connection, archive, key), vocabulary, label_map, str(where))
        batches = close(connection, archive, vocabulary, codes, key, label_map=label_map.digest, pixels=order.pixels)
    if not batches and not findings.skipped and findings.aside:
        first = findings.aside[0]
        what = f"none of its {len(findings.aside)} items can be used; {first.name} {first.reason}"
        raise DataError(what, where=str(where))
    return IngestReport(
        format=source.name,
        recognised=order.format == AUTO,
        batches=tuple(batches),
        **vars(_new(archive, batches)),
        skipped=findings.skipped,
        aside=tuple(findings.aside),
        doubts=tuple(findings.doubts),
        notes=(*_notes_on_items(items, order), *(_notes_on_catalogue(archive) if batches else ())),
    )


@dataclass(frozen=True)
class _New:
    """How much is new."""

    images: int
    clips: int
    patients: int
    labels: dict[str, int]
    blanked: int


def _new(archive: Archive, batches: Sequence[str]) -> _New:
    rows = archive.catalogue.rows(f"{NEW} WHERE batch IN ({','.join('?' * len(batches))}) GROUP BY clips.id", batches)
    labels: Counter[str] = Counter()
    for label, images, *_ in rows:
        labels[label] += images
    blanked = sum(bool(row[3]) for row in rows)
    return _New(labels.total(), len(rows), len({row[2] for row in rows}), dict(sorted(labels.items())), blanked)


def _notes_on_items(items: Sequence[Item], order: Order) -> list[str]:
    notes = []
    nameless = sum(not item.patient for item in items)
    if nameless and nameless < len(items):
        notes.append(f"{nameless} of {len(items)} lines name no patient")
    sites = {item.site for item in items}
    if order.site is None and len(sites) > 1:
        notes.append(f"images of {len(sites)} sites are taken in as one: {', '.join(sorted(sites))}")
    if order.pixels == "whole":
        notes.append("pixels outside the sector were kept: a person vouched for them")
    return notes


def _notes_on_catalogue(archive: Archive) -> list[str]:
    notes = []
    rows = archive.catalogue.rows
    said = "SELECT DISTINCT label FROM clips WHERE batch IS NOT NULL AND source != ?"  # hearts need no label
    labels = [row[0] for row in rows(said, (HeartsSource.name,))]
    if len(labels) == 1 and labels[0]:
        notes.append(f"every image shows '{labels[0]}': this site can vouch for that label only")
    if None in labels:
        notes.append("some images have no label: they can be answered, and nothing is learnt from them")
    strangers = rows("SELECT count(*) FROM clips WHERE batch IS NOT NULL AND NOT patient_known")[0][0]
    if strangers:
        notes.append(f"{strangers} images or clips name no patient: each clip counts as a patient of its own")
    patients = Counter(dict(rows("SELECT fold, count(*) FROM patients GROUP BY fold")))
    if patients.total() == 1:
        notes.append("all images are of one patient, who can be only trained on or only tested on")
    empty = [fold for fold in FOLDS if not patients[fold]]
    if empty:
        notes.append(f"too few patients to fill every fold: none in {', '.join(empty)}")
    return notes


def cores() -> int:
    """Processors that this program may use."""
    return len(os.sched_getaffinity(0))
