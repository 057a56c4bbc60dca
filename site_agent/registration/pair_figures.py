"""What a registration of one pair did, in numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from federated.errors import ConsiliumError
from federated.manifest import Frozen
from site_agent.registration.field_files import field_in_millimetres

if TYPE_CHECKING:
    from site_agent.registration.one_pair import Registered, Settings
    from site_agent.registration.placement import PlacedPair

PERCENT = 100
Labels = NDArray[np.uint8]


class Dice(Frozen):
    """How well one label's regions lie on each other, 0 to 1: as they came, once aligned if they were, and after."""

    before: float
    aligned: float | None = None
    after: float

    def __str__(self) -> str:
        between = "" if self.aligned is None else f"{self.aligned:.3f} aligned, "
        return f"{self.before:.3f} before, {between}{self.after:.3f} after"


@dataclass(frozen=True)
class Came:
    """How a pair came that was aligned.

    Attributes:
        alignment: by which it was.
        unlikeness: of the images before, by the similarity.
    """

    alignment: str
    unlikeness: float


class PairFigures(Frozen):
    """Of one pair.

    Attributes:
        moving, fixed: files.
        size: voxels of the fixed image along the array's axes, rows first in 2D.
        spacing_mm: of them; None where it is unknown.
        method: how the field was found.
        similarity: by which.
        alignment: by which the moving image was brought onto the fixed one as a whole; None for none.
        before, after: how unlike the images are by it, less is better.
        aligned: likewise, between the alignment and the rest; None without one.
        smoothness: weight of the regulariser, or of forces the Gaussian's deviation in voxels.
        steps: that were taken.
        folded_percent: of voxels whose Jacobian determinant is 0 or less.
        mean_voxels, largest_voxels: lengths of displacements, the alignment among them.
        mean_mm, largest_mm: likewise; None where the size of a voxel is unknown.
        dice: by label, where both images have label maps.
        files: that were written.
        seconds: that it took.
    """

    moving: str
    fixed: str
    size: tuple[int, ...]
    spacing_mm: tuple[float, ...] | None
    method: str
    similarity: str
    alignment: str | None
    before: float
    aligned: float | None
    after: float
    smoothness: float
    steps: int
    folded_percent: float
    mean_voxels: float
    largest_voxels: float
    mean_mm: float | None
    largest_mm: float | None
    dice: dict[str, Dice]
    files: tuple[str, ...]
    seconds: float

    def rows(self) -> Iterator[tuple[str, str]]:
        """For a table."""
        yield "found by", f"{self.method}, {self.steps} steps, {self.seconds:.1f} s"
        yield f"{self.similarity} before", f"{self.before:.4f}"
        if self.aligned is not None:
            yield f"{self.similarity}, {self.alignment} alignment", f"{self.aligned:.4f}"
        yield f"{self.similarity} after", f"{self.after:.4f}"
        yield "voxels that fold", f"{self.folded_percent:.3f} %"
        yield "mean displacement", _length(self.mean_mm, self.mean_voxels)
        yield "largest displacement", _length(self.largest_mm, self.largest_voxels)
        for label, dice in self.dice.items():
            yield f"Dice of label {label}", str(dice)


def pair_figures(
    pair: PlacedPair,
    settings: Settings,
    found: Registered,
    *,
    method: str,
    came: Came | None,
    dice: dict[str, Dice],
    files: tuple[str, ...],
    seconds: float,
) -> PairFigures:
    """All that is told of what was found."""
    import torch

    from shared_models.registration.fields import folded_fraction

    grid, fold = pair.fixed.grid, folded_fraction(torch.from_numpy(found.field)[None]).item()
    whole = pair.whole(found.field).astype(np.float64)
    voxels = np.linalg.norm(whole, axis=0)
    lengths = np.linalg.norm(field_in_millimetres(whole, grid), axis=0)
    return PairFigures(
        moving=pair.moving.name,
        fixed=pair.fixed.name,
        size=grid.size,
        spacing_mm=grid.spacing if grid.known else None,
        method=method,
        similarity=settings.similarity,
        alignment=came.alignment if came else None,
        before=came.unlikeness if came else found.before,
        aligned=found.before if came else None,
        after=found.after,
        smoothness=settings.weight,
        steps=found.steps,
        folded_percent=PERCENT * fold,
        mean_voxels=float(voxels.mean()),
        largest_voxels=float(voxels.max()),
        mean_mm=float(lengths.mean()) if grid.known else None,
        largest_mm=float(lengths.max()) if grid.known else None,
        dice=dice,
        files=files,
        seconds=seconds,
    )


def require_common(moving: Labels, fixed: Labels, where: str) -> None:
    """Whether two label maps speak of the same.

    Raises:
        ConsiliumError: they have no label in common.
    """
    one, other = _labels(moving), _labels(fixed)
    if not one & other:
        said = f"holds {_listed(one)}, the fixed image's label map {_listed(other)}: none is in both"
        raise ConsiliumError(said, where=where, cure="name label maps that number structures alike")


def dice_by_label(before: Labels, after: Labels, fixed: Labels, aligned: Labels | None = None) -> dict[str, Dice]:
    """Of every label that one of the maps holds; 0 where another lacks it.

    Args:
        before: moving labels on the fixed grid as they came.
        after: warped.
        fixed: of the fixed image.
        aligned: between both, if there was an alignment.
    """
    from shared_models.segmentation_metrics import dice_of

    known = sorted(_labels(before) | _labels(after) | _labels(fixed))
    given = {"before": before, "after": after} | ({} if aligned is None else {"aligned": aligned})
    return {
        str(label): Dice(**{name: dice_of(held == label, fixed == label) for name, held in given.items()})
        for label in known
    }


def _labels(values: NDArray[Any]) -> set[int]:
    return set(np.unique(values).tolist()) - {0}


def _listed(labels: set[int]) -> str:
    return f"label{'s' * (len(labels) > 1)} {', '.join(map(str, sorted(labels)))}"


def _length(millimetres: float | None, voxels: float) -> str:
    return f"{voxels:.2f} voxels" if millimetres is None else f"{millimetres:.2f} mm"
