"""Frames come in turn of families and views, from the seeds they are asked of, whatever the number of processes."""

from __future__ import annotations

import numpy as np

from benchmarks import phantom_frames
from benchmarks.phantom_frames import phantom_squares, views_of_families
from benchmarks.phantom_gallery import FAMILIES
from shared_models.phantom.views import VIEWS
from tests.benchmarks.phantom_toys import toy


def test_families_and_their_views_come_in_turn() -> None:
    found = phantom_squares(61, first_seed=0, draw=toy)
    assert found.images.shape == (61, 80, 80)
    assert [VIEWS[view].family for view in found.views] == [FAMILIES[label] for label in found.labels]
    assert np.bincount(found.labels).tolist() == [9, 9, 9, 9, 9, 8, 8]
    assert {view for view in found.views if VIEWS[view].family == "psax"} == set(views_of_families()["psax"])


def test_a_frame_depends_on_its_seed_alone() -> None:
    many, few = phantom_squares(63, first_seed=0, draw=toy), phantom_squares(7, first_seed=56, draw=toy)
    np.testing.assert_array_equal(many.images[56:63], few.images)


def test_every_family_has_a_view() -> None:
    assert set(views_of_families()) == set(FAMILIES)
    assert all(views_of_families().values())
    assert phantom_frames.CHUNK > 0
