"""The outline of a form that is known, with and without a wall; and label maps that say too little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from federated.errors import ConsiliumError, DataError
from site_agent.registration.drawn_ventricle import (
    PER_SEGMENT,
    Ventricle,
    in_segments,
    of_experts,
    of_labels,
    outlined,
    wall_about,
)
from site_agent.segmentation.segmenter import Seen
from site_agent.truth import LV, MYOCARDIUM
from tests.site_agent.registration.clip_making import CAVITY, MIDDLE, WALL, arch, labels


def from_arch(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each point lies from the form that was drawn."""
    drawn = arch(points=2001)
    sides = [np.linspace(drawn[k], drawn[k + 1], 200) for k in (0, -2)]
    every = np.concatenate([drawn, *sides])
    return np.linalg.norm(points[:, None] - every[None], axis=2).min(axis=1)


def test_an_outline_has_six_segments_along_the_form() -> None:
    found = outlined(of_labels(labels(), None, "mask"), "mask")
    assert found.shape == (6 * PER_SEGMENT + 1, 2)
    assert from_arch(found).max() < 1.5
    assert found[0] == pytest.approx(MIDDLE + np.array([-11, 12]), abs=2)
    assert found[-1] == pytest.approx(MIDDLE + np.array([11, 12]), abs=2)
    assert found[3 * PER_SEGMENT] == pytest.approx(MIDDLE + np.array([0, -20]), abs=2)


def test_of_a_cavity_alone_the_valve_lies_opposite_the_apex() -> None:
    alone = outlined(Ventricle(labels() == CAVITY), "mask")
    whole = outlined(of_labels(labels(), (CAVITY, WALL), "mask"), "mask")
    assert np.linalg.norm(alone - whole, axis=1).max() < 2.5
    ring = wall_about(labels() == CAVITY)
    assert not (ring & (labels() == CAVITY)).any()
    assert not ring[48:, 24:40].any()
    assert ring[12, 31]


def test_segments_of_a_side_are_equally_long() -> None:
    found = in_segments(arch(points=2001))
    steps = np.linalg.norm(np.diff(found, axis=0), axis=1).reshape(6, -1).sum(axis=1)
    assert steps[:3] == pytest.approx([steps[1]] * 3, rel=0.03)
    assert steps[:3].sum() == pytest.approx(steps[3:].sum(), rel=0.01)


def test_numbers_are_of_this_project_where_no_doubt_is_left() -> None:
    found = of_labels(labels(), None, "mask")
    assert np.array_equal(found.cavity, labels() == CAVITY)
    assert found.myocardium is not None
    assert found.atrium is None
    lone = of_labels((labels() == CAVITY).astype(np.uint8) * 255, None, "mask")
    assert np.array_equal(lone.cavity, labels() == CAVITY)
    assert lone.myocardium is None


def test_a_map_that_leaves_doubt_is_refused() -> None:
    camus = np.where(labels() == CAVITY, 1, np.where(labels() == WALL, 2, 0)).astype(np.uint8)
    with pytest.raises(DataError, match=r"mask: holds the values 1, 2; say which .* as in --values 1,2,3 \(CAMUS\)"):
        of_labels(camus, None, "mask")
    assert np.array_equal(of_labels(camus, (1, 2, 3), "mask").cavity, labels() == CAVITY)
    with pytest.raises(DataError, match="mask: holds no value 7, which is to be the ventricle"):
        of_labels(camus, (7,), "mask")
    with pytest.raises(DataError, match="mask: is empty: nothing is drawn; name another"):
        of_labels(camus * 0, None, "mask")


def test_what_has_no_outline_is_told() -> None:
    closed = np.zeros((32, 32), np.uint8)
    closed[8:24, 8:24], closed[12:20, 12:20] = 2, 1
    with pytest.raises(
        ConsiliumError, match=r"mask: gives no outline: .*no base to be seen; name a label map of an apical"
    ):
        outlined(of_labels(closed, (1, 2), "mask"), "mask")
    speck = np.zeros((32, 32), bool)
    speck[3, 3] = True
    with pytest.raises(ConsiliumError, match="gives no outline: nothing is drawn"):
        outlined(Ventricle(speck), "mask")


def test_what_experts_see_counts_as_drawn() -> None:
    seen = Seen(
        (LV, MYOCARDIUM), np.where(labels() == CAVITY, 1, np.where(labels() == WALL, 2, 0)).astype(np.uint8), {}, {}, {}
    )
    found = of_experts(seen)
    assert np.array_equal(found.cavity, labels() == CAVITY)
    assert found.myocardium is not None
    assert found.atrium is None


def test_a_real_ventricle_has_an_outline(shared_data: Path) -> None:
    from site_agent.sources.metaimage_volume import read_volume

    path = next((shared_data / "vital_echo_mhd").glob("*_layer3.mhd"))
    drawn = next(read_volume(path).labels())
    found = outlined(of_labels(drawn, None, "mask"), "mask")
    x, y = found.T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    assert area * 0.305**2 == pytest.approx(1685.05, rel=0.03)
    assert y[3 * PER_SEGMENT] == y.min() or y[3 * PER_SEGMENT] < y[[0, -1]].min()
