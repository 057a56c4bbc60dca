"""A release under a plan needs criteria that are met and two approvers; the log tells of both; an auditor agrees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.approval import sign_approval
from federated.audit.approved import approved_check
from federated.canonical import digest
from federated.envelope import Opened, Passage
from federated.errors import ConsiliumError, ContractError, SignatureError
from federated.keys import TrustFile, public_hex
from federated.log.verification import entries_of, verify_log
from federated.manifest import parse_manifest, unpack_tensors
from server.change_plans import PlanError
from server.event import run_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from federated.log.entries import Entry
    from tests.server.conftest import World

EVE, FAY, GUS = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (21, 22, 23))
PLAN = b"""
version = 1
federation = "test"
name = "plan"
may_change = ["sites-added", "labels-added", "contributions", "hyperparameters"]

[[criteria]]
measure = "balanced-accuracy"
each = "site"
at_least = 0.2

[[criteria]]
measure = "reporting-sites"
at_least = 1
"""
STRICT = PLAN.replace(b"at_least = 1", b"at_least = 3")


def _planned(world: World, plan: bytes = PLAN, sites: Sequence[str] = ("ada", "ben")) -> World:
    """Two approvers, a pinned plan, and a candidate with the reports of its sites."""
    for name, key in (("eve", EVE), ("fay", FAY)):
        world.coordinator.add_approver(name, public_hex(key))
    world.coordinator.pin_plan(plan)
    _arrive(world, *sites)
    return world


def _arrive(world: World, *sites: str) -> None:
    for name in sites:
        site = world.join(name)
        site.put(site.statistics())
    run_event(world.coordinator, world)


def _approve(world: World, *keys: Ed25519PrivateKey, plan: bytes | None = None) -> None:
    for key in keys:
        world.coordinator.approve(sign_approval(world.coordinator.assess(plan), key))


def _entries(world: World) -> list[Entry]:
    return list(entries_of(world.coordinator.home.log_path, "test"))


def _verified(world: World, trust: TrustFile | None = None) -> str:
    checks = verify_log(world.coordinator.home.log_path, trust or world.coordinator.trust(), witnesses=0)
    assert [check.found for check in checks if check.ok is False] == []
    return checks[2].found


def test_two_approvals_make_a_release_that_an_auditor_computes_again(world: World) -> None:
    _planned(world)
    with pytest.raises(
        PlanError, match="0 of 2 approvals of this candidate are here; another approver runs: consilium"
    ):
        world.coordinator.release()
    _approve(world, EVE)
    with pytest.raises(PlanError, match="1 of 2 approvals of this candidate are here, from eve"):
        world.coordinator.release()
    _approve(world, FAY)
    release = world.coordinator.release()
    assert release is not None
    entry = _entries(world)[-1]
    assert (entry.event, entry.subject, entry.plan, len(entry.approvals)) == ("release", release, digest(PLAN), 2)
    assert "1 releases, 1 of them approved" in _verified(world)
    _arrive(world, "cem")
    _approve(world, EVE, FAY)
    assert world.coordinator.release() is not None
    found = approved_check(_entries(world)[-1], PLAN, _known(world))
    assert found is not None
    assert (found.ok, found.found) == (True, "2 criteria met, 2 approvals")


def _known(world: World) -> dict[str, Opened]:
    """Everything that the log names, read from the artefacts."""
    known = {}
    for entry in _entries(world):
        name = entry.subject
        if name is None or entry.kind not in (None, "report") or entry.event in ("plan", "vocabulary"):
            continue
        manifest = parse_manifest(world.coordinator.artefacts.get(name))
        tensors = unpack_tensors(world.coordinator.artefacts.get(manifest.tensors_digest), manifest)
        passage = Passage.model_construct()
        known[name] = Opened(passage, manifest, tensors, name, frozenset())
    return known


def test_a_plan_that_came_after_its_candidate_is_told(world: World) -> None:
    _planned(world)
    softer = PLAN.replace(b"0.2", b"0.1")
    candidate = world.coordinator.assess().candidate
    world.coordinator.pin_plan(softer)
    assert world.coordinator.propose() == candidate  # nothing new came: it was made under the other plan
    assert [world.coordinator.is_declared(candidate, digest(each)) for each in (PLAN, softer)] == [True, False]
    _approve(world, EVE, FAY)
    assert world.coordinator.release() is not None
    checks = verify_log(world.coordinator.home.log_path, world.coordinator.trust(), witnesses=0)
    (told,) = [check for check in checks if check.name == "plans"]
    assert (told.ok, told.found.partition(":")[0]) == (None, "release 1")
    _arrive(world, "cem")
    assert world.coordinator.is_declared(world.coordinator.assess().candidate, digest(softer))


def test_an_event_releases_once_two_have_approved(world: World) -> None:
    _planned(world)
    summary = run_event(world.coordinator, world)
    assert (summary.release, summary.number) == (None, None)
    assert "0 of 2 approvals of this candidate are here" in summary.trouble
    _approve(world, EVE, FAY)
    summary = run_event(world.coordinator, world)
    assert (summary.number, summary.trouble) == (1, "")
    assert [len(site.releases) for site in world.members.values()] == [1, 1]


def test_without_a_plan_everything_is_as_before(world: World) -> None:
    _arrive(world, "ada", "ben")
    entry = next(entry for entry in _entries(world) if entry.event == "release")
    assert (entry.plan, entry.approvals) == (None, ())
    assert "approved" not in _verified(world)


def test_a_plan_may_be_kept_to_once(world: World) -> None:
    """Given, not pinned."""
    for name, key in (("eve", EVE), ("fay", FAY)):
        world.coordinator.add_approver(name, public_hex(key))
    site = world.join("ada")
    world.coordinator.accept(site.seal(site.statistics()))
    candidate = world.coordinator.propose()
    for parcel in world.coordinator.outgoing("ada"):
        site.take(parcel.to_bytes())
    world.coordinator.accept_all(list(site.outbox.values()))
    _approve(world, EVE, FAY, plan=PLAN)
    release = world.coordinator.release(PLAN)
    entry = _entries(world)[-1]
    assert (entry.subject, entry.concerns, entry.plan) == (release, candidate, digest(PLAN))
    assert world.coordinator.plan() is None
    assert "1 of them approved" in _verified(world)


def test_a_criterion_that_fails_is_told_and_nothing_is_released(world: World) -> None:
    _planned(world, STRICT)
    assessment = world.coordinator.assess()
    assert [finding.ok for finding in assessment.findings] == [True, False]
    with pytest.raises(ContractError, match="fails its change plan"):
        sign_approval(assessment, EVE)
    with pytest.raises(PlanError) as caught:
        world.coordinator.release()
    assert str(caught.value) == (
        "change plan: reporting-sites of all is 2, needed >= 3; nothing is released; see the table of criteria"
    )
    found = world.coordinator.status()
    assert (found["releases"], found["plan"], found["approvers"]) == ([], digest(STRICT), ["eve", "fay"])


def test_a_change_outside_the_plan_is_a_substantial_one(world: World) -> None:
    _planned(world, PLAN.replace(b'"sites-added", "labels-added", ', b""))
    _approve(world, EVE, FAY)
    assert world.coordinator.release() is not None
    _arrive(world, "cem")
    with pytest.raises(
        PlanError, match="sites-added changed, which it does not allow; approve and release it as a sub"
    ):
        world.coordinator.release()
    with pytest.raises(PlanError, match="0 of 2 approvals"):
        world.coordinator.release(substantial=True)
    _approve(world, EVE, FAY)
    with pytest.raises(PlanError, match="sites-added changed"):
        world.coordinator.release()
    assert world.coordinator.release(substantial=True) is not None
    assert "2 of them approved" in _verified(world)


def test_approvals_are_of_one_candidate(world: World) -> None:
    _planned(world)
    early = [sign_approval(world.coordinator.assess(), key) for key in (EVE, FAY)]
    world.coordinator.approve(early[0])
    _arrive(world, "cem")
    with pytest.raises(ContractError, match="is of another candidate than the newest; approve that one"):
        world.coordinator.approve(early[1])
    with pytest.raises(PlanError, match="0 of 2"):
        world.coordinator.release()


def test_approvals_are_of_the_reports_that_are_here(world: World) -> None:
    """One that comes later makes another release, which is approved anew."""
    _planned(world, PLAN.replace(b'each = "site"', b""))
    world.offline.add("ada")
    ben, ada = world.members["ben"], world.members["ada"]
    ben.put(ben.statistics("b0002"))
    run_event(world.coordinator, world)
    approval = sign_approval(world.coordinator.assess(), EVE)
    world.coordinator.approve(approval)
    world.offline.clear()
    assert ada.reports
    run_event(world.coordinator, world)
    with pytest.raises(ContractError, match="is of other figures than the reports give now"):
        world.coordinator.approve(approval)
    with pytest.raises(PlanError, match="0 of 2"):
        world.coordinator.release()


def test_a_candidate_that_an_older_release_overtook_is_made_anew(world: World) -> None:
    """Approvers compared it with a release that sites do not have any more."""
    _planned(world)
    for name in ("", "cem"):
        _arrive(world, *([name] if name else []))
        _approve(world, EVE, FAY)
        assert world.coordinator.release() is not None
    ada = world.members["ada"]
    ada.put(ada.statistics("b0002"))
    waiting = run_event(world.coordinator, world).candidate
    _approve(world, EVE, FAY)
    world.coordinator.rollback(1)
    with pytest.raises(PlanError, match="candidate: was made after another release than the newest; make one anew"):
        world.coordinator.release()
    summary = run_event(world.coordinator, world)
    assert summary.candidate not in (None, waiting)
    _approve(world, EVE, FAY)
    assert world.coordinator.release() is not None
    found = approved_check(_entries(world)[-1], PLAN, _known(world))
    assert found is not None
    assert (found.ok, found.found) == (True, "2 criteria met, 2 approvals")


def test_a_plan_that_was_edited_is_another_one(world: World) -> None:
    _planned(world)
    approval = sign_approval(world.coordinator.assess(), EVE)
    edited = PLAN.replace(b"0.2", b"0.1")
    with pytest.raises(PlanError, match="is not the one that is pinned, or was edited since"):
        world.coordinator.release(edited)
    with pytest.raises(PlanError, match="is not the one that is pinned"):
        world.coordinator.assess(edited)
    world.coordinator.pin_plan(edited)
    with pytest.raises(PlanError, match="is not the one that is pinned"):
        world.coordinator.approve(approval)
    assert world.coordinator.plan() == edited
    _approve(world, EVE, FAY)
    assert world.coordinator.release() is not None
    assert "1 of them approved" in _verified(world)


def test_whose_approval_does_not_count_is_said(world: World) -> None:
    _planned(world)
    assessment = world.coordinator.assess()
    for key in (GUS, world.members["ada"].key, world.coordinator.home.key()):
        with pytest.raises(SignatureError, match="is not signed by one approver of releases; there are: eve, fay"):
            world.coordinator.approve(sign_approval(assessment, key))
    world.coordinator.approve(sign_approval(assessment, EVE))
    world.coordinator.approve(sign_approval(assessment, EVE))
    assert world.coordinator.approvals(assessment) == ["eve"]
    lung = sign_approval(assessment.model_copy(update={"federation": "lung"}), FAY)
    with pytest.raises(ContractError, match="is of another candidate than the newest"):
        world.coordinator.approve(lung)
    unknown = sign_approval(assessment.model_copy(update={"plan": digest(b"never here")}), FAY)
    with pytest.raises(ContractError, match="is of a change plan that was never here"):
        world.coordinator.approve(unknown)


def test_an_approver_is_nobody_else(world: World) -> None:
    ada = world.join("ada")
    coordinator = world.coordinator
    for key in (ada.key, ada.approver, coordinator.home.key()):
        with pytest.raises(SignatureError, match="this key is in use already"):
            coordinator.add_approver("eve", public_hex(key))
    for name, what in (("ada", "is the name of a site"), ("Dr. Eve", "is no name for an approver")):
        with pytest.raises(ConsiliumError, match=what):
            coordinator.add_approver(name, public_hex(EVE))
    with pytest.raises(SignatureError, match="not an Ed25519 key"):
        coordinator.add_approver("eve", "00" * 31)
    coordinator.add_approver("eve", public_hex(EVE))
    coordinator.add_approver("eve", public_hex(EVE))
    with pytest.raises(ConsiliumError, match="is an approver with another key"):
        coordinator.add_approver("eve", public_hex(FAY))
    assert coordinator.approvers() == {"eve": public_hex(EVE)}
    assert [entry.event for entry in _entries(world)].count("approver") == 1


def test_what_an_approver_signed_counts_no_more_once_that_ended(world: World) -> None:
    _planned(world)
    _approve(world, EVE, FAY)
    world.coordinator.end_approver("fay")
    with pytest.raises(PlanError, match="1 of 2 approvals of this candidate are here, from eve"):
        world.coordinator.release()
    with pytest.raises(SignatureError, match="in use already, or was"):
        world.coordinator.add_approver("fay", public_hex(FAY))
    with pytest.raises(ConsiliumError, match="is no approver of releases; approvers are: eve"):
        world.coordinator.end_approver("fay")
    world.coordinator.add_approver("gus", public_hex(GUS))
    _approve(world, GUS)
    assert world.coordinator.release() is not None
    assert "1 of them approved" in _verified(world)


def test_a_site_of_the_same_name_ends_no_approver(world: World) -> None:
    world.coordinator.add_approver("cem", public_hex(EVE))
    world.join("cem")
    world.coordinator.revoke("cem")
    assert world.coordinator.approvers() == {"cem": public_hex(EVE)}
    _verified(world)


def test_nothing_to_assess_is_said(world: World) -> None:
    with pytest.raises(ConsiliumError, match="there is no candidate; make one with: consilium coordinator release"):
        world.coordinator.assess(PLAN)
    _arrive(world, "ada")
    with pytest.raises(ConsiliumError, match="no change plan is pinned; name one with --plan FILE"):
        world.coordinator.assess()
    with pytest.raises(ContractError, match="is of federation 'lung', this is 'test'"):
        world.coordinator.pin_plan(PLAN.replace(b'"test"', b'"lung"'))


def test_a_plan_is_pinned_once(world: World) -> None:
    assert world.coordinator.pin_plan(PLAN) == world.coordinator.pin_plan(PLAN) == digest(PLAN)
    assert [entry.subject for entry in _entries(world) if entry.event == "plan"] == [digest(PLAN)]


def test_a_release_is_brought_back_without_new_approvals(world: World) -> None:
    _planned(world)
    _approve(world, EVE, FAY)
    world.coordinator.release()
    _arrive(world, "cem")
    _approve(world, EVE, FAY)
    world.coordinator.release()
    world.coordinator.rollback(1)
    assert "3 releases, 2 of them approved" in _verified(world)
