"""Balls have one mode, their radius, which one disc tells."""

from __future__ import annotations

import numpy as np
import pytest

from shared_models.phantom.planes import Plane
from shared_models.phantom.volumes import Grid
from shared_models.reconstruction.plane_places import places
from shared_models.reconstruction.shape_pca import (
    ShapeModel,
    fitted,
    occupancy,
    outline_points,
    sampled,
    shape_model,
    signed_distance,
    solved,
)
from shared_models.reconstruction.volume_metrics import iou

EDGE = 32
AWAY = np.sqrt(((np.indices((EDGE,) * 3) - (EDGE - 1) / 2) ** 2).sum(axis=0)).astype(np.float32)
EXACT = ShapeModel(AWAY - 9, np.full((1, EDGE, EDGE, EDGE), -2.0, np.float32))  # radii of 9 with a deviation of 2


def _circle(radius: float, count: int = 200) -> np.ndarray:
    turns = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([np.full(count, 15.5), 15.5 + radius * np.cos(turns), 15.5 + radius * np.sin(turns)], axis=1)


def test_signed_distances_of_a_ball_and_a_slab() -> None:
    found = signed_distance(AWAY <= 10)
    assert np.abs(found - (AWAY - 10)).max() < 1.1
    assert ((found < 0) == (AWAY <= 10)).all()
    slab = np.zeros((8, 8, 8), np.bool_)
    slab[:3] = True
    assert signed_distance(slab)[:, 4, 4] == pytest.approx([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 4.5])


def test_a_circle_tells_the_radius_in_closed_form() -> None:
    count, sigma, radius = 200, 0.5, 11.0
    b = fitted(EXACT, _circle(radius, count), sigma)
    wanted = (count / sigma**2) * 2 * (radius - 9) / (count / sigma**2 * 4 + 1)  # of one mode of slope -2
    assert b == pytest.approx([wanted], abs=0.02)
    assert EXACT.distances(b)[15, 15, 15] == pytest.approx(AWAY[15, 15, 15] - 9 - 2 * b[0], abs=1e-5)


def test_points_that_lie_within_the_surface_tell_a_larger_ball() -> None:
    inside = _circle(11.0)
    assert fitted(EXACT, inside, 0.01, level=-1.0) == pytest.approx(fitted(EXACT, _circle(12.0), 0.01), abs=0.02)


def test_the_first_modes_are_those_of_a_model_of_fewer() -> None:
    model = shape_model([radius >= AWAY for radius in (6, 7.5, 9, 10.5, 12)], modes=3)
    mean, slopes = sampled(model, _circle(8.2))
    fewer = fitted(ShapeModel(model.mean, model.modes[:2]), _circle(8.2), 0.5)
    assert solved(mean, slopes[:, :2], 0.5) == pytest.approx(fewer)


def test_the_prior_holds_what_points_do_not_tell() -> None:
    assert fitted(EXACT, _circle(11.0), sigma=1e6) == pytest.approx([0], abs=1e-3)
    assert fitted(EXACT, np.zeros((0, 3))) == pytest.approx([0])
    assert fitted(EXACT, _circle(11.0) + 100) == pytest.approx([0])


def test_a_model_of_balls_finds_one_that_it_has_not_seen() -> None:
    model = shape_model([radius >= AWAY for radius in (6, 7.5, 9, 10.5, 12)], modes=10)
    assert len(model.modes) == 4
    strengths = (model.modes**2).sum(axis=(1, 2, 3))
    assert strengths[0] > 20 * strengths[1:].sum()
    found = occupancy(model.distances(fitted(model, _circle(8.2), sigma=0.5)))
    assert iou(found >= 0.5, AWAY <= 8.2) > 0.93


def test_coefficients_of_the_training_volumes_have_variance_one() -> None:
    volumes = [radius >= AWAY for radius in (6, 8, 9, 12)]
    model = shape_model(volumes, modes=1)
    mode = model.modes[0].ravel().astype(float)
    b = [(signed_distance(volume) - model.mean).ravel() @ mode / (mode @ mode) for volume in volumes]
    assert np.mean(b) == pytest.approx(0, abs=1e-5)
    assert np.var(b, ddof=1) == pytest.approx(1, rel=1e-4)


def test_outlines_of_planes_lie_on_the_surface() -> None:
    grid = Grid(np.full(3, -15.5), 1.0, EDGE)
    axes = np.eye(3)
    where = np.stack([places(Plane(np.zeros(3), axes[0], axis), grid, 0.2) for axis in axes[1:]])
    flat = (np.indices((224, 224)) - 111.5) * 0.2
    disc = (np.hypot(*flat) <= 10).astype(np.float32)
    points = outline_points(np.stack([disc, disc]), where)
    assert len(points) > 400
    assert np.linalg.norm(points - 15.5, axis=1) == pytest.approx(np.full(len(points), 10.0), abs=0.2)
    assert outline_points(np.zeros((2, 224, 224), np.float32), where).shape == (0, 3)


def test_probabilities_fall_through_the_surface() -> None:
    found = occupancy(np.array([-3, -2, -1, 0, 1, 2, 3], np.float32))
    assert found == pytest.approx([1, 1, 0.75, 0.5, 0.25, 0, 0])


def test_mistakes_are_told() -> None:
    with pytest.raises(ValueError, match="two volumes and a mode; these are 1 and 3"):
        shape_model([AWAY <= 5], modes=3)
    with pytest.raises(ValueError, match="differ in shape"):
        shape_model([AWAY <= 5, AWAY[:16] <= 5], modes=1)
    with pytest.raises(ValueError, match="empty or full has no surface"):
        signed_distance(AWAY > 100)
    with pytest.raises(ValueError, match="sigma is 0 voxels"):
        fitted(EXACT, _circle(10.0), 0)
    with pytest.raises(ValueError, match="the places of their pixels"):
        outline_points(np.zeros((2, 4, 4), np.float32), np.zeros((1, 4, 4, 3), np.float32))
