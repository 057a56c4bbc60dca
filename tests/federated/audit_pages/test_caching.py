"""An index is made once, and anew when a byte of the bundle is another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from federated.audit_pages.caching import KEPT, cached, default_folder, fingerprint, require_folder
from federated.errors import ConsiliumError


def _make(path: Path) -> None:
    path.write_bytes(b"index")


def test_it_is_made_once(tmp_path: Path) -> None:
    made = list[Path]()

    def make(path: Path) -> None:
        made.append(path)
        _make(path)

    folder = tmp_path / "cache"
    one, same = (cached(folder, ("a",), make) for _ in range(2))
    other = cached(folder, ("b",), make)
    assert one.path == same.path != other.path
    assert len(made) == 2
    assert one.path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        _make(path)
        raise ConsiliumError("damaged")

    with pytest.raises(ConsiliumError, match="damaged"):
        cached(tmp_path, ("a",), fail)
    assert list(tmp_path.iterdir()) == []


def test_the_oldest_go(tmp_path: Path) -> None:
    found = [cached(tmp_path, (str(number),), _make).path for number in range(KEPT)]
    for place, path in enumerate(found):
        os.utime(path, (place, place))
    last = cached(tmp_path, ("last",), _make).path
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in [*found[1:], last]}


def test_every_byte_counts(tmp_path: Path) -> None:
    file, folder = tmp_path / "one.bundle", tmp_path / "folder"
    file.write_bytes(b"a" * 3_000_000)
    before = fingerprint(file)
    file.write_bytes(b"a" * 2_999_999 + b"b")
    assert fingerprint(file) != before
    (folder / "log").mkdir(parents=True)
    (folder / "log" / "a").write_bytes(b"1")
    before = fingerprint(folder)
    (folder / "log" / "a").rename(folder / "log" / "b")
    assert fingerprint(folder) != before


def test_where_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "consilium" / "audit"
    (tmp_path / "file").write_text("")
    with pytest.raises(ConsiliumError, match="is no folder"):
        require_folder(tmp_path / "file")
    with pytest.raises(ConsiliumError, match="cannot be written"):
        cached(tmp_path / "file" / "below", ("a",), _make)


def test_a_folder_that_others_may_write_to_holds_no_indexes(tmp_path: Path) -> None:
    """Whoever can put an index there decides what is shown as verified."""
    tmp_path.chmod(0o777)
    with pytest.raises(ConsiliumError, match="others can change what lies there"):
        require_folder(tmp_path)
    tmp_path.chmod(0o755)
    assert require_folder(tmp_path) == tmp_path
