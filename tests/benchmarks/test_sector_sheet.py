"""A sheet has a tile an image with an outline in red; real images of a gallery stay out of docs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from benchmarks.phantom_sheet import DOCS
from benchmarks.sector_sheet import CAPTION, COLUMNS, TILE, main, write_sheet
from tests.shared_models.sector_toys import FAN, echoes


def test_a_tile_an_image(tmp_path: Path) -> None:
    images = [("fan", echoes(FAN)), ("black", np.zeros((60, 80), np.uint8)), ("clip", np.stack([echoes(FAN)] * 2))] * 3
    write_sheet(iter(images), tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB")).astype(int)
    assert sheet.shape == (2 * (TILE[1] + CAPTION), COLUMNS * TILE[0], 3)
    red = (sheet[..., 0] > 200) & (sheet[..., 1] < 90)
    tiles = [red[CAPTION : TILE[1], number * TILE[0] : (number + 1) * TILE[0]].any() for number in range(3)]
    assert tiles == [True, False, True]


def test_a_gallery_does_not_go_into_docs() -> None:
    with pytest.raises(typer.BadParameter, match="does not belong into docs"):
        main(DOCS / "pictures" / "x.png", real=True)
