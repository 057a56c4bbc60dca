"""Figures of retrieval where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.retrieval_data import IMAGE, Cohort, Sweep
from benchmarks.retrieval_measures import area_errors, interval, pair_figures, retrieved
from shared_models.clip_windows import CLIP, STEP, Rows, starts, windows
from shared_models.retrieval_pairs import Labelled

FRAMES, FROZEN = 30, 15


def _sweep(patient: int, visit: int, *, right: bool) -> Sweep:
    """The muscle is as many rows high as the frame's number, and the site is reached at the frozen frame."""
    muscle = np.zeros((FRAMES, IMAGE, IMAGE), np.bool_)
    for frame in range(FRAMES):
        muscle[frame, : 10 + min(frame, FROZEN)] = True
    frozen = np.arange(FRAMES) >= FROZEN
    apart = (np.minimum(np.arange(FRAMES), FROZEN) - FROZEN).astype(np.float64)
    images = np.random.default_rng(patient).integers(0, 256, (FRAMES, IMAGE, IMAGE), dtype=np.uint8)
    return Sweep(patient, 0, right, visit, images, muscle, apart, frozen)


@pytest.fixture(scope="module")
def known() -> Cohort:
    sweeps = tuple(
        _sweep(patient, visit, right=right) for patient in range(3) for visit in range(3) for right in (False, True)
    )
    begins = starts(FRAMES, CLIP, STEP)
    count = len(begins)
    labelled = Labelled(
        clips=np.concatenate([windows(each.images, CLIP, STEP) for each in sweeps]),
        patients=np.repeat([each.patient for each in sweeps], count),
        sections=np.repeat(np.arange(len(sweeps)), count),
        right=np.repeat([each.right for each in sweeps], count),
        standard=np.tile(begins >= FROZEN, len(sweeps)),
    )
    return Cohort(sweeps, labelled, np.tile(begins, len(sweeps)))


def _perfect(cohort: Cohort) -> object:
    clips = cohort.labelled

    def scores(first: Rows, second: Rows) -> np.ndarray:
        same = clips.standard[first] & clips.standard[second] & (clips.right[first] == clips.right[second])
        return np.asarray(same, dtype=np.float64)

    return scores


def test_who_knows_the_truth_makes_no_mistake(known: Cohort) -> None:
    found = pair_figures(known, _perfect(known), known.patients, 0.5)  # type: ignore[arg-type]
    assert set(found.values()) == {1.0}
    hits = retrieved(known, _perfect(known), known.patients, moving=False)  # type: ignore[arg-type]
    assert len(hits) == 3 * 2 * 2
    assert not any(hit.apart_mm for hit in hits)
    assert not area_errors(known, hits).any()


def test_who_knows_nothing_is_as_good_as_chance(known: Cohort) -> None:
    random = np.random.default_rng(0)
    found = pair_figures(known, lambda first, _: random.random(len(first)), known.patients, 0.5)
    assert found["AUC, published pairs"] == pytest.approx(0.5, abs=0.1)
    assert found["recall"] == pytest.approx(0.5, abs=0.1)


def test_an_error_of_the_section_is_told_in_percent(known: Cohort) -> None:
    hits = retrieved(known, lambda first, second: -second.astype(np.float64), known.patients, moving=True)  # noqa: ARG005
    assert {hit.frame for hit in hits} == {2}
    assert area_errors(known, hits) == pytest.approx(100 * (25 - 12) / 25)
    told = dict.fromkeys([(hit.sweep, hit.frame) for hit in hits], 20.0 * IMAGE)
    told |= dict.fromkeys([(hit.sweep, hit.reference) for hit in hits], 16.0 * IMAGE)
    assert area_errors(known, hits, told) == pytest.approx(25.0)
    assert area_errors(known, hits, told, against_truth=True) == pytest.approx(20.0)
    assert all(hit.apart_mm == FROZEN - 2 for hit in hits)


def test_without_the_frozen_frames_nothing_frozen_is_found(known: Cohort) -> None:
    hits = retrieved(known, lambda first, second: second.astype(np.float64), known.patients, moving=True)  # noqa: ARG005
    assert {hit.frame for hit in hits} == {FROZEN - CLIP + CLIP // 2}


def test_an_interval_is_drawn_by_patient() -> None:
    values, patients = np.array([0.0, 0.0, 10.0, 10.0]), [1, 1, 2, 2]
    mean, low, high = interval(values, patients)
    assert (mean, low, high) == (5.0, 0.0, 10.0)
