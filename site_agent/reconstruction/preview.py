"""A reconstructed heart to look at: from eight sides and opened along its axis on one sheet, or turning."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from federated.errors import ConsiliumError
from federated.files import write_whole
from shared_models.reconstruction.surface import Mesh, surface
from site_agent.progress import track
from site_agent.reconstruction.heart import Heart
from site_agent.reconstruction.heart_files import require_folder
from site_agent.reconstruction.pictures import Picture
from site_agent.reconstruction.rendering import Camera, camera_of, render
from site_agent.training_report.page import png

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

Colours = NDArray[np.uint8]
SUFFIXES = (".png", ".gif")
PIXELS, COLUMNS = 256, 5
AROUND = 8  # sides on a sheet
FRAMES, FRAME_PIXELS, FRAME_MS = 36, 256, 80
TITLE, CAPTION, EDGE = 34, 22, 10  # pixels
LARGE, SMALL = 17, 14
INK, FAINT = (30, 30, 30), (110, 110, 110)
BARS = (50, 20, 10, 5)  # mm that a bar may stand for
WIDEST_BAR = 0.35  # of a picture's edge
SIDES = {0: ", from the front", 90: ", from the left", 180: ", from behind", 270: ", from the right"}
HALVES = (("opened: back half", 1, False, 0), ("opened: left half", 0, True, 270))
NOTE = "Research use only; sides are named by the heart's own axes."


def write_preview(path: Path, heart: Heart) -> None:
    """A sheet as ``.png``, a turning picture as ``.gif``; whole or not at all.

    Raises:
        ConsiliumError: another suffix, or it cannot be written.
    """
    check_preview(path)
    write_whole(path, png(sheet(heart)) if path.suffix.lower() == ".png" else _turning_bytes(heart))


def check_preview(path: Path) -> None:
    """Refuses, before anything is computed, a form that there is none of.

    Raises:
        ConsiliumError: it ends in neither, or its folder is not there.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConsiliumError(f"ends in none of {' '.join(SUFFIXES)}", where=str(path), cure="as in heart.png")
    require_folder(path)


def sheet(heart: Heart) -> Colours:
    """(H, W, 3): what it was made of, all sides, both halves, and a bar for the scale."""
    from PIL import Image, ImageDraw

    camera = camera_of(heart.mesh, PIXELS)
    given = _given(heart.pictures)
    before = -(-len(given) // COLUMNS) * COLUMNS
    rows = -(-(before + AROUND + len(HALVES)) // COLUMNS)
    size = (COLUMNS * PIXELS + 2 * EDGE, TITLE + rows * (PIXELS + CAPTION) + CAPTION + EDGE)
    paper = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(paper)
    pen.text((EDGE, EDGE), heart.title(), INK, _font(LARGE))
    drawn = track(_panels(heart, camera), total=AROUND + len(HALVES), what="drawing")
    for number, (caption, picture) in chain(enumerate(given), enumerate(drawn, start=before)):
        row, column = divmod(number, COLUMNS)
        left, top = EDGE + column * PIXELS, TITLE + row * (PIXELS + CAPTION)
        paper.paste(Image.fromarray(picture), (left, top))
        pen.text((left + PIXELS / 2, top + PIXELS + CAPTION / 2), caption, INK, _font(SMALL), anchor="mm")
    bottom = size[1] - EDGE - SMALL / 2
    end = _bar(pen, (EDGE, bottom), camera)
    pen.text((end, bottom), NOTE, FAINT, _font(SMALL), anchor="lm")
    return np.asarray(paper)


def turning(heart: Heart) -> Iterator[Colours]:
    """(P, P, 3) frames of one turn, each with the bar for the scale."""
    from PIL import Image, ImageDraw

    camera = camera_of(heart.mesh, FRAME_PIXELS)
    for frame in range(FRAMES):
        picture = Image.fromarray(render(heart.mesh, camera, 2 * np.pi * frame / FRAMES))
        _bar(ImageDraw.Draw(picture), (EDGE, FRAME_PIXELS - EDGE), camera)
        yield np.asarray(picture)


def _given(pictures: Sequence[Picture]) -> list[tuple[str, Colours]]:
    """What the network was shown, each after the ultrasound image that it was made of."""
    found = []
    for picture in pictures:
        if picture.origin is not None:
            found.append((f"{picture.view}, segmented", _fitted(picture.origin)))
        grey = np.rint(picture.plane * 255).astype(np.uint8)
        found.append((f"{picture.view}, as shown to the network", _fitted(np.stack([grey] * 3, axis=2))))
    return found


def _fitted(colours: Colours) -> Colours:
    """A picture in the middle of a panel, a little smaller than that."""
    from PIL import Image, ImageOps

    inside = ImageOps.pad(Image.fromarray(colours), (PIXELS - EDGE, PIXELS - EDGE), color=(0, 0, 0))
    return np.asarray(ImageOps.expand(inside, EDGE // 2, (255, 255, 255)))


def _panels(heart: Heart, camera: Camera) -> Iterator[tuple[str, Colours]]:
    blank = np.full((PIXELS, PIXELS, 3), 255, np.uint8)
    for number in range(AROUND):
        degrees = 360 * number // AROUND
        yield f"{degrees}°{SIDES.get(degrees, '')}", render(heart.mesh, camera, np.deg2rad(degrees))
    for caption, axis, upper, degrees in HALVES:
        half = _half(heart, axis, upper=upper)
        yield caption, blank if half is None else render(half, camera, np.deg2rad(degrees))


def _half(heart: Heart, axis: int, *, upper: bool) -> Mesh | None:
    """What is left if one half is cut away through the middle of the left ventricle's axis; None for nothing."""
    keep = np.arange(len(heart.probabilities)) * heart.voxel_mm
    middle = heart.mesh.vertices[:, axis].min() / 2 + heart.mesh.vertices[:, axis].max() / 2
    cut = np.moveaxis(heart.probabilities.copy(), axis, 0)
    cut[keep < middle if upper else keep > middle] = 0
    if cut.max() < heart.threshold:
        return None
    return surface(np.moveaxis(cut, 0, axis), heart.voxel_mm, heart.threshold)


def _bar(pen: ImageDraw, place: tuple[float, float], camera: Camera) -> float:
    """Draws how long some millimetres are; where there is room again to the right."""
    scale = camera.pixels / camera.span_mm
    length = next((bar for bar in BARS if bar * scale <= WIDEST_BAR * camera.pixels), BARS[-1])
    left, middle = place
    right = left + length * scale
    pen.line([(left, middle), (right, middle)], INK, 2)
    for end in (left, right):
        pen.line([(end, middle - 4), (end, middle + 4)], INK, 2)
    pen.text((right + EDGE, middle), f"{length} mm", INK, _font(SMALL), anchor="lm")
    return right + EDGE + float(pen.textlength(f"{length} mm    ", _font(SMALL)))


def _font(size: int) -> FreeTypeFont | ImageFont:
    from PIL.ImageFont import load_default

    return load_default(size)


def _turning_bytes(heart: Heart) -> bytes:
    from PIL import Image

    frames = [Image.fromarray(frame).quantize() for frame in track(turning(heart), total=FRAMES, what="turning")]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=FRAME_MS, loop=0)
    return file.getvalue()
