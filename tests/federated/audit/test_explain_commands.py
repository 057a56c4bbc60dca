"""An auditor asks at the command line what was answered, and decides it again."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from federated.audit.explain import Evidence, explain
from federated.audit.wording import sentences
from federated.commands import app
from federated.errors import ConsiliumError
from federated.keys import TrustFile, write_trust
from tests.decision_making import a_flag
from tests.opened_making import CLIP, IMAGE, newest_release, with_opened

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def told(make_record: Callable[..., Any], federation: Any) -> Any:
    return with_opened(make_record(), federation.folds["cem"]["test"].features[[80, 81]])


@pytest.fixture
def bundle(told: Any, tmp_path: Path) -> Path:
    lines = "".join(decision.json_line() for decision in told[2])
    return told[0].write(tmp_path / "it.bundle", extra={"predictions/cem.jsonl": lines.encode()})


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("COLUMNS", "160")
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def _parcel(told: Any, digest: str, path: Path) -> Path:
    path.write_bytes(told[0].parcels[digest].to_bytes())
    return path


def test_an_opened_decision_in_plain_language(
    told: Any, bundle: Path, trust: Path, federation: Any, run: Callable[..., Any]
) -> None:
    result = run("explain", bundle, "--image", IMAGE, "--trust", trust)
    assert (result.exit_code, result.stderr) == (0, "")
    model, features = newest_release(told[0]), federation.folds["cem"]["test"].features[[80]]
    decision = model.decide(features, [IMAGE], [CLIP])[0]
    flag = a_flag(2, 0, release=model.digest, truth="sub")
    expected = sentences(explain(decision, Evidence(model, features, (flag,))))
    assert result.stdout.splitlines()[: len(expected)] == expected
    assert any(line.strip().startswith("Without cem, fitted again") for line in expected)
    assert "influence" not in result.stdout
    assert "Flagged later as sub (by follow-up); somebody decided otherwise." in result.stdout
    row = next(line.split() for line in result.stdout.splitlines() if line.split()[:1] == ["cem"])
    assert row[3] == f"{decision.contributions[decision.best]['cem']:.3f}"


def test_as_json_with_every_number(told: Any, bundle: Path, run: Callable[..., Any]) -> None:
    result = run("explain", bundle, "--image", IMAGE, "--json")
    found = json.loads(result.stdout)
    assert "signatures were not checked" in result.stderr
    assert found["best"] == "sub"
    assert sum(site["contribution"] for site in found["sites"]) == pytest.approx(found["score"], abs=1e-9)
    assert found["sites"][2]["without"]["effect"] == pytest.approx(-found["score"], abs=1e-9)
    assert found["words"][0] == f"Image {IMAGE} of clip {CLIP}: sub."


def test_predictions_alone_say_what_is_missing(told: Any, tmp_path: Path, run: Callable[..., Any]) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text("".join(decision.json_line() for decision in told[2]))
    result = run("explain", path, "--image", "c")
    assert "What would be without each site is not told: give the release that answered." in result.stdout
    release = _parcel(told, told[2][0].release, tmp_path / "release.parcel")
    result = run("explain", path, "--image", "c", "--release", release)
    assert "the image's features stay with whoever asked; a decision that was opened holds them" in result.stdout
    assert "it is qualified" in result.stdout


def test_a_bundle_is_decided_again(bundle: Path, trust: Path, run: Callable[..., Any]) -> None:
    result = run("replay", bundle, "--trust", trust)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1] == "2 of 2 decisions came out again, 2 of them bit for bit"
    found = json.loads(run("replay", bundle, "--trust", trust, "--json").stdout)
    assert [(each["ok"], each["equal"], each["difference"]) for each in found] == [(True, "bit for bit", 0.0)] * 2


def test_one_parcel_and_its_release(told: Any, tmp_path: Path, trust: Path, run: Callable[..., Any]) -> None:
    decision = _parcel(told, told[1][0], tmp_path / "decision.parcel")
    release = _parcel(told, told[2][0].release, tmp_path / "release.parcel")
    result = run("replay", decision, "--release", release, "--trust", trust)
    assert result.exit_code == 0
    assert "  ok    answer: bit for bit the same" in result.stdout.splitlines()
    assert "  -     image: that the features are those of the image" in result.stdout


def test_a_key_that_was_followed_by_another_counts_and_one_that_was_revoked_does_not(
    told: Any, bundle: Path, tmp_path: Path, run: Callable[..., Any]
) -> None:
    cem = next(party for party in told[0].trust.parties if party.name == "cem")
    others = tuple(party for party in told[0].trust.parties if party.name != "cem")
    revoked = cem.model_copy(update={"revoked": True})
    follows = cem.model_copy(update={"public": others[0].public})
    write_trust(TrustFile(federation="test", parties=(*others, revoked, follows)), tmp_path / "followed.toml")
    write_trust(TrustFile(federation="test", parties=(*others, revoked)), tmp_path / "revoked.toml")
    assert run("replay", bundle, "--trust", tmp_path / "followed.toml").exit_code == 0
    assert run("influence", bundle, "--trust", tmp_path / "followed.toml").exit_code == 0
    for command in ("replay", "influence"):
        result = run(command, bundle, "--trust", tmp_path / "revoked.toml")
        assert str(result.exception) == "cem: no key of this site counts: its key was revoked"


def test_another_release_ends_with_one(told: Any, tmp_path: Path, run: Callable[..., Any]) -> None:
    decision = _parcel(told, told[1][0], tmp_path / "decision.parcel")
    first = min(
        (digest for digest, parcel in told[0].parcels.items() if b'"kind":"release"' in parcel.manifest),
        key=lambda digest: b'"number":2' in told[0].parcels[digest].manifest,
    )
    result = run("replay", decision, "--release", _parcel(told, first, tmp_path / "release.parcel"))
    assert result.exit_code == 1
    assert f"  WRONG release: {told[2][0].release} answered, the release given is {first}" in result.stdout.splitlines()
    assert result.stdout.splitlines()[-1] == "0 of 1 decisions came out again, 0 of them bit for bit"


def test_mistakes_are_one_line(told: Any, tmp_path: Path, trust: Path, run: Callable[..., Any]) -> None:
    decision = _parcel(told, told[1][0], tmp_path / "decision.parcel")
    flag = _parcel(told, told[1][2], tmp_path / "flag.parcel")
    forged = bytearray(decision.read_bytes())
    forged[forged.index(b'"sig"') + 9] ^= 1
    (tmp_path / "forged.parcel").write_bytes(bytes(forged))
    for arguments, words in (
        (("replay", decision), "is not here; name it with --release"),
        (("replay", flag), "holds no opened decision"),
        (("explain", flag), "holds no decision"),
        (("explain", decision, "--image", "other"), "holds no decision on 'other'"),
        (("explain", tmp_path / "missing"), "missing"),
        (("explain", tmp_path / "forged.parcel", "--trust", trust), "the signature does not verify"),
    ):
        result = run(*arguments)
        assert isinstance(result.exception, ConsiliumError), arguments
        assert words in str(result.exception)
        assert "\n" not in str(result.exception)


def test_influence_on_what_was_opened(bundle: Path, trust: Path, told: Any, run: Callable[..., Any]) -> None:
    result = run("influence", bundle, "--trust", trust)
    assert result.exit_code == 0, result.exception
    lines = result.stdout.splitlines()
    assert lines[1:3] == ["1 clips of 1 patients", "what they show is not told, so that there is no accuracy"]
    found = json.loads(run("influence", bundle, "--trust", trust, "--json").stdout)
    explained = json.loads(run("explain", bundle, "--image", CLIP, "--json").stdout)
    for row, site in zip(found["answers"], explained["sites"], strict=True):
        assert (row["label"], row["site"]) == (explained["best"], site["site"])
        assert row["removal"] == pytest.approx(site["without"]["effect"], abs=1e-9)
    assert sum(row["shapley"] for row in found["answers"]) == pytest.approx(explained["score"], abs=1e-9)
    assert found["sites"] == []


WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "flwr", "torchvision", "sqlalchemy", "grpc", "PIL"}:
            raise ModuleNotFoundError(f"an auditor has none of it: {name}", name=name)

sys.meta_path.insert(0, Missing())
from federated.commands import app

bundle, image, out = sys.argv[1:]
for arguments in (["replay", bundle], ["explain", bundle, "--image", image], ["dossier", bundle, "--out", out]):
    app(arguments, standalone_mode=False)
"""


ELSEWHERE = {"OPENBLAS_CORETYPE": "Prescott"}  # the arithmetic of a processor of 2004


def test_on_another_processor_last_digits_differ_and_nothing_else(bundle: Path, trust: Path) -> None:
    command = [sys.executable, "-m", "consilium", "audit", "replay", str(bundle), "--trust", str(trust), "--json"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | ELSEWHERE, check=True)
    found = json.loads(result.stdout)
    assert [each["ok"] for each in found] == [True, True]
    assert max(each["difference"] for each in found) < 1e-9
    if platform.machine() == "x86_64" and "openblas" in str(np.show_config("dicts")["Build Dependencies"]["blas"]):
        assert {each["equal"] for each in found} == {"within 1e-9"}
        assert min(each["difference"] for each in found) > 0


def test_all_of_it_works_without_torch_and_flower(bundle: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", WITHOUT, str(bundle), IMAGE, str(tmp_path / "dossier")]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stderr
    assert "2 of 2 decisions came out again" in result.stdout
    assert f"Image {IMAGE} of clip {CLIP}: sub." in result.stdout
    assert (tmp_path / "dossier" / "dossier.html").is_file()
