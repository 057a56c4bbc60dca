"""Frozen timm backbones with weights from a local file: the same federation, the same file, the same features.

Weights are never fetched. A file is safetensors, or a PyTorch state dict read with ``weights_only``.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shared_models.timm_networks import timm_network

if TYPE_CHECKING:
    import torch

Scalar = bool | int | float | str

BACKBONE_VERSION = 1
CONFIG = {"architecture", "size", "weights"}
WRAPPERS = ("state_dict", "model")


@dataclass(frozen=True)
class Backbone:
    """A network without its classifier.

    Attributes:
        config: architecture, side of the input in pixels, digest of the weights file.
        features: D of the pooled features.
        network: in evaluation mode.
        mean, deviation: (3,) that the network's inputs were normalised with.
    """

    config: dict[str, Scalar]
    features: int
    network: Any
    mean: torch.Tensor
    deviation: torch.Tensor

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(H, W) uint8 to (D,) pooled features of unit length."""
        import torch

        from shared_models.scaling import resized, unit

        square = torch.from_numpy(resized(image, int(self.config["size"])).astype(np.float32) / 255)
        colours = (square - self.mean[:, None, None]) / self.deviation[:, None, None]
        with torch.inference_mode():
            pooled = self.network(colours[None])[0]
        return unit(pooled.double().numpy())


def create_backbone(weights_file: Path | None, config: Mapping[str, Scalar]) -> Backbone:
    """A backbone with ``architecture`` a timm name, ``size`` (the architecture's own if left out) and ``weights``.

    ``weights`` is the file's digest; left out, it is taken from the file.

    Raises:
        ValueError: no file or another one than named, an unknown architecture, or weights that do not fit it.
    """
    import torch

    architecture, size = config.get("architecture"), config.get("size", 0)
    if set(config) - CONFIG or not isinstance(architecture, str) or not isinstance(size, int):
        raise ValueError(f"a timm front end takes {', '.join(sorted(CONFIG))}, not {dict(config)}")
    if weights_file is None or not weights_file.is_file():
        raise ValueError(f"the weights file {weights_file or ''} of the timm front end is not there")
    digest = file_digest(weights_file)
    if config.get("weights", digest) != digest:
        raise ValueError(f"{weights_file} is {digest}, the front end was made with {config['weights']}")
    network = timm_network(architecture, 0).eval()
    _load(network, read_state(weights_file))
    known = network.default_cfg
    size = size or int(known["input_size"][1])
    with torch.inference_mode():
        features = int(network(torch.zeros(1, 3, size, size)).shape[1])
    normal: dict[str, Scalar] = {"architecture": architecture, "size": size, "weights": digest}
    return Backbone(normal, features, network, torch.tensor(known["mean"]), torch.tensor(known["std"]))


def file_digest(path: Path) -> str:
    """``sha256:…`` of a file."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Tensors by name.

    Raises:
        ValueError: neither safetensors nor a plain state dict.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} cannot be read as weights ({str(error).splitlines()[0]})") from error
    for wrapper in WRAPPERS:
        state = state.get(wrapper, state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f"{path} holds no state dict")
    return state


def _load(network: Any, state: dict[str, torch.Tensor]) -> None:
    """All weights of the network, which the file must hold; of the rest it may hold the classifier only."""
    classifier = network.default_cfg["classifier"]
    heads = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    try:
        missing, left = network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise ValueError(f"the weights do not fit ({str(error).splitlines()[-1].strip()})") from error
    strange = [name for name in left if not name.startswith(tuple(f"{head}." for head in heads))]
    if missing or strange:
        raise ValueError(f"the weights do not fit: missing {missing[:3]}, unknown {strange[:3]}")
