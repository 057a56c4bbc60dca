"""A bundle becomes an index that says what the bundle says."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federated.audit_pages.building import SLOTS, Builder, times
from federated.audit_pages.overview import LANES as SHOWN
from federated.audit_pages.room import Room
from federated.errors import ContractError
from federated.manifest import parse_manifest
from tests.federated.audit_pages.making import room_of


def test_every_entry_and_every_release_is_there(room: Room) -> None:
    entries = list(room.bundle.entries())
    assert room.index.count("SELECT count(*) FROM entries") == len(entries)
    found = room.index.rows("SELECT event, site, subject FROM entries ORDER BY number")
    assert found == [(entry.event, entry.site, entry.subject) for entry in entries]
    assert list(room.index.numbers) == [head.digest for head in room.bundle.releases()]


def test_sums_are_those_of_the_summaries(room: Room) -> None:
    release = room.bundle.releases()[-1]
    found = [one for one in room.bundle.summaries() if one.manifest.release == release.digest]
    sums, told = room.index.sums(1), sum(one.manifest.decisions for one in found)
    assert sums is not None
    assert (sums.summaries, sums.decisions) == (len(found), told)
    assert sums.answered.tolist() == np.sum([one.tensors["answered"] for one in found], axis=0).tolist()
    expert = room.index.expert(1, "cem")
    assert expert is not None
    weights = np.sum([one.tensors["weights"] for one in found], axis=0)[:, 2]
    assert expert.weights == pytest.approx([w / n for w, n in zip(weights, sums.answered, strict=True)])


def test_opened_decisions_are_fitted_again_without_each_site(room: Room) -> None:
    opened = len(room.bundle.digests("decision"))
    assert room.index.count("SELECT count(*) FROM decisions WHERE refitted") == opened
    removed = dict(room.index.rows("SELECT site, decisions FROM removals"))
    assert removed["ada"] == opened
    assert 0 < removed["cem"] < opened, "the first release does not hold it"


def test_how_answers_fared(room: Room) -> None:
    course = room.index.fact("course")
    assert [one["release"] for one in course] == [1, 2]
    assert all(0 < one["answered"] < 1 and 0 < one["prior"] < 1 for one in course)


def test_a_record_without_anything(make_record: Any, tmp_path: Path) -> None:
    record = copy.deepcopy(make_record())
    record.entries, record.parcels = record.entries[:1], {}
    room = room_of(record, tmp_path, record.trust)
    assert (room.index.places, room.index.told_of) == ([], [])


def test_a_summary_of_another_release_is_refused(room: Room, told: Any, tmp_path: Path) -> None:
    parcel = next(one for one in told.parcels.values() if parse_manifest(one.manifest).kind == "summary")
    opened = room.bundle.opened(parcel.digest)
    with pytest.raises(ContractError, match="is of a release that is not here"):
        Builder(tmp_path / "index").summary(opened.digest, opened.manifest, opened.tensors)


def test_moments_fall_into_slots() -> None:
    rows = [(f"2026-11-{day:02d}T00:00:00Z", "accepted", "statistics", 2) for day in range(1, 31)]
    found = times([*rows, ("2026-11-01T00:00:00Z", "accepted", "report", 1), ("2026-11-02T00:00:00Z", "init", None, 1)])
    assert sum(count for lane, _, count in found if lane == "contributions") == 60
    assert {lane for lane, _, _ in found} == {"contributions", "reports"}
    many = [(f"2026-11-01T{n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}Z", "release", None, 1) for n in range(5000)]
    assert len(times(many)) <= SLOTS + 1
    assert times([]) == []


def test_an_approver_is_no_hospital_that_joins() -> None:
    at = "2026-11-01T00:00:00Z"
    found = times([(at, "enrol", None, 3), (at, "approver", None, 2)])
    assert {lane: count for lane, _, count in found} == {"hospitals join": 3, "approvers": 2}
    assert [lane for lane, _, _ in found if lane not in SHOWN] == []
