"""The data-protection officer's page names every kind that can leave, with all its fields, numbers and filters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from federated import decision_summary, manifest
from federated.contract import Contribution, Manifest
from federated.decision import Decision
from federated.decision_record import Record
from federated.disclosure import TABLE, Limits
from federated.enrolment import Request
from federated.envelope import Passage
from federated.log.entries import Entry
from federated.manifest import SITE_KINDS, DecisionManifest
from site_agent.receipts import Receipt

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "dpo.md").read_text(encoding="utf-8")
CODE = re.compile(r"`([^`\n]+)`")
NUMBERS = {
    "statistics": {"class_sums", "weights", "gram"},
    "features": {"features", "label", "weight", "patient"},
    "consultation": {"said", "label", "weight", "patient"},
    "synthetic": {"images", "label"},
    "report": {"covariance", "standard", "calibration", "nll", "nll_count", "score_correct", "confusion", "steps"},
    "summary": {"answered", "abstained", "qualified", "drift", *decision_summary.FLAGS, *decision_summary.SUMS},
    "decision": {"features"},
}
"""Tensors of each kind, by the last part of the name; those of networks are the network's."""


def _section(heading: str) -> set[str]:
    """What stands as code in the section of a heading."""
    found = re.search(rf"^##+ {re.escape(heading)}\n(.*?)(?=^##+ |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"no section '{heading}'"
    return {name for code in CODE.findall(found.group(1)) for name in re.split(r"[\s,]+", code)}


def _manifests() -> dict[str, type[Any]]:
    classes = get_args(get_args(manifest.AnyManifest)[0])
    return {kind: each for each in classes for kind in get_args(each.model_fields["kind"].annotation)}


@pytest.mark.parametrize("kind", SITE_KINDS)
def test_every_kind_has_a_section_with_every_field_number_and_filter(kind: str) -> None:
    model, said = _manifests()[kind], _section(f"`{kind}`")
    common = set(Contribution.model_fields if issubclass(model, Contribution) else Manifest.model_fields) | {"kind"}
    assert set(model.model_fields) - common <= said
    assert set(TABLE[kind]) <= said
    assert NUMBERS.get(kind, set()) <= said


def test_there_is_a_section_for_nothing_else() -> None:
    assert re.findall(r"^### `(\w+)`$", PAGE, re.MULTILINE) == [
        kind for kind in re.findall(r"^### `(\w+)`$", PAGE, re.MULTILINE) if kind in SITE_KINDS
    ]
    assert len(re.findall(r"^### `", PAGE, re.MULTILINE)) == len(SITE_KINDS)


def test_what_all_parcels_have_in_common_is_there() -> None:
    said = _section("What every parcel holds")
    assert {*Manifest.model_fields, *Contribution.model_fields, *Passage.model_fields} <= said


def test_records_and_answers_are_there_field_by_field() -> None:
    said = _section("`decision`")
    assert {*Record.model_fields, *Decision.model_fields} - {"version"} <= said
    assert DecisionManifest.model_fields["decision"].annotation == Decision | None


def test_receipts_requests_and_the_log_are_there_field_by_field() -> None:
    said = _section("Beside parcels")
    assert {*Receipt.model_fields, *Entry.model_fields, *Request.model_fields} - {"version"} <= said


def test_the_limits_are_those_of_a_new_policy() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| at (?:least|most) ([\d.]+)", PAGE, re.MULTILINE))
    assert {name: float(value) for name, value in rows.items()} == Limits().model_dump()
