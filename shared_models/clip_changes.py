"""What is changed at random in clips that an encoder learns from: as published, and what of a visit is chance.

Clips are (n, T, S, S) with values in [0, 1]; all frames of a clip are changed alike. Random numbers are drawn on the
CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared_models.clip_windows import Clips, scaled_greys

if TYPE_CHECKING:
    from torch import Generator, Tensor

ERASED_SHARE = 10 / 64  # of an edge
ANGLE, SHIFT, STRETCH = 0.06, 0.04, 0.06  # radians; shares of half an edge; how an operator's hand differs (assumed)
GREY = 0.4  # logarithm of the exponent of greys: gain and dynamic range


@dataclass(frozen=True)
class Changes:
    """What is done to the two clips of a pair.

    Attributes:
        chance: of a block of a clip being blackened, and of its being mirrored.
        together: whether both clips of a pair are mirrored or neither, half of all pairs, so that left and right stay
            apart.
        moved: whether each clip is also held and graded a little otherwise.
    """

    chance: float = 0.8
    together: bool = False
    moved: bool = False


PUBLISHED, OURS = Changes(), Changes(chance=0.3, together=True, moved=True)


def changed(first: Clips, second: Clips, changes: Changes, random: Generator) -> tuple[Tensor, Tensor]:
    """Pairs of clips with their greys from 0 to 1, changed."""
    import torch

    share = 0.5 if changes.together else changes.chance
    sides = [torch.rand(len(first), generator=random) < share for _ in range(2)]
    if changes.together:
        sides[1] = sides[0]
    one, other = (
        _changed(torch.from_numpy(scaled_greys(clips)), side, changes, random)
        for clips, side in zip((first, second), sides, strict=True)
    )
    return one, other


def _changed(clips: Tensor, side: Tensor, changes: Changes, random: Generator) -> Tensor:
    clips = mirrored(clips, side)
    return erased(moved(clips, random) if changes.moved else clips, changes.chance, random)


def mirrored(clips: Tensor, chosen: Tensor) -> Tensor:
    """Those that are chosen (n,) left to right."""
    import torch

    return torch.where(chosen.view(-1, 1, 1, 1), clips.flip(-1), clips)


def erased(clips: Tensor, chance: float, random: Generator) -> Tensor:
    """With a square block black in some of them; 10 of 64 pixels along each edge."""
    import torch

    count, side = len(clips), clips.shape[-1]
    edge = max(1, round(ERASED_SHARE * side))
    line = torch.arange(side)
    rows, columns = (
        ((line >= begin) & (line < begin + edge))
        for begin in torch.randint(side - edge + 1, (2, count, 1), generator=random)
    )
    there = rows[:, :, None] & columns[:, None, :] & (torch.rand(count, 1, 1, generator=random) < chance)
    return clips.masked_fill(there.unsqueeze(1), 0)


def erased_copies(clips: Clips, seed: int) -> Clips:
    """(n, T, S, S) grey levels with a block black in each."""
    import torch

    return erased(torch.from_numpy(clips), 1.0, torch.Generator().manual_seed(seed)).numpy()


def moved(clips: Tensor, random: Generator) -> Tensor:
    """Turned, shifted and stretched a little, with other greys, another gain here and there, and shadows."""
    import torch
    from torch.nn import functional

    from shared_models.phantom.augmentation import shaded

    def draw(reach: float) -> Tensor:
        return reach * (2 * torch.rand(len(clips), generator=random) - 1)

    angle, wide, high, right, down = draw(ANGLE), 1 + draw(STRETCH), 1 + draw(STRETCH), draw(SHIFT), draw(SHIFT)
    rows = [
        torch.stack([wide * angle.cos(), -wide * angle.sin(), right], dim=1),
        torch.stack([high * angle.sin(), high * angle.cos(), down], dim=1),
    ]
    grid = functional.affine_grid(torch.stack(rows, dim=1), list(clips.shape), align_corners=False)
    held = functional.grid_sample(clips, grid, padding_mode="border", align_corners=False)
    graded = held.clamp(0, 1) ** draw(GREY).exp().view(-1, 1, 1, 1)
    return shaded(graded, random)
