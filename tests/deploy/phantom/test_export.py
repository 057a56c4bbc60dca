"""Every layout: whole, named, and the same bytes from the same seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.phantom.export import EXPORTS, export_plan
from deploy.phantom.provenance import read_provenance
from deploy.phantom.workplace import fill
from federated.errors import ConsiliumError


def _fill(folder: Path, name: str, seed: int = 2) -> Path:
    fill(folder, export_plan(name, patients=1, seed=seed, frames=4, size=64))
    return folder


@pytest.mark.parametrize("name", EXPORTS)
def test_the_same_seed_gives_the_same_bytes(
    name: str, tmp_path: Path, tree: Callable[[Path], dict[str, bytes]]
) -> None:
    first, again, other = (
        tree(_fill(tmp_path / folder, name, seed)) for folder, seed in (("a", 2), ("b", 2), ("c", 3))
    )
    assert first == again
    coded = (b"\x89PNG", b"RIFF", b"\x1f\x8b")
    pixels = [
        {data for data in files.values() if data.startswith(coded) or len(data) > 4000} for files in (first, other)
    ]
    assert pixels[0]
    assert not pixels[0] & pixels[1]


@pytest.mark.parametrize("name", EXPORTS)
def test_every_folder_says_that_it_is_a_phantom(name: str, tmp_path: Path) -> None:
    text = (_fill(tmp_path, name) / "PHANTOM.txt").read_text()
    assert "no patient" in text
    assert f"consilium phantom export --as {name} --patients 1" in text
    said = read_provenance(tmp_path)
    assert said
    assert said.complete


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "dicomm"}, "--as: there is no layout 'dicomm'; known are echonet-dynamic, "),
        ({"patients": 0}, "--patients: 0"),
        ({"frames": 1}, "--frames: 1 is not from 4"),
        ({"size": 5}, "--size: 5"),
        ({"seed": -3}, "--seed: -3"),
    ],
)
def test_what_cannot_be_exported_is_one_line(change: dict, says: str) -> None:
    with pytest.raises(ConsiliumError) as told:
        export_plan(**{"name": "camus", "patients": 1, "seed": 1, "frames": 8, "size": 0, **change})
    assert str(told.value).startswith(says)


def test_another_layout_does_not_go_into_the_same_folder(tmp_path: Path) -> None:
    _fill(tmp_path, "unity")
    with pytest.raises(ConsiliumError, match="was made with as unity, not tmed2"):
        _fill(tmp_path, "tmed2")
