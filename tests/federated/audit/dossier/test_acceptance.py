"""What was declared before a release, what was found, and who approved: from plan, assessment and log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.approval import PREDICATE_TYPE, Approval, sign_approval
from federated.assessment import Assessment, Judged, Reported, assess
from federated.audit.bundle import Bundle, open_bundle
from federated.audit.dossier.acceptance import NO_PLAN, acceptance
from federated.audit.given import newest
from federated.canonical import digest
from federated.change_plan import parse_plan
from federated.errors import ConsiliumError
from federated.statements import sign_statement

EVE, FAY = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (21, 22))
PLAN = b"""
version = 1
federation = "test"
name = "growing"
may_change = ["sites-added"]

[[criteria]]
measure = "balanced-accuracy"
each = "site"
at_least = 0.2

[[criteria]]
measure = "drop"
at_most = 0.9
"""


def _hex(data: bytes) -> str:
    return digest(data).removeprefix("sha256:")


@pytest.fixture
def approved(make_record: Callable[..., Any], tmp_path: Path) -> tuple[Any, Assessment]:
    """A record whose newest release names a plan and two approvals."""
    record = make_record()
    bundle = open_bundle(record.write(tmp_path / "before.bundle"))
    judged = {}
    for head in bundle.releases():
        reports = {site.name: bundle.opened(site.report) for site in head.manifest.sites}
        told = {name: Reported(each.digest, each.manifest, each.tensors) for name, each in reports.items()}
        judged[head.manifest.number] = Judged(head.manifest, told)
    assessment = assess(parse_plan(PLAN, federation="test"), judged[2], judged[1])
    approvals = tuple(sign_approval(assessment, key).decode() for key in (EVE, FAY))
    record.entries[-1] = record.entries[-1].model_copy(update={"plan": digest(PLAN), "approvals": approvals})
    return record, assessment


def _bundle(record: Any, path: Path, **members: bytes) -> Bundle:
    names = {"plan": f"plans/{_hex(PLAN)}.toml"}
    extra = {names.get(name) or f"assessments/{_hex(data)}.json": data for name, data in members.items()}
    return open_bundle(record.write(path, extra=extra))


def test_criteria_and_approvers(approved: tuple[Any, Assessment], tmp_path: Path) -> None:
    record, assessment = approved
    bundle = _bundle(record, tmp_path / "it.bundle", plan=PLAN, assessment=assessment.to_bytes())
    section = acceptance(bundle, newest(bundle).digest)
    plan, approvals = section.lines
    assert plan.said == f"'growing', {digest(PLAN)}; without being a substantial change may change: sites-added"
    assert approvals.said.startswith("2 keys: ")
    assert approvals.said.endswith("; as a substantial change, outside the plan")  # labels were added too
    (criteria,) = section.grids
    found = assessment.findings
    assert [row[:3] for row in criteria.rows] == [
        ("balanced-accuracy", "each site", ">= 0.2"),
        ("drop", "all", "<= 0.9"),
    ]
    assert [row[3] for row in criteria.rows] == [f"{each.found:.4g}" for each in found]
    assert [row[5] for row in criteria.rows] == ["met", "met"]


def test_what_is_not_in_the_bundle_is_said(approved: tuple[Any, Assessment], tmp_path: Path) -> None:
    bundle = _bundle(approved[0], tmp_path / "it.bundle")
    section = acceptance(bundle, newest(bundle).digest)
    assert section.lines[0].said == f"{digest(PLAN)}, which is not in the bundle"
    assert section.grids[0].rows == ()
    assert section.grids[0].empty.startswith("Not stated")


def test_a_release_without_a_plan_and_one_that_is_not_logged(whole: Any, tmp_path: Path) -> None:
    bundle = open_bundle(whole.write(tmp_path / "it.bundle"))
    assert acceptance(bundle, newest(bundle).digest).lines[0].said == NO_PLAN
    bare = open_bundle(whole.write(tmp_path / "bare.bundle", log=False))
    assert acceptance(bare, newest(bare).digest).lines[0].text is None


def test_what_is_no_assessment_is_one_line(make_record: Callable[..., Any], tmp_path: Path) -> None:
    record = make_record()
    said = Approval(federation="test", plan=digest(PLAN), assessment=digest(b"{}"), substantial=False)
    approval = sign_statement("candidate", str(record.entries[-1].concerns), PREDICATE_TYPE, said, [EVE]).decode()
    record.entries[-1] = record.entries[-1].model_copy(update={"plan": digest(PLAN), "approvals": (approval,)})
    bundle = _bundle(record, tmp_path / "it.bundle", assessment=b"{}")
    with pytest.raises(ConsiliumError, match="assessments/"):
        acceptance(bundle, newest(bundle).digest)
    within = _bundle(record, tmp_path / "other.bundle")
    assert acceptance(within, newest(within).digest).lines[1].said.endswith("; within the plan")
