"""Networks by name, for those who only hold a name, a configuration and a state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from shared_models.clip_encoder import clip_encoder
from shared_models.contour_network import contour_network
from shared_models.expert_architectures import small_resnet_expert, timm_expert
from shared_models.linear_head import linear_head
from shared_models.place_encoder import place_encoder
from shared_models.reconstruction_expert import reconstruction_expert
from shared_models.registration_expert import diff_fourier_net
from shared_models.unet import LEVELS, unet

if TYPE_CHECKING:
    import torch


def _unet(classes: int, side: int, width: int = 16, levels: int = LEVELS) -> torch.nn.Module:
    """Of grey images, which are all that there is to show to a network that came."""
    return unet(classes, side, width, levels)


def _fourier_net(**config: Any) -> torch.nn.Module:
    from shared_models.registration.fourier_net import FourierNet

    return FourierNet(**config)


def _fourier_net_plus(**config: Any) -> torch.nn.Module:
    from shared_models.registration.fourier_net_plus import FourierNetPlus

    return FourierNetPlus(**config)


MODELS: dict[str, Callable[..., torch.nn.Module]] = {
    "clip_encoder": clip_encoder,
    "contour_network": contour_network,
    "diff_fourier_net": diff_fourier_net,
    "fourier_net": _fourier_net,
    "fourier_net_plus": _fourier_net_plus,
    "linear_head": linear_head,
    "pix2vox": reconstruction_expert,
    "place_encoder": place_encoder,
    "small_resnet18": small_resnet_expert,
    "timm": timm_expert,
    "unet": _unet,
}

CLASSIFIERS = ("small_resnet18", "timm")
"""Expert networks of which features, a logit a label and neural means can be asked (`views`)."""

Config = Mapping[str, bool | int | float | str]
LABELS: dict[str, Callable[[Config], int | None]] = {
    "clip_encoder": lambda _: None,
    "contour_network": lambda _: None,
    "diff_fourier_net": lambda _: None,
    "fourier_net": lambda _: None,
    "fourier_net_plus": lambda _: None,
    "linear_head": lambda config: int(config["labels"]),
    "pix2vox": lambda _: None,
    "place_encoder": lambda _: None,
    "small_resnet18": lambda config: int(config["classes"]),
    "timm": lambda config: int(config["classes"]),
    "unet": lambda config: int(config["classes"]) - 1,  # the first is the background
}


def labels_of(name: str, config: Config) -> int | None:
    """How many labels a network speaks of, of a configuration with which it can be built; None for any number.

    Raises:
        ValueError: no such name.
        KeyError: a configuration that does not say.
    """
    if name not in LABELS:
        raise ValueError(f"there is no model '{name}', there are {', '.join(MODELS)}")
    return LABELS[name](config)


def create_model(name: str, **config: bool | int | float | str) -> torch.nn.Module:
    """A network with fresh weights.

    Raises:
        ValueError: no such name.
        TypeError: a configuration it does not take.
    """
    if name not in MODELS:
        raise ValueError(f"there is no model '{name}', there are {', '.join(MODELS)}")
    return MODELS[name](**config)


def state_form(name: str, **config: bool | int | float | str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of every tensor of a network's state; the network is built without memory.

    Raises:
        ValueError, TypeError, KeyError, RuntimeError: no such network, or one that cannot be built so.
    """
    import torch

    with torch.device("meta"):
        state = create_model(name, **config).state_dict()
    return {key: (str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape)) for key, tensor in state.items()}
