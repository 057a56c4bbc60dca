"""Which fixed features serve: every candidate on real ultrasound, patients kept whole, and the time an image takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks import real_data
from benchmarks.claims import Claim, Measured, Row, at_least, at_most, told
from benchmarks.front_end_candidates import CANDIDATES, SHIPPED
from benchmarks.patient_folds import (
    ImageSet,
    balanced_accuracy,
    correct,
    cross_validated,
    left_out_sites,
    load,
    paired_interval,
    within_sites,
)
from shared_models.front_ends import FrontEnd, create_front_end

Array = NDArray[np.float64]

LUNG = real_data.LUNG, "site=site_group,patient=split_group,clip=clip_id"
BREAST = real_data.BREAST, "patient=split_group"
FIRST_SEED, REPEATS = 1000, 10  # splits that were not looked at while choosing
QUICK = (SHIPPED, "layout: local mean and contrast, 8x8")
TIMED = 100
PROTOCOL = """
Each clip is answered by a class-balanced ridge that saw nothing of its patient: 5 folds that keep patients whole, the
ridge chosen on folds of the training patients alone, scores of a clip's images averaged. Mean and standard deviation
(sd) over shuffles of the folds; the interval of a difference draws patients with replacement. "Within sites" is the
area under the curve of two labels of one site, which no trait of the site can help. Milliseconds are processor time.
"""
CHOICE = """
Blocks and weights were chosen on patient-grouped folds of the lung set, in other shuffles than these, so the lung
figures are a little too good for all candidates alike. The breast set had no part in it.
"""
NOTES = tuple(" ".join(note.split()) for note in (PROTOCOL, CHOICE))


@dataclass(frozen=True)
class Outcome:
    """A candidate's (repeats, clips, C) cross-validated scores and its row."""

    right: Array
    row: Row


def measure(*, quick: bool) -> Measured:
    """Every candidate on the lung set, the main ones on the breast set, digits, and the time an image takes."""
    names, repeats = (QUICK, 2) if quick else (tuple(CANDIDATES), REPEATS)
    lung, breast = load(*LUNG), load(*BREAST)
    rows = [*compare("Lung ultrasound, four sources", lung, names, repeats)]
    rows += compare("Breast ultrasound, never tuned on", breast, names[:3], repeats)
    first = rows[0]
    claims = (
        *(
            at_most(f"{name}, one image on one core", milliseconds(create_front_end(name), lung.images), "ms", 15)
            for name in ("texture", "pixels")
        ),
        told("texture, clips of unseen patients right", float(first["clips right, %"] or 0), "%"),
        told("texture, balanced accuracy of clips", float(first["balanced, %"] or 0), "%"),
        *digits_claims(),
    )
    return Measured(rows=tuple(rows), claims=claims, notes=NOTES)


def compare(table: str, data: ImageSet, names: tuple[str, ...], repeats: int) -> list[Row]:
    """One row a candidate, each with its difference from the first."""
    outcomes = [outcome(table, name, CANDIDATES[name], data, repeats) for name in names]
    rows = []
    for found in outcomes:
        mean, low, high = paired_interval(found.right, outcomes[0].right, data)
        same = found is outcomes[0]
        rows.append(
            found.row | {"less the first": "" if same else f"{100 * mean:+.1f} [{100 * low:.1f}, {100 * high:.1f}]"}
        )
    return rows


def outcome(
    table: str, name: str, candidate: Callable[[NDArray[np.uint8]], Array], data: ImageSet, repeats: int
) -> Outcome:
    """A candidate's figures, in percent; features get the constant 1 that every front end ends with."""
    features = np.stack([np.append(candidate(image), 1.0) for image in data.images])
    scores = [cross_validated(features, data, FIRST_SEED + number) for number in range(repeats)]
    right = np.stack([correct(score, data) for score in scores])
    balanced = np.array([balanced_accuracy(score, data) for score in scores])
    row: Row = {
        "table": table,
        "features": name,
        "M": features.shape[1],
        "ms": round(milliseconds(candidate, data.images), 2),
        "clips right, %": _percent(right.mean()),
        "sd": _percent(right.mean(axis=1).std(ddof=1)),
        "balanced, %": _percent(balanced.mean()),
        "balanced sd": _percent(balanced.std(ddof=1)),
        "within sites, %": _percent(np.mean([within_sites(score, data) for score in scores])),
        "site left out, %": _percent(
            np.mean([left_out_sites(features, data, seed) for seed in range(min(repeats, 5))])
        ),
    }
    return Outcome(right.mean(axis=0), row)


def _percent(share: float | np.floating) -> float:
    return round(100 * float(share), 1)


def milliseconds(candidate: Callable[[NDArray[np.uint8]], Array] | FrontEnd, images: list[NDArray[np.uint8]]) -> float:
    """Median processor time of one image."""
    times = []
    for image in (images[:1] + images)[: TIMED + 1]:
        begun = time.process_time()
        candidate(image)
        times.append(time.process_time() - begun)
    return 1000 * float(np.median(times[1:]))


def digits_claims() -> tuple[Claim, ...]:
    """Pixels against scikit-learn's digits, every second image held back."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    front_end = create_front_end("pixels")
    features = np.stack([front_end(image) for image in np.rint(digits.images * (255 / 16)).astype(np.uint8)])
    train = np.arange(len(features)) % 2 == 0
    gram = features[train].T @ features[train] + 0.01 * np.eye(front_end.features)
    weights = np.linalg.solve(gram, features[train].T @ np.eye(10)[digits.target[train]])
    right = (features[~train] @ weights).argmax(axis=1) == digits.target[~train]
    return (at_least("pixels, digits held back right", 100 * float(right.mean()), "%", 97),)
