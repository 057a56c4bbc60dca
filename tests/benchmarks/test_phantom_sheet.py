"""A sheet is a small PNG; what may not be passed on is not written into docs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from benchmarks.phantom_sheet import CAPTION, COLUMNS, DOCS, TILE, Picture, main, write_sheet
from tests.benchmarks.phantom_toys import SPOTS, fan


def test_a_sheet_holds_every_picture(tmp_path: Path) -> None:
    pictures = [Picture(fan(spot, seed), f"{seed}") for seed, spot in enumerate(SPOTS.values())]
    write_sheet(pictures, tmp_path / "sheets" / "sheet.png")
    with Image.open(tmp_path / "sheets" / "sheet.png") as image:
        grey = np.asarray(image.convert("L"))
    assert grey.shape == (2 * (TILE + CAPTION), COLUMNS * TILE)
    tiles = [grey[y + CAPTION :][:TILE, x : x + TILE] for y in (0, TILE + CAPTION) for x in range(0, 5 * TILE, TILE)]
    assert [tile.max() > 0 for tile in tiles] == [True] * 7 + [False] * 3
    assert (tmp_path / "sheets" / "sheet.png").stat().st_size < 150_000


def test_a_gallery_does_not_get_into_docs(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="does not belong into docs"):
        main(DOCS / "sheet.png", gallery=tmp_path)
    assert not (DOCS / "sheet.png").exists()
