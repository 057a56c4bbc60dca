"""Pix2Vox++ and its efficient form: volumes of 32, 64 or 128 voxels a side from one to nine named views.

Xie et al., "Pix2Vox++: multi-scale context-aware 3D object reconstruction from single and multiple images" (IJCV 2020)
decodes and scores every view and merges the volumes. Stojanovski et al., "Efficient Pix2Vox++ for 3D cardiac
reconstruction from 2D echo views" (ASMUS 2022) fuses the views' features, so that one volume is decoded. What a network
is made of comes from outside: what would be absurd is refused before memory is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared_models.bounds import require_sizes
from shared_models.reconstruction.named_views import in_order

if TYPE_CHECKING:
    from torch import nn

    from shared_models.reconstruction.view_network import ViewNetwork

TRUNKS = ("resnet50", "resnet18", "test_resnet")  # of timm, the published one first
SHRINKING = (1, 2, 4, 8, 16, 32)
LEAST_CHANNELS = 8
BOTTLENECK = 2048
BOTTLENECKS = range(1, BOTTLENECK + 1)
LINEAR_DEVIATION = 0.01
FEATURES = 256


@dataclass(frozen=True)
class Design:
    """Channels of the published network for one size.

    Attributes:
        reduced: of the encoder behind its trunk.
        side: of the features, in pixels.
        decoded: of the decoder.
        refined: of the refiner on its way down.
    """

    reduced: tuple[int, int, int]
    side: int
    decoded: tuple[int, ...]
    refined: tuple[int, ...]


DESIGNS = {
    32: Design((512, 256, FEATURES), 7, (512, 128, 32, 8), (32, 64, 128)),
    64: Design((64, 128, FEATURES), 8, (64, 128, 32, 16, 8), (16, 32, 64, 128)),
    128: Design((512, 512, FEATURES), 8, (512, 128, 32, 32, 32, 8), (8, 16, 32, 64, 128)),
}

PRESETS: dict[str, dict[str, int | str]] = {
    "published": {},
    "slim": {"bottleneck": 256},
    "small": {"trunk": "resnet18", "shrink": 4, "bottleneck": 256},
}
"""Options of `pix2vox`. Ours: slim, the dense layers of the refiner an eighth as wide; small, all of it a quarter."""


def pix2vox(
    size: int,
    views: str,
    fused: bool = True,
    trunk: str = TRUNKS[0],
    shrink: int = 1,
    bottleneck: int = BOTTLENECK,
) -> ViewNetwork:
    """A network with fresh weights: Kaiming's normal for convolutions, a normal of 0.01 for dense layers.

    The trunk has timm's own initial weights, or later those of `load_trunk`; the published code overwrites what it
    loaded.

    Args:
        size: E, 32, 64 or 128.
        views: names of `NINE_PLANES`, parted by commas; their channels are in the order of that list.
        fused: whether features are fused, or volumes merged.
        trunk: timm's name of the residual network.
        shrink: by what all numbers of channels behind the trunk are divided, down to 8.
        bottleneck: width of the refiner's dense layers.

    Raises:
        TypeError: something of another type.
        ValueError: a size, trunk or number that is not there, or views that cannot be.
    """
    from shared_models.channels_last import channels_last
    from shared_models.reconstruction.decoder import START, Decoder
    from shared_models.reconstruction.encoder import Encoder
    from shared_models.reconstruction.refiner import Refiner
    from shared_models.reconstruction.view_network import ViewNetwork

    names = _names(size, views, fused, trunk, shrink, bottleneck)
    design = DESIGNS[size]

    def shrunk(channels: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(max(LEAST_CHANNELS, count // shrink) for count in channels)

    first, second, third = shrunk(design.reduced)
    encoder = Encoder(trunk, size, (first, second, third))
    decoder = Decoder(third * design.side**2 // START**3, shrunk(design.decoded))
    refiner = Refiner(shrunk(design.refined), bottleneck)
    network = ViewNetwork(names, size, encoder, decoder, refiner, fused=fused)
    for child in (encoder.reduction, decoder, refiner, network.fusing, network.merger):
        if child is not None:
            child.apply(_initialise)
    channels_last(network)
    return network


def _names(size: int, views: str, fused: bool, trunk: str, shrink: int, bottleneck: int) -> tuple[str, ...]:
    require_sizes("a reconstruction", size=(size, range(32, 129)), shrink=(shrink, range(1, 33)))
    require_sizes("a reconstruction", bottleneck=(bottleneck, BOTTLENECKS))
    if type(views) is not str or type(trunk) is not str or type(fused) is not bool:
        raise TypeError(f"views {views!r} and trunk {trunk!r} are text, fused {fused!r} is true or false")
    for name, value, known in (("size", size, tuple(DESIGNS)), ("trunk", trunk, TRUNKS), ("shrink", shrink, SHRINKING)):
        if value not in known:
            raise ValueError(f"a reconstruction of {name} {value}; there are {', '.join(map(str, known))}")
    return in_order([name.strip() for name in views.split(",")] if views.strip() else [])


def _initialise(layer: nn.Module) -> None:
    from torch import nn

    if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.ConvTranspose3d):
        nn.init.kaiming_normal_(layer.weight)
    elif isinstance(layer, nn.Linear):
        nn.init.normal_(layer.weight, 0, LINEAR_DEVIATION)
    if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.ConvTranspose3d | nn.Linear) and layer.bias is not None:
        nn.init.zeros_(layer.bias)


def load_trunk(network: ViewNetwork, weights: Path) -> None:
    """Weights of the trunk's architecture, as timm or torchvision keep them, from a local file; the rest is left out.

    Raises:
        ValueError: a file that holds no weights, or not all of the trunk's.
    """
    from shared_models.backbones import read_state

    trunk, found = network.encoder.trunk, read_state(weights)
    wanted = trunk.state_dict()
    for name, tensor in wanted.items():
        if name not in found:
            raise ValueError(f"{weights} does not fit the trunk: '{name}' is missing")
        if found[name].shape != tensor.shape:
            raise ValueError(f"{weights} does not fit the trunk: '{name}' is {tuple(found[name].shape)}")
    trunk.load_state_dict({name: found[name] for name in wanted})
