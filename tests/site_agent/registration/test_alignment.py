"""Known shifts, turns and stretches are found, on whatever grids, and become part of the field."""

from __future__ import annotations

import signal
import sys

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from federated.errors import ConsiliumError
from site_agent.progress import Bar
from site_agent.registration.alignment import aligned, require_alignment
from site_agent.registration.grids import Grid, applied
from site_agent.registration.image_files import GreyImage
from site_agent.registration.placement import PlacedPair, placed_to_align
from tests.shared_models.registration.textures import texture

SPACING = {2: (0.5, 0.8), 3: (1.0, 1.5, 1.2)}


def image(name: str, values: NDArray[np.float64], *, moved_by: float = 0.0) -> GreyImage:
    """Whose header says where it lies, so far from where it was along every axis."""
    matrix = np.diag([*SPACING[values.ndim], 1.0])
    matrix[:-1, -1] = moved_by
    return GreyImage(name, values, Grid(values.shape, matrix, known=True, placed=True))


def spot(size: tuple[int, ...]) -> NDArray[np.float64]:
    """Bright texture in the middle, fading to the edges."""
    numbers = [(at - (n - 1) / 2) / (n / 4) for at, n in zip(np.indices(size), size, strict=True)]
    return np.asarray(100 * texture(size, blur=3.0) * np.exp(-sum(at**2 for at in numbers)))


def turned(angle: float, dimensions: int, stretch: float = 1.0) -> NDArray[np.float64]:
    """(d, d) about the first two axes, in millimetres."""
    linear = np.eye(dimensions)
    linear[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    linear[0] *= stretch
    return linear


def made(size: tuple[int, ...], linear: NDArray[np.float64], shift: float) -> tuple[PlacedPair, NDArray[np.float64]]:
    """A pair, and the (d + 1, d + 1) map in numbers of voxels by which the fixed one was made of the moving one."""
    edges = np.diag(SPACING[len(size)])
    matrix = np.eye(len(size) + 1)
    matrix[:-1, :-1] = np.linalg.inv(edges) @ linear @ edges
    middle = (np.array(size) - 1) / 2
    matrix[:-1, -1] = middle - matrix[:-1, :-1] @ middle + shift
    moving = spot(size)
    fixed = affine_transform(moving, matrix[:-1, :-1], matrix[:-1, -1], order=1)
    return placed_to_align(image("moving", moving), image("fixed", fixed)), matrix


def apart(pair: PlacedPair, truth: NDArray[np.float64]) -> float:
    """Mean distance, voxels, of where the corners of the inner half are led."""
    corners = pair.fixed.grid.corners() / 2 + (np.array(pair.fixed.values.shape) - 1) / 4
    return float(np.linalg.norm(applied(pair.matrix, corners) - applied(truth, corners), axis=1).mean())


@pytest.mark.parametrize("size", [(64, 80), (32, 40, 36)])
@pytest.mark.parametrize(
    ("kind", "angle", "stretch"), [("translation", 0.0, 1.0), ("rigid", 0.15, 1.0), ("affine", 0.1, 1.1)]
)
def test_what_was_done_is_found(size: tuple[int, ...], kind: str, angle: float, stretch: float) -> None:
    pair, truth = made(size, turned(angle, len(size), stretch), 2.5)
    assert apart(pair, truth) > 2.4
    assert apart(aligned(pair, kind), truth) < 0.5


def test_a_simpler_alignment_does_no_more_than_its_name_says() -> None:
    pair, _ = made((64, 80), turned(0.15, 2, 1.1), 2.5)
    shifted, rigid = (aligned(pair, kind).alignment for kind in ("translation", "rigid"))
    assert shifted is not None
    assert rigid is not None
    assert shifted[:-1, :-1] == pytest.approx(np.eye(2))
    edges = np.diag(SPACING[2])
    linear = edges @ rigid[:-1, :-1] @ np.linalg.inv(edges)
    assert linear @ linear.T == pytest.approx(np.eye(2), abs=1e-6)
    assert abs(linear[0, 1]) > 0.05


def test_images_that_headers_place_apart_are_brought_together() -> None:
    moving, fixed = image("moving", spot((64, 80)), moved_by=500), image("fixed", spot((64, 80)))
    found = aligned(placed_to_align(moving, fixed), "translation")
    assert found.matrix == pytest.approx(np.eye(3), abs=0.1)


def test_grids_need_not_be_one() -> None:
    values = spot((64, 80))
    larger = image("moving", np.pad(values, ((10, 30), (20, 4))))
    found = aligned(placed_to_align(larger, image("fixed", values)), "translation")
    assert found.matrix[:-1, -1] == pytest.approx([10, 20], abs=0.2)
    assert found.moving_values.shape == values.shape
    assert np.abs(found.moving_values - values)[4:-4, 4:-4].max() < 3


def test_equal_images_stay_where_they_are() -> None:
    same = image("same", spot((64, 80)))
    assert aligned(placed_to_align(same, same), "affine").matrix == pytest.approx(np.eye(3), abs=1e-3)


def test_the_same_pair_is_aligned_the_same() -> None:
    pair, _ = made((64, 80), turned(0.1, 2, 1.1), 2.5)
    assert np.array_equal(aligned(pair, "affine").matrix, aligned(pair, "affine").matrix)


def test_ctrl_c_ends_it_as_soon_as_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []

    def interrupted(_: Bar, done: int, __: str | None = None) -> None:
        steps.append(done)
        if len(steps) == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Bar, "at", interrupted)
    pair, _ = made((64, 80), turned(0.1, 2, 1.1), 2.5)
    with pytest.raises(KeyboardInterrupt):
        aligned(pair, "affine")
    assert len(steps) < 10


def test_images_that_are_too_small() -> None:
    flat = image("flat", np.arange(6.0).reshape(2, 3))
    with pytest.raises(ConsiliumError, match="flat: has an axis of 2 voxels, and an alignment wants 4; leave out"):
        aligned(placed_to_align(flat, flat), "rigid")


def test_an_unknown_alignment() -> None:
    require_alignment("rigid")
    with pytest.raises(
        ConsiliumError, match="--align 'similar': is no alignment; there are translation, rigid, affine"
    ):
        require_alignment("similar")


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    same = image("same", spot((64, 80)))
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(ConsiliumError, match=r"--align: needs SimpleITK; pip install 'consilium\[align\]'"):
        aligned(placed_to_align(same, same), "rigid")
