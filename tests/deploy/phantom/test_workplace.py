"""Files are whole or not there; what was interrupted goes on, and ends with the same bytes."""

from __future__ import annotations

import errno
import fcntl
import os
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from deploy.phantom.provenance import PROVENANCE, Provenance, provenance_of, read_provenance
from deploy.phantom.tables import csv_file
from deploy.phantom.workplace import NOTES, File, Line, Lines, Outcome, Part, Plan, fill
from federated.errors import ConsiliumError

Tree = Callable[[Path], dict[str, bytes]]


def _plan(count: int = 3, seed: int = 1, size: int = 10, stop_at: int = -1) -> Plan:
    def make(number: int) -> Iterator[File | Line]:
        yield File(f"data/{number}.bin", bytes([number % 256]) * size)
        if number == stop_at:
            raise KeyboardInterrupt
        yield Line("list.csv", (str(number), "x"))

    def tables(lines: Lines) -> Iterator[File]:
        yield csv_file("list.csv", ("number", "what"), lines("list.csv"))

    parts = [Part(f"a/{number}", partial(make, number)) for number in range(count)]
    return Plan(provenance_of("generate", seed, {"patients": str(count)}), "About it.", parts, tables)


def _numbered(number: int) -> Iterator[File | Line]:
    yield File(f"{number}.bin", b"%d in process" % number)
    yield Line("list.csv", (str(number), str(os.getpid())))


def test_a_folder_that_lost_a_file_is_not_called_whole(tmp_path: Path) -> None:
    fill(tmp_path / "out", _plan())
    (tmp_path / "out" / "list.csv").unlink()
    with pytest.raises(ConsiliumError, match="holds 4 of its 5 files"):
        fill(tmp_path / "out", _plan())


def test_two_processes_share_the_work_and_the_order_is_kept(tmp_path: Path, tree: Tree) -> None:
    plan = replace(_plan(), parts=[Part(f"a/{number}", partial(_numbered, number)) for number in range(60)])
    assert fill(tmp_path / "out", plan, processes=2) == Outcome(files=62, made=60, found=0)
    _, *lines = tree(tmp_path / "out")["list.csv"].decode().splitlines()
    numbers, workers = zip(*(line.split(",") for line in lines), strict=True)
    assert numbers == tuple(str(number) for number in range(60))
    assert str(os.getpid()) not in workers


def _said(folder: Path) -> Provenance:
    said = read_provenance(folder)
    assert said
    return said


def test_everything_is_written_and_digested(tmp_path: Path, tree: Tree) -> None:
    assert fill(tmp_path / "out", _plan()) == Outcome(files=5, made=3, found=0)
    files = tree(tmp_path / "out")
    assert sorted(files) == ["PHANTOM.txt", "data/0.bin", "data/1.bin", "data/2.bin", "list.csv", PROVENANCE]
    assert files["list.csv"] == b"number,what\n0,x\n1,x\n2,x\n"
    said = _said(tmp_path / "out")
    assert said.files == 5
    lines = "".join(f"{sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files) if name != PROVENANCE)
    assert said.digest == f"sha256:{sha256(lines.encode()).hexdigest()}"


def test_the_digest_is_over_names_and_bytes(tmp_path: Path) -> None:
    fill(tmp_path / "one", _plan())
    fill(tmp_path / "same", _plan())
    fill(tmp_path / "other", _plan(size=11))
    digests = [_said(tmp_path / name).digest for name in ("one", "same", "other")]
    assert digests[0] == digests[1] != digests[2]


def test_interrupted_work_goes_on_to_the_same_bytes(tmp_path: Path, tree: Tree) -> None:
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "out", _plan(stop_at=1))
    assert not (tmp_path / "out" / "list.csv").exists()
    assert [path.name for path in (tmp_path / "out" / NOTES).iterdir()] == ["a+0.json"]
    assert not _said(tmp_path / "out").complete
    assert fill(tmp_path / "out", _plan()) == Outcome(files=5, made=2, found=1)
    fill(tmp_path / "whole", _plan())
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_finished_folder_is_left_as_it_is(tmp_path: Path) -> None:
    fill(tmp_path, _plan())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert fill(tmp_path, _plan()) == Outcome(files=5, made=0, found=3)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_another_seed_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, _plan())
    with pytest.raises(ConsiliumError, match=r"was made with seed 1, not 2; choose another folder"):
        fill(tmp_path, _plan(seed=2))


def test_somebody_elses_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ConsiliumError, match="is not empty and holds no phantom"):
        fill(tmp_path, _plan())
    with pytest.raises(ConsiliumError, match="is a file"):
        fill(tmp_path / "thesis.txt", _plan())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_two_at_once_are_kept_apart(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(ConsiliumError, match="by another process"):
            fill(tmp_path, _plan())
    finally:
        os.close(descriptor)


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(
    tmp_path: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if data.startswith(b"\2"):
            write(path, data[:4])
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, data)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(ConsiliumError, match="the disk is full"):
            fill(tmp_path / "out", _plan())
    assert {name for name in tree(tmp_path / "out") if name.endswith((".bin", ".part"))} == {"data/0.bin", "data/1.bin"}
    fill(tmp_path / "out", _plan())
    fill(tmp_path / "whole", _plan())
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_memory_does_not_grow_with_the_number_of_files(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        fill(tmp_path, _plan(count=60, size=1_000_000))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000
