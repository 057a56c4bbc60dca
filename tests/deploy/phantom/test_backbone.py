from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file

from deploy.phantom import backbone
from deploy.phantom.backbone import BackboneOrder, check_order, train_backbone
from deploy.phantom.backbone_record import BackboneRecord, read_record
from federated.errors import ConsiliumError
from shared_models.backbones import file_digest
from shared_models.front_ends import create_front_end

ORDER = BackboneOrder(architecture="test_resnet", images=52, epochs=4, size=32, seed=6)
OPTIONS = ("--architecture", "test_resnet", "--images", "52", "--epochs", "4", "--size", "32", "--seed", "6")
CONFIG: dict[str, str | int] = {"architecture": "test_resnet", "size": 32}
IMAGE = np.random.default_rng(1).integers(0, 255, (60, 80), dtype=np.uint8)
LOOK = """
import sys
from pathlib import Path
import numpy as np
from shared_models.front_ends import create_front_end
front_end = create_front_end("timm", weights_file=Path(sys.argv[1]), architecture="test_resnet", size=32)
image = np.random.default_rng(1).integers(0, 255, (60, 80), dtype=np.uint8)
print(front_end.digest, front_end(image).tobytes().hex())
"""


@pytest.fixture(scope="module", autouse=True)
def on_a_cpu() -> Iterator[None]:
    """Only there is every bit the same again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        patch.setattr(backbone, "chosen_device", lambda _device: torch.device("cpu"))
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone whose training nothing interrupted."""
    path = tmp_path_factory.mktemp("trained") / "start.safetensors"
    train_backbone(path, ORDER)
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "consilium", "phantom", "backbone", *words]


def stopped(words: Sequence[str], line: str, number: signal.Signals) -> str:
    """Runs the command until it says a line, and sends it a signal; what it said after that."""
    process = subprocess.Popen(command(*words), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    try:
        said = next((said for said in process.stderr if said.startswith(line)), "")
        assert said, f"it never said '{line}'"
        process.send_signal(number)
        return process.stderr.read()
    finally:
        process.wait(60)
        process.stderr.close()
        assert process.returncode != 0


def test_the_front_end_reads_it_as_it_is_in_a_fresh_process(trained: Path) -> None:
    front_end = create_front_end("timm", weights_file=trained, **CONFIG)
    fresh = subprocess.run([sys.executable, "-c", LOOK, str(trained)], capture_output=True, text=True, check=True)
    assert fresh.stdout.split() == [front_end.digest, front_end(IMAGE).tobytes().hex()]
    assert np.linalg.norm(front_end(IMAGE)[:-1]) == pytest.approx(1.0)


def test_the_record_says_what_it_is(trained: Path) -> None:
    record = read_record(trained.with_suffix(".json"))
    assert record.note.startswith("PHANTOM: ")
    assert record.digest == file_digest(trained)
    assert (record.patients, record.images, record.patients_held_out, record.images_held_out) == (12, 48, 1, 4)
    assert record.command == "consilium phantom backbone FILE.safetensors " + " ".join(OPTIONS)
    assert len(record.history) == 4
    assert all(0 <= epoch.labels_right <= min(epoch.views_right, epoch.contrast_right) for epoch in record.history)
    assert record.optimiser["optimiser"] == "AdamW"
    with safe_open(trained, "np") as file:
        inside = json.loads(file.metadata()["consilium"])
    assert inside == json.loads(record.model_dump_json(exclude={"files", "digest"}))


def test_nothing_is_left_beside_them(trained: Path) -> None:
    assert sorted(path.name for path in trained.parent.iterdir()) == ["start.json", "start.safetensors"]


def test_stopped_twice_it_goes_on_to_the_same_bytes(trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "start.safetensors"
    said = stopped([str(path), *OPTIONS], "epoch 1 of 4", signal.SIGINT)
    assert "interrupted; the same command again goes on" in said
    assert "Traceback" not in said
    assert not path.exists()
    stopped([str(path), *OPTIONS], "epoch 2 of 4", signal.SIGKILL)
    names = set(files(tmp_path))
    assert "start.safetensors.unfinished/checkpoint.safetensors" in names
    assert not [name for name in names if name.endswith((".pt", ".pth", ".pkl"))]
    lines: list[str] = []
    train_backbone(path, ORDER, lines.append)
    assert lines[0].startswith(("epoch 3 of 4", "epoch 4 of 4"))  # what was done was not done again
    assert files(tmp_path) == files(trained.parent)


def test_the_same_again_is_there_already(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbone, "all_parts", lambda *_: pytest.fail("frames were made"))
    before = files(trained.parent)
    assert train_backbone(trained, ORDER) == read_record(trained.with_suffix(".json"))
    assert files(trained.parent) == before


def test_other_parameters_in_the_same_place_are_refused(trained: Path) -> None:
    with pytest.raises(ConsiliumError, match=r"start.safetensors: was made with seed 6, not 7; choose another file"):
        train_backbone(trained, replace(ORDER, seed=7))
    with pytest.raises(ConsiliumError, match=r"was made with machines albatross, .*, not godwit"):
        train_backbone(trained, replace(ORDER, machines=("godwit",)))


class Stopped(Exception):  # noqa: N818
    """Somebody pulled the plug."""


def begin(path: Path) -> Path:
    """Trains one epoch and stops; the folder of the unfinished work."""

    def stop(_line: str) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        train_backbone(path, ORDER, stop)
    return path.with_name(path.name + ".unfinished")


def test_unfinished_work_is_not_mixed_with_other_work(tmp_path: Path) -> None:
    path = tmp_path / "start.safetensors"
    folder = begin(path)
    before = files(tmp_path)
    with pytest.raises(ConsiliumError, match=r"unfinished: was made with epochs 4, not 5; choose another file"):
        train_backbone(path, replace(ORDER, epochs=5))
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(ConsiliumError, match=r"unfinished: is in use by another process; wait for it"):
        train_backbone(path, ORDER)
    os.close(descriptor)
    assert files(tmp_path) == before
    (folder / "checkpoint.safetensors").write_bytes(b"not tensors")
    with pytest.raises(ConsiliumError, match=r"checkpoint.safetensors: is damaged; remove .* and begin anew"):
        train_backbone(path, ORDER)


def test_killed_between_the_record_and_the_weights_it_goes_on(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "start.safetensors"
    write = backbone.write_whole

    def killed(where: Path, data: bytes) -> None:
        if where == path:
            raise Stopped
        write(where, data)

    monkeypatch.setattr(backbone, "write_whole", killed)
    with pytest.raises(Stopped):
        train_backbone(path, ORDER)
    assert (tmp_path / "start.json").exists()
    monkeypatch.undo()
    train_backbone(path, ORDER)
    assert files(tmp_path) == files(trained.parent)


def test_what_is_there_and_something_else_stays(trained: Path, tmp_path: Path) -> None:
    for name, kept, line in (
        ("a.safetensors", "a.safetensors", "a.safetensors: is there already and is no start backbone"),
        ("b.safetensors", "b.json", "b.json: is there already"),
    ):
        (tmp_path / kept).write_text("mine")
        with pytest.raises(ConsiliumError, match=line):
            train_backbone(tmp_path / name, ORDER)
        assert (tmp_path / kept).read_text() == "mine"
    shutil.copy(trained, tmp_path / "c.safetensors")
    (tmp_path / "c.json").write_bytes(
        trained.with_suffix(".json").read_bytes().replace(b'"digest": "sha', b'"digest": "ska')
    )
    with pytest.raises(ConsiliumError, match=r"c.safetensors: is not what c.json says"):
        train_backbone(tmp_path / "c.safetensors", ORDER)
    assert not list(tmp_path.glob("*.unfinished"))


@pytest.mark.parametrize(
    ("name", "change", "line"),
    [
        ("x.pth", {}, r"x.pth: does not end in .safetensors"),
        ("none/x.safetensors", {}, r"none: there is no such folder"),
        ("x.safetensors", {"images": 0}, r"--images: 0 is not from 32 to 100000"),
        ("x.safetensors", {"epochs": 0}, r"--epochs: 0 is not from 1 to"),
        ("x.safetensors", {"size": 31}, r"--size: 31 is not from 32 to 512"),
        ("x.safetensors", {"seed": -1}, r"--seed: -1 is negative"),
        ("x.safetensors", {"architecture": "heart"}, r"--architecture: timm has no architecture 'heart'"),
        ("x.safetensors", {"architecture": "vit_giant_patch14_224"}, r"has 385\d MiB of weights, more than 64"),
        ("x.safetensors", {"architecture": "vit_tiny_patch16_224"}, r"takes no images of 32 pixels"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is(
    tmp_path: Path, name: str, change: dict[str, str | int], line: str
) -> None:
    with pytest.raises(ConsiliumError, match=line) as told:
        train_backbone(tmp_path / name, replace(ORDER, **change))  # type: ignore[arg-type]
    assert "\n" not in str(told.value)
    assert not list(tmp_path.iterdir())


def test_the_default_fits() -> None:
    check_order(Path("start.safetensors"), BackboneOrder())


def test_threads_are_as_before(trained: Path, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    begin(tmp_path / "start.safetensors")
    assert torch.get_num_threads() == before
    assert read_record(trained.with_suffix(".json")).threads == len(os.sched_getaffinity(0))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_what_began_on_a_device_goes_on_there_alone(trained: Path, tmp_path: Path) -> None:
    assert read_record(trained.with_suffix(".json")).device == "cpu"
    record = begin(tmp_path / "start.safetensors") / "record.json"
    record.write_text(record.read_text().replace('"device": "cpu"', '"device": "cuda"'))
    with pytest.raises(ConsiliumError, match=r"^training: there is no CUDA device; choose the CPU$"):
        train_backbone(tmp_path / "start.safetensors", ORDER)


def test_the_command_says_what_it_made(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained.parent, tmp_path / "there")
    path = tmp_path / "there" / "start.safetensors"
    done = subprocess.run(command(str(path), *OPTIONS), capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{path}: ")
    assert done.stdout.rstrip().endswith("of views right in 1 phantom patients held out; no patient")


def test_the_classifier_is_in_the_file(trained: Path) -> None:
    record: BackboneRecord = read_record(trained.with_suffix(".json"))
    assert [len(tensor) for name, tensor in load_file(trained).items() if name.startswith("fc.")] == [26, 26]
    assert len(record.classes) == 26
