"""What a site has taken in, counted: patients, views, machines, how good the images are, and what stayed outside.

Only counts, codes and machines: no name, number or word of the hospital's own.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from federated.manifest import Frozen
from site_agent.catalogue import State

if TYPE_CHECKING:
    from federated.vocabulary import Vocabulary
    from site_agent.archive import Archive

HELD = (
    "WITH held AS (SELECT clips.*, patients.fold AS split, "
    "(SELECT count(*) FROM frames WHERE frames.clip = clips.id) AS images "
    "FROM clips JOIN patients ON pseudonym = patient WHERE clips.batch IS NOT NULL) "
)
# in a reason: whatever an item or a decoder has put there
OWN = re.compile(r"""\(.*\)|'.*'|".*"|\d+(?:\.\d+)?""", re.DOTALL)
STEPS = 10  # of the histogram of quality


class FoldCount(Frozen):
    """Of one fold."""

    fold: str
    patients: int
    images: int


class ViewCount(Frozen):
    """Of one label; "" stands for images that nobody has labelled. `folds`: images by fold."""

    label: str
    meaning: str
    patients: int
    clips: int
    images: int
    folds: dict[str, int]


class MachineCount(Frozen):
    """Of one machine, "" where nobody said which, and the version of the expert that learns from it."""

    machine: str
    expert: int
    patients: int
    clips: int
    images: int


class Quality(Frozen):
    """How well a sector was found.

    Attributes:
        with_sector, without_sector: clips.
        quantiles: least, 10 %, median, 90 %, greatest of those with one; none where there is none.
        histogram: of them over ten equal steps from 0 to 1.
    """

    with_sector: int
    without_sector: int
    quantiles: tuple[float, ...]
    histogram: tuple[int, ...]


class Spacing(Frozen):
    """Clips whose pixels have a known size, those whose have not, and the range of heights in millimetres."""

    known: int
    unknown: int
    range_mm: tuple[float, float] | None


class FormCount(Frozen):
    """Clips that came in one form."""

    form: str
    clips: int


class OutsideCount(Frozen):
    """Items that were listed and not taken in, by state and reason; what single items have of their own is left out."""

    state: State
    reason: str
    items: int


class Removed(Frozen):
    """What blanking has taken away.

    Attributes:
        clips: that were blanked.
        pixels, bright: mean shares of a frame's pixels, and of its bright pixels.
        text: clips with text outside the sector.
        marks: clips with marks inside it.
    """

    clips: int
    pixels: float
    bright: float
    text: int
    marks: int


class BatchCount(Frozen):
    """One batch: when it was closed, for which expert version, under which rule for pixels, in which forms."""

    name: str
    closed: str
    expert: int
    pixels: str
    forms: tuple[str, ...]
    patients: int
    clips: int
    images: int


class Holdings(Frozen):
    """All of it. A clip is what one file became, a still too; `waiting` are those that no task sees yet."""

    patients: int
    clips: int
    images: int
    waiting: int
    folds: tuple[FoldCount, ...]
    views: tuple[ViewCount, ...]
    machines: tuple[MachineCount, ...]
    quality: Quality
    spacing: Spacing
    forms: tuple[FormCount, ...]
    outside: tuple[OutsideCount, ...]
    removed: Removed
    batches: tuple[BatchCount, ...]


def holdings(archive: Archive, vocabulary: Vocabulary) -> Holdings:
    """What an archive holds, with labels in the words of the vocabulary."""
    patients, clips, images = _held(archive, "SELECT count(DISTINCT patient), count(*), total(images) FROM held")[0]
    return Holdings(
        patients=patients,
        clips=clips,
        images=int(images),
        waiting=archive.catalogue.rows("SELECT count(*) FROM clips WHERE batch IS NULL")[0][0],
        folds=_folds(archive),
        views=_views(archive, {concept.code: concept.meaning for concept in vocabulary.concepts}),
        machines=_machines(archive),
        quality=_quality([row[0] for row in _held(archive, "SELECT quality FROM held WHERE sector != ''")], clips),
        spacing=_spacing(archive),
        forms=tuple(
            FormCount(form=form, clips=number)
            for form, number in _held(archive, "SELECT source, count(*) FROM held GROUP BY 1 ORDER BY 2 DESC, 1")
        ),
        outside=_outside(archive),
        removed=_removed(archive),
        batches=_batches(archive),
    )


def _held(archive: Archive, query: str) -> list[tuple[Any, ...]]:
    return archive.catalogue.rows(HELD + query)


def _folds(archive: Archive) -> tuple[FoldCount, ...]:
    rows = _held(archive, "SELECT split, count(DISTINCT patient), sum(images) FROM held GROUP BY 1")
    order = ("train", "validation", "calibration", "test")
    found = [FoldCount(fold=fold, patients=patients, images=images) for fold, patients, images in rows]
    return tuple(sorted(found, key=lambda one: order.index(one.fold)))


def _views(archive: Archive, meanings: Mapping[str, str]) -> tuple[ViewCount, ...]:
    folds: dict[str, dict[str, int]] = defaultdict(dict)
    for label, fold, images in _held(
        archive, "SELECT coalesce(label, ''), split, sum(images) FROM held GROUP BY 1, 2 ORDER BY 1, 2"
    ):
        folds[label][fold] = images
    counts = "SELECT coalesce(label, ''), count(DISTINCT patient), count(*), sum(images) FROM held GROUP BY 1"
    return tuple(
        ViewCount(
            label=label,
            meaning=meanings.get(label, "") if label else "no label",
            patients=patients,
            clips=clips,
            images=images,
            folds=folds[label],
        )
        for label, patients, clips, images in _held(archive, f"{counts} ORDER BY 4 DESC, 1")
    )


def _machines(archive: Archive) -> tuple[MachineCount, ...]:
    counts = "SELECT machine, expert, count(DISTINCT patient), count(*), sum(images) FROM held JOIN machines USING "
    rows = _held(archive, f"{counts} (machine) GROUP BY 1, 2 ORDER BY 2, 5 DESC, 1")
    names = ("machine", "expert", "patients", "clips", "images")
    return tuple(MachineCount(**dict(zip(names, row, strict=True))) for row in rows)


def _quality(qualities: Sequence[float], clips: int) -> Quality:
    import numpy as np

    values = np.array(qualities)
    histogram, _ = np.histogram(values, bins=STEPS, range=(0.0, 1.0))
    quantiles = np.quantile(values, [0, 0.1, 0.5, 0.9, 1]) if qualities else np.zeros(0)
    return Quality(
        with_sector=len(qualities),
        without_sector=clips - len(qualities),
        quantiles=tuple(round(float(value), 3) for value in quantiles),
        histogram=tuple(int(number) for number in histogram),
    )


def _spacing(archive: Archive) -> Spacing:
    query = "SELECT count(spacing_y), count(*) - count(spacing_y), min(spacing_y), max(spacing_y) FROM held"
    known, unknown, least, most = _held(archive, query)[0]
    return Spacing(known=known, unknown=unknown, range_mm=(least, most) if known else None)


def _outside(archive: Archive) -> tuple[OutsideCount, ...]:
    found = Counter(
        (one.state, _kind_of(json.loads(archive.name(one.sealed))["reason"])) for one in archive.catalogue.aside()
    )
    return tuple(
        OutsideCount(state=state, reason=reason, items=items) for (state, reason), items in found.most_common()
    )


def _kind_of(reason: str) -> str:
    return OWN.sub("…", reason)


def _removed(archive: Archive) -> Removed:
    accounts = [json.loads(row[0]) for row in _held(archive, "SELECT blanked FROM held WHERE blanked != ''")]

    def mean(name: str) -> float:
        return sum(account[name] for account in accounts) / max(1, len(accounts))

    return Removed(
        clips=len(accounts),
        pixels=round(mean("pixels"), 4),
        bright=round(mean("bright"), 4),
        text=sum(account["text_outside"] > 0 for account in accounts),
        marks=sum(account["marks_inside"] > 0 for account in accounts),
    )


def _batches(archive: Archive) -> tuple[BatchCount, ...]:
    query = (
        "SELECT batches.name, closed, batches.expert, pixels, group_concat(DISTINCT held.source), "
        "count(DISTINCT patient), count(*), sum(images) FROM batches JOIN held ON held.batch = batches.name "
        "GROUP BY 1 ORDER BY batches.rowid"
    )
    return tuple(
        BatchCount(
            name=name,
            closed=closed,
            expert=expert,
            pixels=pixels,
            forms=tuple(sorted(forms.split(","))),
            patients=patients,
            clips=clips,
            images=images,
        )
        for name, closed, expert, pixels, forms, patients, clips, images in _held(archive, query)
    )
