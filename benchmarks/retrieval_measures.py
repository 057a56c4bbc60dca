"""How well the standard view is found again: over pairs, along the thigh, and in the section of the muscle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.retrieval_data import Cohort
from federated.metrics import auroc
from shared_models.clip_windows import Rows
from shared_models.retrieval_baselines import Scores
from shared_models.retrieval_pairs import Pairs, pairs_across_sections, published_pairs
from site_agent.evaluation import draws_of

RULES = {"published pairs": published_pairs, "pairs across sections": pairs_across_sections}
NEAR_MM = (5.0, 10.0)
PAIR_SEED = 7
Areas = Mapping[tuple[int, int], float]
"""(sweep, frame) -> pixels of the muscle as a network segments it."""


@dataclass(frozen=True)
class Hit:
    """What was retrieved from one sweep.

    Attributes:
        patient: whose.
        sweep, frame: from where; `reference` is the last frame of the sweep, which the operator froze.
        apart_mm: distance to the standard site.
    """

    patient: int
    sweep: int
    frame: int
    reference: int
    apart_mm: float


def pair_figures(cohort: Cohort, scores: Scores, patients: Rows, threshold: float) -> dict[str, float]:
    """Area under the curve by both rules; precision, recall and F1 at a threshold by the published one."""
    found: dict[str, float] = {}
    for name, rule in RULES.items():
        pairs = rule(cohort.labelled, patients, PAIR_SEED)
        said = scores(pairs.first, pairs.second)
        found[f"AUC, {name}"] = auroc(said[pairs.same], said[~pairs.same])
        if rule is published_pairs:
            found |= _at(said > threshold, pairs)
    return found


def _at(said: NDArray[np.bool_], pairs: Pairs) -> dict[str, float]:
    right = float((said & pairs.same).sum())
    precision, recall = right / max(1, said.sum()), right / max(1, pairs.same.sum())
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    return {"precision": precision, "recall": recall, "F1": f1, "accuracy": float((said == pairs.same).mean())}


def retrieved(cohort: Cohort, scores: Scores, patients: Rows, *, moving: bool) -> list[Hit]:
    """The best clip of each later sweep of the leg, for the last clip of its first sweep.

    Args:
        cohort: see above.
        scores: of pairs of clips.
        patients: whose legs.
        moving: whether frozen pictures are taken out of query and gallery, so that stillness tells nothing.
    """
    legs: dict[tuple[int, bool], dict[int, int]] = {}
    for number, each in enumerate(cohort.sweeps):
        if each.patient in patients:
            legs.setdefault((each.patient, each.right), {})[each.visit] = number
    hits = []
    for (patient, _), visits in legs.items():
        query = cohort.clips_of(visits.pop(0), moving=moving)[-1]
        for sweep in visits.values():
            gallery = cohort.clips_of(sweep, moving=moving)
            best = gallery[int(scores(np.full(len(gallery), query), gallery).argmax())]
            frame, taken = cohort.frame_of(best), cohort.sweeps[sweep]
            hits.append(Hit(patient, sweep, frame, len(taken.images) - 1, abs(float(taken.apart_mm[frame]))))
    return hits


def area_errors(
    cohort: Cohort, hits: list[Hit], areas: Areas | None = None, *, against_truth: bool = False
) -> NDArray[np.float64]:
    """Percent by which the section of what was retrieved differs from that of the frozen frame.

    Args:
        cohort: see above.
        hits: what was retrieved.
        areas: as a network segments both; None for the true ones of both.
        against_truth: whether the frozen frame's is the true one even so.
    """

    def area(sweep: int, frame: int) -> float:
        return cohort.sweeps[sweep].area(frame) if areas is None else areas[sweep, frame]

    found = []
    for hit in hits:
        known = cohort.sweeps[hit.sweep].area(hit.reference) if against_truth else area(hit.sweep, hit.reference)
        found.append(100 * abs(area(hit.sweep, hit.frame) - known) / max(known, 1.0))
    return np.array(found)


def interval(values: NDArray[np.float64], patients: list[int]) -> tuple[float, float, float]:
    """The mean, and its 95 % interval over draws of patients."""
    draws = draws_of([str(patient) for patient in patients])
    low, high = np.quantile(draws @ values / draws.sum(axis=1), [0.025, 0.975])
    return float(values.mean()), float(low), float(high)
