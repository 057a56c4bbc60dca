from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from shared_models.front_ends import (
    FRONT_ENDS,
    LAYOUT_GRID,
    RandomLift,
    create_front_end,
    front_end_digest,
    gradients,
    layout,
    patterns,
    resized,
    unit,
)
from tests import small_front_end

FIXED = ("texture", "pixels")
Gray = NDArray[np.uint8]


def speckle(height: int = 120, width: int = 150, seed: int = 0) -> Gray:
    """Noise under a smooth brightness, from whole numbers only so that it is the same everywhere."""
    noise = np.random.RandomState(seed).randint(0, 64, (height, width))
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    return (noise + (rows * 120) // height + (columns * 60) // width).astype(np.uint8)


@pytest.mark.parametrize("name", FIXED)
@pytest.mark.parametrize("shape", [(8, 8), (160, 160), (33, 700), (480, 9)])
def test_images_of_any_size_give_as_many_features_as_said(name: str, shape: tuple[int, int]) -> None:
    front_end = create_front_end(name)
    vector = front_end(speckle(*shape))
    assert vector.shape == (front_end.features,)
    assert vector.dtype == np.float64
    assert np.isfinite(vector).all()
    assert vector[-1] == 1.0


@pytest.mark.parametrize("name", FIXED)
@given(image=arrays.arrays(np.uint8, st.tuples(st.integers(8, 40), st.integers(8, 40))))
def test_any_grey_image_gives_finite_features_of_bounded_length(name: str, image: Gray) -> None:
    vector = create_front_end(name)(image)
    assert np.isfinite(vector).all()
    assert vector @ vector < 6.0


@pytest.mark.parametrize("name", FIXED)
def test_the_same_image_gives_the_same_bits(name: str) -> None:
    assert np.array_equal(create_front_end(name)(speckle()), create_front_end(name)(speckle()))


@pytest.mark.parametrize("name", FIXED)
def test_gain_drops_out(name: str) -> None:
    dark = speckle() // 2
    one, other = create_front_end(name)(dark), create_front_end(name)(dark * 2)
    assert one @ other / np.linalg.norm(one) / np.linalg.norm(other) > 0.999


@pytest.mark.parametrize("name", FIXED)
def test_different_images_differ(name: str) -> None:
    front_end = create_front_end(name)
    one, other = front_end(speckle(seed=1)), front_end(speckle(seed=1)[::-1])
    assert np.linalg.norm(one - other) > 0.1


# sum and first moment; a library whose rounding or method changes them needs a new version of the front end
GOLDEN = {"texture": (31.71876644197498, 7526.578062286714), "pixels": (12.972712848623978, 3293.197640868994)}


@pytest.mark.parametrize("name", FIXED)
def test_golden_numbers(name: str) -> None:
    vector = create_front_end(name)(speckle())
    found = vector.sum(), vector @ np.arange(vector.size)
    assert found == pytest.approx(GOLDEN[name], rel=1e-9)


def test_layout_is_mean_and_contrast_of_each_cell() -> None:
    square = np.zeros((128, 128), dtype=np.uint8)
    square[:16, :16] = 10
    square[:16, 16:32] = np.tile(np.array([0, 20], dtype=np.uint8), (16, 8))
    means, contrasts = layout(square, LAYOUT_GRID)
    assert np.allclose(means[:2], np.sqrt(0.5))
    assert not means[2:].any()
    assert contrasts[1] == 1.0
    assert not np.delete(contrasts, 1).any()


def test_gradients_tell_a_vertical_edge_from_a_horizontal_one() -> None:
    edge = np.zeros((128, 128), dtype=np.uint8)
    edge[:, 60:] = 200
    upright, lying = gradients(edge), gradients(np.ascontiguousarray(edge.T))
    assert np.linalg.norm(upright) == pytest.approx(1.0)
    assert abs(upright @ lying) < 0.2


def test_patterns_of_a_flat_cell_are_one_bin() -> None:
    histogram = patterns(np.full((128, 128), 9, dtype=np.uint8)).reshape(16, 10)
    inner = histogram[[5, 6, 9, 10]]  # the other cells see the border of the image
    assert np.linalg.norm(histogram) == pytest.approx(1.0)
    assert np.allclose(inner, 0.25 * np.eye(10)[8], atol=0.01)


def test_patterns_do_not_see_gain_at_all() -> None:
    image = speckle(128, 128) // 2
    assert np.array_equal(patterns(image), patterns(image * 2))


def test_resizing_keeps_a_flat_image_flat() -> None:
    assert (resized(np.full((37, 91), 77, dtype=np.uint8), 128) == 77).all()


def test_unit_leaves_zeros_alone() -> None:
    assert not unit(np.zeros(3)).any()


def test_the_lift_is_as_long_as_its_input_on_average() -> None:
    z = unit(np.random.default_rng(0).normal(size=64))
    lengths = [np.linalg.norm(RandomLift(64, 400, seed)(z)[:400]) ** 2 for seed in range(40)]
    assert np.mean(lengths) == pytest.approx(1.0 + 1 / 64, abs=0.05)


def test_the_lift_keeps_its_input_and_is_never_negative() -> None:
    z = np.linspace(-1, 1, 8)
    lifted = RandomLift(8, 20, 3)(z)
    assert np.array_equal(lifted[20:], z)
    assert lifted[:20].min() == 0.0


def test_digits_are_told_apart_and_the_lift_helps() -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    front_end = create_front_end("pixels")
    features = np.stack([front_end(image) for image in np.rint(digits.images * (255 / 16)).astype(np.uint8)])
    even = np.arange(len(features)) % 2 == 0

    def accuracy(h: NDArray[np.float64]) -> float:
        gram = h[even].T @ h[even] + 1e-2 * np.eye(h.shape[1])
        weights = np.linalg.solve(gram, h[even].T @ np.eye(10)[digits.target[even]])
        return float(((h[~even] @ weights).argmax(axis=1) == digits.target[~even]).mean())

    assert accuracy(features) > 0.97
    assert accuracy(features) > accuracy(features[:, -65:]) + 0.03


def test_digests_tell_name_version_and_configuration_apart() -> None:
    digests = {
        front_end_digest("a", 1, {}),
        front_end_digest("b", 1, {}),
        front_end_digest("a", 2, {}),
        front_end_digest("a", 1, {"size": 8}),
        front_end_digest("a", 1, {"size": 8.5}),
        create_front_end("texture").digest,
        create_front_end("pixels").digest,
    }
    assert len(digests) == 7
    assert all(digest.startswith("sha256:") and len(digest) == 71 for digest in digests)


def test_the_order_of_a_configuration_does_not_matter() -> None:
    assert front_end_digest("a", 1, {"x": 1, "y": 2}) == front_end_digest("a", 1, {"y": 2, "x": 1})


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4)), np.zeros((0, 4), np.uint8)],
    ids=["colour", "float", "none"],
)
def test_anything_but_a_grey_image_is_refused(image: NDArray[np.generic]) -> None:
    with pytest.raises(ValueError, match=r"a \(H, W\) uint8 image is expected"):
        create_front_end("texture")(image)  # type: ignore[arg-type]


def test_an_unknown_name_or_configuration_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no front end 'cnn', there are texture, pixels, timm"):
        create_front_end("cnn")
    for name in FIXED:
        with pytest.raises(ValueError, match="takes no weights and no configuration"):
            create_front_end(name, side=3)
        with pytest.raises(ValueError, match="takes no weights and no configuration"):
            create_front_end(name, weights_file=tmp_path)


def test_the_list_of_front_ends_is_complete() -> None:
    assert set(FRONT_ENDS) - {small_front_end.NAME} == {*FIXED, "timm", "lifted"}
