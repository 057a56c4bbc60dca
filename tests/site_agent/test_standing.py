from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from federated.averaging import UpdateManifest
from federated.disclosure import Facts
from federated.errors import DisclosureError, SignatureError
from site_agent.egress import Draft, Gate
from site_agent.home import SiteHome
from site_agent.mailbox import Outbox
from site_agent.policy import Policy, StandingApproval, UpdateRule, read_policy, sign_policy, write_policy
from site_agent.standing import Used, standing_checks, standing_lines, used

MakeDraft = Callable[..., Draft]
Key = Ed25519PrivateKey
TODAY = date(2030, 6, 15)
FUTURE = "2999-12-31"


def _approval(**changes: Any) -> StandingApproval:
    fields = {"task": "classification", "model": "linear_head", "rounds": 3, "until": FUTURE, "bytes": 10_000}
    return StandingApproval.model_validate(fields | changes)


def _allow(home: SiteHome, approver: Key, *approvals: StandingApproval, approval: str = "standing") -> None:
    rule = UpdateRule.model_validate({"allowed": True, "approval": approval, "averaging": approvals})
    write_policy(home, Policy(federation="test", site="ada", update=rule))
    sign_policy(home, approver)


def _round(make_draft: MakeDraft, number: int = 1, **changes: Any) -> Draft:
    return make_draft("update", average=f"sha256:{number:064x}", round=number, **changes)


def _refusal(home: SiteHome, draft: Draft) -> str:
    with pytest.raises(DisclosureError) as refused:
        Gate(home).submit(draft)
    assert "\n" not in str(refused.value)
    assert not Gate(home).preview(draft).allowed
    return str(refused.value)


def test_updates_leave_under_a_standing_approval_until_its_rounds_are_used(
    home: SiteHome, approver: Key, make_draft: MakeDraft
) -> None:
    _allow(home, approver, _approval())
    for number in (1, 2, 3):
        assert Gate(home).submit(_round(make_draft, number)).state == "outbox"
    assert Gate(home).submit(_round(make_draft, 3)).state == "same"
    told = _refusal(home, _round(make_draft, 4))
    assert told == (
        "refused by standing_rounds: update: found 4, at most 3 is allowed; "
        "have an approver sign a policy with more rounds under [[update.averaging]]"
    )
    receipts = Gate(home).receipts()
    assert [receipt.filters["standing_rounds"] for receipt in receipts] == ["1 <= 3", "2 <= 3", "3 <= 3"]
    assert {receipt.approval for receipt in receipts} == {"standing"}
    assert len(Outbox(home).parcels()) == 3


def test_a_new_run_does_not_count_anew_and_more_rounds_take_a_signature(
    home: SiteHome, approver: Key, make_draft: MakeDraft
) -> None:
    _allow(home, approver, _approval(rounds=1))
    Gate(home).submit(_round(make_draft, 1))
    assert "standing_rounds" in _refusal(home, _round(make_draft, 9, run=2))
    write_policy(home, read_policy(home).model_copy(update={"update": UpdateRule(allowed=True)}))
    assert "was changed after an approver signed it" in _refusal(home, _round(make_draft, 9, run=2))
    _allow(home, approver, _approval(rounds=2))
    assert Gate(home).submit(_round(make_draft, 9, run=2)).state == "outbox"


def test_bytes_are_counted_together(home: SiteHome, approver: Key, make_draft: MakeDraft) -> None:
    size = len(_round(make_draft).tensors)
    _allow(home, approver, _approval(bytes=2 * size))
    for number in (1, 2):
        Gate(home).submit(_round(make_draft, number))
    told = _refusal(home, _round(make_draft, 3))
    assert f"refused by standing_bytes: update: found {3 * size}, at most {2 * size}" in told


def test_nothing_leaves_after_the_last_day(home: SiteHome, approver: Key, make_draft: MakeDraft) -> None:
    _allow(home, approver, _approval(until="2020-02-29"))
    told = _refusal(home, _round(make_draft))
    assert "refused by standing_until" in told
    assert "at most 2020-02-29 is allowed" in told
    _allow(home, approver, _approval(until=datetime.now(UTC).date().isoformat()))
    assert Gate(home).submit(_round(make_draft)).state == "outbox"


@pytest.mark.parametrize("other", [{"model": "small_resnet18"}, {"task": "grading"}])
def test_another_model_or_task_is_not_meant(
    other: dict[str, str], home: SiteHome, approver: Key, make_draft: MakeDraft
) -> None:
    _allow(home, approver, _approval(**other))
    told = _refusal(home, _round(make_draft))
    assert "no standing approval names task 'classification' and model 'linear_head'" in told
    assert "add them under [[update.averaging]] with rounds, until and bytes" in told


def test_allowing_weights_is_not_allowing_updates(home: SiteHome, approver: Key, make_draft: MakeDraft) -> None:
    policy = Policy(federation="test", site="ada")
    write_policy(home, policy.model_copy(update={"weights": policy.weights.model_copy(update={"allowed": True})}))
    sign_policy(home, approver)
    assert "'update' is not allowed out" in _refusal(home, _round(make_draft))


def test_without_a_standing_approval_an_approver_signs_each(
    home: SiteHome, approver: Key, make_draft: MakeDraft
) -> None:
    _allow(home, approver, approval="each")
    draft = _round(make_draft)
    assert Gate(home).submit(draft).state == "pending"
    with pytest.raises(SignatureError):
        Gate(home).approve(draft.digest, Ed25519PrivateKey.generate())
    assert Gate(home).approve(draft.digest, approver).state == "outbox"


def test_a_draft_cannot_be_counted_as_another_models(home: SiteHome, approver: Key, make_draft: MakeDraft) -> None:
    _allow(home, approver, _approval())
    draft = _round(make_draft)
    wrong = Draft(draft.manifest, draft.tensors, Facts(**{**vars(draft.facts), "about": "classification/other"}))
    with pytest.raises(DisclosureError, match="the facts are about another model"):
        Gate(home).submit(wrong)


def _left(kind: str = "update", about: str = "classification/linear_head", size: int = 100) -> Facts:
    return Facts(kind, None, None, {}, 0.0, size, about=about)


def test_only_updates_of_the_same_task_and_model_are_counted() -> None:
    earlier = [_left(), _left(size=50), _left(kind="weights"), _left(about="classification/other")]
    assert used("classification", "linear_head", earlier) == Used(2, 150)
    (line,) = standing_lines(UpdateRule(averaging=(_approval(),)), earlier)
    assert "2 of 3 rounds and 150 of 10000 bytes are used, until 2999-12-31" in line


@pytest.mark.parametrize(("until", "passed"), [("2030-06-14", False), ("2030-06-15", True), ("2030-06-16", True)])
def test_the_last_day_counts(until: str, passed: bool, make_draft: MakeDraft) -> None:
    rule = UpdateRule(allowed=True, approval="standing", averaging=(_approval(until=until),))
    manifest = _round(make_draft).manifest
    assert isinstance(manifest, UpdateManifest)
    checks = standing_checks(rule, manifest, 1, (), TODAY)
    assert {check.name: check.passed for check in checks} == {
        "standing_rounds": True,
        "standing_bytes": True,
        "standing_until": passed,
    }


@pytest.mark.parametrize(
    "changes", [{"rounds": 0}, {"until": "2030-02-30"}, {"until": "soon"}, {"bytes": 0}, {"model": "*"}]
)
def test_an_approval_without_an_end_is_none(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _approval(**changes)


def test_two_approvals_about_one_model_are_refused() -> None:
    with pytest.raises(ValidationError, match="two standing approvals are about the same task and model"):
        UpdateRule(averaging=(_approval(), _approval(rounds=100)))


def test_a_day_may_be_written_as_toml_writes_days(home: SiteHome, approver: Key) -> None:
    _allow(home, approver, _approval())
    text = home.policy_path.read_text().replace(f'"{FUTURE}"', FUTURE)
    home.policy_path.write_text(text)
    sign_policy(home, approver)
    assert read_policy(home).update.averaging == (_approval(),)
