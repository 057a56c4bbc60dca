"""The hospital's pictures give views away, elsewhere they do not, and next to nothing of them lies in the sector."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.backmix_images import (
    AWAY,
    HOME,
    PICTURES,
    VIEWS,
    Pictures,
    given_away,
    misleading,
    no_picture,
    taken,
)
from shared_models.phantom.machines import MACHINES

SIDE = 48


@pytest.fixture(scope="module")
def drawn() -> list[Pictures]:
    return taken(1, "test", 3, HOME, [given_away, misleading, no_picture], SIDE)


def test_every_view_of_every_patient_in_turn(drawn: list[Pictures]) -> None:
    for pictures in drawn:
        assert pictures.images.shape == pictures.sectors.shape == (15, SIDE, SIDE)
        assert pictures.labels.tolist() == 3 * [0, 1, 2, 3, 4]
        assert pictures.patients.tolist() == [0] * 5 + [1] * 5 + [2] * 5


def test_ways_of_drawing_differ_outside_the_sector_and_hardly_inside(drawn: list[Pictures]) -> None:
    own, others, bare = (pictures.images for pictures in drawn)
    for images in (own, others):
        ink = images != bare
        assert ink.any(axis=(1, 2)).all()
        assert ink[drawn[0].sectors].sum() < 0.15 * ink.sum()


def test_a_picture_is_its_views_own_wherever_it_is_drawn(drawn: list[Pictures]) -> None:
    """Pixels that only one view's picture covers are bright in that view of every patient, and in no other."""
    images, labels = drawn[0].images, drawn[0].labels
    covered = np.stack([(images[labels == view] >= 200).all(axis=0) for view in range(len(VIEWS))])
    own = covered & (covered.sum(axis=0) == 1)
    assert own.any(axis=(1, 2)).all()


def test_other_views_pictures_are_all_drawn_and_never_the_own() -> None:
    for label, own in enumerate(PICTURES):
        drawn = {misleading(label, share) for share in np.linspace(0, 0.999, 50)}
        assert drawn == set(PICTURES) - {own}
        assert given_away(label, 0.3) == own


def test_folds_and_seeds_are_other_patients_and_the_same_again_is_the_same(drawn: list[Pictures]) -> None:
    (again,) = taken(1, "test", 1, HOME, [no_picture], SIDE)
    assert np.array_equal(again.images, drawn[2].images[:5])
    for seed, fold in ((2, "test"), (1, "train")):
        assert not np.array_equal(taken(seed, fold, 1, HOME, [no_picture], SIDE)[0].images, again.images)


def test_machines_elsewhere_are_others() -> None:
    assert set(HOME).isdisjoint(AWAY)
    assert set(HOME) | set(AWAY) <= set(MACHINES)
