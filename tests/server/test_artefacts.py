from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.canonical import digest
from federated.errors import ConsiliumError
from server.artefacts import Artefacts


@given(data=st.binary(max_size=300))
def test_bytes_come_back_under_their_digest(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    artefacts = Artefacts(tmp_path_factory.mktemp("artefacts"))
    assert artefacts.put(data) == digest(data) == artefacts.put(data)
    assert artefacts.get(digest(data)) == data


def test_the_same_bytes_are_written_once(tmp_path: Path) -> None:
    artefacts = Artefacts(tmp_path)
    path = artefacts.path(artefacts.put(b"once"))
    before = path.stat().st_mtime_ns, path.stat().st_ino
    artefacts.put(b"once")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    assert path.stat().st_mode & 0o077 == 0


def test_what_is_missing_or_altered_is_said(tmp_path: Path) -> None:
    artefacts = Artefacts(tmp_path)
    name = artefacts.put(b"something")
    with pytest.raises(ConsiliumError, match="No such file"):
        artefacts.get(digest(b"something else"))
    artefacts.path(name).write_bytes(b"Something")
    with pytest.raises(ConsiliumError, match="was altered"):
        artefacts.get(name)


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    artefacts = Artefacts(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConsiliumError, match="the disk is full"):
        artefacts.put(b"too much")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    monkeypatch.undo()
    assert artefacts.get(artefacts.put(b"too much")) == b"too much"


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "sha256").write_text("in the way")
    with pytest.raises(ConsiliumError, match="cannot be written"):
        Artefacts(tmp_path).put(b"data")
