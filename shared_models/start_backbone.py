"""A start backbone: a timm network that learns to name phantom views, so that its features serve where images are few.

The loss is cross-entropy with smoothed labels on augmented frames (`phantom.augmentation`). AdamW; its rate rises in a
line and falls as half a cosine. All randomness of a step comes from the seed and the step's number, so that training
which was stopped after an epoch goes on as if it had not been. Images go in as `backbones.Backbone` puts them in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shared_models.phantom.augmentation import augmented

if TYPE_CHECKING:
    import torch

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]

STREAM = 47  # of random numbers, apart from other uses of the same seeds
ORDER, STEP = 0, 1
NETWORK, OPTIMISER = "network.", "optimiser."
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


def weight_of(settings: Settings) -> int:
    """Bytes of the network's weights, known without making them.

    Raises:
        ValueError: timm has no such architecture, or it cannot be made.
    """
    import torch

    _require_known(settings.architecture)
    try:
        with torch.device("meta"):
            network = _created(settings)
    except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(f"architecture '{settings.architecture}' cannot be made ({_first_line(error)})") from error
    return sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())


def new_network(settings: Settings) -> torch.nn.Module:
    """The network with random weights of the seed, its classifier included.

    Raises:
        ValueError: timm has no such architecture, or it does not take images of that size.
    """
    import torch

    _require_known(settings.architecture)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = _created(settings).eval()
    try:
        with torch.inference_mode():
            network(torch.zeros(1, 3, settings.size, settings.size))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"architecture '{settings.architecture}' takes no images of {settings.size} pixels ({_first_line(error)})"
        ) from error
    return network.to(memory_format=torch.channels_last)  # a third faster


class Training:
    """A network on its way, with its optimiser.

    Attributes:
        settings: how it is trained.
        network: as it is by now.
    """

    def __init__(self, settings: Settings) -> None:
        import torch

        self.settings = settings
        self.network: Any = new_network(settings)
        self._optimiser = torch.optim.AdamW(self.network.parameters(), lr=settings.rate, weight_decay=settings.decay)
        self._names = [name for name, _ in self.network.named_parameters()]

    def batches(self, epoch: int, images: int) -> list[Labels]:
        """Rows of every step of an epoch, shuffled; less than a batch is left over, other images each time."""
        order = np.random.default_rng([STREAM, ORDER, self.settings.seed, epoch]).permutation(images)
        batch = min(self.settings.batch, images)
        return [order[begin : begin + batch] for begin in range(0, images - batch + 1, batch)]

    def step(self, number: int, steps: int, images: Images, labels: Labels) -> float:
        """Learns from a batch of (N, S, S) images; returns the loss.

        Args:
            number: of the step, counted from the very first.
            steps: how many there are in all epochs.
            images: as they are stored.
            labels: (N,) numbers of the classes.

        Raises:
            ValueError: the loss is no longer a number.
        """
        import torch

        seed = seed_of_step(self.settings.seed, number)
        for group in self._optimiser.param_groups:
            group["lr"] = rate_at(number, steps, self.settings)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # of drop-out inside the network
            changed = augmented(pictures(images), torch.Generator().manual_seed(seed))
            self.network.train()
            scores = self.network(normalised(changed, self.network))
        loss = torch.nn.functional.cross_entropy(
            scores, torch.from_numpy(labels), label_smoothing=self.settings.smoothing
        )
        if not torch.isfinite(loss):
            raise ValueError(f"training went astray at step {number}: its loss is {float(loss.detach())}")
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()
        return float(loss.detach())

    def state(self) -> dict[str, torch.Tensor]:
        """Everything that changes, by name: weights, running means, and what the optimiser remembers."""
        found = {NETWORK + name: tensor for name, tensor in self.network.state_dict().items()}
        for number, slots in self._optimiser.state_dict()["state"].items():
            found |= {f"{OPTIMISER}{slot}.{self._names[number]}": tensor for slot, tensor in slots.items()}
        return {name: tensor.contiguous() for name, tensor in found.items()}

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Goes on from a `state`.

        Raises:
            ValueError: it is the state of something else.
        """
        slots: dict[int, dict[str, torch.Tensor]] = {}
        numbers = {name: number for number, name in enumerate(self._names)}
        try:
            self.network.load_state_dict(_under(NETWORK, state))
            for name, tensor in _under(OPTIMISER, state).items():
                slot, _, parameter = name.partition(".")
                slots.setdefault(numbers[parameter], {})[slot] = tensor
            groups = self._optimiser.state_dict()["param_groups"]
            self._optimiser.load_state_dict({"state": slots, "param_groups": groups})
        except (RuntimeError, KeyError, ValueError) as error:
            raise ValueError(f"this is the state of another training ({_first_line(error)})") from error

    def weights(self) -> dict[str, torch.Tensor]:
        """The network's weights under timm's names, as `backbones.create_backbone` reads them."""
        return {name: tensor.contiguous() for name, tensor in self.network.state_dict().items()}


def rate_at(step: int, steps: int, settings: Settings) -> float:
    """The learning rate of a step: up in a line, down as half a cosine to a hundredth."""
    rising = max(1, round(settings.warm_up * steps))
    if step < rising:
        return settings.rate * (step + 1) / rising
    fallen = (step - rising) / max(1, steps - rising)
    return settings.rate * (0.01 + 0.99 * (1 + math.cos(math.pi * fallen)) / 2)


def seed_of_step(seed: int, number: int) -> int:
    """A seed of its own for every step."""
    return int(np.random.SeedSequence([STREAM, STEP, seed, number]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def pictures(images: Images) -> torch.Tensor:
    """(N, S, S) uint8 as (N, 1, S, S) in [0, 1]."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(images)).unsqueeze(1).float() / 255


def normalised(images: torch.Tensor, network: Any) -> torch.Tensor:
    """(N, 1, S, S) in [0, 1] as the three channels that the architecture expects."""
    import torch

    mean, deviation = (torch.tensor(network.default_cfg[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    return ((images - mean) / deviation).contiguous(memory_format=torch.channels_last)


def answers(network: Any, images: Images) -> Labels:
    """(N,) the likeliest class of (N, S, S) images as they are."""
    import torch

    network.eval()
    found = [np.zeros(0, np.int64)]
    with torch.inference_mode():
        for begin in range(0, len(images), SHOWN_AT_ONCE):
            shown = normalised(pictures(images[begin : begin + SHOWN_AT_ONCE]), network)
            found.append(network(shown).argmax(1).numpy())
    return np.concatenate(found)


def _require_known(architecture: str) -> None:
    from shared_models.torchvision_operators import load_torchvision

    load_torchvision()  # timm imports it
    import timm

    if not timm.is_model(architecture):  # which also keeps out names that stand for a hub
        raise ValueError(f"timm has no architecture '{architecture}'")


def _created(settings: Settings) -> Any:
    import timm

    return timm.create_model(settings.architecture, pretrained=False, num_classes=settings.classes)


def _under(prefix: str, state: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].strip()
