"""The auditor's commands on bundles, also in an environment that has the base install and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from federated.commands import app
from federated.errors import ConsiliumError
from tests.test_layers import BASE_INSTALL, HEAVY, ROOT

WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"not in the base install: {{name}}", name=name)

sys.meta_path.insert(0, Missing())
import consilium
sys.argv = {words!r}
consilium.main()
"""


def _alone(words: Sequence[object]) -> subprocess.CompletedProcess[str]:
    """The command, where torch, flwr, sqlalchemy and the like are not installed."""
    code = WITHOUT.format(hidden=HEAVY - BASE_INSTALL, words=["consilium", "audit", *map(str, words)])
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)


def _parcels(whole: Any, folder: Path) -> list[Path]:
    """As loose files."""
    for number, parcel in enumerate(whole.parcels.values()):
        (folder / f"{number}.parcel").write_bytes(parcel.to_bytes())
    return sorted(folder.glob("*.parcel"))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("COLUMNS", "160")
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_a_bundle_is_verified(bundle: Path, trust: Path, run: Callable[..., Any]) -> None:
    result = run("verify", bundle, "--trust", trust)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "bundle.json: bundle"
    assert "3 parcels: statistics" in lines
    assert "  ok    entries: 16 in their order, 8 of them with a hospital's own signature; 2 releases" in lines
    assert "  ok    calibration: what 3 reports give" in lines
    assert lines[-1] == "verified"


def test_without_keys_from_outside_it_says_so_wherever_it_matters(bundle: Path, run: Callable[..., Any]) -> None:
    result = run("verify", bundle)
    assert result.exit_code == 0
    assert not re.search(r"\bverified\b", result.stdout)
    rests = [
        line for line in result.stdout.splitlines() if re.match(r"  \S+ +(signature|checkpoint|witnesses|log)", line)
    ]
    assert len(rests) > 8
    assert all(line.endswith("(keys unverified)") and line.startswith("  -") for line in rests)
    assert result.stdout.splitlines()[-1].endswith("the bundle alone says; give --trust keys.toml from the hospitals")


def test_the_first_lie_is_named_and_ends_it(whole: Any, tmp_path: Path, trust: Path, run: Callable[..., Any]) -> None:
    folder = whole.write(tmp_path / "folder")
    path = next((folder / "parcels").glob("*"))
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    result = run("verify", folder, "--trust", trust)
    assert result.exit_code == 1
    last = result.stdout.splitlines()[-1]
    assert last.startswith("refused at the first lie: bundle.json: members: ")
    assert f"parcels/{path.name}: is not what bundle.json names" in last


def test_whose_word_it_was_is_said(make_record: Any, tmp_path: Path, trust: Path, run: Callable[..., Any]) -> None:
    record = make_record(
        told_as=lambda built: type(built)(built.manifest.model_copy(update={"alpha": 0.5}), built.tensors)
    )
    result = run("verify", record.write(tmp_path / "a.bundle"), "--trust", trust)
    assert result.exit_code == 1
    last = result.stdout.splitlines()[-1]
    assert re.fullmatch(r"refused at the first lie: parcels/\w+\.parcel, the word of 'hub': candidate: alpha: .*", last)


@pytest.mark.parametrize("outside", [True, False])
def test_a_program_reads_every_part(bundle: Path, trust: Path, run: Callable[..., Any], outside: bool) -> None:
    told = json.loads(run("verify", bundle, "--json", *(["--trust", trust] if outside else [])).stdout)
    assert (told["ok"], told["keys"]) == (True, "given" if outside else "unverified")
    assert [part["kind"] for part in told["parts"]].count("report") == 5
    assert {part["by"] for part in told["parts"] if part["kind"] == "statistics"} == {"ada", "ben", "cem"}


def test_points_that_are_open_are_counted(whole: Any, tmp_path: Path, trust: Path, run: Callable[..., Any]) -> None:
    path = whole.write(tmp_path / "a.bundle", log=False)
    assert run("verify", path, "--trust", trust, "--witnesses", 0).stdout.splitlines()[-1] == (
        "verified; 2 points are open, marked with a dash"
    )


def test_a_bundle_is_verified_by_itself(bundle: Path, trust: Path, run: Callable[..., Any]) -> None:
    for words, what in (
        ((bundle, trust), "is a bundle, and verified by itself; name nothing beside it"),
        ((bundle, "--release", bundle), "a bundle brings its own releases; leave it out"),
    ):
        result = run("verify", *words)
        assert isinstance(result.exception, ConsiliumError)
        assert what in str(result.exception)


def test_what_is_no_bundle_is_one_line(tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "a.bundle").write_bytes(b"PK\3\4 and nothing more")
    result = run("verify", tmp_path / "a.bundle")
    assert isinstance(result.exception, ConsiliumError)
    assert str(result.exception) == f"{tmp_path / 'a.bundle'}: is no bundle, or is cut short"


def test_loose_files_are_exported(whole: Any, tmp_path: Path, trust: Path, run: Callable[..., Any]) -> None:
    whole.journal(tmp_path / "log")
    out = tmp_path / "a.bundle"
    result = run("export", *_parcels(whole, tmp_path), tmp_path / "log", trust, "--out", out)
    assert result.stdout.splitlines() == [
        f"{out}: 17 members, of 2 parcels the head alone",
        f"to verify: consilium audit verify {out} --trust keys.toml",
    ]
    assert run("verify", out, "--trust", trust).exit_code == 0


def test_bundles_need_the_base_install_alone(whole: Any, bundle: Path, tmp_path: Path, trust: Path) -> None:
    """Nothing that only hospitals and coordinators install, and a lie is named there as well."""
    fine = _alone(["verify", bundle, "--trust", trust])
    assert (fine.returncode, fine.stderr, fine.stdout.splitlines()[-1]) == (0, "", "verified")
    for words in (
        ["weights", bundle, "--csv", tmp_path / "a.csv", "--plot", tmp_path / "a.svg"],
        ["diff", bundle, 1, 2],
        ["export", trust, *_parcels(whole, tmp_path), "--out", tmp_path / "c.bundle"],
    ):
        done = _alone(words)
        assert (done.returncode, done.stderr) == (0, ""), words
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "b.bundle").write_bytes(data)
    lie = _alone(["verify", tmp_path / "b.bundle", "--trust", trust])
    assert lie.returncode == 1
    assert "refused at the first lie: bundle.json: members: " in lie.stdout
    assert "Traceback" not in lie.stderr
