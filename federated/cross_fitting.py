"""In-distribution scores of a site's training patients, each from a fit that has not seen the patient.

Where a calibration fold would hold too few patients for a p-value under alpha, every patient of the site serves: groups
of training patients are left out in turn, the candidate is solved again without them, and they are scored by what is
left (method page, section 4). This needs every Gram matrix at the site. A new image is scored by the full fit and
compared with scores of partial fits, so that no finite-sample bound holds as it does for a fold of its own; tests
measure how often a site's own patients are wrongly refused, and a release marks such a site "cross-fitted".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from federated.descent import MARGINS, Counts
from federated.fused_model import FusedModel
from federated.fusion.rules import CLOSED_FORM
from federated.local_fold import LocalFold, all_steps, class_covariances, raw_scores
from federated.release import UNITS
from federated.statistics import Array, from_features

GROUPS = 10


def can_leave_out(model: FusedModel) -> bool:
    """Whether the candidate can be solved again at a site: it is of the closed form, and every Gram matrix is in it."""
    return model.manifest.rule == CLOSED_FORM and all(block.gram is not None for block in model.blocks.values())


@dataclass(frozen=True)
class CrossFitted:
    """What fits without them say of a site's training patients, by unit.

    Attributes:
        scores: (patients, 3) in-distribution scores.
        steps: (concepts, 1 + bins) counts of steps down.
    """

    scores: dict[str, Array]
    steps: dict[str, Counts]


def cross_fitted(
    model: FusedModel, site: str, train: LocalFold, minimum: int, concepts: Sequence[str] = ()
) -> CrossFitted:
    """Groups of patients judged without them; those whose leaving would leave a label without an image are in none."""
    scores: dict[str, list[Array]] = {unit: [np.zeros((0, 3))] for unit in UNITS}
    steps: dict[str, Counts] = {unit: np.zeros((len(concepts), len(MARGINS)), np.int64) for unit in UNITS}
    own = tuple(model.blocks[site].own_grams)
    for kept, out in _splits(train):
        block = from_features(kept.features, kept.labels, kept.weights, model.labels, own)
        without = model.holding(site, block)
        covariances = class_covariances(without, site, kept, minimum).shrunk
        for unit in UNITS:
            items = out.in_unit(unit)
            scores[unit].append(raw_scores(without, site, covariances, items))
            steps[unit] += all_steps(without, items, concepts)
    return CrossFitted({unit: np.concatenate(parts) for unit, parts in scores.items()}, steps)


def _splits(train: LocalFold) -> Iterator[tuple[LocalFold, LocalFold]]:
    """(kept, left out) for groups of patients, labels spread over the groups."""
    label_of = dict(zip(train.patients, train.labels, strict=True))
    patients = sorted(label_of, key=lambda patient: (label_of[patient], patient))
    for start in range(min(GROUPS, len(patients))):
        gone = set(patients[start::GROUPS])
        kept = [row for row, patient in enumerate(train.patients) if patient not in gone]
        if {train.labels[row] for row in kept} == set(train.labels):
            yield train.rows(kept), train.rows([row for row, name in enumerate(train.patients) if name in gone])
