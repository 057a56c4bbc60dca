"""The numbers of a thigh: drawn within published ranges, and a rectus femoris whose section is known exactly."""

from __future__ import annotations

import numpy as np
import pytest

from shared_models.phantom.leg import (
    STANDARD_SITE,
    at_positions,
    draw_leg,
    other_side,
    rectus_area,
    sections,
    spread,
    superellipse_area,
)


def _legs(sex, count=400):
    return [draw_leg(np.random.default_rng(seed), sex) for seed in range(count)]


def test_superellipses_with_known_areas():
    assert superellipse_area(3.0, 2.0, 2.0) == pytest.approx(6 * np.pi)
    assert superellipse_area(3.0, 2.0, 1.0) == pytest.approx(12)
    assert superellipse_area(3.0, 2.0, 200.0) == pytest.approx(24, rel=1e-3)


@pytest.mark.parametrize(("sex", "area", "length", "femur"), [("male", 560, 448.2, 26.5), ("female", 400, 419, 25.6)])
def test_means_are_the_published_ones(sex, area, length, femur):
    legs = _legs(sex)
    assert np.mean([leg.area_mm2 for leg in legs]) == pytest.approx(area, rel=0.04)
    assert np.mean([leg.length_mm for leg in legs]) == pytest.approx(length, abs=4)
    assert np.mean([leg.femur_mm for leg in legs]) == pytest.approx(femur, abs=0.4)
    assert all(3 <= leg.fat_mm <= 22 and leg.skin_mm > 1 for leg in legs)


def test_spread_is_cut_at_two_deviations():
    found = spread(np.random.default_rng(0), 5000)
    assert np.abs(found).max() <= 2
    assert found.std() == pytest.approx(0.88, abs=0.02)  # of a normal distribution cut there


def test_the_site_has_the_drawn_section_and_atrophy_takes_its_share_everywhere():
    leg = _legs("male", 1)[0]
    z = np.linspace(0, leg.length_mm, 57).astype(np.float32)
    whole, wasted = (rectus_area(leg, sections(leg, lost), z) for lost in (0.0, 0.3))
    site = rectus_area(leg, sections(leg, 0.0), np.array([STANDARD_SITE * leg.length_mm], np.float32))
    assert site == pytest.approx(leg.area_mm2, rel=1e-3)
    np.testing.assert_allclose(wasted / whole, 0.7, rtol=1e-5)


def test_small_above_large_in_the_belly_a_tendon_below():
    leg = _legs("female", 1)[0]
    u = np.array([0.06, 0.2, 0.34, 0.6, 0.8, 0.98], np.float32)
    table = sections(leg, 0.0)
    area = rectus_area(leg, table, u * leg.length_mm)
    assert np.argmax(area) == 2
    assert area[0] < 0.6 * area[2]
    assert area[5] < 0.1 * area[2]
    section = at_positions(table, u * leg.length_mm)
    assert section.tendon[2] < 0.02
    assert section.tendon[5] > 0.9
    flatness = section.half_width / section.half_thickness
    assert (np.diff(flatness) > 0).all()


def test_sections_end_at_the_ends_of_the_thigh():
    leg = _legs("female", 1)[0]
    table = sections(leg, 0.1)
    beyond = np.array(at_positions(table, np.array([-30, 0, leg.length_mm + 1, leg.length_mm + 30], np.float32)))
    np.testing.assert_array_equal(beyond[:, 0], beyond[:, 1])
    np.testing.assert_allclose(beyond[:, 2], beyond[:, 3], rtol=1e-4)


def test_legs_of_a_person_are_alike_but_not_the_same():
    generator = np.random.default_rng(3)
    left = draw_leg(generator, "male")
    right = other_side(left, generator)
    assert right.length_mm == left.length_mm
    assert right.texture != left.texture
    assert 0 < abs(right.area_mm2 / left.area_mm2 - 1) < 0.07
