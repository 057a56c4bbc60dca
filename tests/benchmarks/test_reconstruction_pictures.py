"""Lines are means over hearts, and end where a method has no figure."""

from __future__ import annotations

import pytest

from benchmarks.reconstruction_found import Found
from benchmarks.reconstruction_methods import DISCS, FUSED, UNFUSED
from benchmarks.reconstruction_pictures import over_views
from benchmarks.reconstruction_scores import Scores
from benchmarks.reconstruction_settings import VENTRICLE, WALLS


def found(target: str, views: int, overlap: float, error: float) -> Found:
    solid = [Scores(str(n), [overlap + shaken] * 8, 2.0, error, error, 1.0) for n, shaken in enumerate((-0.1, 0.1))]
    scores = {FUSED: solid}
    if views > 1:
        scores[UNFUSED] = solid
    if target == VENTRICLE:
        scores[DISCS] = [Scores(str(n), None, None, -2 * error) for n in range(2)]
    return Found(target, views, ["0", "1"], scores, dict.fromkeys(scores, 1.0))


def test_each_method_has_its_line_over_the_views_that_it_was_shown() -> None:
    figure = over_views(
        [found(WALLS, 1, 0.5, 0), found(WALLS, 2, 0.6, 0), found(VENTRICLE, 1, 0.7, 8.0), found(VENTRICLE, 2, 0.8, 4.0)]
    )
    walls, ventricle = (
        {str(bars.get_label()): bars[0].get_xydata().tolist() for bars in axes.containers} for axes in figure.axes
    )
    assert walls[FUSED] == [pytest.approx([1, 0.5]), pytest.approx([2, 0.6])]
    assert walls[UNFUSED] == [pytest.approx([2, 0.6])]
    assert set(walls) == {FUSED, UNFUSED}
    assert ventricle[FUSED] == [[1, 8.0], [2, 4.0]]
    assert ventricle[DISCS] == [[1, 16.0], [2, 8.0]]
