from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_models.registration.random_warps import (
    SMALLEST_JACOBIAN,
    band_limited_warp,
    local_warp,
    smallest_jacobian,
    unfolded,
    warped,
    warped_labels,
)

KINDS = (band_limited_warp, local_warp)
SHAPES = ((40, 48), (20, 24, 18))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
@given(seed=st.integers(0, 2**31), largest=st.floats(0.5, 12.0))
@settings(max_examples=8)
def test_no_warp_folds_or_is_longer_than_asked(kind, shape, seed, largest):
    field = kind(np.random.default_rng(seed), shape, largest)
    assert field.shape == (len(shape), *shape)
    assert field.dtype == np.float32
    assert smallest_jacobian(field) > 0.9 * SMALLEST_JACOBIAN
    assert 0 < np.linalg.norm(field, axis=0).max() <= largest * (1 + 1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_gentle_warp_is_as_long_as_asked(kind):
    field = kind(np.random.default_rng(3), (48, 48), 1.5)
    assert np.linalg.norm(field, axis=0).max() == pytest.approx(1.5, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_warp(kind):
    first, again, other = (kind(np.random.default_rng(seed), (24, 32), 3.0) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def beyond(field, modes):
    """Share of a field's energy above so many periods along any axis."""
    power = np.abs(np.fft.fftn(field, axes=(1, 2))) ** 2
    high = np.any(np.abs(np.meshgrid(*(np.fft.fftfreq(n, 1 / n) for n in field.shape[1:]), indexing="ij")) > modes, 0)
    return power[:, high].sum() / power.sum()


def test_only_one_of_the_two_is_band_limited():
    shape = (64, 64)
    assert beyond(band_limited_warp(np.random.default_rng(0), shape, 4.0, modes=3), 3) < 1e-10
    assert beyond(local_warp(np.random.default_rng(0), shape, 4.0), 8) > 1e-3


def test_the_smallest_jacobian_is_that_of_a_known_map():
    rows, columns, layers = np.meshgrid(*(np.arange(9.0),) * 3, indexing="ij")
    assert smallest_jacobian(np.stack([0.5 * rows, -0.25 * columns, 0 * layers])) == pytest.approx(1.5 * 0.75)
    assert smallest_jacobian(np.stack([0.3 * columns, 0.2 * rows, 0 * layers])) == pytest.approx(1 - 0.06)
    assert smallest_jacobian(np.zeros((2, 5, 7))) == 1.0


def test_a_fold_of_one_voxel_is_seen():
    field = np.zeros((2, 9, 9))
    field[0, 4, 4] = 1.5  # beyond its neighbour, which central differences at the voxel do not see
    assert smallest_jacobian(field) == pytest.approx(-0.5)
    assert smallest_jacobian(unfolded(field, 1.5)) == pytest.approx(SMALLEST_JACOBIAN, abs=0.01)


def test_a_warp_reads_the_moving_image_where_the_field_points():
    image = np.random.default_rng(0).random((12, 14))
    shift = np.zeros((2, 12, 14))
    shift[1] = 2.0
    assert warped(image, shift)[:, :-2] == pytest.approx(image[:, 2:], abs=1e-5)
    labels = np.digitize(image, [0.3, 0.6]).astype(np.uint8) * 3
    assert np.array_equal(warped_labels(labels, shift)[:, :-2], labels[:, 2:])
    assert np.array_equal(unfolded(np.zeros((2, 5, 5)), 1.0), np.zeros((2, 5, 5)))


@pytest.mark.parametrize(
    ("kind", "shape", "largest", "more", "line"),
    [
        (local_warp, (8,), 2.0, {}, "a field over 8 voxels is none: two or three axes"),
        (local_warp, (8, 8), 9.0, {}, "a displacement of 9 voxels is out of range over 8"),
        (local_warp, (8, 8), 2.0, {"sigma": 0.0}, "a sigma of 0 voxels smooths nothing"),
        (band_limited_warp, (3, 8), 1.0, {}, "a field over 3x8 voxels is none"),
        (band_limited_warp, (8, 8), float("nan"), {}, "a displacement of nan voxels is out of range"),
        (band_limited_warp, (8, 8), 2.0, {"modes": 4}, "4 periods over 8 voxels are no field"),
    ],
)
def test_what_gives_no_field_is_refused_in_one_line(kind, shape, largest, more, line):
    with pytest.raises(ValueError, match=line):
        kind(np.random.default_rng(0), shape, largest, **more)
