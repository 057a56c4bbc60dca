"""MetaImage: a header of text beside raw or zlib-compressed bytes.

ITK's own writer comes with a library of 50 MB; what the format needs is below.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from deploy.phantom.workplace import File

LEVEL = 6  # zlib's own default, written down because the bytes depend on it


def meta_image(
    path: str, frames: NDArray[np.uint8], spacing_mm: tuple[float, float], *, compressed: bool = False
) -> Iterator[File]:
    """The data, then the header that names it.

    Args:
        path: of the header, ending in ``.mhd``.
        frames: (T, H, W) bytes; a still has T = 1.
        spacing_mm: between the middles of pixels, along x and along y.
        compressed: with zlib, in a file ending in ``.zraw``.
    """
    stem = path.removesuffix(".mhd")
    raw = np.ascontiguousarray(frames).tobytes()
    data = zlib.compress(raw, LEVEL) if compressed else raw
    name = f"{stem}.{'zraw' if compressed else 'raw'}"
    count, height, width = frames.shape
    size = [f"CompressedDataSize = {len(data)}"] if compressed else []
    header = [
        "ObjectType = Image",
        "NDims = 3",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        f"CompressedData = {compressed}",
        *size,
        "TransformMatrix = 1 0 0 0 1 0 0 0 1",
        "Offset = 0 0 0",
        "CenterOfRotation = 0 0 0",
        "AnatomicalOrientation = RAI",
        f"ElementSpacing = {spacing_mm[0]:.9g} {spacing_mm[1]:.9g} 1",
        f"DimSize = {width} {height} {count}",
        "ElementType = MET_UCHAR",
        f"ElementDataFile = {name.rpartition('/')[2]}",
    ]
    yield File(name, data)
    yield File(path, "".join(f"{line}\n" for line in header).encode("ascii"))
