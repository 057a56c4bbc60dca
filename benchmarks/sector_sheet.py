"""``python -m benchmarks.sector_sheet FILE``: outlines of the sectors that were found, on a contact sheet.

Without ``--real`` the sheet shows every phantom machine and the screens of public-echo (VITAL-Ultrasound at King's
College London, MIT licence), and may be passed on with that attribution. With ``--real`` it shows every real image that
the benchmark reads, among them a gallery under CC BY-NC-SA: such a sheet is for looking at, and is not written into
``docs``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks import real_data
from benchmarks.phantom_sheet import DOCS
from benchmarks.sector import SEED, acquired
from benchmarks.sector_images import SCREENS, real_images

TILE, CAPTION = (240, 180), 14
COLUMNS = 6
COLOURS = 64  # of the sheet's palette
VIEWS = "A4C", "PLAX"


def main(
    file: Annotated[Path, typer.Argument(help="The PNG to write.")],
    real: Annotated[bool, typer.Option("--real", help="Show the real images, all of them.")] = False,
) -> None:
    """Write a contact sheet of sectors."""
    if real and file.resolve().is_relative_to(DOCS):
        raise typer.BadParameter("a sheet with a gallery's images does not belong into docs", param_hint="FILE")
    write_sheet(_real() if real else _free(), file)


def _real() -> Iterator[tuple[str, NDArray[np.uint8]]]:
    for image in real_images(real_data.GALLERY, real_data.LUNG, real_data.APICAL_FOUR):
        yield f"{'unseen ' if image.unseen else ''}{image.name}", image.frames


def _free() -> Iterator[tuple[str, NDArray[np.uint8]]]:
    from shared_models.phantom.machines import MACHINES

    for number, machine in enumerate(MACHINES):
        for view in VIEWS:
            yield f"{machine} {view}", acquired(machine, view, SEED + number, None)[0]
    for image in real_images(Path(), Path(), real_data.APICAL_FOUR):
        if image.source == SCREENS:
            yield "real, public-echo", image.frames


def write_sheet(images: Iterator[tuple[str, NDArray[np.uint8]]], file: Path) -> None:
    """Tiles with the outline in red, the mode, the kind and the quality above, as a PNG of few colours."""
    from PIL import Image, ImageDraw

    tiles = [_tile(name, frames) for name, frames in images]
    (width, height), rows = TILE, -(-len(tiles) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * width, rows * (height + CAPTION)))
    write = ImageDraw.Draw(sheet)
    for number, (caption, tile) in enumerate(tiles):
        x, y = number % COLUMNS * width, number // COLUMNS * (height + CAPTION)
        sheet.paste(Image.fromarray(tile), (x, y + CAPTION))
        write.text((x + 2, y + 1), caption, fill=(255, 255, 255))
    file.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(COLOURS, dither=Image.Dither.NONE).save(file, format="PNG", optimize=True)


def _tile(name: str, frames: NDArray[np.uint8]) -> tuple[str, NDArray[np.uint8]]:
    from PIL import Image, ImageDraw

    from shared_models.image_mode import image_mode
    from shared_models.sector import find_sector

    sector = find_sector(frames)
    still = frames[0] if frames.ndim == 4 or (frames.ndim == 3 and frames.shape[2] != 3) else frames
    image = Image.fromarray(still).convert("RGB")
    factor = min(TILE[0] / image.width, TILE[1] / image.height)
    image = image.resize((max(1, int(image.width * factor)), max(1, int(image.height * factor))))
    if sector is not None:
        corners = [(float(x), float(y)) for x, y in (sector.outline() + 0.5) * factor]
        ImageDraw.Draw(image).line([*corners, corners[0]], fill=(255, 40, 40))
    found = f"{sector.kind} {sector.quality:.2f}" if sector else "none"
    return f"{name[:22]} {image_mode(frames)} {found}", np.asarray(image)


if __name__ == "__main__":
    typer.run(main)
