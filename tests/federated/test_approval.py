"""Two different approvers, one candidate, one plan, one assessment; anything else is refused and named."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from federated.approval import (
    MAX_APPROVAL_BYTES,
    PREDICATE_TYPE,
    Approval,
    read_approval,
    require_approved,
    sign_approval,
)
from federated.assessment import Assessment, Finding
from federated.canonical import canonical, digest
from federated.change_plan import Criterion
from federated.errors import ConsiliumError, ContractError, SignatureError
from federated.keys import public_hex, verifier
from federated.statements import sign_statement

EVE, FAY, GUS = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (21, 22, 23))
APPROVERS = [verifier(public_hex(key), where="test") for key in (EVE, FAY)]
CANDIDATE, PLAN = digest(b"candidate"), digest(b"plan")
MET = Finding(criterion=Criterion(measure="answered", at_least=0.5), found=0.9, ok=True)
ASSESSMENT = Assessment(
    federation="heart",
    candidate=CANDIDATE,
    plan=PLAN,
    before=None,
    reports={"ada": digest(b"report")},
    changes=(),
    outside=(),
    findings=(MET,),
)


def _approved(*approvals: bytes, candidate: str = CANDIDATE, plan: str = PLAN, federation: str = "heart") -> Approval:
    return require_approved(approvals, APPROVERS, federation, candidate, plan)


def test_two_approvers_approve() -> None:
    found = _approved(sign_approval(ASSESSMENT, EVE), sign_approval(ASSESSMENT, FAY))
    assert found == Approval(federation="heart", plan=PLAN, assessment=ASSESSMENT.digest, substantial=False)


def test_a_change_outside_the_plan_is_approved_by_that_name() -> None:
    outside = ASSESSMENT.model_copy(update={"changes": ("rule",), "outside": ("rule",)})
    assert _approved(sign_approval(outside, EVE), sign_approval(outside, FAY)).substantial


def test_what_fails_its_plan_is_signed_by_nobody() -> None:
    failing = ASSESSMENT.model_copy(update={"findings": (MET.model_copy(update={"ok": False}),)})
    with pytest.raises(ContractError, match="fails its change plan"):
        sign_approval(failing, EVE)


def _refusals() -> dict[str, tuple[tuple[bytes, ...], str]]:
    eve, fay = sign_approval(ASSESSMENT, EVE), sign_approval(ASSESSMENT, FAY)
    later = ASSESSMENT.model_copy(update={"reports": {}})
    both = sign_statement("candidate", CANDIDATE, PREDICATE_TYPE, read_approval(eve).predicate, [EVE])
    return {
        "one approver": ((eve,), "1 of 2 approvers signed"),
        "one approver twice": ((eve, eve), "1 of 2 approvers signed"),
        "one approver twice, of two assessments": ((eve, sign_approval(later, EVE)), "1 of 2 approvers signed"),
        "nobody": ((), "0 of 2 approvers signed"),
        "a stranger": ((eve, sign_approval(ASSESSMENT, GUS)), "signed by no approver"),
        "another candidate": (
            (eve, sign_approval(ASSESSMENT.model_copy(update={"candidate": digest(b"other")}), FAY)),
            "of another candidate",
        ),
        "another plan": (
            (eve, sign_approval(ASSESSMENT.model_copy(update={"plan": digest(b"edited")}), FAY)),
            "of another change plan",
        ),
        "another federation": (
            (eve, sign_approval(ASSESSMENT.model_copy(update={"federation": "lung"}), FAY)),
            "of federation 'lung'",
        ),
        "other findings": ((eve, sign_approval(later, FAY)), "different assessments"),
        "a signature that was changed": ((both, _with_another_signature(fay)), "signed by no approver"),
    }


def _with_another_signature(approval: bytes) -> bytes:
    """Fay's name under what Eve signed."""
    found = json.loads(approval)
    found["signatures"][0]["sig"] = json.loads(sign_approval(ASSESSMENT, EVE))["signatures"][0]["sig"]
    return canonical(found)


@pytest.mark.parametrize("lie", _refusals())
def test_what_is_no_approval_of_two_is_named(lie: str) -> None:
    approvals, reason = _refusals()[lie]
    with pytest.raises((ContractError, SignatureError), match=reason):
        _approved(*approvals)


def test_a_statement_about_something_else_is_none() -> None:
    predicate = Approval(federation="heart", plan=PLAN, assessment=ASSESSMENT.digest, substantial=False)
    with pytest.raises(ContractError, match="something else than a candidate"):
        read_approval(sign_statement("release", CANDIDATE, PREDICATE_TYPE, predicate, [EVE]))
    with pytest.raises(ContractError, match=f"at most {MAX_APPROVAL_BYTES}"):
        read_approval(b" " * (MAX_APPROVAL_BYTES + 1))


@given(st.binary(max_size=300))
def test_whatever_comes_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(ConsiliumError):
        read_approval(data)
