"""Where an expert is strong and where it must not be trusted."""

from __future__ import annotations

from typing import Any

import pytest

from federated.audit_pages.cards import Card, recalls_of, strong, thin, uncalibrated, unknown, weak


def _card(**fields: Any) -> Card:
    known: dict[str, Any] = {
        "site": "ada",
        "patients": {"a4c": 50, "plax": 19, "psax": 20},
        "contributions": (),
        "gram": "released",
        "calibration": "own",
        "calibration_patients": 40,
        "report": None,
        "architecture": "",
        "recalls": {"a4c": (9, 10), "plax": (6, 10), "psax": (9, 9), "sub": (0, 50)},
    }
    return Card(**(known | fields))


def test_strong_is_what_many_clips_show() -> None:
    assert strong(_card()) == ["a4c"], "nine clips are too few, and what is not its own is not its strength"


def test_weak_is_what_many_clips_show_of_its_own() -> None:
    assert weak(_card()) == ["plax"]


def test_what_few_patients_are_behind() -> None:
    assert thin(_card()) == ["plax"]


def test_what_it_never_saw() -> None:
    assert unknown(_card(), ["a4c", "sub", "plax", "a2c"]) == ["sub", "a2c"]


@pytest.mark.parametrize(("calibration", "not_its_own"), [("own", False), ("pooled", True), ("none", True)])
def test_whose_patients_it_is_calibrated_on(calibration: str, not_its_own: bool) -> None:
    assert uncalibrated(_card(calibration=calibration)) is not_its_own


def test_counts_by_truth_become_shares() -> None:
    assert recalls_of(("a", "b", "c"), [[3, 1, 0], [0, 0, 0], [1, 0, 1]]) == {"a": (3, 4), "c": (1, 2)}
    assert recalls_of(("a",), ()) == {}
