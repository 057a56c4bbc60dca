"""An auditor computes the figures again that approvers signed, and names what is not as it was told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.approval import PREDICATE_TYPE, read_approval, sign_approval
from federated.assessment import Assessment, Judged, Reported, assess
from federated.audit.approved import approved_check, judged_of
from federated.audit.outcome import Check
from federated.canonical import digest
from federated.change_plan import parse_plan
from federated.envelope import Opened
from federated.log.entries import Entry
from federated.manifest import ReleaseManifest, manifest_digest, unpack_tensors
from federated.release import Built, build_release
from federated.statements import sign_statement

EVE, FAY = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (21, 22))
PLAN = b"""
version = 1
federation = "test"
name = "plan"
may_change = ["sites-added", "labels-added", "hyperparameters"]

[[criteria]]
measure = "balanced-accuracy"
each = "site"
at_least = 0.2

[[criteria]]
measure = "drop"
at_most = 0.9
"""


@dataclass
class World:
    """Two releases, the second with one site more, and every parcel by its digest."""

    known: dict[str, Opened]
    candidate: ReleaseManifest
    release: ReleaseManifest
    assessment: Assessment

    def entry(self, *approvals: bytes, plan: bytes = PLAN) -> Entry:
        signed = approvals or tuple(sign_approval(self.assessment, key) for key in (EVE, FAY))
        return Entry(
            federation="test",
            at="2026-11-21T06:00:00Z",
            event="release",
            subject=manifest_digest(self.release),
            concerns=manifest_digest(self.candidate),
            number=2,
            plan=digest(plan),
            approvals=tuple(each.decode() for each in signed),
        )

    def check(self, entry: Entry | None = None, plan: bytes | None = PLAN) -> Check:
        found = approved_check(entry or self.entry(), plan, self.known)
        assert found is not None
        return found


@pytest.fixture
def world(federation: Any) -> World:
    known: dict[str, Opened] = {}
    first, _, _ = _released(federation, ("ada", "ben"), known, number=1, previous=None)
    release, candidate, judged = _released(
        federation, ("ada", "ben", "cem"), known, number=2, previous=manifest_digest(first.manifest)
    )
    planned = parse_plan(PLAN, federation="test")
    before = judged_of(first.manifest, known)
    return World(known, candidate.manifest, release.manifest, assess(planned, judged, before))


def _released(
    federation: Any, names: tuple[str, ...], known: dict[str, Opened], **facts: Any
) -> tuple[Built, Built, Judged]:
    candidate = federation.candidate(names, **facts)
    reports = federation.reports(candidate, names)
    tensors = unpack_tensors(candidate.tensors, candidate.manifest)
    release = build_release(candidate.manifest, tensors, reports)
    for made in (candidate, release):
        _know(known, made.manifest, {})
    for _, manifest, counts in reports.values():
        _know(known, manifest, counts)
    return release, candidate, Judged(candidate.manifest, {site: Reported(*each) for site, each in reports.items()})


def _know(known: dict[str, Opened], manifest: Any, tensors: Any) -> None:
    name = manifest_digest(manifest)
    known[name] = Opened(cast(Any, SimpleNamespace()), manifest, tensors, name, frozenset())


def test_what_approvers_signed_is_what_the_reports_give(world: World) -> None:
    assert world.check() == Check(name="change plan", ok=True, found="2 criteria met, 2 approvals")
    assert world.assessment.changes


def test_a_release_without_a_plan_is_held_against_none(world: World) -> None:
    entry = world.entry().model_copy(update={"plan": None, "approvals": ()})
    assert approved_check(entry, PLAN, world.known) is None


def test_a_figure_that_is_not_what_the_reports_give_is_named(world: World) -> None:
    """The coordinator showed approvers better counts than the site sent, which was wrong once."""
    judged_of(world.release, world.known).reports["ada"].tensors["confusion"][0, 1] += 1
    assert _lie(world.check()) == "approvers signed other figures than the reports give"


def test_a_criterion_that_is_not_met_is_named(world: World) -> None:
    strict = PLAN.replace(b"0.2", b"1.1")
    assessment = world.assessment.model_copy(update={"plan": digest(strict)})
    approvals = [sign_approval(assessment, key) for key in (EVE, FAY)]
    found = world.check(world.entry(*approvals, plan=strict), strict)
    assert _lie(found) == "balanced-accuracy of each site is not >= 1.1"


def test_a_change_outside_the_plan_has_to_be_approved_by_name(world: World) -> None:
    narrow = PLAN.replace(b'"sites-added", ', b"")
    planned = parse_plan(narrow, federation="test")
    judged = Judged(world.candidate, judged_of(world.release, world.known).reports)
    before = judged_of(world.known[str(world.candidate.previous)].manifest, world.known)
    assessment = assess(planned, judged, before)
    assert assessment.outside == ("sites-added",)
    named = [sign_approval(assessment, key) for key in (EVE, FAY)]
    found = world.check(world.entry(*named, plan=narrow), narrow)
    assert (found.ok, found.found) == (True, "2 criteria met, 2 approvals; a substantial change: sites-added")
    quiet = read_approval(named[0]).predicate.model_copy(update={"substantial": False})
    silent = [sign_statement("candidate", assessment.candidate, PREDICATE_TYPE, quiet, [key]) for key in (EVE, FAY)]
    found = world.check(world.entry(*silent, plan=narrow), narrow)
    assert _lie(found) == "sites-added changed, which the plan does not allow"


def test_another_plan_is_named(world: World) -> None:
    assert _lie(world.check(plan=PLAN + b"\n")) == "is not the plan that the release was made under"


def test_a_release_of_another_candidate_is_named(world: World) -> None:
    other = world.release.model_copy(update={"candidate": digest(b"another")})
    name = manifest_digest(world.release)
    world.known[name] = replace(world.known[name], manifest=other)
    assert "was made of another candidate than the log says" in _lie(world.check())


def test_a_report_about_something_else_is_named(world: World) -> None:
    name, report = next((name, each) for name, each in world.known.items() if each.manifest.kind == "report")
    other = report.manifest.model_copy(update={"candidate": digest(b"another")})
    world.known[name] = replace(report, manifest=other)
    assert "is about another candidate than the release" in _lie(world.check())


def test_what_is_not_among_the_files_is_said(world: World) -> None:
    assert world.check(plan=None).found == "not recomputed: the plan is not among the files"
    whole = dict(world.known)
    for name, left_out in whole.items():
        world.known = {other: each for other, each in whole.items() if other != name}
        found = world.check()
        needed = left_out.manifest.kind == "report" or name in (
            manifest_digest(world.release),
            manifest_digest(world.candidate),
            world.candidate.previous,
        )
        assert found.ok is (None if needed else True)
        assert not needed or found.found.endswith("is not among the files")


def test_a_candidate_that_was_compared_with_another_release_than_the_one_before_it_is_named(world: World) -> None:
    """It waited while an older release was brought back, of which approvers saw nothing."""
    (first,) = [each.manifest for each in world.known.values() if (each.manifest.kind, _number(each)) == ("release", 1)]
    between = first.model_copy(update={"number": 2, "previous": manifest_digest(first)})
    world.release = world.release.model_copy(update={"number": 3, "previous": manifest_digest(between)})
    for made in (between, world.release):
        _know(world.known, made, {})
    assert _lie(world.check()) == "approvers compared it with another release than the one before it"


def test_a_release_made_again_with_more_reports_is_compared_as_it_was(world: World) -> None:
    again = world.release.model_copy(update={"number": 3, "previous": manifest_digest(world.release)})
    _know(world.known, again, {})
    world.release = again
    assert world.check().ok is True


def _brought_back(world: World, **changes: Any) -> Entry:
    """The first release again, as the third."""
    (first,) = [each.manifest for each in world.known.values() if (each.manifest.kind, _number(each)) == ("release", 1)]
    update = {"number": 3, "previous": manifest_digest(world.release), **changes}
    _know(world.known, made := first.model_copy(update=update), {})
    facts = {"event": "roll back", "subject": manifest_digest(made), "concerns": first.candidate, "number": 3}
    return Entry.model_validate({"federation": "test", "at": "2026-11-21T06:00:00Z"} | facts)


def _number(opened: Opened) -> int | None:
    return getattr(opened.manifest, "number", None)


def test_what_is_brought_back_is_what_it_was(world: World) -> None:
    assert world.check(_brought_back(world)).found == "has the content of release 1"


def test_what_was_recalled_does_not_come_back(world: World) -> None:
    entry, first = _brought_back(world), str(world.release.previous)
    found = approved_check(entry, PLAN, world.known, {first})
    assert found is not None
    assert _lie(found) == "has the content of no release before it, but for release 1, which had been recalled"
    found = approved_check(entry, PLAN, world.known, {manifest_digest(world.release)})
    assert found is not None
    assert found.ok is True


def test_something_else_in_the_place_of_an_older_release_is_named(world: World) -> None:
    """Which nobody approved, since bringing one back needs no approval."""
    found = world.check(_brought_back(world, alpha=0.5))
    assert _lie(found) == "has the content of no release before it"
    del world.known[manifest_digest(world.release)]
    assert world.check(_brought_back(world)).ok is None


def _lie(found: Check) -> str:
    assert found.ok is False
    return found.found.removeprefix("change plan: ")
