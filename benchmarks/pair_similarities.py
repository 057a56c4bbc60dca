"""One pair alone by every similarity: which holds on to anatomy in MRI, and which in speckle, new in every frame.

Patients of the hippocampi are the last of the training split; the test split is asked nothing here. Hearts are the
phantom's, whose true displacement is known. Every similarity has weights of smoothness, the best of which counts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from benchmarks import real_data
from benchmarks.claims import Claim, Measured, Row, told
from benchmarks.registration_pairs import HIPPOCAMPUS_LABELS, hippocampi, pairs_of
from benchmarks.registration_problems import HEART
from benchmarks.registration_scores import Floats, dice, endpoint_error_mm, folded_percent, moved_labels
from benchmarks.registration_starts import Started, started
from shared_models.phantom.labels import LA, LV, MYOCARDIUM
from shared_models.phantom.patients import draw_patient
from shared_models.registration.descent import Effort
from shared_models.registration.fields import to_voxels
from shared_models.registration.pairs import image_pair, volume_pair
from shared_models.registration.per_pair import register_by_patch
from shared_models.registration.registration_loss import RegistrationLoss

WEIGHTS: Mapping[str, tuple[float, ...]] = {
    "mse": (0.01, 0.03, 0.1),
    "local_ncc": (0.3, 1.0, 3.0),
    "self_similarity": (0.1, 0.3, 1.0),
    "band_limited_mse": (0.003, 0.01, 0.03),
}
HIPPOCAMPI, VOLUMES, PICTURES = "hippocampi, MRI", "phantom hearts in 3D, speckle", "phantom echoes, A4C"
LABELS: Mapping[str, Sequence[int]] = {HIPPOCAMPI: HIPPOCAMPUS_LABELS, VOLUMES: HEART, PICTURES: (LV, MYOCARDIUM, LA)}
FIRST_PATIENT, HELD, VIEW = 8900, 9, "A4C"


@dataclass(frozen=True)
class Setting:
    """How many pairs of each kind, and how long is sought at each size."""

    pairs: int = 4
    steps: int = 30
    edge: int = 48
    size: tuple[int, int] = (160, 192)
    kinds: Sequence[str] = (HIPPOCAMPI, VOLUMES, PICTURES)


QUICK = Setting(pairs=1, steps=1, edge=16, size=(48, 64), kinds=(VOLUMES, PICTURES))


@dataclass(frozen=True)
class Tried:
    """A similarity with a weight on all pairs of a kind.

    Attributes:
        weight: of smoothness.
        dice: mean percent.
        error_mm: mean distance of end points; None where the truth is unknown.
        folded: percent of voxels.
        seconds: of a processor, median of a pair.
    """

    weight: float
    dice: float
    error_mm: float | None
    folded: float
    seconds: float


def measure(*, quick: bool) -> Measured:
    """All kinds and similarities."""
    torch.set_num_threads(1)
    setting = QUICK if quick else Setting()
    rows: list[Row] = []
    claims: list[Claim] = []
    for kind in setting.kinds:
        pairs = pairs_of_kind(kind, setting)
        found = {name: best_of(pairs, kind, name, setting.steps) for name in WEIGHTS}
        rows += [still_row(pairs, kind), *(row(kind, len(pairs), name, each) for name, each in found.items())]
        winner = max(found, key=lambda name: found[name].dice)
        claims.append(told(f"{kind}: Dice by {winner}, the best of the similarities", found[winner].dice, "%"))
    return Measured(rows=tuple(rows), claims=tuple(claims), notes=(note(setting),))


def pairs_of_kind(kind: str, setting: Setting) -> list[Started]:
    """Pairs, aligned where they are of two patients."""
    if kind == HIPPOCAMPI:
        held = hippocampi(real_data.HIPPOCAMPUS, "train")[-HELD:]
        with TemporaryDirectory() as folder:
            return started(pairs_of(held, setting.pairs), Path(folder) / "starts.npz")
    patients = [draw_patient(FIRST_PATIENT + number) for number in range(setting.pairs)]
    if kind == VOLUMES:
        return started((volume_pair(patient, setting.edge, "speckle") for patient in patients), None)
    return started((image_pair(patient, VIEW, size=setting.size) for patient in patients), None)


def best_of(pairs: Sequence[Started], kind: str, name: str, steps: int) -> Tried:
    """The weight with the highest Dice."""
    return max((tried(pairs, kind, RegistrationLoss(name, weight), steps) for weight in WEIGHTS[name]), key=_dice)


def _dice(one: Tried) -> float:
    return one.dice


def tried(pairs: Sequence[Started], kind: str, loss: RegistrationLoss, steps: int) -> Tried:
    """A loss on all pairs."""
    fields, seconds = [], []
    for one in pairs:
        begun = time.process_time()
        fields.append(sought(one, loss, steps))
        seconds.append(time.process_time() - begun)
    scores = list(_scores(pairs, fields, LABELS[kind]))
    overlap, error, folded = (None if None in each else float(np.mean(each)) for each in zip(*scores, strict=True))
    assert overlap is not None
    assert folded is not None
    return Tried(loss.weight, overlap, error, folded, float(np.median(seconds)))


def sought(one: Started, loss: RegistrationLoss, steps: int) -> Floats:
    """(d, *N) voxels, the integral of a velocity."""
    moving, fixed = (torch.from_numpy(image)[None, None] for image in (one.moving, one.fixed))
    found = register_by_patch(moving, fixed, loss, diffeomorphic=True, effort=Effort(steps))
    return np.asarray(to_voxels(found.field)[0].numpy())


def _scores(
    pairs: Sequence[Started], fields: Sequence[Floats], labels: Sequence[int]
) -> Iterator[tuple[float, float | None, float]]:
    for one, field in zip(pairs, fields, strict=True):
        pair, whole = one.pair, one.whole(field)
        assert pair.moving_labels is not None
        assert pair.fixed_labels is not None
        overlap = 100 * float(
            np.nanmean(dice(moved_labels(pair.moving_labels, whole, labels), pair.fixed_labels, labels))
        )
        error = None
        if pair.displacement is not None:
            error = endpoint_error_mm(whole, pair.displacement, pair.spacing_mm, pair.valid)
        yield overlap, error, folded_percent(whole)


def row(kind: str, count: int, name: str, found: Tried) -> Row:
    """Of a similarity at its best weight."""
    return {
        "table": f"One pair alone, {kind}: {count} pairs",
        "similarity": name,
        "weight of smoothness": found.weight,
        "Dice, %": found.dice,
        "end point, mm": found.error_mm,
        "folded, %": found.folded,
        "seconds": found.seconds,
    }


def still_row(pairs: Sequence[Started], kind: str) -> Row:
    """Of no movement after the alignment."""
    fields = [np.zeros((one.fixed.ndim, *one.fixed.shape), np.float32) for one in pairs]
    overlap, error, folded = zip(*_scores(pairs, fields, LABELS[kind]), strict=True)
    known = [each for each in error if each is not None]
    return {
        "table": f"One pair alone, {kind}: {len(pairs)} pairs",
        "similarity": "none: as aligned",
        "weight of smoothness": None,
        "Dice, %": float(np.mean(overlap)),
        "end point, mm": float(np.mean(known)) if known else None,
        "folded, %": float(np.mean(folded)),
        "seconds": None,
    }


def note(setting: Setting) -> str:
    """What a reader has to know."""
    return (
        f"The patch of a stationary velocity is sought by Adam, at most {setting.steps} steps at each size; fields are "
        "its integral. Of each similarity the weight of smoothness with the highest Dice is shown: all were chosen on "
        "the very pairs that are shown, so that they compare similarities and promise nothing. Hearts are "
        f"{setting.edge} voxels a side, end-systole to end-diastole, each frame with speckle of its own. "
        "Seconds are of a processor, the median of a pair."
    )
