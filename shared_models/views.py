"""Expert networks: what one site's network sees in an image.

An expert is an architecture of the registry, its configuration and a state; once frozen it answers the same for ever,
under one digest. Of every image it gives the pooled features h, which its own classifier reads, the logits over its own
labels, and the neural means that tell whether the image is of the kind it learnt from (Bransby et al., steps 1 to 6).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shared_models.expert_architectures import FEATURE, classifier_of
from shared_models.neural_means import batch_norm_means, evaluating, heard_in, listening
from shared_models.registry import create_model
from shared_models.scaling import resized
from shared_models.view_augmentation import augmented

if TYPE_CHECKING:
    import torch

Scalar = bool | int | float | str
Images = NDArray[np.uint8]
Floats = NDArray[np.float32]
Level = float | NDArray[np.float64]
State = dict[str, NDArray[Any]]

LOOKED_AT_ONCE = 32
LEAST_DEVIATION = 1e-3  # of an image's own grey levels over 255; less is rounding


@dataclass(frozen=True)
class Looked:
    """What an expert sees in n images.

    Attributes:
        features: (n, D) pooled, before drop-out.
        logits: (n, C) over its own labels.
        means: (n, N) neural means.
    """

    features: Floats
    logits: Floats
    means: Floats


class ExpertNetwork:
    """A network that can be asked, and until it is frozen taught.

    Attributes:
        architecture: its line in the registry of models.
        config: with which it is built.
        network: as torch has it.
        side: of the images it sees, in pixels.
        features: D.
        means: N; 0 where no convolution is followed by a batch norm, and then there is no discrepancy either.
        degenerate: whether it knows one class only, so that its probabilities say nothing.
        digest: of what is frozen; "" before.
    """

    def __init__(self, architecture: str, config: Mapping[str, Scalar], seed: int = 0) -> None:
        """A new one, with random weights of the seed.

        Raises:
            ValueError: no such architecture, or a configuration that it does not take.
            TypeError: the same.
        """
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network: Any = create_model(architecture, **config).eval()
        self.architecture, self.config, self.digest = architecture, dict(config), ""
        self.side, self._channels = int(config["side"]), int(config.get("channels", 1))
        self._heard = heard_in(self.network, (self._channels, self.side, self.side))
        self._classifier = classifier_of(self.network)[1]
        self.features, self.means = self._classifier.in_features, self._heard.channels
        self.degenerate = self._classifier.out_features == 1

    def given(
        self, images: Images, mean: Level, deviation: Level, *, augmentation: torch.Generator | None = None
    ) -> torch.Tensor:
        """(n, channels, S, S) what the network is shown of images (n, H, W), on its device.

        Args:
            images: grey levels of any size, brought to the network's side.
            mean: of grey levels over 255 at the images' site, one for all or (n,).
            deviation: the same.
            augmentation: changes the images; None leaves them as they are.

        Raises:
            ValueError: not such images, or a deviation that is not above 0.
        """
        shown = self.pixels(images)
        if augmentation:
            shown = augmented(shown, augmentation)
        return self.normalised(shown, mean, deviation)

    def pixels(self, images: Images) -> torch.Tensor:
        """(n, 1, S, S) images (n, H, W) of any size in [0, 1], on the network's device.

        Raises:
            ValueError: not such images.
        """
        import torch

        shown = torch.from_numpy(scaled(images, self.side)).to(self._classifier.weight.device)
        return shown.unsqueeze(1).float() / 255

    def normalised(self, shown: torch.Tensor, mean: Level, deviation: Level) -> torch.Tensor:
        """(n, channels, S, S) pixels (n, 1, S, S) less a mean, in deviations; both as for `given`.

        Raises:
            ValueError: a deviation that is not above 0.
        """
        middle, width = (_a_number_each(level, len(shown)).to(shown.device) for level in (mean, deviation))
        if not (width > 0).all():
            raise ValueError("a site whose grey levels do not vary has nothing to look at")
        return ((shown - middle) / width).expand(-1, self._channels, -1, -1)

    def look(self, images: Images, mean: Level, deviation: Level, *, augmentation_seed: int | None = None) -> Looked:
        """What it sees in images (n, H, W), in one pass each and in evaluation mode.

        Args:
            images: as for `given`, as are mean and deviation.
            mean: of the images' own site, whichever site the expert is of.
            deviation: the same.
            augmentation_seed: of one augmented copy of each image; the same seed shows every expert of one side the
                same copies. None leaves the images as they are.

        Raises:
            ValueError: see `given`.
        """
        import torch

        random = None if augmentation_seed is None else torch.Generator().manual_seed(augmentation_seed)
        middle, width = (np.broadcast_to(level, len(images)) for level in (mean, deviation))
        parts = [Looked(*(np.zeros((0, size), np.float32) for size in self._sizes))]
        with evaluating(self.network):
            for begin in range(0, len(images), LOOKED_AT_ONCE):
                part = slice(begin, begin + LOOKED_AT_ONCE)
                parts.append(self._seen(self.given(images[part], middle[part], width[part], augmentation=random)))
        return Looked(*(np.concatenate([getattr(part, name) for part in parts]) for name in Looked.__annotations__))

    def discrepancy(self, looked: Looked) -> Floats | None:
        """(n, N) neural means less the expert's own mean, with their sign (step 5); None where N is 0."""
        own = self.network.get_buffer(FEATURE).detach().cpu().numpy()
        return looked.means - own if self.means else None

    def batch_norm_means(self) -> Floats:
        """(N,) what the running means say of the neural mean feature."""
        return batch_norm_means(self.state(), self._heard)

    def state(self) -> State:
        """Everything that changes in training, as arrays by name, and the neural mean feature."""
        return {
            name: np.array(tensor.detach().cpu().numpy(), order="C")
            for name, tensor in self.network.state_dict().items()
        }

    def freeze(self, neural_mean_feature: Floats) -> None:
        """Ends all training, and fixes the digest (step 3).

        Args:
            neural_mean_feature: (N,) of the images it learnt from.

        Raises:
            ValueError: it is frozen, or the feature is of another length.
        """
        import torch

        if self.digest:
            raise ValueError(f"expert {self.digest} is frozen")
        if neural_mean_feature.shape != (self.means,):
            raise ValueError(f"a neural mean feature {neural_mean_feature.shape}, {(self.means,)} expected")
        self.network.get_buffer(FEATURE).copy_(torch.from_numpy(neural_mean_feature))
        self.network.eval().requires_grad_(requires_grad=False)
        self.network.train = partial(_stay, self.network)
        self.digest = expert_digest(self.architecture, self.config, self.state())

    @property
    def _sizes(self) -> tuple[int, int, int]:
        return self.features, self._classifier.out_features, self.means

    def _seen(self, shown: torch.Tensor) -> Looked:
        import torch

        read: list[torch.Tensor] = []
        hook = self._classifier.register_forward_pre_hook(lambda _module, given: read.append(given[0]))
        try:
            with listening(self.network, self._heard) as means:
                logits = self.network(shown)
        finally:
            hook.remove()
        heard = [means[name] for name in self._heard.convolutions] or [logits[:, :0]]
        return Looked(*(tensor.float().cpu().numpy() for tensor in (read[0], logits, torch.cat(heard, dim=1))))


@dataclass(frozen=True)
class Sizes:
    """What an expert says of an image: D features, C logits, N neural means."""

    features: int
    logits: int
    means: int


def sizes_of(architecture: str, config: Mapping[str, Scalar]) -> Sizes:
    """Of an expert, which is built without memory, once.

    Raises:
        ValueError, TypeError, RuntimeError: no such expert.
    """
    return _sizes(json.dumps([architecture, dict(config)], sort_keys=True))


@cache
def _sizes(said: str) -> Sizes:
    import torch

    architecture, config = json.loads(said)
    with torch.device("meta"):
        network: Any = create_model(architecture, **config)
    classifier = classifier_of(network)[1]
    return Sizes(classifier.in_features, classifier.out_features, int(network.get_buffer(FEATURE).shape[0]))


def frozen_expert(
    architecture: str, config: Mapping[str, Scalar], state: Mapping[str, NDArray[Any]], digest: str = ""
) -> ExpertNetwork:
    """An expert from the state that it was frozen with.

    Args:
        architecture: its line in the registry of models.
        config: with which it is built.
        state: as `ExpertNetwork.state` gave it.
        digest: which it must have; "" for any.

    Raises:
        ValueError: no such architecture, a state that does not fit it, or another digest.
        TypeError: a configuration that it does not take.
    """
    expert = ExpertNetwork(architecture, config)
    load_state(expert.network, state)
    expert.freeze(np.asarray(state[FEATURE]))
    if digest not in {"", expert.digest}:
        raise ValueError(f"the expert is {expert.digest}, not {digest}")
    return expert


def load_state(network: Any, state: Mapping[str, NDArray[Any]]) -> None:
    """Puts a whole state into a network.

    Raises:
        ValueError: a tensor is missing, superfluous, or of another type or shape.
    """
    import torch

    wanted = {name: _form(tensor.cpu().numpy()) for name, tensor in network.state_dict().items()}
    found = {name: _form(array) for name, array in state.items()}
    for name in sorted(wanted | found):
        if found.get(name) != wanted.get(name):
            raise ValueError(f"tensor {name} is {found.get(name)}, the network has {wanted.get(name)}")
    network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in state.items()})


def expert_digest(architecture: str, config: Mapping[str, Scalar], state: Mapping[str, NDArray[Any]]) -> str:
    """``sha256:…`` of the architecture, its configuration, and every tensor's name, type, shape and bytes."""
    found = hashlib.sha256(json.dumps([architecture, dict(config)], sort_keys=True).encode())
    for name in sorted(state):
        found.update(f"\n{name} {_form(state[name])}\n".encode())
        found.update(np.asarray(state[name], order="C").tobytes())
    return "sha256:" + found.hexdigest()


def scaled(images: Images, side: int) -> Images:
    """(n, H, W) brought to (n, side, side).

    Raises:
        ValueError: not such images.
    """
    if images.dtype != np.uint8 or images.ndim != 3:
        raise ValueError(f"(n, H, W) uint8 images are expected, not {images.dtype}{images.shape}")
    if images.shape[1:] == (side, side):
        return np.ascontiguousarray(images)
    return np.stack([resized(image, side) for image in images])


def grey_levels(images: Images) -> tuple[float, float]:
    """Mean and standard deviation of grey levels over 255, over all pixels of a site's images."""
    values = images.astype(np.float64) / 255
    return float(values.mean()), float(values.std())


def own_grey_levels(images: Images, side: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) means and deviations of grey levels over 255, each image's own at the side at which a network sees it.

    No deviation is less than `LEAST_DEVIATION`, so that an image of one grey can be shown.
    """
    values = scaled(images, side).astype(np.float64) / 255
    return values.mean(axis=(1, 2)), np.maximum(values.std(axis=(1, 2)), LEAST_DEVIATION)


def _a_number_each(level: Level, images: int) -> torch.Tensor:
    import torch

    return torch.from_numpy(np.array(np.broadcast_to(level, images), np.float32)).view(-1, 1, 1, 1)


def _form(array: NDArray[Any]) -> str:
    return f"{array.dtype}{array.shape}"


def _stay(network: Any, mode: bool = True) -> Any:
    if mode:
        raise ValueError("the expert is frozen: it answers, and learns no more")
    return network
