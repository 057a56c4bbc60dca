"""Networks that an expert can be, with room for its neural mean feature in their state.

They are built from small whole numbers that come from outside: what would be absurd is refused before memory is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared_models.bounds import CLASSES, MOST_BYTES, SIDES, require_sizes
from shared_models.channels_last import channels_last
from shared_models.neural_means import heard_in
from shared_models.small_resnet import small_resnet18
from shared_models.timm_networks import first_line, timm_network

if TYPE_CHECKING:
    import torch

FEATURE = "neural_mean_feature"
DROPOUT = 0.1


def small_resnet_expert(classes: int, side: int, width: int) -> torch.nn.Module:
    """The small-image ResNet-18; at width w it has D = 8w features and N = 61w neural means.

    Args:
        classes: C.
        side: of its images in pixels.
        width: w.

    Raises:
        TypeError: something that is no whole number.
        ValueError: something far too large or too small.
    """
    require_sizes("an expert", classes=(classes, CLASSES), side=(side, SIDES))
    return _with_neural_means(small_resnet18(classes, width, DROPOUT), (1, side, side))


def timm_expert(architecture: str, classes: int, side: int, channels: int) -> torch.nn.Module:
    """A network of timm; one without convolutions that a batch norm follows has N = 0 neural means.

    Args:
        architecture: timm's name.
        classes: C.
        side: of its images in pixels.
        channels: 1 for grey images as they are, 3 where the weights to begin with are of colour images.

    Raises:
        TypeError: something that is no whole number, or no name.
        ValueError: not an architecture of timm, one with a classifier that is not linear, or one that is too large or
            takes no such images.
    """
    import torch

    require_sizes("an expert", classes=(classes, CLASSES), side=(side, SIDES))
    if type(architecture) is not str or type(channels) is not int:
        raise TypeError(f"{architecture!r} is no name or {channels!r} no whole number")
    if channels not in {1, 3}:
        raise ValueError(f"{channels} channels; 1 and 3 are taken")
    with torch.device("meta"):
        weight = _bytes(timm_network(architecture, classes, in_chans=channels, drop_rate=DROPOUT))
    if weight > MOST_BYTES:
        raise ValueError(f"'{architecture}' has {weight / 2**20:.0f} MiB of weights, more than {MOST_BYTES // 2**20}")
    network = timm_network(architecture, classes, in_chans=channels, drop_rate=DROPOUT)
    try:
        return _with_neural_means(network, (channels, side, side))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise ValueError(f"'{architecture}' cannot look at {side} pixels a side ({first_line(error)})") from error


def classifier_of(network: Any) -> tuple[str, torch.nn.Linear]:
    """Name and module of the linear layer at a network's end.

    Raises:
        ValueError: it ends otherwise.
    """
    import torch

    classifier = network.get_classifier()
    if not isinstance(classifier, torch.nn.Linear):
        raise ValueError("its classifier is not one linear layer")
    return next(name for name, module in network.named_modules() if module is classifier), classifier


def _with_neural_means(network: Any, shape: tuple[int, int, int]) -> torch.nn.Module:
    import torch

    classifier_of(network)
    network.register_buffer(FEATURE, torch.zeros(heard_in(network, shape).channels))
    return channels_last(network)


def _bytes(network: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
