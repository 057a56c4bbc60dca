"""Points, maps and images move together, and contours are learnt."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared_models.contour_network import Heads, contour_network
from shared_models.contour_targets import distance_map
from shared_models.contour_training import (
    ERROR,
    PUBLISHED,
    SHARPNESS,
    Changes,
    Contoured,
    ContourTask,
    Strengths,
    at_side,
    contours,
    loss_of,
    moved,
)
from shared_models.dsnt import gaussians, to_coordinates, to_pixels
from shared_models.long_axis import enclosed, seven_points
from shared_models.recipe import Recipe
from shared_models.training import train
from tests.shared_models.test_long_axis import half_ellipse

SIDE = 32


def _hearts(count: int, seed: int = 0, side: int = SIDE) -> Contoured:
    """A dark cavity in a bright wall, of another size at another place each time."""
    random = np.random.default_rng(seed)
    images, points = [], []
    for _ in range(count):
        radius, length = random.uniform(0.16, 0.2) * side, random.uniform(0.55, 0.65) * side
        curve = half_ellipse(radius, length) + random.uniform(0.45, 0.55, 2) * side * np.array([1.0, 0.3])
        image = np.full((side, side), 180.0)
        image[enclosed(curve, (side, side))] = 40
        images.append((image + random.normal(0, 10, image.shape)).clip(0, 255).astype(np.uint8))
        points.append(seven_points(curve))
    return Contoured(np.stack(images), np.stack(points))


def test_points_go_with_the_image() -> None:
    given = _hearts(4)
    pixels = torch.from_numpy(given.points).float()
    spots = gaussians(to_coordinates(pixels, SIDE, SIDE), SIDE, SIDE, 1.0).sum(dim=1, keepdim=True)
    random = torch.Generator().manual_seed(1)
    shown, near, points = moved(spots, spots, to_coordinates(pixels, SIDE, SIDE), Changes(), random)
    assert (to_pixels(points, SIDE, SIDE) - pixels).norm(dim=2).mean() > 0.6
    for heat, places in zip(near[:, 0], to_pixels(points, SIDE, SIDE).round().long(), strict=True):
        assert all(heat[y, x] > 0.08 for x, y in places.tolist())
    assert shown.shape == spots.shape
    assert (to_pixels(points, SIDE, SIDE) - pixels).norm(dim=2).max() > 1.5


def test_without_changes_all_stays() -> None:
    given = _hearts(2)
    images = torch.from_numpy(given.images).unsqueeze(1).float() / 255
    points = to_coordinates(torch.from_numpy(given.points).float(), SIDE, SIDE)
    shown, near, found = moved(images, images, points, Changes(0, 0, 0, 0), torch.Generator())
    assert torch.allclose(shown, images, atol=1e-5)
    assert torch.allclose(near, images, atol=1e-5)
    assert torch.allclose(found, points, atol=1e-5)


def test_the_loss_is_least_at_the_truth() -> None:
    given = _hearts(2)
    points = to_coordinates(torch.from_numpy(given.points).float(), SIDE, SIDE)
    near = torch.from_numpy(np.stack([distance_map(each, (SIDE, SIDE)) for each in given.points])).unsqueeze(1)
    heatmaps = gaussians(points, SIDE, SIDE, 1.0)
    truth = Heads(points, heatmaps, near)
    strengths = Strengths(agreement=1.0, sharp="divergence", sharpness=1.0)
    least = loss_of(truth, points, near, strengths)
    assert least < 0.12
    off = Heads(points + 0.1, heatmaps, near)
    assert loss_of(off, points, near, PUBLISHED).item() == pytest.approx(0.1 * np.sqrt(2), abs=1e-3)
    assert loss_of(off, points, near, strengths) > loss_of(off, points, near, PUBLISHED)
    entropy = -(heatmaps * (heatmaps + 1e-12).log()).sum(dim=(2, 3)).mean().item()
    assert loss_of(truth, points, near, Strengths()).item() == pytest.approx(SHARPNESS * entropy, abs=1e-4)
    blind = Strengths(distance=0.0, sharpness=0.0)
    assert loss_of(Heads(points, heatmaps, near * 0), points, near, blind) < 1e-3


def test_it_learns_contours() -> None:
    torch.manual_seed(0)
    network = contour_network(SIDE, width=8, levels=3)
    task = ContourTask(network, SIDE, _hearts(32), _hearts(8, seed=1))
    before = task.validate()[ERROR]
    train(
        task, Recipe(epochs=15, batch=8, rate=1e-2, seed=0, optimiser="adam", metric=ERROR, smallest=True), device="cpu"
    )
    held = _hearts(40, seed=2)
    found = contours(network, held.images)
    error = np.linalg.norm(found.points - held.points, axis=2).mean()
    assert before > 4
    assert error < 1.6
    assert found.features.shape == (40, 32)
    truth = np.stack([distance_map((points + 0.5) / 2 - 0.5, (SIDE // 2, SIDE // 2)) for points in held.points])
    assert np.abs(found.distance - truth).mean() < 0.9 * np.abs(1 - truth).mean()


def test_a_penalty_is_added_to_the_loss() -> None:
    network, given = contour_network(SIDE, width=2, levels=2), _hearts(2)
    alone, held = (
        ContourTask(network, SIDE, given, penalty=penalty).loss(
            np.arange(2), torch.Generator().manual_seed(0), torch.device("cpu")
        )
        for penalty in (None, lambda _network, _seen, points: points.new_full((), 3.0))
    )
    assert held.item() == pytest.approx(alone.item() + 3)


def test_points_are_scaled_with_the_image() -> None:
    given = _hearts(1, side=64)
    small = at_side(given, SIDE)
    assert small.images.shape == (1, SIDE, SIDE)
    assert small.points == pytest.approx((given.points + 0.5) / 2 - 0.5)


def test_images_without_seven_points_each() -> None:
    given = _hearts(2)
    with pytest.raises(ValueError, match="do not go together"):
        at_side(Contoured(given.images, given.points[:, :5]), SIDE)
