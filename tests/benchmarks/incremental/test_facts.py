"""What is right, known and seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.incremental.facts import Facts
from benchmarks.incremental.suite import Suite
from federated.vocabulary import Concept, Vocabulary


def test_pairs_are_seen_where_their_own_site_taught_them(suite: Suite) -> None:
    facts, sites = Facts.of(suite), suite.arriving(0)
    assert set(facts.truth[facts.known(sites)]) == {"a", "b", "c"}
    assert set(facts.truth[facts.known(sites[:1])]) == {"a", "b"}
    pairs = set(zip(facts.sites[facts.seen(sites)], facts.truth[facts.seen(sites)], strict=True))
    assert pairs == {("first", "a"), ("first", "b"), ("second", "b"), ("second", "c")}
    assert not facts.seen(sites[:1])[facts.sites == "second"].any()


def test_a_clip_of_several_frames_is_one(suite: Suite) -> None:
    facts = Facts.of(suite)
    assert len(facts.clips) == len(set(facts.clips))
    assert (facts.sites == "outside").sum() == 40


def test_answers_can_be_held_to_the_labels_of_the_site(suite: Suite) -> None:
    facts = Facts.of(suite)
    scores = np.tile([0.1, 0.2, 0.3, 0.4], (len(facts.sites), 1))
    held = facts.within(scores)
    assert set(held[facts.sites == "first"]) == {1}
    assert set(held[facts.sites == "second"]) == {2}
    assert set(held[facts.sites == "outside"]) == {3}
    assert (facts.within(np.full_like(scores, -np.inf)) == -1).all()


def test_an_answer_below_a_coarse_label_is_right_and_the_coarse_one_for_a_fine_label_is_not(suite: Suite) -> None:
    said = [Concept(code=code, scheme="x", meaning=code, parents=("a",) if code == "b" else ()) for code in "abcd"]
    facts = Facts.of(replace(suite, vocabulary=Vocabulary(name="nested", concepts=tuple(said))))
    answered = {letter: facts.right(np.full(len(facts.truth), "abcd".index(letter))) for letter in "ab"}
    assert set(facts.truth[answered["b"]]) == {"a", "b"}
    assert set(facts.truth[answered["a"]]) == {"a"}
    assert not facts.right(np.full(len(facts.truth), -1)).any()
