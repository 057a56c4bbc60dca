"""The pages by command: verified once, refused where nobody could get in."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from federated.audit.bundle import open_bundle
from federated.audit_pages import commands
from federated.audit_pages.commands import room_of, serve
from federated.commands import app
from federated.errors import ConsiliumError
from federated.keys import read_trust, write_trust
from federated.web import serving
from federated.web.door import Door
from federated.web.gate import Gate
from tests.federated.audit.conftest import TRUST


@pytest.fixture
def files(told: object, tmp_path: Path) -> tuple[Path, Path]:
    """A bundle and the hospitals' keys."""
    write_trust(TRUST, tmp_path / "keys.toml")
    return told.write(tmp_path / "record.bundle"), tmp_path / "keys.toml"  # type: ignore[attr-defined]


def test_a_bundle_is_read_once(files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, trust = files
    keys = read_trust(trust)
    for _ in range(2):
        room = room_of(bundle, keys, trust, 2, tmp_path / "cache")
    assert all(audit.ok for audit in room.index.audits)
    assert capsys.readouterr().err.count("verifying") == 1
    unknown = room_of(bundle, None, None, 2, tmp_path / "cache")
    assert unknown.index.path != room.index.path
    assert capsys.readouterr().err.count("verifying") == 1


def test_one_byte_more_is_read_anew_and_named(files: tuple[Path, Path], tmp_path: Path) -> None:
    bundle, trust = files
    folder = tmp_path / "folder"
    names = [*open_bundle(bundle).contents.members, "bundle.json"]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(open_bundle(bundle)._store.read(name))
    assert all(audit.ok for audit in room_of(folder, TRUST, trust, 2, tmp_path / "cache").index.audits)
    tile = folder / "log" / "checkpoint"
    tile.write_bytes(tile.read_bytes().replace(b"\n47\n", b"\n46\n"))
    with pytest.raises(ConsiliumError, match="checkpoint"):
        room_of(folder, TRUST, trust, 2, tmp_path / "cache")


def test_where_nobody_is_let_in_nothing_is_served(files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match="nobody is let in; consilium audit token add NAME, or --open"):
        serve(files[0], home=tmp_path)


def test_it_serves(files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = list[Door]()

    def take(_: Gate, door: Door, *, announce: object) -> None:
        assert announce
        served.append(door)

    monkeypatch.setattr(serving, "serve", take)
    words = ["serve", str(files[0]), "--trust", str(files[1]), "--open", "--port", "0", "--cache", str(tmp_path / "c")]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert [(door.host, door.port) for door in served] == [("127.0.0.1", 0)]


def test_tokens_of_the_auditors_house(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["token", "add", "ada", "--home", str(tmp_path)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert (tmp_path / commands.FILE).exists()
