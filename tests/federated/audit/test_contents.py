from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from federated.audit.archive import open_store
from federated.audit.contents import Contents, limit_of, read_contents
from federated.canonical import canonical
from federated.errors import ContractError


def _read(path: Path) -> Contents:
    return read_contents(open_store(path, limit_of))


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("bundle.json", True),
        ("log/checkpoint", True),
        ("log/tile/0/x001/x234/067", True),
        ("log/tile/entries/000.p/9", True),
        (f"parcels/{'0' * 64}.parcel", True),
        ("predictions/one.jsonl", True),
        ("../keys.toml", False),
        ("/keys.toml", False),
        ("log/../keys.toml", False),
        ("log/tile/0/x001/../067", False),
        (f"parcels/{'0' * 63}.parcel", False),
        ("predictions/.hidden.jsonl", False),
        ("keys.toml\n", False),
        ("lib.py", False),
    ],
)
def test_members_have_names_of_known_forms(name: str, known: bool) -> None:
    assert (limit_of(name) is not None) == known


def _retold(path: Path, change: Any) -> Path:
    """A folder whose ``bundle.json`` says something else."""
    contents = Contents.model_validate_json((path / "bundle.json").read_bytes()).model_dump(exclude_none=True)
    change(contents)
    (path / "bundle.json").write_bytes(canonical(contents))
    return path


LIES: dict[str, tuple[Any, str]] = {
    "a member less": (lambda said: said["members"].pop("keys.toml"), "keys.toml: is not named in bundle.json"),
    "a member more": (
        lambda said: said["members"].update({"log/witnessed2": said["members"]["keys.toml"]}),
        "log/witnessed2: is missing",
    ),
    "another size": (lambda said: said["members"]["keys.toml"].update(bytes=1), "keys.toml: has .* bytes, not 1"),
    "a kind of what is no parcel": (
        lambda said: said["members"]["keys.toml"].update(kind="release"),
        "keys.toml: is not named as what it is",
    ),
    "another version": (lambda said: said.update(version=2), "bundle.json: version"),
    "a word of its own": (lambda said: said.update(note="trust me"), "bundle.json: note: is not known here"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_list_of_members_that_is_wrong_is_refused(whole: Any, tmp_path: Path, lie: str) -> None:
    change, what = LIES[lie]
    with pytest.raises(ContractError, match=what):
        _read(_retold(whole.write(tmp_path / "folder"), change))


def test_a_list_in_another_form_is_refused(whole: Any, tmp_path: Path) -> None:
    path = whole.write(tmp_path / "folder")
    (path / "bundle.json").write_bytes((path / "bundle.json").read_bytes() + b"\n")
    with pytest.raises(ContractError, match="is not in canonical form"):
        _read(path)
    (path / "bundle.json").unlink()
    with pytest.raises(ContractError, match="is no bundle: it does not say what it holds"):
        _read(path)
