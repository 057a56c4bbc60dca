from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from deploy.phantom.backbone_record import (
    BackboneRecord,
    Epoch,
    read_record,
    record_bytes,
    record_difference,
    versions,
    what_is_asked,
)
from deploy.phantom.provenance import provenance_of
from federated.errors import ConsiliumError


def record(seed: int = 1, images: str = "64", machines: tuple[str, ...] = ("godwit",)) -> BackboneRecord:
    return BackboneRecord(
        **what_is_asked(seed, {"architecture": "resnet10t", "images": images}).model_dump(exclude={"note"}),
        architecture="resnet10t",
        size=112,
        classes=("A4C", "A4C+contrast"),
        machines=machines,
        populations={"healthy": 1.0},
        patients=14,
        images=56,
        patients_held_out=2,
        images_held_out=8,
        optimiser={"optimiser": "AdamW", "rate": 1e-3},
        libraries=versions(),
        threads=2,
        history=(Epoch(loss=2.5, labels_right=0.25, views_right=0.5, contrast_right=1.0),),
    )


def test_it_reads_back_and_says_that_it_is_a_phantom(tmp_path: Path) -> None:
    (tmp_path / "start.json").write_bytes(record_bytes(record()))
    assert read_record(tmp_path / "start.json") == record()
    said = json.loads(record_bytes(record()))
    assert said["note"].startswith("PHANTOM: ")
    assert said["generator"] == "phantom"
    assert said["command"] == (
        "consilium phantom backbone FILE.safetensors --architecture resnet10t --images 64 --seed 1"
    )
    assert said["libraries"]["torch"].startswith("2.")


def test_the_code_of_the_training_counts_too() -> None:
    source = what_is_asked(1, {}).source
    assert source.startswith("sha256:")
    assert len(source) == len("sha256:") + hashlib.sha256().digest_size * 2
    assert source != provenance_of("backbone", 1, {}).source


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (record(), ""),
        (record(seed=2), "seed 1, not 2"),
        (record(images="72"), "images 64, not 72"),
        (record(machines=("eider", "dunlin")), "machines godwit, not eider, dunlin"),
        (record().model_copy(update={"source": "sha256:0"}), f"code {record().source}, not sha256:0"),
    ],
)
def test_the_first_difference_is_named(other: BackboneRecord, said: str) -> None:
    assert record_difference(record(), other) == said


def test_what_is_no_record_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match=r"start.json: cannot be read \(No such file"):
        read_record(tmp_path / "start.json")
    (tmp_path / "start.json").write_text('{"generator": "phantom"}')
    with pytest.raises(ConsiliumError, match=r"start.json: is no start backbone's; choose another file"):
        read_record(tmp_path / "start.json")
