"""Views come to their channels by name, and mistakes are told in one line."""

from __future__ import annotations

import numpy as np
import pytest

from shared_models.phantom.volumes import NINE_PLANES
from shared_models.reconstruction.named_views import arranged, in_order, planes_of


def _planes(*greys: float) -> np.ndarray:
    return np.stack([np.full((224, 224), grey, np.float32) for grey in greys])


def test_greys_are_seen_from_zero_to_one() -> None:
    planes = planes_of(np.array([[0, 51], [204, 255]], np.uint8))
    assert planes.dtype == np.float32
    assert planes == pytest.approx(np.array([[0, 0.2], [0.8, 1]]))


def test_the_order_is_that_of_the_nine_planes() -> None:
    assert in_order(["A2C", "PLAX", "A4C"]) == ("PLAX", "A4C", "A2C")
    assert in_order(NINE_PLANES[::-1]) == NINE_PLANES


def test_planes_come_to_their_channels_in_whatever_order() -> None:
    built = ("PLAX", "A4C", "A2C")
    for names, greys in ((("A2C", "PLAX"), (0.3, 0.1)), (("PLAX", "A2C"), (0.1, 0.3))):
        shown, present = arranged(built, names, _planes(*greys))
        assert shown[:, 0, 0] == pytest.approx([0.1, 0, 0.3])
        assert present.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("names", "planes", "words"),
    [
        ([], _planes(0.1)[:0], "no view is given"),
        (["A4C", "A4C"], _planes(0.1, 0.2), "'A4C' is given twice"),
        (["apex"], _planes(0.1), "there is no view 'apex'"),
        (["PLAX"], _planes(0.1), "was not built for view 'PLAX', but for A4C, A2C"),
        (["A4C", "A2C"], _planes(0.1), r"2 views of 224 pixels a side are \(2, 224, 224\)"),
        (["A4C"], _planes(0.1)[:, :100], r"the planes are \(1, 100, 224\)"),
        (["A4C"], _planes(float("nan")), "'A4C' holds values that are not from 0 to 1"),
        (["A4C"], _planes(255), "'A4C' holds values that are not from 0 to 1"),
    ],
)
def test_mistakes_are_told_in_one_line(names: list[str], planes: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        arranged(("A4C", "A2C"), names, planes)
    assert "\n" not in str(caught.value)
