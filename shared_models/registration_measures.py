"""Images and label maps under a displacement field, as arrays of pixels: warped, and how well they then fit.

Fields are (2, H, W) float32 in pixels, down and to the right, from the fixed image into the moving one
(`registration.fields`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Field = NDArray[np.float32]
Gray = NDArray[np.uint8]
WHITE = 255
PERCENT = 100


def warped(moving: Gray, field: Field) -> Gray:
    """(H, W) of a moving image where a field leads; its border's greys outside."""
    image = _warped(_tensor(moving.astype(np.float32)), field)
    return np.asarray(image[0, 0].numpy().round().clip(0, WHITE).astype(np.uint8))


def likeness(moving: Gray, fixed: Gray, field: Field) -> float:
    """Squared correlation within windows of nine pixels of a fixed image and a moving one, warped; 1 at best.

    Its mean is told as a share of what the fixed image has with itself, so that what is flat, as outside the sector,
    counts nothing; 0 where all of it is black.
    """
    from shared_models.registration.similarity import local_ncc

    one, other = (_tensor(image.astype(np.float32) / np.float32(WHITE)) for image in (fixed, moving))
    most = float(local_ncc(one[None, None], one[None, None]))
    return float(local_ncc(one[None, None], _warped(other, field))) / most if most else 0.0


def folded_percent(field: Field) -> float:
    """Of the pixels, those at which a field folds."""
    from shared_models.registration.fields import folded_fraction

    return PERCENT * float(folded_fraction(_tensor(field)[None]))


def carried_dice(moving: Gray, fixed: Gray, field: Field) -> float:
    """Mean over the structures of either label map, the moving one carried along; no number where there is none."""
    from shared_models.registration.fields import to_normalised, warp_labels
    from shared_models.segmentation_metrics import dice_of

    structures = sorted({*np.unique(moving).tolist(), *np.unique(fixed).tolist()} - {0})
    if not structures:
        return float("nan")
    leads = to_normalised(_tensor(field)[None])
    carried = warp_labels(_tensor(moving.astype(np.int64))[None], leads, [0, *structures])[0].numpy()
    return float(np.mean([dice_of(carried == value, fixed == value) for value in structures]))


def _warped(image: torch.Tensor, field: Field) -> torch.Tensor:
    from shared_models.registration.fields import to_normalised, warp

    return warp(image[None, None], to_normalised(_tensor(field)[None]), "border")


def _tensor(values: NDArray[np.generic]) -> torch.Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(values))
