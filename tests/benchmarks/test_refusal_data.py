"""Whose images serve for what: patients are never divided, and nobody teaches the unknown label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import partial_images, refusal_data
from benchmarks.refusal_data import (
    COUNTED,
    TESTED,
    TRAINED,
    Images,
    Problem,
    drawn_labels,
    folds_of,
    gradients_and_pixels,
)
from tests.benchmarks.test_lung_data import synthetic


def _images(patients: int) -> Images:
    names = np.array([f"{site} {number}" for site in "ab" for number in range(patients) for _ in range(3)])
    return Images(
        np.ones((len(names), 2)), np.repeat(["a", "b"], 3 * patients), names, np.tile(["x", "y", "z"], 2 * patients)
    )


@pytest.mark.parametrize("patients", [3, 10, 67])
def test_patients_are_never_divided_and_folds_have_their_shares(patients: int) -> None:
    images = _images(patients)
    shares = (0.4, 0.1, 0.3, 0.2)
    folds = folds_of(images, shares, np.random.default_rng(0))
    of_patient = {name: set(folds[images.patients == name].tolist()) for name in np.unique(images.patients)}
    assert all(len(found) == 1 for found in of_patient.values())
    for site in "ab":
        counts = np.bincount(folds[images.sites == site], minlength=4) / 3
        assert np.abs(counts - patients * np.array(shares)).max() <= 1


def test_labels_are_dealt_out_until_everybody_s_are_taught() -> None:
    drawn = drawn_labels(["a", "b"], list("12345"), 3, np.random.default_rng(0))
    assert all(len(held) == len(set(held)) == 3 for held in drawn.values())
    assert set(drawn["a"]) | set(drawn["b"]) == set("12345")


def _is_sound(problem: Problem) -> None:
    assert problem.unknown not in {label for held in problem.taught.values() for label in held}
    assert (problem.images.features[:, -1] == 1).all()
    for strangers in problem.strangers.values():
        assert strangers.shape[1] == problem.images.features.shape[1]
        assert (strangers[:, -1] == 1).all()
    for site, held in problem.taught.items():
        assert set(problem.images.labels[problem.rows(site, TRAINED, held)]) == set(held)
        assert (problem.images.labels[problem.rows(site, TESTED, [problem.unknown])] == problem.unknown).all()


def test_digits_of_two_countries(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = np.random.default_rng(0).integers(0, 255, (300, 24, 24)).astype(np.uint8), np.array(list("0123456789") * 30)
    monkeypatch.setattr(refusal_data, "mnist", lambda: drawn)
    problem, other = (refusal_data._digits(seed, "pixels", 12) for seed in (1, 2))
    _is_sound(problem)
    assert set(problem.taught) == {"mnist", "optdigits"}
    assert all(len(held) == 6 for held in problem.taught.values())
    assert (problem.unknown, problem.taught) != (other.unknown, other.taught)
    assert len(problem.rows("mnist", COUNTED, list("0123456789"))) > 0


def test_gradients_and_pixels_do_not_see_gain() -> None:
    image = np.random.default_rng(0).integers(0, 100, (24, 24)).astype(np.uint8)
    found = gradients_and_pixels(image)
    assert found.shape == (324 + 64,)
    assert np.linalg.norm(found) == pytest.approx(1.0)
    assert np.allclose(found[324:], gradients_and_pixels((2 * image).astype(np.uint8))[324:], atol=0.02)


def test_the_phantom_s_hospitals(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 613
    views, sites = list(partial_images.VIEWS), list(partial_images.MACHINES)
    made = partial_images.Images(
        np.ones((4 * 10 * 6, count)),
        np.repeat(sites, 60),
        np.tile(np.repeat(np.arange(10), 6), 4),
        np.array(views * 40),
    )
    monkeypatch.setattr(refusal_data, "hospitals", lambda *_, **__: made)
    monkeypatch.setattr(refusal_data, "_thighs", lambda *_: np.ones((2, count)))
    problem = refusal_data.phantom(7, quick=True)
    _is_sound(problem)
    assert problem.unknown == views[1]
    assert set(problem.taught) == set(sites)


def test_thighs_are_images_of_the_front_end() -> None:
    thighs = refusal_data._thighs(1, 1)
    assert thighs.shape == (refusal_data.FRAMES, 613)
    assert np.abs(np.diff(thighs, axis=0)).max() > 0


def test_lungs_without_a_label(monkeypatch: pytest.MonkeyPatch) -> None:
    found = synthetic(patients=10, frames=1)
    monkeypatch.setattr(refusal_data, "load_images", lambda: found)
    monkeypatch.setattr(refusal_data, "_breasts", lambda: np.ones((2, found.features.shape[1])))
    problem = refusal_data.lung(1, quick=True)
    assert problem.unknown == "healthy"
    assert not any("healthy" in held for held in problem.taught.values())
    trained = problem.images.patients[problem.folds == TRAINED]
    unknown = problem.images.labels == "healthy"
    alone = unknown & ~np.isin(problem.images.patients, trained)
    assert (problem.folds[alone] == TESTED).all()


def test_real_breasts_are_there(shared_data: Path) -> None:
    assert shared_data.is_dir()
    assert refusal_data._breasts().shape[1] == 613
