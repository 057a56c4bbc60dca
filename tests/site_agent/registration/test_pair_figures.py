"""Figures of a field that is known."""

from __future__ import annotations

import numpy as np
import pytest

from federated.errors import ConsiliumError
from site_agent.registration.grids import picture_grid
from site_agent.registration.image_files import GreyImage
from site_agent.registration.one_pair import Registered, Settings
from site_agent.registration.pair_figures import PairFigures, dice_by_label, pair_figures, require_common
from site_agent.registration.placement import placed

SIZE = (10, 12)


def figures(field: np.ndarray, spacing: tuple[float, float] | None) -> PairFigures:
    image = GreyImage("image", np.zeros(SIZE), picture_grid(*SIZE, spacing))
    found = Registered(field.astype(np.float32), 0.5, 0.25, 7)
    pair = placed(image, image)
    return pair_figures(pair, Settings(), found, method="by hand", came=None, dice={}, files=(), seconds=1.0)


def test_lengths_are_in_millimetres_of_oblong_pixels() -> None:
    found = figures(np.stack([np.full(SIZE, 3.0), np.full(SIZE, 4.0)]), (2.0, 0.5))
    assert found.mean_voxels == pytest.approx(5)
    assert found.largest_voxels == pytest.approx(5)
    assert found.mean_mm == pytest.approx(np.hypot(6, 2))
    assert found.spacing_mm == pytest.approx((2, 0.5))
    assert dict(found.rows())["mean displacement"] == "6.32 mm"


def test_without_a_size_lengths_are_in_pixels() -> None:
    found = figures(np.stack([np.full(SIZE, 3.0), np.full(SIZE, 4.0)]), None)
    assert found.mean_mm is None
    assert found.spacing_mm is None
    assert dict(found.rows())["largest displacement"] == "5.00 voxels"


def test_folds_are_counted() -> None:
    columns = np.indices(SIZE)[1]
    turned = np.where(columns < 6, -2.0 * columns, -12.0)  # where the determinant is -1, and one column of 0
    found = figures(np.stack([np.zeros(SIZE), turned]), None)
    assert found.folded_percent == pytest.approx(100 * 7 / 12)
    assert figures(np.zeros((2, *SIZE)), None).folded_percent == 0


def test_dice_is_told_label_by_label() -> None:
    before, after, fixed = (np.zeros(SIZE, np.uint8) for _ in range(3))
    before[:4], after[2:6], fixed[2:6] = 1, 1, 1
    fixed[8:] = 9
    found = dice_by_label(before, after, fixed)
    assert (found["1"].before, found["1"].after) == (0.5, 1)
    assert (found["9"].before, found["9"].after) == (0, 0)
    assert list(found) == ["1", "9"]


def test_label_maps_speak_of_something_in_common() -> None:
    one, other = np.full(SIZE, 2, np.uint8), np.full(SIZE, 3, np.uint8)
    require_common(one, one, "labels")
    with pytest.raises(
        ConsiliumError, match="labels: holds label 2, the fixed image's label map label 3: none is in both"
    ):
        require_common(one, other, "labels")
