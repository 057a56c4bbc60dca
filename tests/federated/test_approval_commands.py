from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from federated.approval import read_approval
from federated.assessment import Assessment, Finding
from federated.change_plan import parse_plan
from federated.commands import app
from federated.errors import ConsiliumError

PLAN = """
version = 1
federation = "test"
name = "first"
may_change = ["contributions"]

[[criteria]]
measure = "balanced-accuracy"
at_least = 0.5

[[criteria]]
measure = "drop"
at_most = 0.1
"""
CANDIDATE = "sha256:" + "c" * 64


def _assessment(**changes: Any) -> Assessment:
    planned = parse_plan(PLAN.encode(), federation="test")
    first, second = planned.plan.criteria
    fields: dict[str, Any] = {
        "federation": "test",
        "candidate": CANDIDATE,
        "plan": planned.digest,
        "before": None,
        "reports": {},
        "changes": (),
        "outside": (),
        "findings": (
            Finding(criterion=first, found=0.75, ok=True),
            Finding(criterion=second, found=None, ok=True, note="no release before"),
        ),
    }
    return Assessment.model_validate(fields | changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plan.toml").write_text(PLAN)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "eve.pem").write_bytes(pem)
    (tmp_path / "eve.pem").chmod(0o600)
    return tmp_path


def _run(folder: Path, assessment: Assessment, *more: str) -> str:
    (folder / "figures.json").write_bytes(assessment.to_bytes())
    words = ["approve", str(folder / "figures.json"), "--plan", str(folder / "plan.toml"), *more]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_figures_are_shown_and_nothing_is_signed_without_a_key(folder: Path) -> None:
    shown = _run(folder, _assessment())
    assert "balanced-accuracy" in shown
    assert "changed since the release before: nothing" in shown
    assert not list(folder.glob("*.approval"))


def test_what_is_signed_names_candidate_plan_and_figures(folder: Path) -> None:
    _run(folder, _assessment(), "--key", str(folder / "eve.pem"))
    found = read_approval((folder / "figures.approval").read_bytes())
    assert (found.digest, found.predicate.assessment) == (CANDIDATE, _assessment().digest)
    assert found.predicate.substantial is False


def test_what_the_plan_does_not_allow_is_approved_by_saying_so(folder: Path) -> None:
    changed = _assessment(changes=("contributions", "sites-added"), outside=("sites-added",))
    key = ("--key", str(folder / "eve.pem"))
    with pytest.raises(ConsiliumError, match="sites-added changed, which the plan does not allow"):
        _run(folder, changed, *key)
    _run(folder, changed, *key, "--substantial")
    assert read_approval((folder / "figures.approval").read_bytes()).predicate.substantial is True


def test_a_candidate_that_fails_is_not_approved(folder: Path) -> None:
    first, second = _assessment().findings
    failing = _assessment(findings=(first.model_copy(update={"found": 0.4, "ok": False}), second))
    with pytest.raises(ConsiliumError, match="fails its change plan"):
        _run(folder, failing, "--key", str(folder / "eve.pem"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"plan": "sha256:" + "0" * 64}, "another plan than this one"),
        ({"findings": _assessment().findings[:1]}, "other criteria than the plan"),
        ({"findings": (_assessment().findings[0].model_copy(update={"found": 0.4}), _assessment().findings[1])},
         "calls balanced-accuracy met, which it is not"),
        ({"before": "sha256:" + "b" * 64}, "calls drop met, which it is not"),
        ({"changes": ("rule",)}, "something else than the plan of what may change"),
    ],
)  # fmt: skip
def test_a_coordinator_who_says_something_else_than_the_plan_is_named(
    folder: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConsiliumError, match=said):
        _run(folder, _assessment(**changes), "--key", str(folder / "eve.pem"))
    assert not list(folder.glob("*.approval"))


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 5000, _assessment().to_bytes() + b" "])
def test_figures_that_are_none_are_one_line(folder: Path, data: bytes) -> None:
    (folder / "figures.json").write_bytes(data)
    words = ["approve", str(folder / "figures.json"), "--plan", str(folder / "plan.toml")]
    with pytest.raises(ConsiliumError, match=r"figures\.json"):
        CliRunner().invoke(app, words, catch_exceptions=False)
