"""The affine start is found once, kept with the pairs that it belongs to, and undone in no field."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import registration_starts
from benchmarks.registration_classical import Affine
from benchmarks.registration_scores import moved
from benchmarks.registration_starts import patients_of, started
from shared_models.registration.pairs import Pair
from tests.benchmarks.registration_toys import blobs, shift, swirl

SHAPE = (24, 28)
STEP = (2.0, -1.0)


def pair(name="one to other"):
    image = blobs(SHAPE)
    return Pair(name, image, moved(image, shift(SHAPE, STEP)), (1.0, 1.0))


@pytest.fixture
def asked(monkeypatch):
    calls = []

    def affine(moving, fixed):
        calls.append(moving)
        return Affine(np.eye(2), np.array(STEP))

    monkeypatch.setattr(registration_starts, "affine", affine)
    return calls


def test_the_moving_image_is_aligned_and_the_start_is_kept(tmp_path, asked) -> None:
    (one,) = started([pair()], tmp_path / "starts.npz")
    np.testing.assert_allclose(one.moving, one.fixed, atol=1e-5)
    np.testing.assert_allclose(one.whole(shift(SHAPE, (0.0, 0.0))), shift(SHAPE, STEP), atol=1e-5)
    (again,) = started([pair()], tmp_path / "starts.npz")
    np.testing.assert_array_equal(again.moving, one.moving)
    assert len(asked) == 1


def test_starts_of_other_pairs_are_refused(tmp_path, asked) -> None:
    started([pair()], tmp_path / "starts.npz")
    with pytest.raises(ValueError, match="alignments of other pairs"):
        started([pair("another to other")], tmp_path / "starts.npz")


def test_without_a_start_nothing_is_resampled(asked) -> None:
    (one,) = started([pair()], None)
    assert one.moving is one.pair.moving
    np.testing.assert_allclose(one.whole(swirl(SHAPE)), swirl(SHAPE), atol=1e-6)
    assert not asked


def test_a_pair_is_of_one_patient_or_of_two() -> None:
    assert patients_of(pair("hippocampus_007 to hippocampus_017")) == ("hippocampus_007", "hippocampus_017")
    assert patients_of(pair("healthy-5 speckle 64")) == ("healthy-5",)
