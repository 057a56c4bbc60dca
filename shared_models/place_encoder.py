"""An encoder that says what lies where in a frame of muscle, for telling one place of a thigh from the next.

Correlation with learnt channels in place of greys: a few convolutions, and of each channel the means over fine cells of
the image, less their mean over all of it, are the code. No dense layer stands behind them, so that there is little that
could learn a few patients by heart. Cosines of such codes tell places apart; `clip_encoder.encoded`,
`retrieval_training` and `gallery` take it as they take `clip_encoder`. Sites train it, at TEMPERATURE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_models.bounds import SIDES, require_room, require_sizes
from shared_models.clip_encoder import PARTS, frame_levels
from shared_models.image_reference import with_reference

if TYPE_CHECKING:
    import torch

WIDTH, LEVELS = 8, 2
CHANNELS = 8  # of the code
CELLS = 16  # along each edge
SIDE = 64
TEMPERATURE = 0.03  # of the loss that its codes are learnt by


def place_encoder(
    width: int = WIDTH, levels: int = LEVELS, channels: int = CHANNELS, cells: int = CELLS, side: int = SIDE
) -> torch.nn.ModuleDict:
    """Of clips (n, T, S, S) codes of channels * cells^2 values, those of a channel in a row, by `clip_encoder.encoded`.

    The codes are the features that its reference (`image_reference`) is of.

    Args:
        width: channels of the first level, twice as many at each that follows.
        levels: of two convolutions and a maximum over 2x2 pixels each; each has half the side of the one before.
        channels: of the code.
        cells: along each edge of the image, over which means are taken.
        side: of the frames that it is shown, in pixels.

    Raises:
        TypeError: a size that is no whole number.
        ValueError: one that is too large or too small, or more cells than pixels after all levels.
    """
    from torch import nn

    require_sizes("an encoder of places", width=(width, range(1, 257)), levels=(levels, range(1, 9)))
    require_sizes("an encoder of places", channels=(channels, range(1, 257)), side=(side, SIDES))
    if side < 2**levels:
        raise ValueError(f"an encoder of places of {levels} levels at {side} pixels a side: take at least {2**levels}")
    require_sizes("an encoder of places", cells=(cells, range(1, side // 2**levels + 1)))
    room = [(width * 2**level, side // 2**level) for level in range(levels)]
    widest = max(room[-1][0], channels)
    require_room("an encoder of places", widest, max(count * edge**2 for count, edge in room))
    deepest = nn.Conv2d(room[-1][0], channels, 1)
    shrunk = [deepest, nn.AdaptiveAvgPool2d(cells), nn.Flatten()]
    of_parts = (
        nn.Sequential(*frame_levels(width, levels, stride=2), *shrunk),
        nn.Identity(),
        nn.Sequential(nn.Unflatten(1, (channels, cells**2)), _less_mean(), nn.Flatten()),
    )
    network = nn.ModuleDict(dict(zip(PARTS, of_parts, strict=True)))
    with_reference(network, channels * cells**2)
    return network


def _less_mean() -> torch.nn.Module:
    """Values less their mean over the last axis."""
    import torch

    class LessMean(torch.nn.Module):
        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return values - values.mean(dim=-1, keepdim=True)

    return LessMean()
