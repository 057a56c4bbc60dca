"""A backup holds everything of a home as it is at one moment, and nobody reads it without the passphrase."""

from __future__ import annotations

import hashlib
import os
import socket
import sqlite3
import subprocess
import tarfile
from pathlib import Path

import pytest

from federated.errors import ConsiliumError
from site_agent.backup.backup import About, Backup, back_up
from site_agent.backup.encrypted_file import MAGIC, SCRYPT
from site_agent.home import SiteHome

PASSPHRASE = "correct horse battery"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCRYPT, "n", 2)


def _names(file: Path) -> list[str]:
    with tarfile.open(file) as tar:
        return tar.getnames()


def test_a_plain_one_is_a_tar_that_any_tool_checks(home: SiteHome, tmp_path: Path) -> None:
    file = tmp_path / "home.tar"
    done = back_up(home, file, None)
    assert done == Backup(file=str(file), files=done.files, bytes=file.stat().st_size, encrypted=False)
    names = _names(file)
    assert (names[0], names[-1]) == ("backup.json", "SHA256SUMS")
    assert {"home/keys/secret", "home/keys/site.pem", "home/config.toml", "home/outbox"} <= set(names)
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["tar", "-xf", file, "-C", out], check=True)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=out, check=True)
    about = About.model_validate_json((out / "backup.json").read_bytes())
    assert (about.federation, about.site, about.entries) == ("test", "ada", len(names) - 2)
    assert (out / "home" / "keys" / "secret").read_bytes() == home.secret()


def test_it_is_for_its_owner_only(home: SiteHome, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        back_up(home, tmp_path / "home.tar", None)
    finally:
        os.umask(before)
    assert (tmp_path / "home.tar").stat().st_mode & 0o777 == 0o600
    with tarfile.open(tmp_path / "home.tar") as tar:
        assert {member.mode for member in tar} == {0o600, 0o700}


def test_an_encrypted_one_shows_nothing(home: SiteHome, tmp_path: Path) -> None:
    done = back_up(home, tmp_path / "home.backup", PASSPHRASE)
    data = (tmp_path / "home.backup").read_bytes()
    assert done.encrypted
    assert data.startswith(MAGIC)
    for secret in (home.secret(), b"PRIVATE KEY", b"config.toml", b"ada"):
        assert secret not in data


def test_sqlite_is_as_it_is_at_one_moment(home: SiteHome, tmp_path: Path) -> None:
    """What a writer has committed to the journal is in; what it has not is not."""
    writer = sqlite3.connect(home.path / "any.sqlite", isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE numbers (number)")
    writer.execute("INSERT INTO numbers VALUES (1)")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO numbers VALUES (2)")
    try:
        assert (home.path / "any.sqlite-wal").stat().st_size > 0
        back_up(home, tmp_path / "home.tar", None)
    finally:
        writer.close()
    with tarfile.open(tmp_path / "home.tar") as tar:
        assert "home/any.sqlite-wal" not in tar.getnames()
        tar.extractall(tmp_path / "out", filter="data")
    copy = sqlite3.connect(tmp_path / "out" / "home" / "any.sqlite")
    try:
        assert copy.execute("SELECT number FROM numbers").fetchall() == [(1,)]
    finally:
        copy.close()


def test_locks_sockets_and_remains_stay_behind(home: SiteHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home.path / ".config.toml.0badcafe").write_text("half a file")
    (home.path / "lock").touch()
    monkeypatch.chdir(home.path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("agent")
        back_up(home, tmp_path / "home.tar", None)
    names = _names(tmp_path / "home.tar")
    assert not {"home/lock", "home/agent", "home/.config.toml.0badcafe"} & set(names)
    assert not list(home.path.glob(".backup-*"))


def test_a_link_is_told(home: SiteHome, tmp_path: Path) -> None:
    (home.path / "frames").rmdir()
    (home.path / "frames").symlink_to(tmp_path)
    with pytest.raises(ConsiliumError, match="frames: is a link, which no backup holds"):
        back_up(home, tmp_path / "home.tar", None)
    assert [path.name for path in tmp_path.iterdir()] == ["ada"]


@pytest.mark.parametrize(
    ("place", "line"), [("there.tar", "never overwritten"), ("ada/in.tar", "lies in the home itself")]
)
def test_a_place_that_it_may_not_have(place: str, line: str, home: SiteHome, tmp_path: Path) -> None:
    (tmp_path / "there.tar").write_text("mine")
    with pytest.raises(ConsiliumError, match=line):
        back_up(home, tmp_path / place, None)
    assert (tmp_path / "there.tar").read_text() == "mine"


def test_stopped_half_way_nothing_is_left(home: SiteHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tarfile.TarFile, "addfile", stop)
    with pytest.raises(KeyboardInterrupt):
        back_up(home, tmp_path / "home.tar", None)
    assert [path.name for path in tmp_path.iterdir()] == ["ada"]


def test_a_folder_that_is_not_there_is_one_line(home: SiteHome, tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match=r"nowhere/home\.tar: cannot be written \(No such file"):
        back_up(home, tmp_path / "nowhere" / "home.tar", None)


def test_names_of_any_length_and_bytes(home: SiteHome, tmp_path: Path) -> None:
    long = home.path / "releases" / ("a" * 120) / ("b" * 120)
    long.parent.mkdir()
    long.write_bytes(b"long")
    odd = home.path / "releases" / "\udcff\nodd"
    odd.write_bytes(b"odd")
    back_up(home, tmp_path / "home.tar", None)
    with tarfile.open(tmp_path / "home.tar") as tar:
        sums = tar.extractfile("SHA256SUMS")
        assert sums is not None
        text = sums.read()
    assert f"{hashlib.sha256(b'odd').hexdigest()}  home/releases/".encode() + b"\xff\nodd\n" in text
    assert f"{hashlib.sha256(b'long').hexdigest()}  home/releases/{'a' * 120}/{'b' * 120}\n".encode() in text
