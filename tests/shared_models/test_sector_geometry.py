"""Areas, boxes and outlines in closed form; enlarging and cropping move a sector with its image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_models.sector_geometry import EDGES, Fan, Parallelogram, Sector, fan_kind
from tests.shared_models.sector_toys import BOX, CURVED, FAN, LEANING, SHAPE, STEERED, agreement, truth

ALL = [FAN, CURVED, STEERED, BOX, LEANING]


def shoelace(polygon: np.ndarray) -> float:
    x, y = polygon.T
    return 0.5 * abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1)))


def test_the_area_of_a_fan() -> None:
    fan = Fan(y=10.0, x=200.0, near=30.0, far=180.0, left=-0.6, right=0.4)
    area = truth(fan, (300, 400)).mask().sum()
    assert area == pytest.approx(0.5 * 1.0 * (180**2 - 30**2), rel=0.003)


def test_the_area_of_a_parallelogram() -> None:
    assert truth(LEANING).mask().sum() == pytest.approx(160 * 130, rel=0.02)


@pytest.mark.parametrize("geometry", ALL)
def test_points_of_an_edge_lie_on_it_and_normals_point_outward(geometry: Fan | Parallelogram) -> None:
    for number, name in enumerate(EDGES):
        points, normals = geometry.edge(name, 9)
        assert np.abs(geometry.distances(*points.T)[number]).max() < 1e-9
        assert np.hypot(*normals.T) == pytest.approx(1.0)
        assert geometry.distances(*(points + 0.5 * normals).T)[number] == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("geometry", ALL)
def test_the_outline_holds_the_mask(geometry: Fan | Parallelogram) -> None:
    sector = truth(geometry)
    assert shoelace(sector.outline()) == pytest.approx(sector.mask().sum(), rel=0.02)
    x0, y0, x1, y1 = sector.box()
    rows, columns = np.nonzero(sector.mask())
    assert (x0, y0, x1, y1) == (columns.min(), rows.min(), columns.max(), rows.max())


def test_an_outline_is_cut_by_the_image() -> None:
    cut = truth(FAN).cropped((110, 40, 250, 150))
    outline = cut.outline()
    assert outline.min() >= -0.5
    assert (outline <= [140.5, 110.5]).all()
    assert shoelace(outline) == pytest.approx(cut.mask().sum(), rel=0.02)


@pytest.mark.parametrize("geometry", ALL)
def test_cropping_crops_the_mask(geometry: Fan | Parallelogram) -> None:
    sector = truth(geometry)
    assert np.array_equal(sector.cropped((30, 20, 279, 219)).mask(), sector.mask()[20:220, 30:280])


@pytest.mark.parametrize("geometry", ALL)
def test_enlarging_three_times_keeps_the_middle_pixels(geometry: Fan | Parallelogram) -> None:
    sector = truth(geometry)
    large = sector.scaled(3)
    assert large.shape == (3 * SHAPE[0], 3 * SHAPE[1])
    assert np.array_equal(large.mask()[1::3, 1::3], sector.mask())
    assert agreement(large.scaled(1 / 3), sector) == 1.0


def test_what_lies_outside_the_image_has_no_box() -> None:
    away = truth(BOX).cropped((240, 0, 319, 239))
    assert not away.mask().any()
    assert away.outline().shape == (0, 2)
    with pytest.raises(ValueError, match="nothing of the sector"):
        away.box()


@given(
    st.floats(-500, 500),
    st.floats(-500, 500),
    st.floats(0, 100),
    st.floats(101, 900),
    st.floats(-1.4, 0),
    st.floats(0, 1),
)
def test_a_fan_goes_through_json(y: float, x: float, near: float, far: float, left: float, right: float) -> None:
    fan = Fan(y, x, near, far, left, right)
    sector = Sector(fan_kind(fan), fan, (30, 40), 0.5)
    assert Sector.from_json(sector.to_json()) == sector


def test_what_is_no_sector_is_refused() -> None:
    values = truth(LEANING).to_json()
    assert Sector.from_json(values) == truth(LEANING)
    for wrong in ({"kind": "round"}, {"top": "high"}, {"apex": 1.0}):
        with pytest.raises(ValueError, match="sector"):
            Sector.from_json({**values, **wrong})
    with pytest.raises(ValueError, match="no sector"):
        Sector.from_json({"kind": "linear"})


def test_the_mask_is_drawn_once_and_nobody_writes_to_it() -> None:
    sector = truth(LEANING)
    assert sector.mask() is sector.mask()
    with pytest.raises(ValueError, match="read-only"):
        sector.mask()[0, 0] = True
