"""One test a liar about change plans: releases that nobody approved, approvals by whom they may not come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.approval import sign_approval
from federated.assessment import Assessment
from federated.canonical import digest
from federated.errors import ConsiliumError
from federated.keys import Party, TrustFile, public_hex
from federated.log.entries import Entry, sign_entry
from federated.log.rules import Walk, take_entry

Key = Ed25519PrivateKey
HUB, ADA, DPO, EVE, FAY, GUS = (Key.from_private_bytes(bytes([number]) * 32) for number in range(1, 7))
PLAN, OTHER_PLAN = digest(b"plan"), digest(b"the plan after it was edited")
CANDIDATE, OTHER = digest(b"candidate"), digest(b"another candidate")
TRUST = TrustFile(
    federation="heart",
    parties=(
        Party(name="hub", role="coordinator", public=public_hex(HUB)),
        Party(name="ada", role="site", public=public_hex(ADA)),
        Party(name="dpo", role="approver", public=public_hex(DPO), site="ada"),
        *(Party(name=name, role="approver", public=public_hex(key)) for name, key in (("eve", EVE), ("fay", FAY))),
    ),
)


class Log:
    """Entries of a federation with two approvers and a plan, to which a liar adds."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.add("init", keys=({"public": public_hex(HUB), "role": "coordinator"},))
        keys = ({"public": public_hex(ADA), "role": "site"}, {"public": public_hex(DPO), "role": "approver"})
        self.add("enrol", site="ada", keys=keys)
        for key in (EVE, FAY):
            self.approver(key)

    def add(self, event: str, **facts: Any) -> None:
        at = f"2026-11-21T06:00:{len(self.entries):02d}Z"
        self.entries.append(Entry.model_validate({"federation": "heart", "at": at, "event": event} | facts))

    def approver(self, key: Key) -> None:
        self.add("approver", keys=({"public": public_hex(key), "role": "approver"},))

    def plan(self, plan: str = PLAN) -> None:
        self.add("plan", subject=plan)

    def release(
        self, *approvals: str, plan: str | None = PLAN, candidate: str = CANDIDATE, event: str = "release"
    ) -> None:
        number = 1 + sum(entry.event in ("release", "roll back") for entry in self.entries)
        facts = {"subject": digest(b"%d" % number), "concerns": candidate, "number": number}
        if event == "release":
            facts |= {"plan": plan, "approvals": approvals}
        self.add(event, **facts)

    def walked(self, trust: TrustFile = TRUST) -> Walk:
        walk = Walk(trust)
        for number, entry in enumerate(self.entries):
            take_entry(walk, number, sign_entry(entry, HUB), None)
        return walk


def _approval(
    key: Key, candidate: str = CANDIDATE, plan: str = PLAN, findings: str = "", federation: str = "heart"
) -> str:
    assessment = Assessment(
        federation=federation,
        candidate=candidate,
        plan=plan,
        before=digest(findings.encode()) if findings else None,
        reports={},
        changes=(),
        outside=(),
        findings=(),
    )
    return sign_approval(assessment, key).decode()


def test_a_release_under_a_plan_with_two_approvals_stands() -> None:
    log = Log()
    log.release(plan=None)
    log.plan()
    log.release(_approval(EVE), _approval(FAY))
    log.release(candidate=CANDIDATE, event="roll back")
    walk = log.walked()
    assert (walk.plan, walk.planned, list(walk.releases.values())) == (PLAN, 1, [1, 2, 3])


def test_a_candidate_is_released_again_with_more_reports() -> None:
    log = Log()
    log.plan()
    log.release(_approval(EVE), _approval(FAY))
    log.release(_approval(EVE, findings="later"), _approval(FAY, findings="later"))
    log.add("recall", subject=digest(b"recall"), concerns=digest(b"2"), number=2)
    log.release(event="roll back")
    assert (log.walked().planned, log.walked().standing) == (2, {1: CANDIDATE, 3: CANDIDATE})


def test_a_plan_may_be_kept_to_without_being_pinned() -> None:
    log = Log()
    log.release(_approval(EVE), _approval(FAY))
    assert log.walked().planned == 1


@pytest.mark.parametrize("later", ["nothing", "the candidate", "the plan", "both plans"])
def test_a_plan_that_came_after_its_candidate_was_not_declared_before(later: str) -> None:
    """Nobody lied, and whoever pinned it may have known the figures."""
    log = Log()
    first = {"the plan": [], "both plans": [OTHER_PLAN]}.get(later, [PLAN])
    for plan in first:
        log.plan(plan)
    log.add("candidate", subject=CANDIDATE, number=1)
    if later != "nothing":
        log.plan()
        log.add("candidate", subject=CANDIDATE, number=1)  # it came back
    log.release(_approval(EVE), _approval(FAY))
    assert log.walked().undeclared == ([1] if later in ("the plan", "both plans") else [])


def _without_approvals(log: Log) -> None:
    log.release()


def _without_the_plan(log: Log) -> None:
    log.release(plan=None)


def _under_another_plan(log: Log) -> None:
    log.release(_approval(EVE, plan=OTHER_PLAN), _approval(FAY, plan=OTHER_PLAN), plan=OTHER_PLAN)


def _edited_after_approval(log: Log) -> None:
    log.plan(OTHER_PLAN)
    log.release(_approval(EVE), _approval(FAY), plan=OTHER_PLAN)


def _one_approver_twice(log: Log) -> None:
    log.release(_approval(EVE), _approval(EVE))


def _by_the_coordinator(log: Log) -> None:
    log.release(_approval(EVE), _approval(HUB))


def _by_a_site(log: Log) -> None:
    log.release(_approval(EVE), _approval(ADA))


def _by_a_sites_approver(log: Log) -> None:
    log.release(_approval(EVE), _approval(DPO))


def _of_another_candidate(log: Log) -> None:
    log.release(_approval(EVE), _approval(FAY, candidate=OTHER))


def _candidate_swapped(log: Log) -> None:
    log.release(_approval(EVE), _approval(FAY), candidate=OTHER)


def _other_findings(log: Log) -> None:
    log.release(_approval(EVE), _approval(FAY, findings="later"))


def _of_another_federation(log: Log) -> None:
    log.release(_approval(EVE), _approval(FAY, federation="lung"))


def _by_who_was_ended(log: Log) -> None:
    log.add("approver ended", ended=(public_hex(FAY),))
    log.release(_approval(EVE), _approval(FAY))


def _a_sites_key_as_approver(log: Log) -> None:
    log.approver(ADA)


def _a_sites_approver_as_approver(log: Log) -> None:
    log.approver(DPO)


def _an_approver_whom_nobody_knows(log: Log) -> None:
    log.approver(GUS)


def _an_approver_again(log: Log) -> None:
    log.add("approver ended", ended=(public_hex(FAY),))
    log.approver(FAY)


def _ends_who_is_none(log: Log) -> None:
    log.add("approver ended", ended=(public_hex(ADA),))


def _brings_back_what_never_was(log: Log) -> None:
    log.release(candidate=OTHER, event="roll back")


def _recalled(log: Log) -> None:
    log.release(_approval(EVE), _approval(FAY))
    log.add("recall", subject=digest(b"recall"), concerns=digest(b"1"), number=1)


def _released_again_after_its_recall(log: Log) -> None:
    _recalled(log)
    log.release(_approval(EVE), _approval(FAY))


def _brought_back_after_its_recall(log: Log) -> None:
    _recalled(log)
    log.release(event="roll back")


def _released_again_after_another(log: Log) -> None:
    log.release(_approval(EVE), _approval(FAY))
    log.release(_approval(EVE, candidate=OTHER), _approval(FAY, candidate=OTHER), candidate=OTHER)
    log.release(_approval(EVE, findings="later"), _approval(FAY, findings="later"))


def _approvals_twice(log: Log) -> None:
    log.release(_approval(EVE), _approval(FAY))
    log.release(_approval(EVE), _approval(FAY))


def _approvals_of_no_plan(log: Log) -> None:
    log.entries.pop()
    log.release(_approval(EVE), _approval(FAY), plan=None)


def _words(log: Log) -> None:
    log.release("Maria Schmidt, born 1961", _approval(FAY))


LIES: dict[str, tuple[Callable[[Log], None], str]] = {
    "a release without approvals": (_without_approvals, "approvals: 0 of 2 approvers signed"),
    "a release without the plan": (_without_the_plan, "release: was made under no change plan"),
    "a release under another plan": (_under_another_plan, "release: was made under another change plan"),
    "a plan edited after it was approved": (_edited_after_approval, "approval: is of another change plan"),
    "one approver twice": (_one_approver_twice, "approvals: 1 of 2 approvers signed"),
    "the coordinator as an approver": (_by_the_coordinator, "approval: is signed by no approver of the federation"),
    "a site as an approver": (_by_a_site, "approval: is signed by no approver of the federation"),
    "a site's approver as one of releases": (_by_a_sites_approver, "is signed by no approver of the federation"),
    "an approval of another candidate": (_of_another_candidate, "approval: is of another candidate"),
    "another candidate than the one approved": (_candidate_swapped, "approval: is of another candidate"),
    "approvals of different findings": (_other_findings, "approvers signed different assessments"),
    "an approval of another federation": (_of_another_federation, "approval: is of federation 'lung'"),
    "an approver whose key was ended": (_by_who_was_ended, "approval: is signed by no approver of the federation"),
    "a site's key made an approver": (_a_sites_key_as_approver, "approver: brings a key that is not in the trust file"),
    "a site's approver made an approver": (_a_sites_approver_as_approver, "approver: brings a key that is not in the"),
    "an approver whom nobody knows": (
        _an_approver_whom_nobody_knows,
        "approver: brings a key that is not in the trust",
    ),
    "an approver who comes back": (_an_approver_again, "approver: brings a key that the log has had before"),
    "the end of a key that is none": (_ends_who_is_none, "approver ended: ends a key that approves nothing"),
    "a return of what was never released": (_brings_back_what_never_was, "roll back: brings back what was never"),
    "a recalled release, made once more": (_released_again_after_its_recall, "a candidate again that was recalled"),
    "a recalled release, brought back": (_brought_back_after_its_recall, "roll back: brings back what was recalled"),
    "an older candidate in the place of a newer": (
        _released_again_after_another,
        "again that was recalled or f",
    ),
    "approvals used twice": (_approvals_twice, "release: brings approvals that another release was made by"),
    "approvals of no plan": (_approvals_of_no_plan, "release: brings approvals of no change plan"),
    "words in the place of an approval": (_words, "is not a DSSE envelope"),
}


@pytest.mark.parametrize("lie", LIES)
def test_whoever_goes_round_the_plan_is_named(lie: str) -> None:
    tell, what = LIES[lie]
    log = Log()
    log.plan()
    tell(log)
    with pytest.raises(ConsiliumError) as caught:
        log.walked()
    assert what in str(caught.value)
    assert f"entry {len(log.entries) - 1}: " in str(caught.value)


def test_a_trust_file_that_makes_a_sites_approver_one_of_releases_is_not_believed() -> None:
    """The same key under both names: the log has it as the site's already."""
    both = TRUST.model_copy(
        update={"parties": (*TRUST.parties, Party(name="x", role="approver", public=public_hex(DPO)))}
    )
    log = Log()
    log.approver(DPO)
    with pytest.raises(ConsiliumError, match="brings a key that the log has had before"):
        log.walked(both)
