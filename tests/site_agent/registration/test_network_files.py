"""Networks from files, the project's and the authors'; and files that hold none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from federated.errors import ConsiliumError
from shared_models.checkpoint import write_checkpoint
from shared_models.registration.fourier_net import FourierNet
from shared_models.registration.fourier_net_plus import FourierNetPlus
from shared_models.registration.network import RegistrationNetwork
from shared_models.registration.released_weights import released_keys
from shared_models.registration_expert import diff_fourier_net
from shared_models.stretched_registration import StretchedRegistration
from site_agent.registration.network_files import load_network


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_a_checkpoint_says_what_it_holds(tmp_path: Path) -> None:
    network = FourierNetPlus(2, 2, 2, diffeomorphic=True)
    path = tmp_path / "expert.safetensors"
    config = {"dimensions": 2, "channels": 2, "cascades": 2, "diffeomorphic": True}
    write_checkpoint(path, network.state_dict(), {"architecture": "fourier_net_plus", "config": config})
    read = load_network(path)
    assert same(read, network)
    assert read.diffeomorphic
    assert not read.training


def test_an_expert_of_a_site_is_asked_at_its_own_side(tmp_path: Path) -> None:
    network = diff_fourier_net(32, 2)
    path = tmp_path / "expert.safetensors"
    write_checkpoint(
        path, network.state_dict(), {"architecture": "diff_fourier_net", "config": {"side": 32, "width": 2}}
    )
    read = load_network(path)
    assert isinstance(read, StretchedRegistration)
    assert isinstance(read.network, RegistrationNetwork)
    assert (read.side, read.training) == (32, False)
    assert same(read.network, network)


@pytest.mark.parametrize(
    "network",
    [FourierNet(2, 3), FourierNetPlus(2, 2, 3), FourierNetPlus(2, 2, 1, skip=True), FourierNet(3, 2)],
    ids=["Fourier-Net", "cascade", "skipping", "3D"],
)
def test_the_authors_files_are_told_by_their_tensors(tmp_path: Path, network: RegistrationNetwork) -> None:
    path = tmp_path / "released.pth"
    state = network.state_dict()
    torch.save({theirs: state[ours] for ours, theirs in released_keys(network).items()}, path)
    read = load_network(path, diffeomorphic=False)
    assert type(read) is type(network)
    assert same(read, network)
    assert not read.diffeomorphic
    assert load_network(path, diffeomorphic=True).diffeomorphic
    with pytest.raises(
        ConsiliumError, match="does not say whether it gives a velocity; say --diffeomorphic or --displ"
    ):
        load_network(path)


def test_files_that_hold_no_network(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match=r"none\.safetensors: is not there"):
        load_network(tmp_path / "none.safetensors")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"nothing")
    with pytest.raises(ConsiliumError, match=r"damaged\.safetensors: is damaged; name an expert's file"):
        load_network(damaged)
    other = tmp_path / "other.safetensors"
    write_checkpoint(other, {"a": torch.zeros(1)}, {"architecture": "unet", "config": {}})
    with pytest.raises(ConsiliumError, match="holds a network of 'unet', and none of registration"):
        load_network(other)
    lying = tmp_path / "lying.safetensors"
    write_checkpoint(lying, FourierNet(2, 2).state_dict(), {"architecture": "fourier_net", "config": {"dimensions": 3}})
    with pytest.raises(ConsiliumError, match="holds another network than it says"):
        load_network(lying)
    foreign = tmp_path / "foreign.pth"
    torch.save({"a": torch.zeros(1)}, foreign)
    with pytest.raises(
        ConsiliumError, match=r"foreign\.pth: is of no network that is known: it holds no tensor of a first"
    ):
        load_network(foreign)
    torch.save({"eninput.0.weight": torch.zeros(2, 2, 3, 3)}, foreign)
    with pytest.raises(ConsiliumError, match="has no tensor"):
        load_network(foreign)
    foreign.write_bytes(b"nothing")
    with pytest.raises(ConsiliumError, match="is no file of weights that can be read"):
        load_network(foreign)
