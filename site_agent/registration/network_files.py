"""A network of registration from a local file: one of this project's, or the authors' released weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from federated.errors import ConsiliumError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shared_models.registration.network import RegistrationNetwork

SAFETENSORS = ".safetensors"
OF_A_SITE = "diff_fourier_net"
NETWORKS = ("fourier_net", "fourier_net_plus", OF_A_SITE)
CURE = "name an expert's file, or the authors' released weights"


def load_network(path: Path, *, diffeomorphic: bool | None = None) -> RegistrationNetwork:
    """The network, ready to be asked.

    Args:
        path: a checkpoint that says its architecture and configuration, as an expert's does, or a file of the authors.
        diffeomorphic: whether the authors' weights give a velocity, which their files do not say.

    Raises:
        ConsiliumError: the file cannot be read, or holds no network of registration.
    """
    if not path.is_file():
        raise ConsiliumError("is not there, or is no file", where=str(path), cure=CURE)
    network = _checkpoint(path) if path.suffix.lower() == SAFETENSORS else _released(path, diffeomorphic=diffeomorphic)
    return network.eval()


def _checkpoint(path: Path) -> RegistrationNetwork:
    from shared_models.checkpoint import read_checkpoint
    from shared_models.registration.network import RegistrationNetwork
    from shared_models.registry import create_model
    from shared_models.stretched_registration import StretchedRegistration

    try:
        tensors, said = read_checkpoint(path)
    except ValueError as error:
        what = str(error).removeprefix(f"{path}: ").partition(";")[0]
        raise ConsiliumError(what, where=str(path), cure=CURE) from error
    name, config = said.get("architecture"), said.get("config")
    if name not in NETWORKS or not isinstance(config, dict):
        raise ConsiliumError(f"holds a network of '{name}', and none of registration", where=str(path), cure=CURE)
    try:
        network = create_model(name, **config)
        network.load_state_dict(tensors)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ConsiliumError("holds another network than it says", where=str(path), cure=CURE) from error
    assert isinstance(network, RegistrationNetwork)
    return StretchedRegistration(network, config["side"]) if name == OF_A_SITE else network


def _released(path: Path, *, diffeomorphic: bool | None) -> RegistrationNetwork:
    import pickle

    import torch

    from shared_models.registration.released_weights import load_released

    try:
        state = torch.load(path, "cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise ConsiliumError("is no file of weights that can be read", where=str(path), cure=CURE) from error
    reason = "it holds no tensor of a first layer by its name"
    for network in _candidates(state if isinstance(state, dict) else {}, diffeomorphic is not False):
        try:
            load_released(network, path)
        except ValueError as error:
            reason = str(error)
            continue
        if diffeomorphic is None:
            cure = "say --diffeomorphic or --displacement"
            raise ConsiliumError("does not say whether it gives a velocity", where=str(path), cure=cure)
        return network
    raise ConsiliumError(f"is of no network that is known: {reason}", where=str(path), cure=CURE)


def _candidates(state: Mapping[Any, Any], diffeomorphic: bool) -> Iterator[RegistrationNetwork]:
    """Networks whose first layer is that of the file; those that see their features again need more tensors."""
    from shared_models.registration.fourier_net import FourierNet
    from shared_models.registration.fourier_net_plus import FourierNetPlus

    for prefix in ("", "net1."):
        first = state.get(f"{prefix}eninput.0.weight")
        if first is None or first.ndim not in {4, 5}:
            continue
        dimensions, channels = first.ndim - 2, int(first.shape[0])
        if not prefix:
            yield FourierNet(dimensions, channels, diffeomorphic)
        cascades = sum(str(key).endswith(".eninput.0.weight") for key in state)
        for skip in (True, False) if prefix else ():
            yield FourierNetPlus(dimensions, channels, cascades, diffeomorphic, skip)
