"""The authors' released weights, from a local file; nothing is fetched, nothing unpickled but tensors.

Their files hold layers that no network uses; what is needed is found by its key. Keys are those of the classes in the
authors' public code: ``eninput``, ``ec1`` … on the contracting path, ``up1`` … and ``dc1`` … on the expanding one, and
``dc9`` at its end; in Fourier-Net ``r_`` stands before those of the expanding path and ``rr_`` before the last, in
Fourier-Net+ ``net1.`` … before all.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import Tensor

from shared_models.registration.fourier_net import FourierNet
from shared_models.registration.fourier_net_plus import FourierNetPlus
from shared_models.registration.network import RegistrationNetwork
from shared_models.registration.paths import ContractingPath, ExpandingPath

PARTS = ("0.weight", "0.bias", "1.weight")  # convolution and slope: called so there and here


def load_released(network: RegistrationNetwork, path: Path) -> None:
    """The weights of a file into a network, in place and whole or not at all.

    Raises:
        ValueError: the file cannot be read, or has not the tensors that the network needs, of its shapes.
    """
    try:
        state = torch.load(path, "cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path.name} is no file of weights that can be read") from error
    if not isinstance(state, dict):
        raise ValueError(f"{path.name} holds no weights by name")
    network.load_state_dict({ours: _taken(state, key, tensor, path) for ours, key, tensor in _wanted(network)})


def released_keys(network: RegistrationNetwork) -> dict[str, str]:
    """The authors' key of every tensor of a network, by ours.

    Raises:
        ValueError: the authors released no such network.
    """
    if isinstance(network, FourierNet):
        return _keys(network.contracting, network.expanding, "", "", "r_", "rr_")
    if isinstance(network, FourierNetPlus):
        found: dict[str, str] = {}
        for number, each in enumerate(network.cascade):
            contracting, expanding = each.get_submodule("contracting"), each.get_submodule("expanding")
            assert isinstance(contracting, ContractingPath)
            assert isinstance(expanding, ExpandingPath)
            found |= _keys(contracting, expanding, f"cascade.{number}.", f"net{number + 1}.")
        return found
    raise ValueError(f"there are no released weights of a {type(network).__name__}")


def _wanted(network: RegistrationNetwork) -> list[tuple[str, str, Tensor]]:
    state = network.state_dict()
    return [(ours, key, state[ours]) for ours, key in released_keys(network).items()]


def _taken(state: dict[object, object], key: str, wanted: Tensor, path: Path) -> Tensor:
    found = state.get(key)
    if not isinstance(found, Tensor):
        raise ValueError(f"{path.name} has no tensor '{key}', which this network needs")
    if found.shape != wanted.shape:
        raise ValueError(f"{path.name} has '{key}' of {tuple(found.shape)}; this network needs {tuple(wanted.shape)}")
    return found


def _keys(
    contracting: ContractingPath, expanding: ExpandingPath, ours: str, theirs: str, middle: str = "", last: str = ""
) -> dict[str, str]:
    """Of one network; `middle` and `last` stand before the layers of the expanding path and at its end."""
    layers: dict[str, str] = {}
    for number in range(2 * len(contracting.levels)):
        layers[f"contracting.levels.{number // 2}.{number % 2}"] = f"ec{number}" if number else "eninput"
    number = 0
    for level, convolutions in enumerate(expanding.levels):
        layers[f"expanding.enlargements.{level}"] = f"{middle}up{level + 1}"
        for each in range(len(list(convolutions.children()))):
            number += 1
            layers[f"expanding.levels.{level}.{each}"] = f"{middle}dc{number}"
    found = {f"{ours}{one}.{part}": f"{theirs}{other}.{part}" for one, other in layers.items() for part in PARTS}
    return found | {f"{ours}patch.weight": f"{theirs}{last}dc9.0.weight"}
