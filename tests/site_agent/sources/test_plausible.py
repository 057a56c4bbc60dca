from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from site_agent.sources.plausible import PERCENT, YEARS, believed, sex, spacing, volumes, whole


@pytest.mark.parametrize(
    ("text", "value", "doubt"),
    [
        ("55.5", 55.5, None),
        ("0", 0.0, None),
        (" 100 ", 100.0, None),
        ("", None, None),
        ("NaN", None, None),
        ("250", None, "EF of 250 is not between 0 and 100: left out"),
        ("-1", None, "EF of -1 is not between 0 and 100: left out"),
        ("inf", None, "EF is no number: left out"),
        ("Mrs Jones", None, "EF is no number: left out"),
    ],
)
def test_a_number_is_believed_within_its_span(text: str, value: float | None, doubt: str | None) -> None:
    doubts: list[str] = []
    assert believed("EF", text, PERCENT, doubts) == value
    assert doubts == ([doubt] if doubt else [])


def test_an_age_by_which_somebody_could_be_known_is_left_out() -> None:
    doubts: list[str] = []
    assert [believed("age", age, YEARS, doubts) for age in ("0.02", "89", "90")] == [0.02, 89.0, None]
    assert len(doubts) == 1


def test_a_frame_is_a_whole_number() -> None:
    doubts: list[str] = []
    assert whole("ED", "4", (1, 9), doubts) == 4
    assert whole("ED", "4.0", (1, 9), doubts) == 4
    assert whole("ED", "4.5", (1, 9), doubts) is None
    assert whole("ES", "10", (1, 9), doubts) is None
    assert doubts == ["ED of 4.5 is no whole number: left out", "ES of 10 is not between 1 and 9: left out"]


def test_a_ventricle_does_not_grow_as_it_contracts() -> None:
    doubts: list[str] = []
    assert volumes("120", "50", doubts) == (120.0, 50.0)
    assert volumes("", "50", doubts) == (None, 50.0)
    assert doubts == []
    assert volumes("50", "120", doubts) == (None, None)
    assert doubts == ["end-systolic volume of 120 ml is larger than the end-diastolic 50: both left out"]


def test_spacing_turns_from_x_y_to_height_and_width() -> None:
    doubts: list[str] = []
    assert spacing((0.3, 0.15, 1.0), doubts) == (0.15, 0.3)
    assert doubts == []
    for wrong in ((0.0, 0.1), (-0.3, 0.3), (math.nan, 0.3), (0.3,), (1e9, 0.3)):
        assert spacing(wrong, doubts) is None
    assert len(doubts) == 5


@pytest.mark.parametrize(
    ("text", "found"), [("F", {"sex": "female"}), ("male", {"sex": "male"}), ("", {}), ("Mr Jones", {})]
)
def test_sex_is_one_of_two_words_or_nothing(text: str, found: dict[str, str]) -> None:
    assert sex(text) == found


@given(st.text(max_size=20))
def test_a_doubt_repeats_no_text(text: str) -> None:
    doubts: list[str] = []
    value = believed("EF", text, PERCENT, doubts)
    assert value is None or 0 <= value <= 100
    assert all(doubt.startswith("EF ") and "\n" not in doubt for doubt in doubts)
