from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from federated.audit.bundle import open_bundle
from federated.audit.outcome import Check
from federated.audit.record import Record
from federated.audit.releases import content_checks, release_checks


def _record(whole: Any, path: Path, left_out: str = "") -> Record:
    kinds = {name: json.loads(parcel.manifest)["kind"] for name, parcel in whole.parcels.items()}
    parcels = {name: parcel for name, parcel in whole.parcels.items() if kinds[name] != left_out}
    return Record(open_bundle(replace(whole, parcels=parcels).write(path)), whole.trust)


def _of(record: Record, which: str, **changes: Any) -> dict[str, Check]:
    head = record.bundle.release(which)
    return {
        check.name: check for check in release_checks(record, head.manifest.model_copy(update=changes), head.digest)
    }


def test_a_release_has_its_place_without_a_log(whole: Any, tmp_path: Path) -> None:
    record = _record(whole, tmp_path / "a.bundle")
    assert _of(record, "1")["place"].found == "number 1"
    assert _of(record, "2")["place"].found == "number 2, the release before it is right"
    assert _of(record, "2", number=1)["place"].ok is False
    assert _of(record, "2", previous=None)["place"].found.startswith("number 2 names another release")


@pytest.mark.parametrize(("left_out", "told"), [("candidate", "candidate"), ("report", "reports")])
def test_what_is_not_here_is_told(whole: Any, tmp_path: Path, left_out: str, told: str) -> None:
    record = _record(whole, tmp_path / "a.bundle", left_out)
    check = _of(record, "1")[told]
    assert check.ok is None
    assert "not here" in check.found or "0 of the 2" in check.found
    opened = record.whole[record.bundle.release("1").digest]
    last = list(content_checks(record, opened))[-1]
    assert (last.name, last.ok) == (("solutions", True) if left_out == "candidate" else ("calibration", None))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"labels": ("a4c",)}, "labels: not those of the candidate that sites reported on"),
        ({"rule": "joint-ridge"}, "rule: not those of the candidate that sites reported on"),
        ({"sites": ()}, "its sites are not those of the candidate that sites reported on"),
    ],
)
def test_a_release_is_its_candidate(whole: Any, tmp_path: Path, changes: dict[str, Any], found: str) -> None:
    check = _of(_record(whole, tmp_path / "a.bundle"), "1", **changes)["candidate"]
    assert (check.ok, check.found) == (False, found)


def test_what_is_named_as_a_report_is_one(whole: Any, tmp_path: Path) -> None:
    record = _record(whole, tmp_path / "a.bundle")
    manifest = record.bundle.release("1").manifest
    mixed = tuple(
        site.model_copy(update={"report": other.report})
        for site, other in zip(manifest.sites, reversed(manifest.sites), strict=True)
    )
    check = _of(record, "1", sites=mixed)["reports"]
    assert (check.ok, check.found) == (
        False,
        "what it names as the report of 'ada' is none, or about another candidate",
    )


def test_sums_are_computed_again_once(whole: Any, tmp_path: Path) -> None:
    record = _record(whole, tmp_path / "a.bundle")
    first, second = (record.whole[record.bundle.release(number).digest] for number in "12")
    alone = {check.name: check.found for check in content_checks(replace(record, summed={}), second)}
    list(content_checks(record, first))
    after = {check.name: check.found for check in content_checks(record, second)}
    assert after["site ada"] == "as in an earlier release, computed again there"
    assert (
        alone["site ada"] == after["site cem"] == "class sums, weights and Gram matrix are those of its contributions"
    )
    assert {name for name in alone if alone[name] != after[name]} == {"site ada", "site ben"}


def test_a_block_that_differs_from_an_earlier_release_is_named(whole: Any, tmp_path: Path) -> None:
    record = _record(whole, tmp_path / "a.bundle")
    first, second = (record.whole[record.bundle.release(number).digest] for number in "12")
    list(content_checks(record, first))
    tensors = second.tensors | {"weights": second.tensors["weights"] * 1.5}
    checks = {check.name: check for check in content_checks(record, replace(second, tensors=tensors))}
    assert checks["site ada"].found == "weights: not what an earlier release holds of the same contributions"
    assert checks["tensors"].ok is False
