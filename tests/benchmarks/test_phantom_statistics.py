"""Measures give back what was put into pictures made for them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from benchmarks.phantom_beams import fan_of
from benchmarks.phantom_sector import Frame
from benchmarks.phantom_statistics import edges, grey_levels, half_width, speckle, statistics, tissue_patches


def frame(grey: np.ndarray) -> Frame:
    y, x = np.mgrid[:400, :600]
    sector = (np.hypot(y + 5, x - 300) < 390) & (np.abs(np.arctan2(x - 300, y + 5)) < 0.75)
    return Frame(np.where(sector, np.clip(grey, 0, 255), 0).astype(np.uint8), sector, np.zeros_like(sector))


def grain(sigma: tuple[float, float], seed: int = 0) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(400, 600)), sigma)
    return 100 + 25 * noise / noise.std()


@pytest.mark.parametrize("sigma", [1.0, 2.0, 4.0])
def test_the_width_of_the_correlation_is_that_of_the_filter(sigma: float) -> None:
    noise = ndimage.gaussian_filter1d(np.random.default_rng(1).normal(size=(256, 2000)), sigma, axis=0, mode="wrap")
    assert half_width(noise) == pytest.approx(4 * sigma * np.sqrt(np.log(2)), rel=0.08)  # 2 x of exp(-d^2 / 4 s^2)
    assert half_width(noise.T) == pytest.approx(1.0, abs=0.1)  # white across: it falls to 0 within one sample


def test_speckle_that_is_longer_across_is_told_so() -> None:
    picture = frame(grain((1.5, 4.0)))
    found = speckle(picture, fan_of(picture.sector))
    for band in ("near", "middle", "far"):
        along, across = (found[f"speckle {way} the beam, {band}, % of depth"] for way in ("along", "across"))
        assert across > 1.6 * along
        assert 0.7 < along < 2.0  # 1.5 px x 3.3 of 390 px, smeared by the turn of the beams


def test_grey_levels_are_quantiles_inside_the_sector() -> None:
    picture = frame(np.tile(np.where(np.arange(600) < 300, 0, 80), (400, 1)))
    found = grey_levels(picture)
    assert found["black, % of the sector"] == pytest.approx(50, abs=1)
    assert (found["grey, 25 % quantile"], found["grey, 75 % quantile"]) == (0, 80)


def test_a_softer_picture_has_softer_edges() -> None:
    y, x = np.mgrid[:400, :600]
    hole = np.where(np.hypot(y - 220, x - 300) < 90, 0.0, 120.0)
    sharp, soft = (frame(ndimage.gaussian_filter(hole, sigma)) for sigma in (1.0, 4.0))
    width = "width of a chamber's border, % of depth"
    fan = fan_of(sharp.sector)
    assert edges(sharp, fan)[width] == pytest.approx(100 * np.sqrt(2 * np.pi) * np.hypot(1, 0.5) / 390, rel=0.2)
    assert edges(soft, fan)[width] > 2 * edges(sharp, fan)[width]
    side = "width of the sector's edge, % of depth"
    blurred = Frame(ndimage.gaussian_filter(sharp.image, 3.0), sharp.sector, sharp.coloured)
    assert edges(blurred, fan)[side] > 1.5 * edges(sharp, fan)[side]


def test_patches_are_tissue_alone() -> None:
    picture = np.full((60, 60), 100.0)
    picture[:20] = 5  # blood
    picture[20:40, :20] = 255  # saturated
    picture[20:40, 20:40] = np.nan  # outside
    assert len(list(tissue_patches(picture, 20))) == 4


def test_a_dark_frame_has_no_speckle_and_no_edge_but_is_measured() -> None:
    found = statistics(frame(np.full((400, 600), 5.0)))
    assert np.isnan(found["speckle along the beam, near, % of depth"])
    assert np.isnan(found["width of the sector's edge, % of depth"])
    assert found["black, % of the sector"] == 100
