"""A bundle is verified up to the first lie, whoever told it; of what is not a lie it is said what it rests on."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federated.audit.bundle import open_bundle
from federated.audit.outcome import Audit, Check
from federated.audit.whole import UNVERIFIED, gathered, verify_bundle
from federated.canonical import digest
from federated.errors import ConsiliumError
from federated.keys import Party, TrustFile, public_hex
from federated.log.entries import Entry
from federated.manifest import pack_tensors, parse_manifest, unpack_tensors
from federated.release import Built

STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)


def _verify(path: Path, trust: TrustFile | None, witnesses: int = 2) -> list[Audit]:
    return list(verify_bundle(open_bundle(path), trust, witnesses=witnesses))


def _lie(audits: Iterable[Audit]) -> str:
    """The one thing that is wrong, which is also the last that is told."""
    *before, last = audits
    assert all(audit.ok for audit in before)
    *fine, wrong = last.checks
    assert [check.ok for check in (*fine, wrong)].count(False) == 1
    assert wrong.ok is False
    return f"{last.file} ({last.by}): {wrong.name}: {wrong.found}"


def _kept(record: Any, kind: str, why: str) -> Any:
    """The record, with parcels of a kind as heads."""
    kinds = {name: json.loads(parcel.manifest)["kind"] for name, parcel in record.parcels.items()}
    return replace(record, kept={name: why for name, found in kinds.items() if found == kind})


def test_a_whole_record_is_verified(whole: Any, bundle: Path) -> None:
    audits = _verify(bundle, whole.trust)
    assert {check.ok for audit in audits for check in audit.checks} == {True}
    assert [audit.kind for audit in gathered(audits)] == [
        "bundle",
        "log",
        "statistics",
        "report",
        "candidate",
        "release",
        "release",
        "record",
    ]
    release = next(audit for audit in audits if audit.kind == "release")
    assert [check.name for check in release.checks] == [
        "signature",
        "log",
        "contents",
        "place",
        "contributions",
        "lineage",
        "candidate",
        "reports",
        "model",
        "site ada",
        "site ben",
        "solutions",
        "tensors",
        "calibration",
    ]
    assert len([audit for audit in audits if audit.kind == "statistics"]) == 3


def test_a_folder_is_verified_as_a_file_is(whole: Any, bundle: Path, tmp_path: Path) -> None:
    found = [audit.model_dump() for audit in _verify(whole.write(tmp_path / "folder"), whole.trust)]
    assert found == [audit.model_dump() for audit in _verify(bundle, whole.trust)]


def test_without_keys_from_outside_nothing_is_verified(whole: Any, bundle: Path) -> None:
    audits = _verify(bundle, None)
    assert all(audit.ok for audit in audits)
    said = [(check.name, check.ok, check.found) for audit in audits for check in audit.checks]
    for name in ("keys", "checkpoint", "witnesses", "entries", "signature", "log"):
        told = {(ok, found.endswith(f"({UNVERIFIED})")) for each, ok, found in said if each == name}
        assert told == {(None, True)}, name
    assert not any(re.search(r"\bverified\b", found) for _, _, found in said)
    with pytest.raises(ConsiliumError, match="brings no keys; give --trust"):
        _verify(whole.write(bundle.with_name("b.bundle"), keys=False), None)


def test_keys_that_the_coordinator_made_up_are_told(whole: Any, tmp_path: Path) -> None:
    """The bundle brings a key that the hospitals do not know of; it counts for nothing."""
    extra = Party(name="dan", role="site", public=public_hex(STRANGER))
    made = whole.trust.model_copy(update={"parties": (*whole.trust.parties, extra)})
    lines = "".join(f'[[parties]]\nname="{p.name}"\nrole="{p.role}"\npublic="{p.public}"\n' for p in made.parties)
    path = whole.write(tmp_path / "a.bundle", keys=False, extra={"keys.toml": f'federation="test"\n{lines}'.encode()})
    (check,) = [check for check in _verify(path, whole.trust)[0].checks if check.name == "keys"]
    assert (check.ok, check.found) == (None, "keys.toml of the bundle has keys that yours has not, of dan")


def test_a_key_that_was_ended_vouches_for_what_came_before(whole: Any, tmp_path: Path) -> None:
    record = copy.deepcopy(whole)
    record.add("revoke", site="ada", ended=(whole.trust.parties[1].public,))
    parties = tuple(
        party.model_copy(update={"revoked": True}) if party.name == "ada" else party for party in whole.trust.parties
    )
    trust = whole.trust.model_copy(update={"parties": parties})
    assert all(audit.ok for audit in _verify(record.write(tmp_path / "a.bundle"), trust, witnesses=1))
    without = _verify(record.write(tmp_path / "b.bundle", log=False), trust, witnesses=0)
    assert "signature: ada: no key of this site counts: its key was revoked" in _lie(without)


def test_what_is_missing_is_no_lie_and_is_told(whole: Any, tmp_path: Path) -> None:
    kinds = {name: json.loads(parcel.manifest)["kind"] for name, parcel in whole.parcels.items()}
    left = {name: parcel for name, parcel in whole.parcels.items() if kinds[name] not in ("statistics", "candidate")}
    audits = _verify(replace(whole, parcels=left).write(tmp_path / "a.bundle"), whole.trust)
    assert all(audit.ok for audit in audits)
    open_ = {check.name: check.found for audit in audits for check in audit.checks if check.ok is None}
    assert open_["site ada"] == "not recomputed: 1 of its 1 contributions are not among the files"
    assert open_["candidate"].startswith("2 of 2 that the log tells of are not here, as sha256:")
    assert open_["statistics"].startswith("3 of 3 that the log tells of are not here, as sha256:")


def test_a_record_without_a_log_says_what_that_means(whole: Any, tmp_path: Path) -> None:
    path = whole.write(tmp_path / "a.bundle", log=False)
    audits = _verify(path, whole.trust, witnesses=0)
    assert all(audit.ok for audit in audits)
    assert audits[1].checks[0].found == "there is none: nothing shows what else there was, or that nothing was left out"
    asked = "log: there is none, and 2 witnesses of it are asked for; without a log: --witnesses 0"
    assert _lie(_verify(path, whole.trust)) == f"log (): {asked}"


def test_what_was_kept_back_is_told_with_the_reason(make_record: Any, tmp_path: Path) -> None:
    record = _kept(make_record(level_to_sites=1), "statistics", "gram")
    audits = _verify(record.write(tmp_path / "a.bundle"), record.trust)
    assert all(audit.ok for audit in audits)
    told = next(audit for audit in audits if audit.kind == "statistics").checks[-1]
    assert (told.ok, told.found) == (None, "kept back: the site lets no auditor have its Gram matrix")


def _scaled(inputs: list[Any]) -> list[Any]:
    """The coordinator weighs one site's images a little more than the site did."""
    first, *others = inputs
    train = first.train
    return [replace(first, train=replace(train, class_sums=train.class_sums * 1.001)), *others]


def _with(built: Built, tensors: Callable[[dict[str, Any]], None] | None = None, **changes: Any) -> Built:
    held = unpack_tensors(built.tensors, built.manifest)
    if tensors is not None:
        tensors(held)
    data, specs, name = pack_tensors(held)
    return Built(built.manifest.model_copy(update={"tensors": specs, "tensors_digest": name, **changes}), data)


def _a_better_solution(built: Built) -> Built:
    return _with(built, lambda held: held.update({"solution.000": held["solution.000"] + 1e-3}))


def _kinder_calibration(built: Built) -> Built:
    return _with(built, lambda held: held.update({"calibration.ada.clip": held["calibration.ada.clip"][::-1].copy()}))


MADE_UP: dict[str, tuple[dict[str, Any], str]] = {
    "contributions that do not add up": (
        {"made_of": _scaled},
        r"\.parcel \(hub\): site ada: class sums: not what is recomputed",
    ),
    "another model than sites reported on": (
        {"told_as": _a_better_solution},
        r"\.parcel \(hub\): solutions: system 0: not what is recomputed",
    ),
    "a calibration that no report gives": (
        {"told_as": _kinder_calibration},
        r"\.parcel \(hub\): calibration: calibration.ada.clip: not what is recomputed",
    ),
    "figures without those of one site": (
        {"heard": lambda reports: {"ben": reports["ben"]}},
        r"\.parcel \(hub\): reports: leaves out the last report of 'ada' that had come, sha256:",
    ),
    "another temperature": (
        {"told_as": lambda built: _with(built, temperature=2.5)},
        r"\.parcel \(hub\): calibration: temperature 2.5, .* recomputed",
    ),
    "other settings than sites reported on": (
        {"told_as": lambda built: _with(built, alpha=0.5)},
        r"\.parcel \(hub\): candidate: alpha: not those of the candidate",
    ),
    "another release before it": (
        {"told_as": lambda built: _with(built, previous=digest(b"another"))},
        r"\.parcel \(hub\): place: number 1 names another release as the one before it",
    ),
    "another number than the log's": (
        {"told_as": lambda built: _with(built, number=built.manifest.number + 1)},
        r"place: says that it is number|entry 9: release: has number 2 after 0",
    ),
}


@pytest.mark.parametrize("lie", MADE_UP)
def test_a_coordinator_that_makes_something_up_is_named(make_record: Any, tmp_path: Path, lie: str) -> None:
    """Candidate, reports, release and log all fit each other, and witnesses have signed."""
    lies, what = MADE_UP[lie]
    record = make_record(**lies)
    assert re.search(what, _lie(_verify(record.write(tmp_path / "a.bundle"), record.trust)))


def _entry(record: Any, event: str, **changes: Any) -> None:
    place = next(place for place, entry in enumerate(record.entries) if entry.event == event)
    record.entries[place] = Entry.model_validate(record.entries[place].model_dump() | changes)


def _withdrawn_before(record: Any) -> None:
    """The coordinator takes a contribution of the second release back before it makes it, and uses it all the same."""
    place = next(place for place, entry in enumerate(record.entries) if entry.number == 2)
    sent = next(entry for entry in record.entries if entry.kind == "statistics")
    facts = {"federation": "test", "at": record.entries[place].at, "event": "withdraw"}
    facts |= {"site": sent.site, "kind": sent.kind, "subject": sent.subject}
    record.entries.insert(place, Entry.model_validate(facts))


def _before_it_came(record: Any) -> None:
    """A release is logged before the contribution that it names, as one that was chosen afterwards."""
    place = next(place for place, entry in enumerate(record.entries) if entry.event == "release")
    release = record.entries.pop(place)
    first = next(place for place, entry in enumerate(record.entries) if entry.kind == "statistics")
    record.entries.insert(first, release.model_copy(update={"at": record.entries[first].at}))


def _another_release_logged(record: Any) -> None:
    _entry(record, "release", subject=digest(b"another"))


def _of_another_candidate(record: Any) -> None:
    _entry(record, "release", concerns=digest(b"another"))


def _contribution_not_logged(record: Any) -> None:
    parcel = next(parcel for parcel in record.parcels.values() if b'"kind":"statistics"' in parcel.manifest)
    again = parse_manifest(parcel.manifest).model_copy(update={"batch": "b0002"})
    record.seal(again, parcel.tensors)


def _signed_twice(record: Any) -> None:
    """A site signs a second envelope for what it sent, and the bundle shows that one."""
    name, parcel = next(item for item in record.parcels.items() if b'"kind":"statistics"' in item[1].manifest)
    record.seal(parse_manifest(parcel.manifest), parcel.tensors, issued="2026-11-21T07:00:00Z")
    assert record.parcels[name].envelope != parcel.envelope


def _by_a_stranger(record: Any) -> None:
    _, parcel = next(item for item in record.parcels.items() if b'"kind":"statistics"' in item[1].manifest)
    record.seal(parse_manifest(parcel.manifest), parcel.tensors, STRANGER)


AFTERWARDS: dict[str, tuple[Callable[[Any], None], str]] = {
    "another release than the log's": (
        _another_release_logged,
        r"\.parcel \(hub\): log: the log does not tell that it was taken in",
    ),
    "a contribution that was withdrawn": (
        _withdrawn_before,
        r"\(hub\): contributions: number 2 holds sha256:\w+, which 'ada' had taken back by entry \d+",
    ),
    "a release before its contributions": (
        _before_it_came,
        r"\(hub\): contributions: 'ada' had not sent sha256:\w+, when it was released",
    ),
    "a release of another candidate": (
        _of_another_candidate,
        r"\(hub\): place: was made of another candidate than the log says",
    ),
    "a contribution that was never taken in": (
        _contribution_not_logged,
        r"\.parcel \((ada|ben|cem)\): log: the log does not tell that it was taken in",
    ),
    "an envelope that the log has not": (
        _signed_twice,
        r"\.parcel \((ada|ben|cem)\): log: the log has another envelope of it, in entry \d+",
    ),
    "a contribution that its site did not sign": (
        _by_a_stranger,
        r"\.parcel \((ada|ben|cem)\): signature: (ada|ben|cem): the signature does not verify",
    ),
}


@pytest.mark.parametrize("lie", AFTERWARDS)
def test_a_record_that_does_not_fit_its_log_is_named(whole: Any, tmp_path: Path, lie: str) -> None:
    tell, what = AFTERWARDS[lie]
    record = copy.deepcopy(whole)
    tell(record)
    assert re.search(what, _lie(_verify(record.write(tmp_path / "a.bundle"), whole.trust)))


def test_a_report_that_no_counting_could_give_is_named(make_record: Any, tmp_path: Path) -> None:
    record = make_record()
    name, parcel = next(item for item in record.parcels.items() if b'"kind":"report"' in item[1].manifest)
    manifest = parse_manifest(parcel.manifest)
    tensors = unpack_tensors(parcel.tensors, manifest)
    data, specs, tensors_digest = pack_tensors(tensors | {"confusion": tensors["confusion"] - 1})
    wrong = manifest.model_copy(update={"tensors": specs, "tensors_digest": tensors_digest})
    del record.parcels[name]
    record.send(wrong, data, concerns=manifest.candidate)
    found = _lie(_verify(record.write(tmp_path / "a.bundle"), record.trust))
    assert re.search(r"\((ada|ben)\): counts: report of \1: a count is negative", found), found


@pytest.mark.parametrize(
    ("kind", "why"),
    [("statistics", "gram"), ("report", "gram"), ("statistics", "coordinator"), ("release", "withdrawn")],
)
def test_what_is_kept_back_for_no_reason_is_named(whole: Any, tmp_path: Path, kind: str, why: str) -> None:
    path = _kept(whole, kind, why).write(tmp_path / "a.bundle")
    assert re.search(
        r"contents: was kept back because .*, and what was signed says otherwise", _lie(_verify(path, whole.trust))
    )


def test_the_record_of_another_federation_is_named(bundle: Path, whole: Any) -> None:
    other = TrustFile(federation="lung", parties=whole.trust.parties)
    assert "is the record of federation 'test', the keys are of 'lung'" in _lie(_verify(bundle, other))


def test_too_few_witnesses_are_named(bundle: Path, whole: Any) -> None:
    assert "witnesses: ada, ben of 3 witnesses asked for signed" in _lie(_verify(bundle, whole.trust, 3))


def _lines(federation: Any, release: str) -> list[dict[str, Any]]:
    fold = federation.folds["ada"]["test"]
    decisions = federation.model(federation.release()).decide(fold.features[:4], list("abcd"), list(fold.clips[:4]))
    return [json.loads(each.model_copy(update={"release": release}).json_line()) for each in decisions]


def test_predictions_are_held_against_their_release(whole: Any, tmp_path: Path, federation: Any) -> None:
    second = [name for name, parcel in whole.parcels.items() if b'"kind":"release"' in parcel.manifest]
    releases = {json.loads(whole.parcels[name].manifest)["number"]: name for name in second}
    right, other = _lines(federation, releases[2]), _lines(federation, "sha256:" + "0" * 64)
    wrong = [line | {"scores": {label: score + 0.1 for label, score in line["scores"].items()}} for line in right]

    def written(name: str, lines: list[dict[str, Any]]) -> list[Audit]:
        data = "".join(json.dumps(line) + "\n" for line in lines).encode()
        path = whole.write(tmp_path / f"{name}.bundle", extra={"predictions/a.jsonl": data})
        return _verify(path, whole.trust)

    assert all(audit.ok for audit in written("right", right))
    assert "predictions/a.jsonl (): sums: line 1 (a): contributions to" in _lie(written("wrong", wrong))
    last = written("other", other)[-1].checks[-1]
    assert (last.ok, last.found.partition(":")[0]) == (None, "the release that answered is not here whole")
    assert "predictions/a.jsonl (): sums: " in _lie(written("none", []))


def test_a_change_plan_that_the_log_does_not_tell_of_is_named(whole: Any, tmp_path: Path) -> None:
    name = f"plans/{digest(b'plan').removeprefix('sha256:')}.toml"
    path = whole.write(tmp_path / "a.bundle", extra={name: b"plan"})
    assert f"plans: {name}: the log tells of no such change plan" in _lie(_verify(path, whole.trust))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.data())
def test_one_byte_changed_anywhere_is_found_and_its_member_named(whole: Any, tmp_path: Path, where: Any) -> None:
    folder = tmp_path / "folder"
    if not folder.exists():
        whole.write(folder)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    name = where.draw(st.sampled_from(names))
    path = folder / name
    data = path.read_bytes()
    place = where.draw(st.integers(0, len(data) - 1))
    path.write_bytes(data[:place] + bytes([data[place] ^ where.draw(st.integers(1, 255))]) + data[place + 1 :])
    try:
        found = [check for audit in _verify(folder, whole.trust) for check in audit.checks if check.ok is False]
        told = found[0].found if found else ""
    except ConsiliumError as error:
        told = str(error)
    finally:
        path.write_bytes(data)
    assert name in told or name == "bundle.json"
    assert told


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.data())
def test_one_byte_changed_anywhere_in_the_file_is_found(whole: Any, tmp_path: Path, where: Any) -> None:
    path = tmp_path / "one.bundle"
    if not path.exists():
        whole.write(path)
    data = path.read_bytes()
    place = where.draw(st.integers(0, len(data) - 1))
    path.write_bytes(data[:place] + bytes([data[place] ^ where.draw(st.integers(1, 255))]) + data[place + 1 :])
    try:
        told = " ".join(
            check.found for audit in _verify(path, whole.trust) for check in audit.checks if check.ok is False
        )
    except ConsiliumError as error:
        told = str(error)
    finally:
        path.write_bytes(data)
    assert str(path) in told


def test_what_is_alike_is_told_together(whole: Any, bundle: Path) -> None:
    rows = {audit.kind: audit for audit in gathered(_verify(bundle, whole.trust))}
    assert rows["statistics"].file == "3 parcels"
    assert rows["statistics"].checks[0] == Check(name="signature", ok=True, found="3 of 3")
