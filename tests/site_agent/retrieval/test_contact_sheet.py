"""Images beside each other."""

from __future__ import annotations

import numpy as np
import pytest

from site_agent.retrieval.contact_sheet import LINE, PAPER, ROW, SIDE, contact_sheet


@pytest.mark.parametrize(("count", "rows", "wide"), [(1, 1, 1), (ROW, 1, ROW), (ROW + 1, 2, ROW)])
def test_as_many_rows_as_are_needed(count: int, rows: int, wide: int) -> None:
    sheet = contact_sheet([np.zeros((8, 8), np.uint8)] * count, [""] * count)
    assert sheet.shape == (rows * (SIDE + LINE + 4), wide * (SIDE + 4))
    assert (sheet == 0).sum() == count * SIDE * SIDE


def test_an_image_keeps_its_shape_and_its_line_is_written() -> None:
    image = np.full((10, 40), 90, np.uint8)
    plain, written = (contact_sheet([image], [line]) for line in ("", "0.93 THIGH-L"))
    assert (plain == 90).sum() == SIDE * SIDE // 4
    assert (plain[SIDE + 2 :] == PAPER).all()
    assert (written[SIDE + 2 :] < PAPER).any()


@pytest.mark.parametrize("count", [0, 1])
def test_what_does_not_go_together(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} images with 0 lines"):
        contact_sheet([np.zeros((2, 2), np.uint8)] * count, [])
