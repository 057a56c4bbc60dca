from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from shared_models.training import train
from shared_models.training_folder import TrainingFolder
from shared_models.training_state import TrainingState
from tests.shared_models.training_toys import RECIPE, Toy, same


def folder_of(path: Path, task: Toy, **change: Any) -> TrainingFolder:
    return TrainingFolder(path, replace(RECIPE, **change), task.examples, task.network)


def test_what_is_written_is_gone_on_from(tmp_path: Path) -> None:
    task, again = Toy(), Toy()
    kept, other = folder_of(tmp_path / "a" / "b", task), folder_of(tmp_path / "a" / "b", again)
    state, found = TrainingState(task.network, RECIPE), TrainingState(again.network, RECIPE)
    torch.nn.init.ones_(task.network[0].weight)
    state.history = [{"epoch": 1, "loss": 1 / 3, "right": float("nan")}]
    kept.write(state)
    other.resume(found)
    assert same(found.tensors(), state.tensors())
    assert str(found.history) == str(state.history)  # not a number is not itself
    assert (tmp_path / "a" / "b" / "metrics.jsonl").read_text() == (
        '{"epoch": 1, "loss": 0.3333333333333333, "right": null}\n'
    )


def test_an_empty_folder_changes_nothing(tmp_path: Path) -> None:
    task = Toy()
    state = TrainingState(task.network, RECIPE)
    folder_of(tmp_path, task).resume(state)
    assert state.history == []
    assert same(task.network.state_dict(), Toy().network.state_dict())


@pytest.mark.parametrize(
    ("task", "change", "line"),
    [
        (Toy(), {"rate": 0.02}, "rate 0.01, not 0.02"),
        (Toy(), {"clip": None}, "clip 1.0, not None"),
        (Toy(), {"seed": 4, "epochs": 9}, "epochs 4, not 9"),
        (Toy(examples=49), {}, "50 examples, not 49"),
        (Toy(seed=1), {}, "it began with another network or other weights"),
    ],
)
def test_another_training_is_refused_in_one_line(tmp_path: Path, task: Toy, change: dict[str, Any], line: str) -> None:
    folder_of(tmp_path, Toy()).write(TrainingState(Toy().network, RECIPE))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="of another training") as told:
        train(task, replace(RECIPE, **change), folder=tmp_path, device="cpu")
    where = tmp_path / "checkpoint.safetensors"
    assert str(told.value) == f"{where}: is of another training ({line}); choose another folder"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_damaged_checkpoint_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(b"not tensors")
    with pytest.raises(ValueError, match=r"checkpoint.safetensors: is damaged; remove .* and begin anew"):
        train(Toy(), RECIPE, folder=tmp_path, device="cpu")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(ValueError, match=r"a: cannot be made \(File exists\)"):
        folder_of(tmp_path / "a", Toy())
