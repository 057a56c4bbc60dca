from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from federated.commands import app
from federated.envelope import Passage, seal
from federated.errors import ConsiliumError
from federated.keys import Party, TrustFile, public_hex, write_trust

HUB = Ed25519PrivateKey.from_private_bytes(b"h" * 32)


class Record:
    """A release, its answers, and the keys, as an auditor gets them."""

    def __init__(self, folder: Path, federation: Any) -> None:
        self.release, self.predictions, self.keys = (folder / n for n in ("release", "predictions.jsonl", "keys.toml"))
        built = federation.release()
        passage = Passage(
            federation="test",
            sender="hub",
            recipient="ada",
            sequence=1,
            previous=None,
            kind="release",
            policy=None,
            filters={},
            approval="none",
            issued="2020-01-01T00:00:00Z",
        )
        self.parcel = seal(built.manifest, built.tensors, passage, [HUB])
        self.release.write_bytes(self.parcel.to_bytes())
        fold = federation.folds["ada"]["test"]
        decisions = federation.model(built).decide(fold.features[:8], list("abcdefgh"), list(fold.clips[:8]))
        self.predictions.write_text("".join(each.json_line() for each in decisions))
        hub = Party(name="hub", role="coordinator", public=public_hex(HUB))
        write_trust(TrustFile(federation="test", parties=(hub,)), self.keys)


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory, federation: Any) -> Record:
    return Record(tmp_path_factory.mktemp("record"), federation)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("COLUMNS", "160")
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_record_is_verified(record: Record, run: Callable[..., Any]) -> None:
    result = run("verify", record.release, record.predictions, "--trust", record.keys, "--release", record.release)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == f"{record.release}: release {record.parcel.digest}"
    assert "  ok    signature: by 'hub' with " in result.stdout
    assert "  -     site ada: not recomputed: 1 of its 1 contributions are not among the files" in result.stdout
    assert result.stdout.splitlines()[-1] == "2 files verified"


def test_a_wrong_record_is_told_and_exits_with_one(record: Record, tmp_path: Path, run: Callable[..., Any]) -> None:
    wrong = tmp_path / "predictions.jsonl"
    content = json.loads(record.predictions.read_text().splitlines()[0])
    content["scores"] = {label: score + 0.1 for label, score in content["scores"].items()}
    wrong.write_text(json.dumps(content) + "\n")
    result = run("verify", record.release, wrong, "--trust", record.keys)
    assert result.exit_code == 1
    assert "  WRONG sums: line 1 (a): contributions to " in result.stdout
    assert result.stdout.splitlines()[-1] == "1 of 2 files are wrong"


def test_a_program_reads_the_verdicts(record: Record, run: Callable[..., Any]) -> None:
    result = run("verify", record.release, "--trust", record.keys, "--json")
    (audit,) = json.loads(result.stdout)
    assert audit["ok"] is True
    assert audit["digest"] == record.parcel.digest
    looked_at = {check["name"]: check["ok"] for check in audit["checks"]}
    assert looked_at == dict.fromkeys(("signature", "contents", "model", "number", "lineage", "solutions"), True) | (
        dict.fromkeys(("site ada", "site ben", "site cem"))
    )


def test_without_keys_nothing_is_verified(record: Record, run: Callable[..., Any]) -> None:
    result = run("verify", record.release)
    assert isinstance(result.exception, ConsiliumError)
    assert str(result.exception) == "audit verify: whose signatures count is not said; give --trust keys.toml"


def test_missing_files_are_one_line(record: Record, tmp_path: Path, run: Callable[..., Any]) -> None:
    for arguments in (
        ("verify", tmp_path / "missing"),
        ("verify", tmp_path / "missing", "--trust", record.keys),
        ("verify", record.release, "--trust", tmp_path / "missing"),
        ("verify", record.release, "--trust", record.keys, "--release", tmp_path / "missing"),
        ("weights", tmp_path / "missing"),
    ):
        result = run(*arguments)
        assert isinstance(result.exception, ConsiliumError)
        assert "missing" in str(result.exception)


def test_weights_of_a_release(record: Record, run: Callable[..., Any]) -> None:
    result = run("weights", record.release)
    assert result.exit_code == 0
    assert "weighting: refit" in result.stdout
    row = next(line for line in result.stdout.splitlines() if "│ ada " in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "ada",
        "plax, a4c, a2c",
        "36",
        "1",
        "released",
        "own (36)",
        "-",
    ]
    shown = json.loads(run("weights", record.release, "--json").stdout)
    assert [site["site"] for site in shown["sites"]] == ["ada", "ben", "cem"]
    assert shown["temperature"] > 0
    assert shown["systems"]


def test_weights_of_predictions(record: Record, run: Callable[..., Any]) -> None:
    shown = json.loads(run("weights", record.predictions, "--json").stdout)
    table = run("weights", record.predictions).stdout
    assert {part["site"] for part in shown} >= {"ada", "ben", "cem", "prior"}
    first = shown[0]
    row = next(line for line in table.splitlines() if line.startswith(f"│ {first['unit']} "))
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells[:4] == [first["unit"], first["label"], str(first["answers"]), first["site"]]
    assert cells[4:] == [f"{first[name]:.3f}" for name in ("weight", "contribution", "evidence")]


def test_weights_of_something_else_are_one_line(tmp_path: Path, run: Callable[..., Any]) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")
    result = run("weights", path)
    assert isinstance(result.exception, ConsiliumError)
    assert str(result.exception).startswith(f"{path} line 1: ")
