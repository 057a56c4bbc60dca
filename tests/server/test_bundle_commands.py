from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from federated.audit.bundle import open_bundle
from federated.errors import ConsiliumError
from server.commands import app
from server.event import run_event
from tests.server.conftest import World


def _run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["bundle", *map(str, arguments)])
    assert result.exit_code == 0, result.exception
    return result.stdout


def test_the_record_is_written_and_said(world: World, tmp_path: Path) -> None:
    for name, level in (("ada", 1), ("ben", 2)):
        site = world.join(name)
        site.put(site.statistics(to_sites=level))
    run_event(world.coordinator, world)
    home, out = world.folder / "hub", tmp_path / "record.bundle"
    lines = _run(out, "--home", home).splitlines()
    held = open_bundle(out).contents.members.values()
    size = sum(member.bytes for member in held)
    assert lines[0].startswith(f"{out}: {len(held)} members, {size} bytes: 2 adoption, 1 candidate, ")
    assert lines[1:] == [
        "  of 2 parcels the head alone: the site lets no auditor have its Gram matrix",
        "  of 1 parcels the head alone: what it holds lies whole in its release",
        f"to verify: consilium audit verify {out} --trust keys.toml, with the hospitals' own keys.toml",
    ]
    told = json.loads(_run(tmp_path / "folder", "--home", home, "--json"))
    assert told == {
        "bundle": str(tmp_path / "folder"),
        "members": len(held),
        "bytes": size,
        "parcels": {"adoption": 2, "candidate": 1, "release": 1, "report": 2, "statistics": 2},
        "kept": {"gram": 2, "release": 1},
    }


def test_features_are_asked_for(world: World, tmp_path: Path) -> None:
    site = world.join("ada")
    site.put(site.features())
    run_event(world.coordinator, world)
    for name, options in (("a.bundle", []), ("b.bundle", ["--with-features"])):
        _run(tmp_path / name, "--home", world.folder / "hub", *options)
    whole = [bool(list(open_bundle(tmp_path / name).parcels("features"))) for name in ("a.bundle", "b.bundle")]
    assert whole == [False, True]


def test_what_is_no_home_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["bundle", str(tmp_path / "a.bundle"), "--home", str(tmp_path)])
    assert isinstance(result.exception, ConsiliumError)
    assert "is not a coordinator's home" in str(result.exception)
