"""What storing an image loses, modelled: the transform and quantisation of JPEG and of a simple video code.

No file is written and nothing is coded without loss; only the rounding of coefficients, which is what is seen, is done.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

# ITU T.81, table K.1: luminance
LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float32,
)
RESIDUAL = np.full((8, 8), 24, np.float32)  # differences have no preferred frequency
_COSINES = np.asarray(fft.dct(np.eye(8), axis=0, norm="ortho"), np.float32)
GROUP = 12  # one frame in so many is stored whole


def quantisation(table: Floats, quality: int) -> Floats:
    """(8, 8) steps: the table scaled as the Independent JPEG Group does, 50 leaving it as it is, at least 1.

    Raises:
        ValueError: the quality is not within 1 to 100.
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"quality is {quality}; it must lie between 1 and 100")
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    return np.clip(np.floor((table * scale + 50) / 100), 1, 255).astype(np.float32)


def rounded(image: Floats, steps: Floats) -> Floats:
    """(H, W) after transform by blocks of eight, rounding to multiples of `steps` and back.

    With blocks X and the orthonormal cosines C: C' round(C X C' / steps) steps C.
    """
    height, width = image.shape
    padded = np.pad(image, ((0, -height % 8), (0, -width % 8)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // 8, 8, padded.shape[1] // 8, 8)
    coefficients = _both_ways(blocks, _COSINES)
    weights = steps[None, :, None, :]
    coefficients = np.rint(coefficients / weights) * weights
    return np.ascontiguousarray(_both_ways(coefficients, _COSINES.T).reshape(padded.shape)[:height, :width])


def _both_ways(blocks: Floats, matrix: Floats) -> Floats:
    """Matrix X matrix' of each block of (rows, 8, columns, 8)."""
    rows, _, columns, _ = blocks.shape
    along = (blocks.reshape(-1, 8) @ matrix.T).reshape(rows, 8, columns * 8)
    return (matrix @ along).reshape(rows, 8, columns, 8)


def as_bytes(image: Floats) -> Bytes:
    """Rounded and kept within 0 to 255."""
    kept = np.clip(image, 0, 255)
    return np.rint(kept, out=kept).astype(np.uint8)


def jpeg(image: Bytes, quality: int) -> Bytes:
    """(H, W) as it comes back from a JPEG file of a quality, but for rounding inside the coder."""
    return as_bytes(rounded(image.astype(np.float32) - 128, quantisation(LUMINANCE, quality)) + 128)


def video(image: Bytes, before: Bytes | None, quality: int) -> Bytes:
    """(H, W) as decoded after `before`, the decoded frame that went ahead; the first is stored whole."""
    if before is None:
        return jpeg(image, quality)
    residual = image.astype(np.float32) - before
    return as_bytes(before + rounded(residual, quantisation(RESIDUAL, quality)))
