"""Images beside each other on one page, each with a line under it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
SIDE, LINE, ROW = 160, 16, 5  # pixels of an image and of the line under it; images in a row
PAPER, INK = 255, 0


def contact_sheet(images: Sequence[Gray], lines: Sequence[str]) -> Gray:
    """(H, W) of images of any sizes, in rows, as large as fits.

    Raises:
        ValueError: another number of lines than of images, or none at all.
    """
    if len(images) != len(lines) or not images:
        raise ValueError(f"{len(images)} images with {len(lines)} lines")
    tiles = [_tile(image, line) for image, line in zip(images, lines, strict=True)]
    wide = min(ROW, len(tiles))
    tiles += [np.full_like(tiles[0], PAPER)] * (-len(tiles) % wide)
    return np.concatenate([np.concatenate(tiles[begin : begin + wide], axis=1) for begin in range(0, len(tiles), wide)])


def _tile(image: Gray, line: str) -> Gray:
    from PIL import Image, ImageDraw

    page = Image.new("L", (SIDE + 4, SIDE + LINE + 4), PAPER)
    shown = Image.fromarray(image)
    scale = SIDE / max(shown.size)
    shown = shown.resize((max(1, round(shown.width * scale)), max(1, round(shown.height * scale))))
    page.paste(shown, (2 + (SIDE - shown.width) // 2, 2 + (SIDE - shown.height) // 2))
    ImageDraw.Draw(page).text((3, SIDE + 3), line[:26].encode("ascii", "replace").decode(), fill=INK)
    return np.asarray(page)
