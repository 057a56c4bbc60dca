"""What a site has to learn from in rounds, as a network reads it, with the rows by which the filters count it.

A row is an image with one label. An image with several structures has a row for each, so that the fewest patients
behind every structure are held to the site's limits, and an update weighs by what it was taught.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from federated.averaging import Plan
from federated.errors import DataError
from site_agent.catalogue import Catalogue
from site_agent.features import features_of
from site_agent.ledger import sent, transaction
from site_agent.steps import read_progress
from site_agent.tasks.blocks import TRAIN, class_balance, sample_weights, select

if TYPE_CHECKING:
    from federated.disclosure import Limits
    from shared_models.averaged_models import Config, Reads
    from site_agent.catalogue import Case
    from site_agent.contour_truth import ContouredCase
    from site_agent.home import SiteHome
    from site_agent.tasks.blocks import Array
    from site_agent.truth import Clip, MaskedCase

WHERE = "update"


@dataclass(frozen=True)
class Lesson:
    """Training images of a run's labels.

    Attributes:
        cases: n rows.
        weights: (n,) by which one patient may not weigh too much.
        examples: configuration -> what `AveragedModel.train` takes; made only once it is to be trained from.
    """

    cases: list[Case]
    weights: Array
    examples: Callable[[Config], Any]


def lesson_of(home: SiteHome, plan: Plan, limits: Limits) -> Lesson:
    """What a run of rounds is answered from, of all batches but those that were taken back.

    Raises:
        DataError: there is nothing to learn from.
        DisclosureError: no label has patients enough.
    """
    from shared_models.averaged_models import averaged_model

    return LESSONS[averaged_model(plan.model).reads](home, plan, limits)


def training_cases(home: SiteHome, labels: Sequence[str], limits: Limits) -> list[Case]:
    """Training images of these labels with patients enough, of all batches but those that were taken back.

    Raises:
        DisclosureError: no label has patients enough.
    """
    gone = taken_back(home)
    cases = Catalogue(home.catalogue_path).cases(fold=TRAIN)
    return _enough([case for case in cases if case.label in labels and case.batch not in gone], limits)


def taken_back(home: SiteHome) -> set[str]:
    """Batches of which everything that left was withdrawn."""
    with transaction(home.state_path) as connection:
        rows = {row.digest: row.withdrawn for row in sent(connection)}
    progress = read_progress(home)
    batches = Catalogue(home.catalogue_path).batches()
    left = {batch: [rows[name] for name in progress.of_batch(batch) if name in rows] for batch in batches}
    return {batch for batch, withdrawn in left.items() if withdrawn and all(withdrawn)}


def _enough(rows: list[Case], limits: Limits) -> list[Case]:
    return select(rows, limits, where=WHERE).folds[TRAIN]


def _features(home: SiteHome, plan: Plan, limits: Limits) -> Lesson:
    from shared_models.averaged_models import Examples

    cases = training_cases(home, plan.labels, limits)
    weights = sample_weights(cases, class_balance(cases, home.config.class_balance))
    return Lesson(
        cases, weights, lambda _config: Examples(features_of(home, cases), _numbers(cases, plan.labels), weights)
    )


def _images(home: SiteHome, plan: Plan, limits: Limits) -> Lesson:
    """Every image counts the same."""
    from shared_models.averaged_models import Examples

    cases = training_cases(home, plan.labels, limits)
    weights = np.ones(len(cases))

    def examples(config: Config) -> Examples:
        return Examples(_working_images(home, cases, int(config["side"])), _numbers(cases, plan.labels), weights)

    return Lesson(cases, weights, examples)


def _working_images(home: SiteHome, cases: Sequence[Case], side: int) -> NDArray[np.uint8]:
    """(n, S, S) stretched to the side that a network sees."""
    from shared_models.scaling import resized

    cache = home.archive.cache
    frames = [
        frame
        for key, group in groupby(cases, key=lambda case: case.key)
        for frame in cache.frames(key, [case.place for case in group])
    ]
    return np.stack([resized(frame, side) for frame in frames])


def _numbers(cases: Sequence[Case], labels: Sequence[str]) -> NDArray[np.int64]:
    return np.array([labels.index(case.label) for case in cases], dtype=np.int64)


def _masks(home: SiteHome, plan: Plan, limits: Limits) -> Lesson:
    """Images with label maps, whose values count the run's labels; of what too few patients show, nothing is said."""
    from site_agent.tasks.segmentation import masked_of, rows_of
    from site_agent.truth import masked_cases

    gone = taken_back(home)
    masked = [each for each in masked_cases(home, plan.labels, fold=TRAIN) if each.case.batch not in gone]
    rows = _enough([row for each in masked for row in rows_of(each, plan.labels)], limits)
    values = {1 + plan.labels.index(row.label) for row in rows}
    kept = [each for each in (_only(each, values) for each in masked) if each.mask.any()]
    return Lesson(rows, np.ones(len(rows)), lambda config: masked_of(kept, int(config["side"])))


def _only(each: MaskedCase, values: Collection[int]) -> MaskedCase:
    """With some structures alone; of the others it says nothing."""
    mask = np.where(np.isin(each.mask, list(values)), each.mask, 0).astype(np.uint8)
    return replace(each, mask=mask, labelled=tuple(value for value in each.labelled if value in values))


def _contours(home: SiteHome, plan: Plan, limits: Limits) -> Lesson:
    """Images in which the ventricle is outlined, their views as labels."""
    from site_agent.contour_truth import contoured_cases

    gone = taken_back(home)
    drawn = contoured_cases(home, fold=TRAIN)
    there = [each for each in drawn if each.view in plan.labels and each.case.batch not in gone]
    rows = _enough([replace(each.case, label=each.view) for each in there], limits)
    known = {row.label for row in rows}
    kept = [each for each in there if each.view in known]
    return Lesson(rows, np.ones(len(rows)), lambda config: _contoured(kept, int(config["side"])))


def _contoured(cases: Sequence[ContouredCase], side: int) -> Any:
    from shared_models.contour_training import Contoured, at_side

    parts = [at_side(Contoured(each.image[None], each.points[None]), side) for each in cases]
    images, points = (np.concatenate([getattr(part, name) for part in parts]) for name in ("images", "points"))
    return Contoured(images, points)


def _clips(home: SiteHome, plan: Plan, limits: Limits) -> Lesson:
    """Windows of clips, one after another; a row is a window, with what its clip shows as label."""
    from shared_models.clip_windows import WINDOW, starts
    from site_agent.truth import clips_of

    gone, archive = taken_back(home), home.archive
    clips = [clip for clip in clips_of(archive, fold=TRAIN) if clip.label in plan.labels and clip.batch not in gone]
    numbers = {clip.id: archive.cache.read(clip.key, "numbers").tolist() for clip in clips}
    begins = {clip.id: starts(len(numbers[clip.id])).tolist() for clip in clips}
    if not any(begins.values()):
        what = f"no training patient has a clip of {WINDOW} frames that shows a label of this run"
        raise DataError(what, where=WHERE, cure="take in clips")
    rows = _enough([clip.case(numbers[clip.id][begin], begin) for clip in clips for begin in begins[clip.id]], limits)
    known = {row.label for row in rows}
    kept = [clip for clip in clips if clip.label in known and begins[clip.id]]
    return Lesson(rows, np.ones(len(rows)), lambda config: _windows(home, kept, begins, int(config["side"])))


def _windows(home: SiteHome, clips: Sequence[Clip], begins: Mapping[int, Sequence[int]], side: int) -> Any:
    from shared_models.averaged_networks import Windows
    from shared_models.clip_windows import at_side, windows

    parts = [windows(at_side(home.archive.cache.frames(clip.key), side)) for clip in clips]
    sweeps = np.repeat(np.arange(1, 1 + len(clips)), [len(begins[clip.id]) for clip in clips])
    return Windows(np.concatenate(parts), sweeps)


def _pairs(home: SiteHome, plan: Plan, limits: Limits) -> Lesson:
    """Frames of clips with their end-diastole; a row is a pair, with what its clip shows as label."""
    from site_agent.frame_pairs import frame_pairs, learnt_pairs
    from site_agent.truth import clips_of

    gone = taken_back(home)
    clips = [clip for clip in clips_of(home.archive, fold=TRAIN) if clip.label in plan.labels]
    pairs = frame_pairs(home, [clip for clip in clips if clip.batch not in gone])
    if not pairs:
        what = "no training patient has a clip of two frames or more that shows a label of this run"
        raise DataError(what, where=WHERE, cure="take in clips")
    rows = _enough([pair.case for pair in pairs], limits)
    known = {row.label for row in rows}
    kept = [pair for pair in pairs if pair.clip.label in known]
    return Lesson(rows, np.ones(len(rows)), lambda config: learnt_pairs(home, kept, int(config["side"])))


def _hearts(home: SiteHome, plan: Plan, limits: Limits) -> Lesson:
    """Hearts with their volumes; a row is a picture of one of the network's views, with the view's code as label."""
    from site_agent.heart_planes import CODES, named
    from site_agent.hearts import HOW, hearts_of, shown

    gone = taken_back(home)
    views = [view for view in named(str(plan.config["views"])) if CODES[view] in plan.labels]
    hearts = [heart for heart in hearts_of(home, fold=TRAIN) if heart.case.batch not in gone]
    there = shown(hearts, views, int(plan.config["size"]))
    if not there:
        what = f"no training patient has a heart with a picture of {plan.config['views']} that is a label of this run"
        raise DataError(what, where=WHERE, cure=HOW)
    rows = _enough([row for heart in there for row in heart.cases], limits)
    known = [view for view in views if CODES[view] in {row.label for row in rows}]
    kept = shown(there, known, int(plan.config["size"]))
    return Lesson(rows, np.ones(len(rows)), lambda _config: kept)


LESSONS: dict[Reads, Callable[[SiteHome, Plan, Limits], Lesson]] = {
    "features": _features,
    "images": _images,
    "masks": _masks,
    "contours": _contours,
    "clips": _clips,
    "pairs": _pairs,
    "hearts": _hearts,
}
"""How what a network reads is got here."""
