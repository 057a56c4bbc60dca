"""Tables and claims of scores that were made up."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.registration_cells import Cell, Scores
from benchmarks.registration_cost import Cost
from benchmarks.registration_learned import LOCALNET, VOXELMORPH
from benchmarks.registration_ours import HALF_FORCES
from benchmarks.registration_peers import SYN
from benchmarks.registration_report import by_set, claims, drawn, rows

PAIRS = [("a", "b"), ("b", "a"), ("a", "c"), ("c", "b")]
FAST, SMOOTH = "Fourier-Net", "Diff-Fourier-Net"
DICE = {SYN: 0.70, LOCALNET: 0.6, VOXELMORPH: 0.72, FAST: 0.75, SMOOTH: 0.74, HALF_FORCES: 0.73}
SECONDS = {SYN: 5.0, LOCALNET: 1.0, VOXELMORPH: 0.5, FAST: 0.09, SMOOTH: 0.2, HALF_FORCES: 0.05}
AGREED = {SYN: 0.9, LOCALNET: 0.6, VOXELMORPH: 0.7, FAST: 0.75, SMOOTH: 0.7, HALF_FORCES: 0.8}
ALONE = (SYN, HALF_FORCES)


def cells(folded=0.0):
    found = []
    for method, value in DICE.items():
        for seed in range(1 if method in ALONE else 2):
            good = value + 0.02 * seed
            folds = folded if method == SMOOTH else 0.5 if method == VOXELMORPH else 0.1
            scores = [Scores(pair, [good, good + 0.001 * place], 1.0, folds, 0.9) for place, pair in enumerate(PAIRS)]
            found.append(Cell("hippocampus", method, seed, 0, AGREED[method], 3.0, {"hippocampus": scores}))
    return found


COSTS = {"hippocampus, 48x64x48": {name: Cost([each], int(1e8 * each)) for name, each in SECONDS.items()}}


def test_means_are_over_labels_and_seeds() -> None:
    (asked,) = by_set(cells())
    np.testing.assert_allclose(asked.dice(VOXELMORPH), [73, 73.05, 73.1, 73.15])
    assert (asked.rival, asked.ours, asked.claimed) == (VOXELMORPH, FAST, [FAST, HALF_FORCES])
    low, high = asked.interval(asked.dice(VOXELMORPH))
    assert 73 <= low < 73.075 < high <= 73.15


def test_a_pair_is_there_as_often_as_both_its_patients() -> None:
    weights = drawn(PAIRS)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 1])
    assert (weights.sum(axis=1) > 0).all()
    # multinomial counts of 3 patients, 3 draws: the product of two has mean n (n - 1) / k^2
    assert drawn(PAIRS)[:, 0].mean() == pytest.approx(6 / 9, rel=0.15)


def test_claims_are_read_off() -> None:
    said = {claim.claim.partition(": ")[2]: claim for claim in claims(by_set(cells()), COSTS)}
    assert said["Dice of Fourier-Net less that of VoxelMorph"].value == pytest.approx(3)
    assert said["folds of Fourier-Net, at most VoxelMorph's"].holds
    assert said["folds of our diffeomorphic networks, the most of any pair"].holds
    assert said["time of Fourier-Net over VoxelMorph's"].value == pytest.approx(0.18)
    assert said["time of Fourier-Net over VoxelMorph's"].holds
    assert said["memory of Fourier-Net over VoxelMorph's"].holds
    assert said[f"time of {HALF_FORCES} over VoxelMorph's"].value == pytest.approx(0.1)
    assert said["Fourier-Net is faster than ANTs SyN"].value == pytest.approx(55.6, abs=0.1)
    assert next(
        claim for name, claim in said.items() if name.startswith("Dice of Fourier-Net less that of ANTs SyN,")
    ).holds


def test_one_fold_breaks_the_claim_that_there_is_none() -> None:
    (broken,) = [claim for claim in claims(by_set(cells(folded=0.01)), {}) if "diffeomorphic" in claim.claim]
    assert broken.holds is False


def test_every_method_has_its_rows() -> None:
    found = rows(by_set(cells()), cells(), COSTS)
    titles = [row["table"] for row in found]
    assert titles.count("hippocampus: 4 pairs") == titles.count("Cost of a pair of hippocampus, 48x64x48") == len(DICE)
    assert titles.count("Learning") == 2 * (len(DICE) - len(ALONE))
    against = {row["method"]: row for row in found if "against VoxelMorph" in str(row["table"])}
    assert list(against) == [FAST, SMOOTH, HALF_FORCES]
    assert against[HALF_FORCES]["times as fast"] == pytest.approx(10)
    assert against[FAST]["memory, share"] == pytest.approx(0.18)
    assert against[FAST]["Dice, points more"] == "3.00 (3.00 to 3.00)"
