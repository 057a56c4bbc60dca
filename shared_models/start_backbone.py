"""A start backbone: a timm network that learns to name phantom views, so that its features serve where images are few.

The loss is cross-entropy with smoothed labels on augmented frames (`phantom.augmentation`). AdamW; its rate rises in a
line and falls as half a cosine. Images go in as `backbones.Backbone` puts them in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shared_models.phantom.augmentation import augmented
from shared_models.recipe import Recipe
from shared_models.timm_networks import first_line, timm_network
from shared_models.torchvision_operators import load_torchvision

if TYPE_CHECKING:
    import torch

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]
Asked = Callable[["torch.nn.Module"], Mapping[str, float]]

SHOWN_AT_ONCE = 128


@dataclass(frozen=True)
class Settings:
    """How a network is trained.

    Attributes:
        architecture: timm's name.
        size: side of an image in pixels.
        classes: how many labels there are.
        epochs: how often every image is seen.
        seed: of the first weights, the order of images and the augmentation.
        batch: images a step.
        rate: of AdamW, at its highest.
        decay: of the weights.
        smoothing: of the labels.
        warm_up: share of the steps in which the rate rises.
    """

    architecture: str
    size: int
    classes: int
    epochs: int
    seed: int
    batch: int = 64
    rate: float = 2e-3
    decay: float = 0.05
    smoothing: float = 0.1
    warm_up: float = 0.15

    def optimiser(self) -> dict[str, str | float]:
        """What a reader wants to know of the optimiser."""
        own = ("architecture", "size", "classes", "epochs", "seed")
        return {"optimiser": "AdamW"} | {name: value for name, value in asdict(self).items() if name not in own}

    def recipe(self, images: int) -> Recipe:
        """How so many images are learnt from: in whole batches; what is left over differs from epoch to epoch."""
        batch = min(self.batch, images)
        return Recipe(
            self.epochs,
            batch,
            self.rate,
            self.seed,
            decay=self.decay,
            schedule="cosine",
            warm_up=self.warm_up,
            samples_an_epoch=images - images % batch,
        )


def weight_of(settings: Settings) -> int:
    """Bytes of the network's weights, known without making them.

    Raises:
        ValueError: timm has no such architecture, or it cannot be made.
    """
    import torch

    load_torchvision()
    import timm  # noqa: F401  here, for what it holds must not lie on "meta"

    with torch.device("meta"):
        network = timm_network(settings.architecture, settings.classes)
    return sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())


def new_network(settings: Settings) -> torch.nn.Module:
    """The network with random weights of the seed, its classifier included.

    Raises:
        ValueError: timm has no such architecture, or it does not take images of that size.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = timm_network(settings.architecture, settings.classes).eval()
    try:
        with torch.inference_mode():
            network(torch.zeros(1, 3, settings.size, settings.size))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"architecture '{settings.architecture}' takes no images of {settings.size} pixels ({first_line(error)})"
        ) from error
    return network.to(memory_format=torch.channels_last)  # a third faster


class ViewTask:
    """Naming the class of images that are changed at random, as `training.train` takes it.

    Attributes:
        network: what learns, as `new_network` makes it.
        examples: how many images it learns from.
    """

    def __init__(self, settings: Settings, images: Images, labels: Labels, asked: Asked) -> None:
        self.network = new_network(settings)
        self.examples = len(labels)
        self._settings, self._images, self._labels, self._asked = settings, images, labels, asked

    def loss(self, rows: Labels, generator: torch.Generator, device: torch.device) -> torch.Tensor:
        """The mean cross-entropy of some images, changed at random; labels are smoothed."""
        import torch

        changed = augmented(pictures(self._images[rows]).to(device), generator)
        scores = self.network(normalised(changed, self.network))
        return torch.nn.functional.cross_entropy(
            scores, torch.from_numpy(self._labels[rows]).to(device), label_smoothing=self._settings.smoothing
        )

    def validate(self) -> Mapping[str, float]:
        """What is asked of the network after every epoch."""
        return self._asked(self.network)


def pictures(images: Images) -> torch.Tensor:
    """(N, S, S) uint8 as (N, 1, S, S) in [0, 1]."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(images)).unsqueeze(1).float() / 255


def normalised(images: torch.Tensor, network: Any) -> torch.Tensor:
    """(N, 1, S, S) in [0, 1] as the three channels that the architecture expects."""
    import torch

    expected = (network.default_cfg[name] for name in ("mean", "std"))
    mean, deviation = (torch.tensor(values, device=images.device).view(1, 3, 1, 1) for values in expected)
    return ((images - mean) / deviation).contiguous(memory_format=torch.channels_last)


def answers(network: Any, images: Images) -> Labels:
    """(N,) the likeliest class of (N, S, S) images as they are."""
    import torch

    network.eval()
    device = next(network.parameters()).device
    found = [np.zeros(0, np.int64)]
    with torch.inference_mode():
        for begin in range(0, len(images), SHOWN_AT_ONCE):
            shown = normalised(pictures(images[begin : begin + SHOWN_AT_ONCE]).to(device), network)
            found.append(network(shown).argmax(1).cpu().numpy())
    return np.concatenate(found)
