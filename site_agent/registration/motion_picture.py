"""A clip with the outline that was followed, as an animated GIF and as a plot of its strain."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from site_agent.overlay import COLOURS
from site_agent.registration.curve_chart import Chart, Curve, Look
from site_agent.registration.strain import SEGMENTS, Motion

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Gray = NDArray[np.uint8]
TALL = 512  # pixels of a frame of the picture, about
STRIP = 150  # of the curve below it
RATE_HZ = 20.0  # where it is unknown
LEAST_MS = 20  # what browsers show a frame at least
NOW, BEFORE = (255, 205, 60), (110, 170, 205)
DARK = Look(text=12, ink=(225, 225, 225), faint=(60, 60, 60), paper=(16, 16, 16), ticks=3, key=False)


def motion_picture(frames: Gray, motion: Motion) -> bytes:
    """Every frame with the outline there and at end-diastole, and the strain up to it; it goes round for ever.

    Args:
        frames: (T, H, W) grey levels.
        motion: of the same frames.
    """
    from PIL import Image

    factor = max(1, round(TALL / frames.shape[1]))
    shown = [_page(frames[place], motion, place, factor) for place in range(len(frames))]
    colours = shown[len(shown) // 2].quantize(256, Image.Quantize.MEDIANCUT)
    pages = [page.quantize(palette=colours, dither=Image.Dither.NONE) for page in shown]
    file = io.BytesIO()
    pages[0].save(
        file, "GIF", save_all=True, append_images=pages[1:], duration=_milliseconds(motion), loop=0, optimize=False
    )
    return file.getvalue()


def strain_plot(motion: Motion, title: str) -> bytes:
    """Strain of the whole outline and of its six segments over time, as PNG."""
    file = io.BytesIO()
    _chart(motion, title).drawn().save(file, "PNG", optimize=True)
    return file.getvalue()


def _chart(motion: Motion, title: str) -> Chart:
    followed = motion.followed
    at = motion.seconds if motion.seconds is not None else np.array(motion.numbers, np.float64)
    segments = [
        Curve(name, values, colour)
        for name, values, colour in zip(SEGMENTS, motion.segments, _SEGMENT_COLOURS, strict=True)
    ]
    marks = ((float(at[followed.end_diastole]), "ED"), (float(at[followed.end_systole]), "ES"))
    return Chart(
        at=at,
        curves=[*segments[::-1], Curve("global", motion.strain, (20, 20, 20), 4)],
        title=title,
        across="seconds" if motion.seconds is not None else "frame",
        upwards="longitudinal strain, %",
        marks=marks,
    )


_SEGMENT_COLOURS = tuple((round(0.85 * red), round(0.85 * green), round(0.85 * blue)) for red, green, blue in COLOURS)


def _page(frame: Gray, motion: Motion, place: int, factor: int) -> Picture:
    """One frame of the picture."""
    from PIL import Image, ImageDraw

    followed = motion.followed
    size = (frame.shape[1] * factor, frame.shape[0] * factor)
    seen = Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    large = seen.resize((2 * size[0], 2 * size[1]))
    pen = ImageDraw.Draw(large)
    for points, colour, width in (
        (followed.contours[followed.end_diastole], BEFORE, 3),
        (followed.contours[place], NOW, 6),
    ):
        places = (points + 0.5) * 2 * factor
        pen.line([(float(x), float(y)) for x, y in places], fill=colour, width=width, joint="curve")
    page = Image.new("RGB", (size[0], size[1] + STRIP), DARK.paper)
    page.paste(large.resize(size, Image.Resampling.LANCZOS), (0, 0))
    page.paste(_strip(motion, place, size[0]), (0, size[1]))
    return page


def _strip(motion: Motion, place: int, width: int) -> Picture:
    whole = _chart(motion, f"frame {motion.numbers[place]}: strain {motion.strain[place]:.1f} %")
    curve = Curve("", motion.strain, NOW, 2)
    chart = replace(whole, curves=[curve], across="", upwards="%", marks=(), look=replace(DARK, size=(width, STRIP)))
    return chart.drawn(cursor=float(chart.at[place]))


def _milliseconds(motion: Motion) -> int:
    seconds = motion.seconds
    step = 1 / RATE_HZ if seconds is None or len(seconds) < 2 else float(seconds[1] - seconds[0])
    return max(LEAST_MS, round(1000 * step))
