"""A heart's size, surface and figures, where they are known."""

from __future__ import annotations

import numpy as np
import pytest

from federated.errors import ConsiliumError
from shared_models.reconstruction.surface import surface
from site_agent.reconstruction.heart import figures_of, pieces_of, reconstruct, scale_of
from tests.site_agent.reconstruction.heart_making import EDGE, Ball, ball_heart, example, picture


def test_a_ball_has_its_volume_in_millilitres() -> None:
    heart = ball_heart(10.0)
    assert heart.voxel_mm == 2.0
    assert heart.volume_ml == pytest.approx(4 / 3 * np.pi * 20**3 / 1000, rel=0.01)
    assert heart.title() == f"Walls from A4C, A2C: {heart.volume_ml:.0f} ml, size assumed"


def test_pixels_of_pictures_of_walls_tell_the_size_of_the_phantom_s_cube() -> None:
    truth = example()
    scale = scale_of([picture("A4C", float(truth.picture_mm[0])), picture("A2C")], 1.0)
    assert scale.told
    assert scale.cube_mm == pytest.approx(truth.spacing_mm * EDGE, rel=1e-6)


def test_several_sizes_are_averaged_and_none_is_said() -> None:
    one, four, both = (scale_of([picture("A4C", first), picture("A2C", second)], 1.0) for first, second in SIZES)
    assert both.cube_mm == pytest.approx(np.sqrt(one.cube_mm * four.cube_mm))
    assert scale_of([picture("A4C")], 148.0) == type(one)(148.0, told=False)


SIZES = ((0.5, 0.5), (2.0, 2.0), (0.5, 2.0))


def test_figures_tell_all_of_it() -> None:
    heart = ball_heart(8.0, pixel_mm=0.5)
    told = figures_of(heart, ["heart.stl"])
    assert (told.views, told.target, told.pieces, told.closed) == (("A4C", "A2C"), "walls", 1, True)
    assert (told.edge, told.size_told, told.files) == (EDGE, True, ("heart.stl",))
    assert told.volume_ml == pytest.approx(heart.volume_ml, abs=0.01)
    assert (told.vertices, told.faces) == (len(heart.mesh.vertices), len(heart.mesh.faces))


def test_pieces_are_counted() -> None:
    volume = np.zeros((20, 20, 20))
    volume[2:5, 2:5, 2:5] = volume[10:15, 10:15, 10:15] = 1
    assert pieces_of(surface(volume, 1.0)) == 2


def test_nothing_above_the_threshold_is_one_line() -> None:
    with pytest.raises(ConsiliumError, match=r"nothing in the volume reaches 0\.5.*--threshold"):
        reconstruct(Ball(-9), [picture("A4C")], target="walls", usual_cube_mm=64.0, threshold=0.5)


def test_what_is_no_probability_is_one_line() -> None:
    class Lost:
        def volume(self, views: object) -> np.ndarray:  # noqa: ARG002
            return np.full((EDGE,) * 3, np.nan, np.float32)

    with pytest.raises(ConsiliumError, match="values from 0 to 1"):
        reconstruct(Lost(), [picture("A4C")], target="walls", usual_cube_mm=64.0, threshold=0.5)


def test_a_view_that_is_refused_is_told_with_its_file() -> None:
    class Narrow:
        def volume(self, views: object) -> np.ndarray:  # noqa: ARG002
            raise ValueError("the network was not built for view 'A4C'")

    with pytest.raises(ConsiliumError, match=r"A4C\.png: the network was not built"):
        reconstruct(Narrow(), [picture("A4C")], target="walls", usual_cube_mm=64.0, threshold=0.5)
