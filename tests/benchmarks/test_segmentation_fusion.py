"""Weights follow the scores, what an expert does not label is background, and maps come back to the image's size."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.segmentation_data import STRUCTURES, TEST, TRAIN, Patients, masked, pictures
from benchmarks.segmentation_fusion import (
    CHOSEN,
    WEIGHTINGS,
    Expert,
    Qualities,
    expert,
    fused,
    label_maps,
    qualities,
    spoken,
)
from benchmarks.segmentation_methods import Setting
from shared_models.segmentation import segmented

SMALL = Setting(side=32, width=2, levels=2)


@pytest.fixture(scope="module")
def experts() -> dict[str, Expert]:
    patients = Patients(2, 4, 1)
    train, calibration = (pictures("beryl", fold, 5, patients) for fold in (TRAIN, "calibration"))
    labelled: dict[str, tuple[int, ...] | None] = {"full": None, "some": (1, 2)}
    return {
        name: expert(SMALL.network(seed), train, calibration, 32, known)
        for seed, (name, known) in enumerate(labelled.items())
    }


def test_every_rule_prefers_who_knows_the_image() -> None:
    seen = Qualities(np.array([[1.0, -2.0]]), np.array([[0.8, 0.05]]), np.array([39.0, 39.0]))
    found = {name: rule(seen)[0] for name, rule in WEIGHTINGS.items()}
    assert found.pop("uniform").tolist() == [1, 1]
    assert CHOSEN in found
    assert found["conformal acting weights"].tolist() == [1, 1]
    assert found["conformal p-values"].tolist() == [0.8, 0.05]
    assert found["softmax of standardised distances"].sum() == pytest.approx(1)
    foreign = Qualities(seen.scores, np.array([[0.8, 0.025]]), seen.calibrated)
    assert WEIGHTINGS["conformal acting weights"](foreign)[0].tolist() == [1, 0]


def test_experts_are_fused_to_maps_with_shares(experts: dict[str, Expert]) -> None:
    shown = pictures("agate", TEST, 5, Patients(1, 1, 1))[:3]
    said = {name: segmented(one.network, masked(shown, 32, None).images) for name, one in experts.items()}
    seen = qualities(list(experts.values()), list(said.values()))
    assert seen.scores.shape == seen.p.shape == (3, 2)
    assert seen.calibrated.tolist() == [4, 4]
    maps = fused(experts, said, np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]))
    assert [each.structures for each in maps] == [tuple(STRUCTURES)] * 3
    assert [each.shares["LA"] for each in maps] == [{"full": 1.0}] * 3
    assert maps[1].shares["LV"] == {"full": 1.0, "some": 0.0}
    assert np.allclose(maps[1].probabilities, said["full"].probabilities[1], atol=1e-5)
    labels = label_maps([each.probabilities for each in maps], shown, None)
    assert [each.shape for each in labels] == [one.mask.shape for one in shown]


def test_what_is_not_labelled_is_heard_as_background() -> None:
    said = np.random.default_rng(0).dirichlet(np.ones(6), size=(2, 2)).transpose(2, 0, 1).astype(np.float32)
    heard = spoken(said, (1, 4))
    assert heard.shape == (3, 2, 2)
    assert np.allclose(heard[0], said[[0, 2, 3, 5]].sum(axis=0))
    assert np.array_equal(heard[1:], said[[1, 4]])
    assert spoken(said, None) is said


def test_labels_are_values_of_structures() -> None:
    shown = pictures("beryl", TEST, 5, Patients(1, 1, 1))[:1]
    said = np.zeros((3, 8, 8), dtype=np.float32)
    said[2] = 1
    assert set(np.unique(label_maps([said], shown, (1, 4))[0])) == {4}
