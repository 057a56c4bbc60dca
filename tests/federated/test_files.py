from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.errors import ConsiliumError
from federated.files import write_new, write_whole


def _raise(code: int) -> None:
    raise OSError(code, os.strerror(code))


@given(data=st.binary(max_size=2000))
def test_what_is_written_is_read(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("files") / "a.bin"
    write_whole(path, b"before")
    write_whole(path, data)
    assert path.read_bytes() == data


def test_mode_is_the_one_asked_for(tmp_path: Path) -> None:
    write_whole(tmp_path / "open", b"x")
    write_whole(tmp_path / "closed", b"x", mode=0o600)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("open", "closed")] == [0o644, 0o600]


def test_the_umask_narrows_the_mode(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_whole(tmp_path / "closed", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "closed").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_full_disk_keeps_the_old_file_and_leaves_nothing(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.toml"
    write_whole(path, b"old")
    monkeypatch.setattr(os, step, lambda *_, **__: _raise(errno.ENOSPC))
    with pytest.raises(ConsiliumError) as refusal:
        write_whole(path, b"new")
    assert str(refusal.value) == f"{path}: the disk is full; free some space and run the command again"
    assert [file.name for file in tmp_path.iterdir()] == ["a.toml"]
    assert path.read_bytes() == b"old"


def test_killed_while_writing_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.toml"
    write_whole(path, b"old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"


def test_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match=r"cannot be written \(No such file or directory\)"):
        write_whole(tmp_path / "missing" / "a", b"x")


def test_new_file_is_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "secret"
    write_new(path, b"first")
    with pytest.raises(ConsiliumError, match="never overwritten"):
        write_new(path, b"second")
    assert path.read_bytes() == b"first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secret"]


def test_full_disk_leaves_no_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: _raise(errno.ENOSPC))
    with pytest.raises(ConsiliumError, match="the disk is full"):
        write_new(tmp_path / "secret", b"x")
    assert list(tmp_path.iterdir()) == []
