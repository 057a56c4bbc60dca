from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.table import Table
from typer.testing import CliRunner

from federated.commands import _answer_tables, _expert_table, _site_table, _system_table, app
from federated.envelope import Passage, seal
from federated.errors import ConsiliumError
from federated.keys import Party, TrustFile, fingerprint, public_hex, write_trust
from federated.log.checkpoints import origin_of
from federated.log.entries import Entry, sign_entry
from federated.log.journal import Journal
from federated.manifest import ExpertCard, System
from federated.parts import AnswerPart, SitePart
from federated.tables import print_tables

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
    row = next(line for line in result.stdout.splitlines() if line.startswith(" ada "))
    assert re.split(r" {2,}", row.strip()) == ["ada", "plax, a4c, a2c", "36", "1", "released", "own (36)"]
    shown = json.loads(run("weights", record.release, "--json").stdout)
    assert [site["site"] for site in shown["sites"]] == ["ada", "ben", "cem"]
    assert shown["temperature"] > 0
    assert shown["systems"]


def test_weights_of_predictions(record: Record, run: Callable[..., Any]) -> None:
    shown = json.loads(run("weights", record.predictions, "--json").stdout)
    table = run("weights", record.predictions).stdout
    assert {part["site"] for part in shown} >= {"ada", "ben", "cem", "prior"}
    first = shown[0]
    title = f"mean part in the answers, by {first['unit']}"
    below = [line.strip() for line in table.splitlines()]
    cells = next(line for line in below[below.index(title) :] if line.startswith(f"{first['label']} ")).split()
    assert cells[:3] == [first["label"], str(first["answers"]), first["site"]]
    assert cells[3:] == [f"{first[name]:.3f}" for name in ("weight", "contribution", "evidence")]


def test_weights_say_whether_the_signature_was_checked(record: Record, run: Callable[..., Any]) -> None:
    checked = f"by 'hub' with {fingerprint(HUB.public_key().public_bytes_raw())[:16]}"
    assert run("weights", record.release).stdout.splitlines()[0] == "signature not checked"
    assert run("weights", record.release, "--trust", record.keys).stdout.splitlines()[0] == f"signature {checked}"
    for options, told in (((), "not checked"), (("--trust", record.keys), checked)):
        assert json.loads(run("weights", record.release, "--json", *options).stdout)["signature"] == told


def test_weights_that_nobody_signed_are_not_shown_as_signed(
    record: Record, tmp_path: Path, run: Callable[..., Any]
) -> None:
    strangers = Party(
        name="hub", role="coordinator", public=public_hex(Ed25519PrivateKey.from_private_bytes(b"s" * 32))
    )
    write_trust(TrustFile(federation="test", parties=(strangers,)), tmp_path / "keys.toml")
    forged = run("weights", record.release, "--trust", tmp_path / "keys.toml")
    assert isinstance(forged.exception, ConsiliumError)
    assert "the signature does not verify" in str(forged.exception)
    unsigned = run("weights", record.predictions, "--trust", record.keys)
    assert isinstance(unsigned.exception, ConsiliumError)
    assert "predictions bear no signature" in str(unsigned.exception)


SITES = ("a.hospital_with_24_chars", "b.hospital_with_24_chars", "x" * 63)


def test_no_name_is_cut_on_a_narrow_screen(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    labels = ("apical.four.chamber.view", "web_and_published_images", "[bold]plax")
    sites = [_site_part(name, labels) for name in SITES]
    answers = [_answer_part(name, label) for name in SITES for label in labels]
    systems = (System(inside=SITES[:1], outside=SITES[1:2], labels=labels[:2], inverse=True),)
    experts = (ExpertCard(site=SITES[0], contribution="sha256:" + "0" * 64, architecture="mlp", labels=labels[:1]),)
    for table, longest in (
        (_site_table(sites[:2]), SITES[:2]),
        (_answer_tables(answers[:6])[0], SITES[:2]),
        (_system_table(systems), SITES[:2]),
        (_expert_table(experts), SITES[:1]),
    ):
        shown = _shown(table, capsys)
        assert all(name in shown for name in longest)
        assert {"…", "│", "┃"}.isdisjoint(shown)
        assert max(map(len, shown.splitlines())) <= 80
    for table in (_site_table(sites), _answer_tables(answers)[0]):
        folded = _shown(table, capsys)
        assert folded.count("x") >= 63
        assert all(part in folded for part in ("apical", "web_and", "[bold]"))
        assert "…" not in folded


def test_tables_without_rows_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert not _shown(_expert_table(()), capsys)


def _shown(table: Table, capsys: pytest.CaptureFixture[str]) -> str:
    print_tables(table)
    return capsys.readouterr().out


def _site_part(name: str, labels: tuple[str, ...]) -> SitePart:
    counts = {"patients": 1234, "contributions": 123, "calibration_patients": 1234}
    return SitePart(site=name, labels=labels, gram="released", calibration="cross-fitted", expert="", **counts)


def _answer_part(name: str, label: str) -> AnswerPart:
    figures = {"weight": 0.123, "contribution": -0.123, "evidence": 0.123}
    return AnswerPart(unit="image", label=label, answers=12345, site=name, **figures)


def test_weights_of_something_else_are_one_line(tmp_path: Path, run: Callable[..., Any]) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")
    result = run("weights", path)
    assert isinstance(result.exception, ConsiliumError)
    assert str(result.exception).startswith(f"{path} line 1: ")


def test_a_release_is_told_of_in_the_log(record: Record, tmp_path: Path, run: Callable[..., Any]) -> None:
    """A log beside parcels: what it tells of has an entry, and what it does not tell of is wrong."""
    begun = {"federation": "test", "at": "2020-01-01T00:00:00Z"}
    keys = ({"public": public_hex(HUB), "role": "coordinator"},)
    first = Entry.model_validate(begun | {"event": "init", "keys": keys})
    for name, subject, ok in (("told", record.parcel.digest, True), ("silent", "sha256:" + "0" * 64, False)):
        journal = Journal(tmp_path / name, origin_of("test"))
        second = Entry.model_validate(
            begun | {"event": "release", "number": 1, "subject": subject, "concerns": subject}
        )
        journal.append([sign_entry(entry, HUB) for entry in (first, second)], HUB)
        result = run("verify", record.release, tmp_path / name, "--trust", record.keys, "--witnesses", "0")
        assert ("  -     log: entry 1, which nobody has witnessed yet" in result.stdout) == ok
        assert ("  WRONG log: the log does not tell that it was taken in" in result.stdout) != ok
        assert result.exit_code == (0 if ok else 1)
        assert "  -     witnesses: nobody but its keeper vouches for it" in result.stdout


def test_two_hospitals_have_to_vouch_for_a_log_unless_said(
    record: Record, tmp_path: Path, run: Callable[..., Any]
) -> None:
    keys = ({"public": public_hex(HUB), "role": "coordinator"},)
    entry = Entry.model_validate({"federation": "test", "at": "2020-01-01T00:00:00Z", "event": "init", "keys": keys})
    Journal(tmp_path / "log", origin_of("test")).append([sign_entry(entry, HUB)], HUB)
    result = run("verify", tmp_path / "log", "--trust", record.keys)
    assert result.exit_code == 1
    assert "  WRONG witnesses: none of 2 witnesses asked for signed" in result.stdout
