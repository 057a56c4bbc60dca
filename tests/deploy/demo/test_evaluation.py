"""Figures on held-back clips: equal to scikit-learn's, judged by pair, with intervals over patients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, recall_score

from deploy.demo.evaluation import Answers, HeldBack, difference, figures, pair_kinds, patient_draws, share

SITES = ("north", "south")
TAUGHT = {"north": ("a", "b")}


def _held(labels: str, patients: str = "", site: str = "north") -> HeldBack:
    count = len(labels)
    names = tuple(patients) or tuple(f"p{i}" for i in range(count))
    return HeldBack((site,) * count, names, tuple(f"c{i}" for i in range(count)), tuple(labels))


def _answers(labels: str, refused: str = "") -> Answers:
    chosen = tuple(None if label == "-" else label for label in labels)
    return Answers("a method", chosen, tuple(mark == "r" for mark in refused or "." * len(labels)))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=30))
def test_values_are_those_of_scikit_learn(rows: list[tuple[str, str]]) -> None:
    truth, answers = ("".join(column) for column in zip(*rows, strict=True))
    held, everything = _held(truth), np.ones(len(rows), dtype=bool)
    hits = np.array([t == a for t, a in rows])
    recall = recall_score(list(truth), list(answers), labels=sorted(set(truth)), average="macro", zero_division=0)
    assert share(held, hits, everything).value == pytest.approx(accuracy_score(list(truth), list(answers)))
    assert share(held, hits, everything, balanced=True).value == pytest.approx(recall)


def test_the_interval_is_the_binomial_one_where_every_patient_has_one_clip() -> None:
    held = _held("a" * 200)
    hits = np.arange(200) < 150
    interval = share(held, hits, np.ones(200, dtype=bool))
    half = 1.96 * np.sqrt(0.75 * 0.25 / 200)
    assert interval.low == pytest.approx(0.75 - half, abs=0.012)
    assert interval.high == pytest.approx(0.75 + half, abs=0.012)


def test_clips_of_one_patient_do_not_narrow_the_interval() -> None:
    hits = np.repeat(np.arange(20) < 10, 10)
    many = share(_held("a" * 200, "".join(chr(65 + i // 10) for i in range(200))), hits, np.ones(200, dtype=bool))
    few = share(_held("a" * 20), hits[::10], np.ones(20, dtype=bool))
    assert (many.patients, many.clips) == (20, 200)
    assert (many.low, many.high) == (few.low, few.high)


def test_every_draw_holds_as_many_patients_of_each_site_as_there_are() -> None:
    held = HeldBack(("n", "n", "n", "s"), ("1", "1", "2", "1"), ("a", "b", "c", "d"), ("x",) * 4)
    number, times = patient_draws(held, draws=50)
    assert number.tolist() == [0, 0, 1, 2]
    assert (times[:, :2].sum(axis=1) == 2).all()
    assert (times[:, 2] == 1).all()


def test_no_clip_gives_no_figure() -> None:
    held = _held("ab")
    nothing = share(held, np.ones(2, dtype=bool), np.zeros(2, dtype=bool))
    assert (nothing.value, nothing.low, nothing.clips) == (None, None, 0)


def test_pairs_are_seen_unseen_or_unknown() -> None:
    held = HeldBack(("north", "south", "south"), ("1", "2", "3"), ("1", "2", "3"), ("a", "a", "c"))
    assert pair_kinds(held, TAUGHT) == ("seen", "unseen", "unknown")


def test_figures_of_a_method_by_hand() -> None:
    north = [("north", "a"), ("north", "b"), ("north", "b"), ("north", "c"), ("north", "d")]
    south = [("south", "a"), ("south", "d")]
    sites, labels = zip(*north, *south, strict=True)
    held = HeldBack(sites, tuple(f"p{i}" for i in range(7)), tuple(f"c{i}" for i in range(7)), labels)
    taught = {"north": ("a", "b"), "third": ("c",)}
    row = figures(held, _answers("abaca-a", refused="..r.rr."), taught, SITES)
    assert row.accuracy.value == pytest.approx(3 / 4)  # a, b, b, c at north: one b is wrong, d is unknown
    assert row.balanced.value == pytest.approx((1 + 1 / 2 + 1) / 3)
    assert row.seen.value == pytest.approx(2 / 3)
    assert row.unseen.value == pytest.approx(1.0)
    assert row.refused.value == pytest.approx(1 / 4)
    assert row.refused_unknown.value == pytest.approx(1 / 2)
    assert row.site_accuracy["north"].value == pytest.approx(3 / 5)
    assert row.site_accuracy["south"].clips == 1  # the clip without an answer is left out
    assert row.site_own == {"north": pytest.approx(2 / 3), "south": None}


def test_a_difference_is_paired() -> None:
    held, everything = _held("a" * 60), np.ones(60, dtype=bool)
    better, worse = _answers("a" * 45 + "b" * 15), _answers("a" * 30 + "b" * 30)
    gain = difference(held, better, worse, everything)
    assert gain.value == pytest.approx(0.25)
    assert gain.low is not None
    assert gain.low > 0.1
    nothing = difference(held, better, better, everything)
    assert (nothing.low, nothing.value, nothing.high) == (0.0, 0.0, 0.0)
