"""Votes find the sides of a region with a bite in it; the fit comes back to the geometry from which ends were drawn."""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pytest

from shared_models.sector_edges import Ends, fitted, gradients, outermost, profiles, sides, thick
from shared_models.sector_geometry import EDGES, Fan, Parallelogram
from tests.shared_models.sector_toys import BOX, CURVED, FAN, LEANING, STEERED, echoes, truth

ALL = [FAN, CURVED, STEERED, BOX, LEANING]


def ends_of(geometry: Fan | Parallelogram) -> Ends:
    """Forty places of each edge."""
    points = np.concatenate([geometry.edge(name, 40)[0] for name in EDGES])
    return Ends(points, np.repeat(np.arange(4), 40))


def moved(geometry: Fan | Parallelogram) -> Fan | Parallelogram:
    if isinstance(geometry, Fan):
        return replace(geometry, y=geometry.y + 1.5, far=geometry.far - 2, left=geometry.left + 0.02)
    return replace(geometry, top=geometry.top + 2, right=geometry.right - 1.5, slope=geometry.slope + 0.01)


@pytest.mark.parametrize("geometry", ALL)
def test_the_fit_comes_back(geometry: Fan | Parallelogram) -> None:
    found = fitted(moved(geometry), ends_of(geometry), (8.0,) * 8, 0.0)
    assert astuple(found) == pytest.approx(astuple(geometry), abs=0.05)


@pytest.mark.parametrize("geometry", ALL)
def test_gradients_are_those_of_the_distances(geometry: Fan | Parallelogram) -> None:
    ends = ends_of(geometry)
    slopes, step, each = gradients(geometry, ends), 1e-6, np.arange(len(ends.edges))
    for number, name in enumerate(type(geometry).__dataclass_fields__):
        away = [
            np.stack(replace(geometry, **{name: getattr(geometry, name) + sign * step}).distances(*ends.points.T))
            for sign in (1, -1)
        ]
        numeric = (away[0] - away[1])[ends.edges, each] / (2 * step)
        assert slopes[:, number] == pytest.approx(numeric, abs=1e-4)


def test_echoes_outside_pull_more_than_shadows_inside() -> None:
    ends = ends_of(BOX)
    half = np.arange(len(ends.points)) % 2 == 0
    right = ends.edges == EDGES.index("right")
    points = ends.points.copy()
    points[half & right, 0] -= 4  # every other echo ends four pixels inside
    assert isinstance(found := fitted(BOX, Ends(points, ends.edges), (8.0,) * 6, 0.0), Parallelogram)
    assert BOX.right - 1.0 < found.right <= BOX.right


@pytest.mark.parametrize("geometry", [FAN, CURVED])
def test_sides_of_a_fan_with_a_bite(geometry: Fan) -> None:
    region = truth(geometry).mask()[::2, ::2].copy()
    region[60:80, :70] = False
    left, right = sides(region)[0]
    assert left.angle == pytest.approx(-geometry.left, abs=0.03)
    assert right.angle == pytest.approx(geometry.right, abs=0.03)


def test_a_steered_fan_has_a_second_pair_of_sides() -> None:
    left, right = sides(truth(STEERED).mask()[::2, ::2])[1]
    assert left.angle == pytest.approx(0.1, abs=0.03)
    assert right.angle == pytest.approx(0.75, abs=0.03)


def test_the_outermost_is_an_envelope() -> None:
    values = np.concatenate([np.linspace(20, 60, 30), np.full(30, 80.0), [97.0]])
    assert outermost(values) == pytest.approx(80.0, abs=1.0)


def test_a_trace_is_thin_and_an_echo_is_thick() -> None:
    seen = np.zeros((9, 2), bool)
    seen[1, 0] = True
    seen[5:, :] = True
    assert thick(seen, 3).argmax(axis=0).tolist() == [5, 5]


def test_profiles_leave_out_what_the_image_cuts_off() -> None:
    whole, cut = echoes(FAN), echoes(FAN)[:150]
    assert set(profiles(whole, 0.0, FAN, 3, 2.0).edges) == {0, 1, 2, 3}
    along = profiles(cut, 0.0, FAN, 3, 2.0)
    assert EDGES.index("far") not in along.edges
    assert len(along.edges) < along.asked
    assert along.values[4:].mean() > 10 * along.values[:2].mean()
