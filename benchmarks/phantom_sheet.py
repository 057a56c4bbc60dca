"""``python -m benchmarks.phantom_sheet FILE``: real frames with phantom frames of their views beside them.

Without a gallery the real frames are the two four-chamber frames of public-echo (VITAL-Ultrasound at King's College
London, MIT licence), and the sheet may be passed on with that attribution. With ``--gallery DIR`` it shows a gallery's
development half; the gallery that this project knows is CC BY-NC-SA, so such a sheet is for looking at, and is not
written into ``docs``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks import real_data
from benchmarks.phantom_gallery import read_gallery
from benchmarks.phantom_realism import SEED, apical_frames, stored_frame
from benchmarks.phantom_sector import frame_of, square

TILE, CAPTION, COLUMNS = 200, 16, 5
GREYS = 32  # of the sheet: a third of the bytes
OTHERS = ("apical-two", "apical-three", "apical-five", "plax", "psax", "subcostal")
DOCS = Path(__file__).resolve().parents[1] / "docs"


@dataclass(frozen=True)
class Picture:
    """An image and what is written over it."""

    image: NDArray[np.uint8]
    caption: str


def main(
    file: Annotated[Path, typer.Argument(help="The PNG to write.")],
    gallery: Annotated[Path | None, typer.Option(help="Show the development half of this gallery too.")] = None,
) -> None:
    """Write a contact sheet of real frames with phantom frames beside them."""
    if gallery and file.resolve().is_relative_to(DOCS):
        raise typer.BadParameter("a sheet with a gallery's images does not belong into docs", param_hint="FILE")
    real = [("apical-four", Picture(image, f"real {number + 1}")) for number, image in enumerate(_apical())]
    if gallery:
        shots = read_gallery(gallery, development=True).shots
        real += [(shot.family, Picture(shot.frame.image, f"real {shot.view}")) for shot in shots]
    rows = [_row(family, picture, number) for number, (family, picture) in enumerate(real)]
    if not gallery:
        rows.append([_phantom(family, SEED + 900 + number) for number, family in enumerate(OTHERS)])
    write_sheet([picture for row in rows for picture in row], file)


def _apical() -> list[NDArray[np.uint8]]:
    return apical_frames(real_data.APICAL_FOUR)


def _row(family: str, picture: Picture, number: int) -> list[Picture]:
    return [picture, *(_phantom(family, SEED + COLUMNS * number + other) for other in range(COLUMNS - 1))]


def _phantom(family: str, seed: int) -> Picture:
    return Picture(stored_frame(family, seed), f"phantom {family}")


def write_sheet(pictures: Sequence[Picture], file: Path) -> None:
    """Pictures in rows of `COLUMNS`, each prepared as a classifier sees it, as a PNG of few greys."""
    from PIL import Image, ImageDraw

    rows = -(-len(pictures) // COLUMNS)
    sheet = Image.new("L", (COLUMNS * TILE, rows * (TILE + CAPTION)))
    write = ImageDraw.Draw(sheet)
    for number, picture in enumerate(pictures):
        x, y = number % COLUMNS * TILE, number // COLUMNS * (TILE + CAPTION)
        sheet.paste(Image.fromarray(square(frame_of(picture.image), TILE - 4)), (x + 2, y + CAPTION))
        write.text((x + 4, y + 2), picture.caption, fill=255)
    step = 256 // GREYS
    few = sheet.point([level // step for level in range(256)]).convert("P")
    few.putpalette([level * 255 // (GREYS - 1) for level in range(GREYS) for _ in range(3)])
    file.parent.mkdir(parents=True, exist_ok=True)
    few.save(file, format="PNG", optimize=True, bits=5)


if __name__ == "__main__":
    typer.run(main)
