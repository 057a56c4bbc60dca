"""A restored home is the home; whatever else is in the file leaves one line and nothing on the disk."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federated.errors import ConsiliumError
from site_agent.agent import work
from site_agent.backup.backup import back_up
from site_agent.backup.encrypted_file import SCRYPT
from site_agent.backup.restore import is_encrypted, restore
from site_agent.home import SiteHome
from site_agent.intake.ingest import ingest
from site_agent.intake.quarantine import item_names
from site_agent.status.status import site_status

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation

PASSPHRASE = "correct horse battery"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCRYPT, "n", 2)


def _contents(folder: Path) -> dict[str, bytes]:
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    found.pop("lock", None)
    return {name: path.read_bytes() if path.is_file() else b"" for name, path in found.items()}


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_it_is_the_same_home(passphrase: str | None, home: SiteHome, tmp_path: Path) -> None:
    file, new = tmp_path / "backup", tmp_path / "anew" / "home"
    back_up(home, file, passphrase)
    assert is_encrypted(file) == (passphrase is not None)
    about = restore(file, new, passphrase)
    assert (about.federation, about.site) == ("test", "ada")
    assert _contents(new) == _contents(home.path)
    assert SiteHome(new).secret() == home.secret()
    assert {path.stat().st_mode & 0o077 for path in (new, *new.rglob("*"))} == {0}
    assert [path.name for path in new.parent.iterdir()] == ["home"]


def test_life_goes_on_there(federation: Federation) -> None:
    """Status, names, a round of work, and an ingest of the same folder, which finds nothing new."""
    ada = federation.hospital("ada", {"dark": 12, "light": 12}, "statistics", "report")
    folder = federation.folder / "images of ada from 0"
    federation.event(ada, adopting=True)
    back_up(ada, federation.folder / "backup", PASSPHRASE)
    restore(federation.folder / "backup", federation.folder / "again", PASSPHRASE)
    again = SiteHome(federation.folder / "again")
    assert site_status(again) == site_status(ada)
    assert site_status(again).answers == 1
    assert again.archive.catalogue.cases() == ada.archive.catalogue.cases()
    assert item_names(again.archive) == item_names(ada.archive)
    assert "dark-0-0.png" in item_names(again.archive).values()
    report = ingest(again.archive, again.vocabulary, again.label_map, folder)
    assert (report.batches, report.images, report.skipped) == ((), 0, 48)
    assert not work(again).refusals
    federation.take_in(again, {"striped": 12}, first=50)
    assert "statistics accepted" in federation.exchange(again)


def test_a_backup_of_a_restored_home_is_the_same(home: SiteHome, tmp_path: Path) -> None:
    back_up(home, tmp_path / "one.tar", None)
    restore(tmp_path / "one.tar", tmp_path / "again", None)
    back_up(SiteHome(tmp_path / "again"), tmp_path / "two.tar", None)
    assert _members(tmp_path / "one.tar").keys() == _members(tmp_path / "two.tar").keys()
    one, two = _members(tmp_path / "one.tar"), _members(tmp_path / "two.tar")
    assert {name for name in one if one[name] != two[name]} <= {"backup.json", "SHA256SUMS"}


def _members(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as tar:
        return {member.name: (tar.extractfile(member) or io.BytesIO()).read() for member in tar}


def test_nothing_is_overwritten(home: SiteHome, tmp_path: Path) -> None:
    back_up(home, tmp_path / "home.tar", None)
    before = _contents(home.path)
    with pytest.raises(ConsiliumError, match="ada: is not empty, and nothing is ever overwritten"):
        restore(tmp_path / "home.tar", home.path, None)
    assert _contents(home.path) == before
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for place in ("file", "link"):
        with pytest.raises(ConsiliumError, match="nothing is ever overwritten"):
            restore(tmp_path / "home.tar", tmp_path / place, None)


def test_an_empty_folder_is_a_place(home: SiteHome, tmp_path: Path) -> None:
    back_up(home, tmp_path / "home.tar", None)
    (tmp_path / "again").mkdir()
    restore(tmp_path / "home.tar", tmp_path / "again", None)
    assert SiteHome(tmp_path / "again").config == home.config


Refused = Callable[[Path, str], None]


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """Asserts the line for a file, and that nothing of it stays on the disk."""

    def check(file: Path, line: str) -> None:
        before = {path for path in tmp_path.rglob("*") if path != file}
        with pytest.raises(ConsiliumError, match=line):
            restore(file, tmp_path / "again", PASSPHRASE if is_encrypted(file) else None)
        assert {path for path in tmp_path.rglob("*") if path != file} == before
        assert "\n" not in line

    return check


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_cut_anywhere_it_is_refused(passphrase: str | None, home: SiteHome, tmp_path: Path, refused: Refused) -> None:
    back_up(home, tmp_path / "whole", passphrase)
    data = (tmp_path / "whole").read_bytes()
    end = data.rindex(b"SHA256SUMS") if passphrase is None else len(data)
    for part in range(12):
        (tmp_path / "cut").write_bytes(data[: part * end // 12 + part % 2 * 100])
        refused(tmp_path / "cut", "cut: (is cut short|is no backup|is damaged|the passphrase is another)")


def test_a_changed_byte_is_found(home: SiteHome, tmp_path: Path, refused: Refused) -> None:
    back_up(home, tmp_path / "home.tar", None)
    data = (tmp_path / "home.tar").read_bytes()
    (tmp_path / "home.tar").write_bytes(data.replace(b"superlink", b"superlinq", 1))
    refused(tmp_path / "home.tar", r"home\.tar: is damaged: not every file in it is as it was written")


@pytest.mark.parametrize("content", [b"", b"PK\3\4 and more", b"consilium encrypted 1\n", b"\0" * 20_000, b"x" * 999])
def test_a_foreign_file_is_one_line(content: bytes, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "foreign").write_bytes(content)
    refused(tmp_path / "foreign", "foreign: is (no backup of a site|cut short)")


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match="cannot be read"):
        is_encrypted(tmp_path / "missing")


def test_without_its_passphrase_it_stays_shut(home: SiteHome, tmp_path: Path) -> None:
    back_up(home, tmp_path / "backup", PASSPHRASE)
    with pytest.raises(ConsiliumError, match="backup: is encrypted; give its passphrase"):
        restore(tmp_path / "backup", tmp_path / "again", None)
    with pytest.raises(ConsiliumError, match="the passphrase is another"):
        restore(tmp_path / "backup", tmp_path / "again", "another passphrase")
    assert not (tmp_path / "again").exists()


def _forged(path: Path, *added: tarfile.TarInfo, data: bytes = b"evil", about: Sequence[str] = ()) -> Path:
    """A tar with all digests right, and members of any kind."""
    first = {"federation": "test", "site": "ada", "made": "today", "entries": 1, "version": 1}
    text = json.dumps({**first, **dict.fromkeys(about, 0)}).encode()
    sums = f"{hashlib.sha256(text).hexdigest()}  backup.json\n"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        _put(tar, tarfile.TarInfo("backup.json"), text)
        for member in added:
            _put(tar, member, data)
            sums += f"{hashlib.sha256(data).hexdigest()}  {member.name}\n" if member.isfile() else ""
        _put(tar, tarfile.TarInfo("SHA256SUMS"), sums.encode())
    return path


def _put(tar: tarfile.TarFile, member: tarfile.TarInfo, data: bytes) -> None:
    member.size = len(data) if member.type == tarfile.REGTYPE else 0
    tar.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize(
    "name", ["/tmp/evil", "home/../../evil", "home/..", "../evil", "evil", "home", "home/./../evil", "keys/../../x"]
)
def test_a_path_that_leads_elsewhere(name: str, tmp_path: Path, refused: Refused) -> None:
    refused(_forged(tmp_path / "forged", tarfile.TarInfo(name)), "forged: is no backup: it would write outside")


def test_whatever_comes_first_the_home_is_its_owners(home: SiteHome, tmp_path: Path) -> None:
    folder, config = tarfile.TarInfo("home/a"), tarfile.TarInfo("home/config.toml")
    folder.type = tarfile.DIRTYPE
    forged = _forged(tmp_path / "forged", folder, config, data=(home.path / "config.toml").read_bytes())
    before = os.umask(0)
    try:
        restore(forged, tmp_path / "again", None)
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "again", tmp_path / "again" / "a")] == [0o700, 0o700]


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE],
)
def test_links_and_devices(kind: bytes, tmp_path: Path, refused: Refused) -> None:
    member = tarfile.TarInfo("home/keys")
    member.type, member.linkname = kind, str(tmp_path)
    inside = tarfile.TarInfo("home/keys/evil")
    refused(_forged(tmp_path / "forged", member, inside), "forged: is no backup: it holds what is neither")
    assert not (tmp_path / "evil").exists()


def test_a_header_that_would_fill_the_memory(tmp_path: Path, refused: Refused) -> None:
    """A name of a terabyte is refused by its size, before a byte of it is read."""
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 2**40
    (tmp_path / "forged").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(20_000))
    refused(tmp_path / "forged", "is no backup")


def test_a_file_twice_or_inside_a_file(tmp_path: Path, refused: Refused) -> None:
    twice = [tarfile.TarInfo("home/config.toml"), tarfile.TarInfo("home/config.toml")]
    refused(_forged(tmp_path / "forged", *twice), "forged: is no backup: it holds a file twice")
    inside = [tarfile.TarInfo("home/config.toml"), tarfile.TarInfo("home/config.toml/x")]
    refused(_forged(tmp_path / "forged", *inside), "cannot be written")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 511), st.integers(0, 255)), max_size=4))
def test_whatever_is_changed_is_one_line_or_harmless(
    changes: list[tuple[int, int, int]], home: SiteHome, tmp_path: Path
) -> None:
    """Bytes of any block changed, and checksums of headers put right; keys are never quoted."""
    plain = tmp_path / "plain.tar"
    if not plain.exists():
        back_up(home, plain, None)
    data = bytearray(plain.read_bytes())
    for block, place, value in changes:
        data[block % (len(data) // 512) * 512 + place] = value
    (tmp_path / "changed.tar").write_bytes(_right_checksums(data))
    line = _line(tmp_path / "changed.tar", tmp_path / "again")
    assert "PRIVATE KEY" not in line
    assert bool(line) != (tmp_path / "again").exists()
    if not line:
        assert _contents(tmp_path / "again").items() >= _files(home.path).items()
        shutil.rmtree(tmp_path / "again")


def _line(file: Path, new: Path) -> str:
    """What is told of a backup; nothing of one that is restored."""
    try:
        restore(file, new, None)
    except ConsiliumError as error:
        return str(error)
    return ""


def _files(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in _contents(folder).items() if (folder / name).is_file()}


def _right_checksums(data: bytearray) -> bytes:
    for start in range(0, len(data), 512):
        header = data[start : start + 512]
        if header[257:262] == b"ustar":
            header[148:156] = b" " * 8
            data[start + 148 : start + 156] = b"%06o\0 " % sum(header)
    return bytes(data)


def test_what_is_no_home_or_of_another_time(tmp_path: Path, refused: Refused) -> None:
    config = tarfile.TarInfo("home/config.toml")
    refused(_forged(tmp_path / "forged", config, data=b"x = 1"), "config.toml: ")
    refused(_forged(tmp_path / "forged", config, about=["version"]), "is no backup that this program reads")
    refused(_forged(tmp_path / "forged", config, about=["more"]), "is no backup that this program reads")


def test_a_full_disk_leaves_nothing(
    home: SiteHome, tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(home, tmp_path / "home.tar", None)

    def full() -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "sync", full)
    refused(tmp_path / "home.tar", "again: the disk is full")
