"""Label maps that an index names: a picture of the values of a frame, or a clip of the values of a whole clip.

Values: 0 and 1 background, 2 left ventricle, 3 myocardium, 4 left atrium, 5 right ventricle, 6 right atrium, 7 aorta.
What is none of these, or no label map at all, is left out with a line that says so; the image itself is not touched.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from site_agent.sources.images import CINES, IMAGES, MAX_STILL_BYTES, decode_cine
from site_agent.sources.source import Annotation, Pixels, check_file, check_size

if TYPE_CHECKING:
    from PIL.Image import Image

MASK_NAME = "index"
VALUES = frozenset(range(8))
TOLD = 5  # values that are named in a line
MAX_BYTES = 512 * 2**20  # of the masks of a clip
COLOURS = "is in colours, where numbers are needed"
DIRECT = frozenset({"L", "P", "1", "I", "I;16", "I;16B", "I;16L"})  # modes of pictures whose numbers are the values


@dataclass(frozen=True)
class MaskFile:
    """A file of values, of one frame or, where `frame` is None, of the whole image or clip."""

    path: Path
    frame: int | None = None


def read_masks(masks: Sequence[MaskFile], *, moving: bool) -> tuple[tuple[Annotation, ...], tuple[str, ...]]:
    """What can be read of an item's masks, and a line on each that cannot.

    Args:
        masks: as an index names them.
        moving: whether they lie on a clip; a still has one frame, whatever number an index gives it.
    """
    drawn: dict[int, Annotation] = {}
    doubts: list[str] = []
    for mask in masks:
        which = "its mask" if mask.frame is None or not moving else f"its mask of frame {mask.frame}"
        try:
            for number, values in enumerate(_values(mask, moving=moving), start=(moving and mask.frame) or 0):
                if number in drawn:
                    raise DataError("is the second of that frame")
                drawn[number] = Annotation(number, MASK_NAME, "mask", values)
        except DataError as error:
            doubts.append(f"{which} {error.what}: left out")
    return tuple(drawn.values()), tuple(doubts)


def _values(mask: MaskFile, *, moving: bool) -> Iterator[Pixels]:
    """Label maps of a file, checked.

    Raises:
        DataError: why they are none.
    """
    whole, is_clip = moving and mask.frame is None, mask.path.suffix.lower() in CINES
    if whole and not is_clip:
        raise DataError("is of one frame, and its line says not of which")
    if is_clip and not whole:
        raise DataError("is a clip, and its line is of one frame")
    frames = _clip(mask.path) if is_clip else [read_picture(mask.path)]
    found = frozenset(int(value) for frame in frames for value in np.unique(frame))
    if strange := sorted(found - VALUES):
        more = f" and {len(strange) - TOLD} more" if len(strange) > TOLD else ""
        told = ", ".join(map(str, strange[:TOLD]))
        raise DataError(f"holds the values {told}{more}, which stand for nothing (known are 0 to {max(VALUES)})")
    return iter([frame.astype(np.uint8) for frame in frames])


def _clip(path: Path) -> list[Pixels]:
    """Frames of a clip of values."""
    check_file(path)
    frames: list[Pixels] = []
    for frame in decode_cine(path):
        if frame.ndim != 2:
            raise DataError(COLOURS)
        frames.append(frame)
        if len(frames) * frame.nbytes > MAX_BYTES:
            raise DataError(f"has more than {MAX_BYTES // 2**20} million pixels")
    return frames


def read_picture(path: Path) -> NDArray[np.generic]:
    """(H, W) the numbers of a picture as they are stored, also where a palette gives them colours.

    Raises:
        DataError: it cannot be read, or has colours of its own.
    """
    if check_file(path) > MAX_STILL_BYTES:
        raise DataError(f"has more than {MAX_STILL_BYTES} bytes")
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=IMAGES) as image:
                check_size(*image.size)
                return _numbers(image)
    except DataError:
        raise
    except Exception as error:  # a decoder raises whatever broken bytes lead it to
        raise DataError("is not a readable picture") from error


def _numbers(image: Image) -> NDArray[np.generic]:
    if image.mode in DIRECT:
        return np.asarray(image)
    values = np.asarray(image.convert("RGB"))
    if (values != values[..., :1]).any():
        raise DataError(COLOURS)
    return np.asarray(values[..., 0])
