from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from shared_models import checkpoint
from shared_models.checkpoint import KEY, digest_of, read_checkpoint, replace_file, write_checkpoint
from tests.shared_models.training_toys import same

TENSORS = {
    "images": torch.arange(24.0).view(1, 2, 3, 4).to(memory_format=torch.channels_last),
    "half": torch.tensor([1.5, float("nan")], dtype=torch.bfloat16),
    "count": torch.tensor(7),
    "none": torch.zeros(0, 3),
    "flag": torch.tensor([True, False]),
}
SAID: dict[str, Any] = {"rate": 0.1, "none": None, "history": [{"loss": 1 / 3}]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_checkpoint(tmp_path / "a.safetensors", TENSORS, SAID)
    return tmp_path / "a.safetensors"


def test_it_reads_back_bit_by_bit(path: Path) -> None:
    tensors, said = read_checkpoint(path)
    assert said == SAID
    assert digest_of(tensors) == digest_of(TENSORS)
    assert same(
        {name: tensor.nan_to_num(3.0) for name, tensor in tensors.items() if name != "flag"},
        {name: tensor.nan_to_num(3.0) for name, tensor in TENSORS.items() if name != "flag"},
    )
    assert {name: tensor.dtype for name, tensor in tensors.items()} == {name: t.dtype for name, t in TENSORS.items()}


def test_any_reader_of_safetensors_can_look_into_it(path: Path) -> None:
    with safe_open(path, "np") as file:
        assert json.loads(file.metadata()[KEY])["said"] == SAID
        assert int(file.get_tensor("count")) == 7


def test_the_same_is_written_as_the_same_bytes(path: Path, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "b.safetensors", dict(reversed(TENSORS.items())), SAID)
    assert (tmp_path / "b.safetensors").read_bytes() == path.read_bytes()


def test_any_bit_that_turned_is_found(path: Path) -> None:
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"a.safetensors: is damaged; remove .* and begin anew$"):
            read_checkpoint(path)


@pytest.mark.parametrize("length", [0, 5, 100, -1])
def test_what_was_cut_is_damaged(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"a.safetensors: is damaged; remove .* and begin anew"):
        read_checkpoint(path)


@pytest.mark.parametrize("metadata", [None, {}, {KEY: "no JSON"}, {KEY: "[]"}, {KEY: '{"said": {}}'}])
def test_what_is_no_checkpoint_is_damaged(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    save_file({"count": torch.tensor(7)}, tmp_path / "a.safetensors", metadata)
    with pytest.raises(ValueError, match="is damaged"):
        read_checkpoint(tmp_path / "a.safetensors")


def test_what_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none.safetensors: cannot be read \(No such file or directory"):
        read_checkpoint(tmp_path / "none.safetensors")


def test_names_types_and_shapes_are_in_the_digest() -> None:
    one = torch.zeros(4)
    digests = {digest_of(state) for state in ({"a": one}, {"b": one}, {"a": one.view(2, 2)}, {"a": one.int()})}
    assert len(digests) == 4
    assert digest_of({"a": one, "b": one + 1}) == digest_of({"b": one + 1, "a": one})


def test_killed_while_writing_the_old_file_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(_descriptor: int) -> None:
        raise KeyboardInterrupt

    before = path.read_bytes()
    monkeypatch.setattr(checkpoint.os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        replace_file(path, b"half")
    assert [found.name for found in path.parent.iterdir()] == ["a.safetensors"]
    assert path.read_bytes() == before


def test_what_a_killed_writer_left_goes(path: Path) -> None:
    path.with_name(f".{path.name}.part").write_bytes(b"half of something longer")
    replace_file(path, b"whole")
    assert [found.name for found in path.parent.iterdir()] == ["a.safetensors"]
    assert path.read_bytes() == b"whole"


def test_where_nothing_can_be_written_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(ValueError, match=r"a/b: cannot be written \(Not a directory\)"):
        replace_file(tmp_path / "a" / "b", b"")
