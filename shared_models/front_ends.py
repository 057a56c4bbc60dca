"""Frozen front ends: an image in, a feature vector out, without training.

A front end's digest covers its name, its version, its configuration and, where it has weights, their file; features
with different digests never meet. The last feature is always 1, so that a linear head has an intercept. The figures
behind the choice of features are on the page ``docs/methods/front_ends.md``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared_models.scaling import Gray, resized, unit

Array = NDArray[np.float64]
Scalar = bool | int | float | str

TEXTURE_VERSION = 1
SIDE = 128  # pixels; images of any size and aspect are stretched to it
LAYOUT_GRID = 8
HOG_ORIENTATIONS, HOG_CELL, HOG_BLOCK = 9, 32, 2
LBP_POINTS, LBP_RADIUS, LBP_GRID = 8, 1, 4
FINE_WEIGHT = 0.5  # of the gradient and pattern blocks beside the two layout blocks

PIXELS_VERSION = 1
PIXELS_SIDE = 8
PIXELS_LIFT, PIXELS_SEED = 435, 1993


@dataclass(frozen=True)
class FrontEnd:
    """A named way from a grey image to M features.

    Attributes:
        name: its line in `FRONT_ENDS`.
        config: what the federation fixed of it.
        features: M, the constant 1 at the end included.
        digest: ``sha256:…`` of name, version, config and weights.
        extract: (H, W) uint8 to the M - 1 features before the constant.
    """

    name: str
    config: Mapping[str, Scalar]
    features: int
    digest: str
    extract: Callable[[Gray], Array]

    def __call__(self, image: Gray) -> Array:
        """(H, W) uint8 to (M,) float64.

        Raises:
            ValueError: not such an image.
        """
        if image.dtype != np.uint8 or image.ndim != 2 or not image.size:
            raise ValueError(f"a (H, W) uint8 image is expected, not {image.dtype}{image.shape}")
        return np.append(self.extract(image), 1.0)


def create_front_end(name: str, *, weights_file: Path | None = None, **config: Scalar) -> FrontEnd:
    """A front end by name.

    Args:
        name: one of `FRONT_ENDS`.
        weights_file: local file, for those that have weights; never fetched from anywhere.
        config: of that front end.

    Raises:
        ValueError: no such name, a configuration it does not take, or weights that are not the ones it names.
    """
    if name not in FRONT_ENDS:
        raise ValueError(f"there is no front end '{name}', there are {', '.join(FRONT_ENDS)}")
    return FRONT_ENDS[name](weights_file, config)


def front_end_digest(name: str, version: int, config: Mapping[str, Scalar]) -> str:
    """``sha256:`` and 64 hexadecimal digits of name, version and config; weights are in the config by their digest."""
    identity = {"name": name, "version": version, "config": dict(config)}
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _texture(weights_file: Path | None, config: Mapping[str, Scalar]) -> FrontEnd:
    _check_fixed("texture", weights_file, config)
    digest = front_end_digest("texture", TEXTURE_VERSION, {})
    cells, blocks = SIDE // HOG_CELL, SIDE // HOG_CELL - HOG_BLOCK + 1
    patterns = cells * cells * (LBP_POINTS + 2)
    gradients = blocks * blocks * HOG_BLOCK * HOG_BLOCK * HOG_ORIENTATIONS
    return FrontEnd("texture", {}, 2 * LAYOUT_GRID**2 + gradients + patterns + 1, digest, texture)


def _pixels(weights_file: Path | None, config: Mapping[str, Scalar]) -> FrontEnd:
    _check_fixed("pixels", weights_file, config)
    digest = front_end_digest("pixels", PIXELS_VERSION, {})
    lift = RandomLift(PIXELS_SIDE**2, PIXELS_LIFT, PIXELS_SEED)
    return FrontEnd("pixels", {}, PIXELS_SIDE**2 + PIXELS_LIFT + 1, digest, lambda image: lift(tiny(image)))


def _timm(weights_file: Path | None, config: Mapping[str, Scalar]) -> FrontEnd:
    from shared_models.backbones import BACKBONE_VERSION, create_backbone

    backbone = create_backbone(weights_file, config)
    digest = front_end_digest("timm", BACKBONE_VERSION, backbone.config)
    return FrontEnd("timm", backbone.config, backbone.features + 1, digest, backbone)


def _lifted(weights_file: Path | None, config: Mapping[str, Scalar]) -> FrontEnd:
    from shared_models.lift import create_lifted

    return create_lifted(weights_file, config)


FRONT_ENDS: dict[str, Callable[[Path | None, Mapping[str, Scalar]], FrontEnd]] = {
    "texture": _texture,
    "pixels": _pixels,
    "timm": _timm,
    "lifted": _lifted,
}


def _check_fixed(name: str, weights_file: Path | None, config: Mapping[str, Scalar]) -> None:
    if weights_file is not None or config:
        raise ValueError(f"front end '{name}' takes no weights and no configuration")


def texture(image: Gray) -> Array:
    """Layout (mean and contrast on a grid), gradient orientations and binary patterns: (612,)."""
    square = resized(image, SIDE)
    fine = np.concatenate([gradients(square), patterns(square)])
    return np.concatenate([*layout(square, LAYOUT_GRID), FINE_WEIGHT * fine])


def layout(square: Gray, grid: int) -> tuple[Array, Array]:
    """Mean and standard deviation in each cell of a grid, (grid²,) each, of unit length: gain drops out."""
    cell = square.shape[0] // grid
    cells = square.astype(np.float64).reshape(grid, cell, grid, cell)
    return unit(cells.mean(axis=(1, 3)).ravel()), unit(cells.std(axis=(1, 3)).ravel())


def gradients(square: Gray) -> Array:
    """Histograms of oriented gradients (Dalal and Triggs, CVPR 2005), of unit length."""
    from skimage.feature import hog

    cell, block = (HOG_CELL, HOG_CELL), (HOG_BLOCK, HOG_BLOCK)
    return unit(hog(square, HOG_ORIENTATIONS, cell, block, block_norm="L2-Hys"))


def patterns(square: Gray) -> Array:
    """Histograms of uniform local binary patterns (Ojala et al., TPAMI 2002) on a grid, of unit length.

    Square roots of frequencies, so that distances are Hellinger's.
    """
    from skimage.feature import local_binary_pattern

    codes = local_binary_pattern(square, LBP_POINTS, LBP_RADIUS, method="uniform").astype(np.int64)
    cell, bins = square.shape[0] // LBP_GRID, LBP_POINTS + 2
    cells = codes.reshape(LBP_GRID, cell, LBP_GRID, cell).swapaxes(1, 2).reshape(LBP_GRID**2, -1)
    counts = np.stack([np.bincount(row, minlength=bins) for row in cells])
    return unit(np.sqrt(counts / cell**2).ravel())


def tiny(image: Gray) -> Array:
    """Grey levels at 8x8 less their mean, (64,), of unit length: gain and brightness drop out."""
    values = resized(image, PIXELS_SIDE).astype(np.float64).ravel()
    return unit(values - values.mean())


class RandomLift:
    """Seeded random features [relu(zR + b), z] of a vector z (RanPAC, NeurIPS 2023).

    Scaled so that the lifted part is as long as z on average.
    """

    def __init__(self, inputs: int, lifted: int, seed: int) -> None:
        generator = np.random.RandomState(seed)  # its stream is frozen, a Generator's may change
        self.directions = generator.standard_normal((inputs, lifted))
        self.offsets = generator.standard_normal(lifted) / np.sqrt(inputs)
        self.scale = np.sqrt(2 / lifted)

    def __call__(self, z: Array) -> Array:
        """(inputs,) to (lifted + inputs,); or n of them, one a row."""
        lifted = np.maximum(z @ self.directions + self.offsets, 0.0)
        return np.concatenate([self.scale * lifted, z], axis=-1)
