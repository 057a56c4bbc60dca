from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from federated.commands import app
from federated.draw import indices, read_draw
from federated.envelope import Passage, seal
from federated.keys import Party, TrustFile, public_hex, write_trust
from federated.manifest import DecisionManifest, SummaryManifest, Tensors, pack_tensors
from tests.decision_making import AT, Tree, a_record, an_answer, rows, shown, sums, told

RECORDS = [a_record(number) for number in range(20)]
TREE = Tree([record.to_bytes() for record in RECORDS])
SEED = "ab" * 32
Put = Callable[..., Path]


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(b"a" * 32)


@pytest.fixture
def trust(tmp_path: Path, key: Ed25519PrivateKey) -> Path:
    parties = (Party(name="ada", role="site", public=public_hex(key)),)
    write_trust(TrustFile(federation="test", parties=parties), tmp_path / "keys.toml")
    return tmp_path / "keys.toml"


@pytest.fixture
def put(tmp_path: Path, key: Ed25519PrivateKey) -> Put:
    """A parcel of the site in a file."""

    def write(name: str, model: Any, tensors: Tensors, fields: dict[str, Any]) -> Path:
        data, specs, digest = pack_tensors(tensors)
        manifest = model(federation="test", site="ada", tensors=specs, tensors_digest=digest, **fields)
        said: dict[str, Any] = {"federation": "test", "sender": "ada", "recipient": "hub", "sequence": 1}
        said |= {"previous": None, "kind": manifest.kind, "policy": None, "filters": {}, "approval": "none"}
        path = tmp_path / name
        path.write_bytes(seal(manifest, data, Passage(**said, issued=AT), [key]).to_bytes())
        return path

    return write


@pytest.fixture
def summary(put: Put) -> Path:
    return put("summary.parcel", SummaryManifest, sums(), told(TREE))


def _run(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"}, catch_exceptions=True)


def _answers(put: Put, draw: Path) -> list[Path]:
    drawn = read_draw(draw)
    return [
        put(
            f"{number}.parcel",
            DecisionManifest,
            {"features": rows(number)},
            shown(TREE, RECORDS[number], an_answer(), draw=drawn.digest),
        )
        for number in indices(drawn)
    ]


def test_what_was_drawn_and_opened_is_verified(put: Put, summary: Path, trust: Path, tmp_path: Path) -> None:
    out = tmp_path / "draw.json"
    said = _run("draw", summary, "--count", 4, "--out", out, "--trust", trust, "--seed", SEED)
    assert (said.exit_code, "4 of 20 records of ada" in said.stdout, said.stderr) == (0, True, "")
    answers = _answers(put, out)
    found = _run("opened", out, summary, *answers, "--trust", trust)
    assert (found.exit_code, found.stdout.count("ok   "), found.stderr) == (0, 5, "")
    missing = _run("opened", out, summary, *answers[1:], "--trust", trust)
    assert missing.exit_code == 1
    assert f"WRONG record {indices(read_draw(out))[0]}: was drawn and is not opened" in missing.stdout
    checks = json.loads(_run("opened", out, summary, "--json").stdout)
    assert [check["ok"] for check in checks] == [True, False, False, False, False]


def test_a_draw_is_random_unless_a_seed_is_told(summary: Path, tmp_path: Path) -> None:
    for number in range(2):
        assert _run("draw", summary, "--out", tmp_path / f"{number}.json").exit_code == 0
    first, second = (read_draw(tmp_path / f"{number}.json") for number in range(2))
    assert (first.count, first.seed != second.seed) == (10, True)
    told_of = json.loads(_run("draw", summary, "--out", tmp_path / "3.json", "--seed", SEED, "--json").stdout)
    assert told_of["records"] == list(indices(read_draw(tmp_path / "3.json")))


def test_without_keys_it_says_so(summary: Path, tmp_path: Path) -> None:
    said = _run("draw", summary, "--out", tmp_path / "draw.json")
    assert "keys unverified" in said.stderr
    assert "keys unverified" in _run("opened", tmp_path / "draw.json", summary).stderr


def test_a_draw_is_not_overwritten(summary: Path, tmp_path: Path) -> None:
    out = tmp_path / "draw.json"
    _run("draw", summary, "--out", out)
    assert "never overwritten" in str(_run("draw", summary, "--out", out).exception)


def test_mistakes_are_one_line(put: Put, summary: Path, tmp_path: Path) -> None:
    decision = put("one.parcel", DecisionManifest, {"features": rows(0)}, shown(TREE, RECORDS[0], an_answer()))
    out = tmp_path / "draw.json"
    for words, wrong in (
        ((decision,), "is a 'decision', not a summary"),
        ((summary, "--seed", "abc"), "--seed: is not hexadecimal"),
        ((summary, "--seed", "abcd"), "--seed: has 4 digits, 64 are needed"),
        ((summary, "--count", 1001), "draw: count"),
    ):
        error = str(_run("draw", *words, "--out", out).exception)
        assert wrong in error
        assert "\n" not in error
    _run("draw", summary, "--out", out)
    assert "is a 'summary', not an opened decision" in str(_run("opened", out, summary, summary).exception)


def test_a_stranger_signed_nothing(put: Put, summary: Path, trust: Path, tmp_path: Path) -> None:
    other = Party(name="ada", role="site", public=public_hex(Ed25519PrivateKey.from_private_bytes(b"b" * 32)))
    write_trust(TrustFile(federation="test", parties=(other,)), trust)
    said = _run("draw", summary, "--out", tmp_path / "draw.json", "--trust", trust)
    assert "the signature does not verify" in str(said.exception)
    assert not (tmp_path / "draw.json").exists()
