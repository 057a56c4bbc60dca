"""No patient is in two parts, and views are what they are called."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from benchmarks.reconstruction_hearts import Heart, Seen, hearts, split
from benchmarks.reconstruction_settings import QUICK, VENTRICLE, VIEWS, WALLS
from shared_models.phantom import labels as label
from shared_models.phantom.volumes import NINE_PLANES


@cache
def one() -> Heart:
    return hearts(range(5, 6), 32)[1]


def test_no_patient_is_in_two_parts_nor_with_two_seeds(tmp_path: Path) -> None:
    parts = [part for seed in (1, 2) for part in vars(split(QUICK, seed, tmp_path / "hearts")).values()]
    patients = [{heart.example.patient for heart in part} for part in parts]
    assert [len(each) for each in patients] == [2, 1, 1] * 2
    assert len(set().union(*patients)) == 8
    assert all(len(part) == 2 * len(each) for part, each in zip(parts, patients, strict=True))  # two moments


def test_views_are_named_and_grow_with_their_number() -> None:
    assert VIEWS[9] == NINE_PLANES
    assert all(set(VIEWS[fewer]) < set(VIEWS[more]) for fewer, more in ((1, 2), (2, 3), (3, 5), (5, 9)))
    seen = Seen(one(), VIEWS[2], WALLS)
    assert np.array_equal(seen.planes, one().example.planes[[NINE_PLANES.index(view) for view in ("A4C", "A2C")]])
    assert seen.places().shape == (2, 224, 224, 3)


def test_what_is_sought_is_walls_or_the_ventricle() -> None:
    walls, ventricle = (Seen(one(), VIEWS[1], sought).target for sought in (WALLS, VENTRICLE))
    assert np.array_equal(walls, one().example.target)
    assert 0 < (walls & ventricle).sum() < 0.5 * ventricle.sum()  # voxels that the surface between them cuts
    volume = ventricle.sum() * one().example.spacing_mm ** 3 / 1000
    assert volume == pytest.approx(one().example.lv_volume_ml, rel=0.1)


def test_true_labels_lie_where_the_pictures_do() -> None:
    seen = Seen(one(), ("PLAX", "A2C"), VENTRICLE)
    for plane, (cut, pixel) in zip(seen.planes, seen.cuts, strict=True):
        marks = one().labels(cut, pixel)
        assert np.array_equal(marks == label.MYOCARDIUM, plane == 1)
        assert (marks == label.LV).sum() > 500
