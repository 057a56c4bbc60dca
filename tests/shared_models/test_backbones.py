from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from shared_models.backbones import file_digest, read_state
from shared_models.front_ends import FrontEnd, create_front_end
from shared_models.torchvision_operators import load_torchvision

IMAGE = np.random.default_rng(0).integers(0, 255, (50, 70), dtype=np.uint8)
ARCHITECTURE = "test_resnet"


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """Weights of a small network with its classifier, made here."""
    load_torchvision()
    import timm

    torch.manual_seed(0)
    network = timm.create_model(ARCHITECTURE, pretrained=False, num_classes=5)
    return {name: tensor.contiguous() for name, tensor in network.state_dict().items()}


@pytest.fixture
def weights(state: dict[str, torch.Tensor], tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    return path


def backbone(path: Path | None, **config: str | int) -> FrontEnd:
    return create_front_end("timm", weights_file=path, **{"architecture": ARCHITECTURE, "size": 64, **config})


def test_features_are_pooled_of_unit_length_with_a_constant(weights: Path) -> None:
    front_end = backbone(weights)
    vector = front_end(IMAGE)
    assert vector.shape == (front_end.features,)
    assert np.linalg.norm(vector[:-1]) == pytest.approx(1.0)
    assert vector[-1] == 1.0
    assert np.array_equal(vector, backbone(weights)(IMAGE))


def test_the_configuration_names_the_weights(weights: Path) -> None:
    front_end = backbone(weights)
    assert front_end.config == {"architecture": ARCHITECTURE, "size": 64, "weights": file_digest(weights)}
    again = create_front_end("timm", weights_file=weights, **front_end.config)
    assert again.digest == front_end.digest


def test_a_state_dict_and_safetensors_give_the_same_features(
    state: dict[str, torch.Tensor], weights: Path, tmp_path: Path
) -> None:
    torch.save({"state_dict": state}, tmp_path / "weights.pth")
    other = backbone(tmp_path / "weights.pth")
    assert np.array_equal(other(IMAGE), backbone(weights)(IMAGE))
    assert other.digest != backbone(weights).digest


def test_another_file_size_or_architecture_has_another_digest(weights: Path) -> None:
    digest = backbone(weights).digest
    assert backbone(weights, size=96).digest != digest
    assert create_front_end("timm", weights_file=weights, architecture=ARCHITECTURE).digest != digest


def test_one_changed_weight_is_another_front_end(state: dict[str, torch.Tensor], weights: Path, tmp_path: Path) -> None:
    named = backbone(weights).config
    changed = {name: tensor.clone() for name, tensor in state.items()}
    changed["conv1.weight" if "conv1.weight" in changed else next(iter(changed))].view(-1)[0] += 1e-3
    save_file(changed, tmp_path / "changed.safetensors")
    with pytest.raises(ValueError, match="the front end was made with sha256:"):
        create_front_end("timm", weights_file=tmp_path / "changed.safetensors", **named)


@pytest.mark.parametrize("name", ["resnet_of_mine", "hf-hub:timm/resnet18.a1_in1k", "hf_hub:timm/resnet18"])
def test_names_that_are_not_timms_own_are_refused(weights: Path, name: str) -> None:
    with pytest.raises(ValueError, match="timm has no architecture"):
        create_front_end("timm", weights_file=weights, architecture=name)


@pytest.mark.parametrize("config", [{}, {"architecture": 3}, {"architecture": "resnet18", "pretrained": True}])
def test_wrong_configurations_are_told(weights: Path, config: dict[str, str | int | bool]) -> None:
    with pytest.raises(ValueError, match="a timm front end takes architecture, size, weights"):
        create_front_end("timm", weights_file=weights, **config)


def test_missing_weights_are_told(tmp_path: Path) -> None:
    for path in (None, tmp_path / "none.safetensors"):
        with pytest.raises(ValueError, match="of the timm front end is not there"):
            backbone(path)


def test_weights_that_do_not_fit_are_told(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    names = list(state)
    for number, wrong in enumerate(
        (
            {name: state[name] for name in names[1:]},
            {**state, "extra.weight": torch.zeros(1)},
            {**state, names[0]: torch.zeros(2, 2)},
        )
    ):
        path = tmp_path / f"{number}.safetensors"
        save_file(wrong, path)
        with pytest.raises(ValueError, match="the weights do not fit"):
            backbone(path)


class Attack:
    """Would run code when unpickled without care."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("attacked"),))  # type: ignore[return-value]


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_files_that_are_no_weights_are_told(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(b"not weights")
    with pytest.raises(ValueError, match="cannot be read as weights"):
        read_state(tmp_path / name)
    torch.save({"weight": Attack()}, tmp_path / name)
    with pytest.raises(ValueError, match="cannot be read as weights"):
        read_state(tmp_path / name)
    assert not (tmp_path / "attacked").exists()


def test_a_file_without_tensors_is_told(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match="holds no state dict"):
        read_state(tmp_path / "w.pth")
