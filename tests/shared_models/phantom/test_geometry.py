from __future__ import annotations

import numpy as np
import pytest

from shared_models.phantom.geometry import beam_coordinates, bounds, grids
from shared_models.phantom.machines import MACHINES, machine_named

WHOLE = [machine for machine in MACHINES.values() if machine.crop == (0.0, 0.0)]


def area(machine, start, depth):
    if machine.geometry == "linear":
        return machine.width_mm * (depth - start)
    return np.deg2rad(machine.width_deg) / 2 * ((machine.radius_mm + depth) ** 2 - (machine.radius_mm + start) ** 2)


@pytest.mark.parametrize("machine", WHOLE, ids=lambda machine: machine.name)
@pytest.mark.parametrize("start", [1.0, 30.0])
def test_the_sector_has_the_area_of_its_formula(machine, start):
    _, image = grids(machine, start, machine.depth_mm, (300, 400))
    assert image.sector.sum() * image.spacing_mm**2 == pytest.approx(area(machine, start, machine.depth_mm), rel=0.005)


@pytest.mark.parametrize("name", ["bittern", "hoopoe", "sanderling"])
def test_beams_run_from_edge_to_edge_and_samples_from_start_to_depth(name):
    beams, _ = grids(machine_named(name), 5.0, 55.0, (112, 112))
    across, depth = beam_coordinates(machine_named(name), beams.x, beams.y)
    assert np.allclose(across, np.linspace(-1, 1, beams.x.shape[1])[None], atol=1e-5)
    assert np.allclose(depth, np.linspace(5, 55, beams.x.shape[0])[:, None], atol=1e-4)
    assert np.allclose(np.linalg.norm(beams.direction, axis=1), 1)


@pytest.mark.parametrize("name", ["bittern", "hoopoe", "sanderling"])
def test_scan_conversion_puts_every_depth_and_angle_where_it_belongs(name):
    beams, image = grids(machine_named(name), 1.0, 55.0, (112, 130))
    x, y = image.pixel_mm[image.sector].T
    assert np.allclose(image.gather @ beams.x.ravel(), x, atol=0.02)
    assert np.allclose(image.gather @ beams.y.ravel(), y, atol=0.02)


def test_beams_stand_apart_in_proportion_to_their_distance_from_where_they_meet():
    beams, _ = grids(machine_named("hoopoe"), 1.0, 150.0, (112, 112))
    gap = np.hypot(np.diff(beams.x, axis=1), np.diff(beams.y, axis=1)).mean(1)
    assert np.allclose(gap, beams.pitch, rtol=1e-3)
    assert beams.pitch[-1] / beams.pitch[0] == pytest.approx(200 / 51, rel=1e-5)


def test_pixels_are_square_and_the_middle_of_the_face_lies_in_the_middle():
    _, image = grids(machine_named("bittern"), 1.0, 170.0, (113, 151))
    steps = np.diff(image.pixel_mm[0, :, 0]), np.diff(image.pixel_mm[:, 0, 1])
    assert all(np.allclose(step, image.spacing_mm, rtol=1e-3) for step in steps)
    assert np.abs(image.pixel_mm[:, 75, 0]).max() < 1e-4


def test_what_is_not_cropped_keeps_clear_of_the_edge_and_what_is_does_not():
    for name, cut in (("bittern", False), ("fulmar", True)):
        machine = machine_named(name)
        _, image = grids(machine, machine.start_mm, machine.depth_mm, (434, 636))
        assert image.sector[-1].any() == cut
        assert image.sector.any(0).mean() > 0.7
        assert (image.pixel_mm[-1, 0, 1] > bounds(machine, 1.0, machine.depth_mm)[2]) != cut
