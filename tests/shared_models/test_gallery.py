"""What is nearest is found, whatever its length."""

from __future__ import annotations

import numpy as np
import pytest

from shared_models.gallery import Gallery, joined

CODES = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0], [-1.0, 0.0]])
GALLERY = Gallery(CODES, ("a", "a", "b", "b"))


def test_the_nearest_by_angle() -> None:
    hits = GALLERY.nearest(np.array([2.0, 1.9]), 3)
    assert [hit.row for hit in hits] == [2, 0, 1]
    assert hits[0].cosine == pytest.approx(1, abs=1e-3)
    assert GALLERY.nearest(np.array([1.0, 0.0]), 1)[0].cosine == pytest.approx(1)


def test_the_best_of_each_sweep() -> None:
    best = GALLERY.best_of_each(np.array([0.0, 1.0]))
    assert {group: hit.row for group, hit in best.items()} == {"a": 1, "b": 2}


def test_of_equals_the_first() -> None:
    twice = Gallery(np.array([[1.0, 1.0], [2.0, 2.0]]), ("a", "a"))
    assert twice.nearest(np.array([1.0, 1.0]), 1)[0].row == 0


def test_several_as_one() -> None:
    both = joined([GALLERY, Gallery(np.array([[0.0, -1.0]]), ("c",))])
    assert both.best_of_each(np.array([0.0, -5.0]))["c"].row == 4


def test_what_cannot_be_searched() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        GALLERY.nearest(np.array([1.0]), 1)
    with pytest.raises(ValueError, match="points nowhere"):
        GALLERY.nearest(np.zeros(2), 1)
