"""Files as the authors released them go into networks of ours; what does not fit is told in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from shared_models.registration.fields import warp
from shared_models.registration.fourier_net import FourierNet
from shared_models.registration.fourier_net_plus import FourierNetPlus
from shared_models.registration.network import RegistrationNetwork
from shared_models.registration.released_weights import load_released, released_keys
from tests.shared_models.registration.fourier_reference import by_transforms

C = 2


def block(before: int, after: int, number: int) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(number)
    weight = torch.randn((after, before, 3, 3), generator=random) * 0.3
    return {"0.weight": weight, "0.bias": torch.randn(after, generator=random) * 0.1, "1.weight": torch.tensor([0.2])}


def state_of(
    layers: dict[str, tuple[int, int]], up: dict[str, int], last: str, channels: int
) -> dict[str, torch.Tensor]:
    """A file's tensors: of convolutions, of enlargements, of the last layer."""
    found = {
        f"{name}.{part}": tensor
        for number, (name, widths) in enumerate(layers.items())
        for part, tensor in block(*widths, number).items()
    }
    random = torch.Generator().manual_seed(99)
    for name, width in up.items():
        found[f"{name}.0.weight"] = torch.randn((width, width, 2, 2), generator=random) * 0.3
        found |= {f"{name}.0.bias": torch.zeros(width), f"{name}.1.weight": torch.tensor([0.3])}
    found[f"{last}.0.weight"] = torch.randn((2, channels, 3, 3), generator=random) * 0.1
    return found


CONTRACTING = {
    "eninput": (2, C),
    "ec1": (C, C),
    "ec2": (C, 2 * C),
    "ec3": (2 * C, 2 * C),
    "ec4": (2 * C, 4 * C),
    "ec5": (4 * C, 4 * C),
    "ec6": (4 * C, 8 * C),
}


def fourier_net_file() -> dict[str, torch.Tensor]:
    used = {"ec7": (8 * C, 8 * C), "ec8": (8 * C, 16 * C), "ec9": (16 * C, 8 * C)}
    expanding = {"r_dc1": (16 * C, 8 * C), "r_dc2": (8 * C, 4 * C), "r_dc3": (8 * C, 4 * C), "r_dc4": (4 * C, 2 * C)}
    unused = {"r_dc5": (4 * C, 4 * C), "r_dc6": (4 * C, 2 * C), "r_dc7": (3 * C, 2 * C), "r_dc8": (2 * C, 2 * C)}
    up = {"r_up1": 8 * C, "r_up2": 4 * C, "r_up3": 2 * C, "r_up4": 2 * C}
    return state_of(CONTRACTING | used | expanding | unused, up, "rr_dc9", 2 * C)


def cascade_file() -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    expanding = {"ec7": (8 * C, 4 * C), "dc1": (4 * C, 4 * C), "dc2": (4 * C, 2 * C), "dc3": (2 * C, C)}
    one = state_of(CONTRACTING | expanding, {"up1": 4 * C, "up2": 2 * C}, "dc9", C)
    for number in range(1, 5):
        found |= {f"net{number}.{key}": tensor * number for key, tensor in one.items()}
    return found


def saved(state: object, folder: Path) -> Path:
    path = folder / "DiceVal_0.7.pth"
    torch.save(state, path)
    return path


def through(state: dict[str, torch.Tensor], name: str, values: torch.Tensor) -> torch.Tensor:
    """A layer of the file, by its own key."""
    weight, bias, slope = (state[f"{name}.{part}"] for part in ("0.weight", "0.bias", "1.weight"))
    if "up" in name:
        return nn.functional.prelu(nn.functional.conv_transpose2d(values, weight, bias, stride=2), slope)
    stride = 2 if name.endswith(("ec2", "ec4", "ec6", "ec8")) else 1
    return nn.functional.prelu(nn.functional.conv2d(values, weight, bias, stride=stride, padding=1), slope)


def test_fourier_net_with_a_file_is_what_the_file_says(tmp_path: Path) -> None:
    """Written out layer by layer, in the order in which the paper's network uses the file's keys."""
    state = fourier_net_file()
    network = FourierNet(2, C)
    load_released(network, saved(state, tmp_path))
    moving, fixed = torch.rand((2, 1, 1, 32, 48))
    levels, values = [], torch.cat([moving, fixed], dim=1)
    for first, second in (("eninput", "ec1"), ("ec2", "ec3"), ("ec4", "ec5"), ("ec6", "ec7"), ("ec8", "ec9")):
        values = through(state, second, through(state, first, values))
        levels.append(values)
    for up, level, first, second in (("r_up1", 3, "r_dc1", "r_dc2"), ("r_up2", 2, "r_dc3", "r_dc4")):
        values = torch.cat([through(state, up, values), levels[level]], dim=1)
        values = through(state, second, through(state, first, values))
    patch = nn.functional.conv2d(values, state["rr_dc9.0.weight"], padding=1) * 64
    expected = by_transforms(patch, (32, 48)).float()
    assert torch.allclose(network(moving, fixed).field, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


def test_a_cascade_with_a_file_is_what_the_file_says(tmp_path: Path) -> None:
    state = cascade_file()
    network = FourierNetPlus(2, C, cascades=2)
    load_released(network, saved(state, tmp_path))  # of four, the first two
    moving, fixed = torch.rand((2, 1, 1, 16, 32))

    def one(number: int, seen: torch.Tensor) -> torch.Tensor:
        values = torch.cat([by_transforms(images, (8, 16)).float() for images in (seen, fixed)], dim=1)
        for name in ("eninput", *(f"ec{each}" for each in range(1, 8)), "up1", "dc1", "dc2", "up2", "dc3"):
            values = through(state, f"net{number}.{name}", values)
        patch = nn.functional.conv2d(values, state[f"net{number}.dc9.0.weight"], padding=1)
        return by_transforms(patch, (16, 32)).float()

    first = one(1, moving)
    second = one(2, warp(moving, first, "border"))
    expected = warp(first, second, "border") + second
    assert torch.allclose(network(moving, fixed).field, expected, rtol=1e-3, atol=1e-3 * expected.abs().max().item())


@pytest.mark.parametrize(
    "network", [FourierNet(2, C), FourierNetPlus(2, C, cascades=3), FourierNetPlus(3, C, skip=True)], ids=repr
)
def test_every_tensor_has_a_key_of_its_own(network: RegistrationNetwork) -> None:
    keys = released_keys(network)
    assert set(keys) == set(network.state_dict())
    assert len(set(keys.values())) == len(keys)


def test_keys_of_a_network_that_skips() -> None:
    keys = released_keys(FourierNetPlus(3, C, skip=True))
    assert keys["cascade.0.expanding.enlargements.2.0.weight"] == "net1.up3.0.weight"
    assert keys["cascade.0.expanding.levels.2.1.0.bias"] == "net1.dc6.0.bias"
    assert keys["cascade.0.patch.weight"] == "net1.dc9.0.weight"


def test_a_file_that_lacks_a_tensor_changes_nothing(tmp_path: Path) -> None:
    state, network = fourier_net_file(), FourierNet(2, C)
    del state["r_dc4.1.weight"]
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    with pytest.raises(ValueError, match=r"DiceVal_0.7.pth has no tensor 'r_dc4.1.weight'"):
        load_released(network, saved(state, tmp_path))
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())


def test_a_file_of_another_width(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'eninput.0.weight' of \(2, 2, 3, 3\); this network needs \(4, 2, 3, 3\)"):
        load_released(FourierNet(2, 2 * C), saved(fourier_net_file(), tmp_path))


@pytest.mark.parametrize("state", [[1, 2], torch.zeros(3), {"eninput.0.weight": "text"}])
def test_a_file_of_something_else(state: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no weights by name|has no tensor"):
        load_released(FourierNet(2, C), saved(state, tmp_path))


def test_a_file_that_is_no_file_of_weights(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    for written in (b"", b"not weights", saved(Path("/"), tmp_path).read_bytes()):
        path.write_bytes(written)
        with pytest.raises(ValueError, match=r"weights\.pth is no file of weights"):
            load_released(FourierNet(2, C), path)
    with pytest.raises(ValueError, match=r"absent\.pth is no file of weights"):
        load_released(FourierNet(2, C), tmp_path / "absent.pth")


def test_a_network_that_was_not_released() -> None:
    with pytest.raises(ValueError, match=r"no released weights"):
        released_keys(RegistrationNetwork(2, C, diffeomorphic=False, padding="zeros"))
