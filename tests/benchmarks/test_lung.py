"""One split of the contest on made-up sites asks every question, and never about what was trained on."""

from __future__ import annotations

import pytest

from benchmarks.lung import one_split
from benchmarks.lung_data import ORDER, Images
from benchmarks.lung_methods import METHODS
from benchmarks.lung_report import HELD_BACK, INSIDE, LEFT_OUT, OURS, PAIR, PROBE, TO_COME, UNKNOWN, Line, summarise
from tests.benchmarks.test_lung_data import synthetic


@pytest.fixture(scope="module")
def images() -> Images:
    return synthetic(patients=10, frames=1)


@pytest.fixture(scope="module")
def lines(images: Images) -> list[Line]:
    return one_split(images, 0)


def _of(lines: list[Line], question: str) -> list[Line]:
    return [line for line in lines if line.question == question]


def test_every_question_is_asked_of_every_method(lines: list[Line]) -> None:
    assert {line.question for line in lines} == {HELD_BACK, INSIDE, TO_COME, LEFT_OUT, PROBE, UNKNOWN}
    assert {line.site for line in _of(lines, HELD_BACK)} == set(ORDER)
    assert all(set(METHODS) <= set(line.answers) for line in lines if line.question != UNKNOWN)


def test_inside_one_site_only_two_labels_are_answered(lines: list[Line]) -> None:
    inside = _of(lines, INSIDE)
    assert {line.site for line in inside} == {"northumbria"}
    assert {answer for line in inside for answer in line.answers.values()} <= {*PAIR, None}


def test_a_site_left_out_is_asked_about_whole_where_others_know_the_label(lines: list[Line], images: Images) -> None:
    convex = {(shot.site, shot.clip) for shot in images.shots if shot.probe == "convex"}
    asked = {(line.site, line.clip) for line in _of(lines, LEFT_OUT)}
    viral = {(shot.site, shot.clip) for shot in images.shots if shot.label == "viral"}  # one site alone labels it
    assert asked == convex - viral


def test_the_strange_probe_is_never_trained_on(lines: list[Line], images: Images) -> None:
    linear = {shot.clip for shot in images.shots if shot.probe == "linear"}
    assert {line.clip for line in _of(lines, PROBE)} == linear
    assert not linear & {line.clip for line in lines if line.question != PROBE}


def test_unknown_labels_are_never_answered_rightly(lines: list[Line]) -> None:
    unknown = _of(lines, UNKNOWN)
    assert {line.label for line in unknown} == {"covid", "pneumonia", "viral"}  # one site has nothing but healthy
    assert all(line.answers[OURS] != line.label for line in unknown)


def test_the_summary_has_a_paragraph_for_every_question(lines: list[Line]) -> None:
    measured = summarise(lines)
    for question in (HELD_BACK, INSIDE, TO_COME, LEFT_OUT, PROBE):
        assert any(note.startswith(question) for note in measured.notes)
