"""The left ventricle's contour in three apical views of the phantom: two heads on a U-Net against what is usual.

Every seed has patients of its own, to learn from and to be tested on. Distances are in millimetres; intervals are over
test patients, drawn with replacement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.claims import Claim, Measured, Row, at_least, at_most, told
from benchmarks.contour_frames import VIEWS, Floats, Frames, frames
from benchmarks.contour_methods import (
    FROM_MASKS,
    NAMES,
    REFINED,
    SEGMENTED,
    TWO_HEADS,
    Guessed,
    Setting,
    answers,
    followed,
)
from shared_models.contour_metrics import ContourFit, contour_fit
from site_agent.progress import track

SETTING = Setting(patients=360, tested=60, side=96, width=16, levels=4, epochs=18, full_epochs=5, coarse=32, narrow=8)
QUICK = Setting(patients=12, tested=6, side=32, width=8, levels=3, epochs=2, full_epochs=1, coarse=16, narrow=4)
SEEDS, FIRST_SEED = 3, 601
DRAWN_SIDE = 128  # of the frames
RESAMPLES = 2000
FIELD = (240, 240)  # millimetres, in which what contours enclose is compared
FIGURES: dict[str, Callable[[ContourFit], float]] = {
    "base 1, mm": lambda fit: fit.base_1_mm,
    "apex, mm": lambda fit: fit.apex_mm,
    "base 2, mm": lambda fit: fit.base_2_mm,
    "landmarks, mm": lambda fit: fit.landmarks_mm,
    "contour, mm": lambda fit: fit.contour_mm,
    "Hausdorff, mm": lambda fit: fit.hausdorff_mm,
    "Dice": lambda fit: fit.dice,
}
LANDMARKS, CONTOUR = "landmarks, mm", "contour, mm"
WITH_INTERVAL = (LANDMARKS, CONTOUR)
FROM_TRUE_MASKS = "true masks, landmarks from them"


@dataclass(frozen=True)
class Judged:
    """Frames of all seeds with what every method says of them.

    Attributes:
        patients: (n,) numbers, no two seeds' the same.
        views, machines: (n,).
        figures: method -> figure -> (n,).
        failed: method -> (n,).
        learnt: how many frames were learnt from, of all seeds.
        left_out: how many test frames' sector did not show the whole contour.
    """

    patients: NDArray[np.int64]
    views: NDArray[np.str_]
    machines: NDArray[np.str_]
    figures: dict[str, dict[str, Floats]]
    failed: dict[str, NDArray[np.bool_]]
    learnt: int
    left_out: int


def measure(*, quick: bool) -> Measured:
    """Every method, several seeds."""
    setting, seeds = (QUICK, 1) if quick else (SETTING, SEEDS)
    with threadpool_limits(1):
        parts = [judged(setting, FIRST_SEED + number) for number in track(range(seeds), total=seeds, what="contours")]
    found = joined(parts)
    return Measured(rows=tuple(rows(found)), claims=claims(found), notes=(note(found, setting, seeds),))


def judged(setting: Setting, seed: int) -> Judged:
    """One seed."""
    _one_thread()
    learnt = frames(seed, range(setting.patients), DRAWN_SIDE)
    tested = frames(seed, range(setting.patients, setting.patients + setting.tested), DRAWN_SIDE)
    said = answers(learnt, tested, setting, seed)
    said[FROM_TRUE_MASKS] = followed(_shrunk(tested, setting.side), tested, learnt)
    return Judged(
        patients=10**6 * seed + tested.patients,
        views=np.array(tested.views),
        machines=np.array(tested.machines),
        figures={name: figures(guessed, tested) for name, guessed in said.items()},
        failed={name: guessed.failed for name, guessed in said.items()},
        learnt=len(learnt.images),
        left_out=tested.left_out,
    )


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _shrunk(tested: Frames, side: int) -> list[NDArray[np.uint8]]:
    """True masks at the side at which networks work."""
    at = ((np.arange(side) + 0.5) * DRAWN_SIDE / side).astype(np.int64)
    return [mask[at[:, None], at] for mask in tested.masks]


def figures(guessed: Guessed, tested: Frames) -> dict[str, Floats]:
    """Figure -> (n,)."""
    fits = [
        contour_fit((found + 0.5) * spacing, (true + 0.5) * spacing, 1.0, FIELD)
        for found, true, spacing in zip(guessed.points, tested.points, tested.spacing_mm, strict=True)
    ]
    return {name: np.array([of(fit) for fit in fits]) for name, of in FIGURES.items()}


def joined(parts: Sequence[Judged]) -> Judged:
    """Of several seeds."""
    first = parts[0]
    return Judged(
        patients=np.concatenate([part.patients for part in parts]),
        views=np.concatenate([part.views for part in parts]),
        machines=np.concatenate([part.machines for part in parts]),
        figures={
            name: {figure: np.concatenate([part.figures[name][figure] for part in parts]) for figure in FIGURES}
            for name in first.figures
        },
        failed={name: np.concatenate([part.failed[name] for part in parts]) for name in first.failed},
        learnt=sum(part.learnt for part in parts),
        left_out=sum(part.left_out for part in parts),
    )


def rows(found: Judged) -> list[Row]:
    """All tables."""
    table: list[Row] = [{"table": "Means over test frames", **_means(found, name)} for name in NAMES]
    for view in VIEWS:
        table += [{"table": f"The same, {view}", **_means(found, name, found.views == view)} for name in NAMES]
    for machine in sorted(set(found.machines.tolist())):
        table.append({"table": "Landmarks by machine, mm", **_by_machine(found, machine)})
    table.append(
        {"table": "How far targets taken from true masks are from the true points", **_means(found, FROM_TRUE_MASKS)}
    )
    return table


def _means(found: Judged, name: str, chosen: NDArray[np.bool_] | None = None) -> Row:
    keep = np.ones(len(found.patients), dtype=np.bool_) if chosen is None else chosen
    row: Row = {"method": name}
    for figure, values in found.figures[name].items():
        mean = float(values[keep].mean())
        low, high = interval(values[keep], found.patients[keep])
        row[figure] = f"{mean:.2f} ({low:.2f} to {high:.2f})" if figure in WITH_INTERVAL else mean
    return {**row, "no outline, %": 100 * float(found.failed[name][keep].mean())}


def _by_machine(found: Judged, machine: str) -> Row:
    keep = found.machines == machine
    means = {name: float(found.figures[name][LANDMARKS][keep].mean()) for name in (TWO_HEADS, SEGMENTED)}
    return {"machine": machine, "frames": int(keep.sum()), **means}


def interval(
    values: Floats, patients: NDArray[np.int64], of: Callable[[Floats], Floats] | None = None
) -> tuple[float, float]:
    """95 % of means over frames, patients drawn with replacement.

    Args:
        values: (n,) or (n, k) figures of frames.
        patients: (n,) whose.
        of: what is told of the (resamples, k) means; the mean itself of one figure.
    """
    columns = values.reshape(len(values), -1)
    _, patient = np.unique(patients, return_inverse=True)
    sums = np.stack([np.bincount(patient, column) for column in columns.T], axis=1)
    counts = np.bincount(patient)
    drawn = np.random.default_rng(0).integers(0, len(counts), (RESAMPLES, len(counts)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)[:, None]
    low, high = np.quantile(means[:, 0] if of is None else of(means), [0.025, 0.975])
    return float(low), float(high)


def claims(found: Judged) -> tuple[Claim, ...]:
    """What the source's abstract says, half of it, and the rival."""
    best, other = (found.figures[name][LANDMARKS] for name in (TWO_HEADS, SEGMENTED))
    landmarks, contour = (float(found.figures[TWO_HEADS][figure].mean()) for figure in (LANDMARKS, CONTOUR))
    low, high = interval(
        np.stack([best, other], axis=1), found.patients, lambda means: 100 * (1 - means[:, 0] / means[:, 1])
    )
    gain = 100 * (1 - best.mean() / other.mean())
    by_masks = float(found.figures[FROM_MASKS][LANDMARKS].mean())
    refined = float(found.figures[REFINED][CONTOUR].mean())
    return (
        at_most("contour, two heads: landmarks, mean distance, as in the abstract", landmarks, "mm", 4.5),
        at_most("contour, two heads: whole curve, mean distance, as in the abstract", contour, "mm", 3.5),
        at_most("contour, two heads: landmarks, half of that", landmarks, "mm", 2.25),
        at_most("contour, two heads: whole curve, half of that", contour, "mm", 1.75),
        at_least(
            f"contour: landmarks nearer than from a U-Net's mask (95 %: {low:.0f} to {high:.0f})",
            float(gain),
            "%",
            20.0,
        ),
        told("contour: landmarks where targets are read off true masks", by_masks, "mm"),
        told("contour: whole curve after refinement, less before", refined - contour, "mm"),
    )


def note(found: Judged, setting: Setting, seeds: int) -> str:
    """What a reader has to know."""
    return (
        f"{seeds} seeds, each with patients of its own: {setting.patients} to learn from and {setting.tested} to be "
        f"tested on, one frame of each view at any moment of the beat; {found.learnt:,} frames were learnt from and "
        f"{len(found.patients):,} answered. The heart is simulated, from six machines and three populations; "
        f"{found.left_out} test frames whose sector does not show the whole contour are left out. Brackets hold 95 % "
        "intervals over patients. All methods learn from the same frames, with the same recipe and number of "
        "epochs, but for the network as reconstructed, which has about the same time. A mask in which no outline is "
        "found is answered by the mean contour of the training frames, and counted."
    )
