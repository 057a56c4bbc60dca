"""Each rival is what its name says: whose images it sees, what it keeps, what it shares."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from benchmarks.incremental.contestant import Fold, Setting, Site, Start
from benchmarks.incremental.network_images import state_bytes, validation_examples
from benchmarks.incremental.network_rivals import (
    NETWORK_RIVALS,
    CombineAndRetrain,
    Consolidated,
    FineTuneConstant,
    FineTuneExpand,
    NetworkRival,
    Rounds,
    WithoutForgetting,
    best,
)
from benchmarks.incremental.suite import for_training
from federated.local_fold import LocalFold
from federated.manifest import FrontEndCard
from federated.vocabulary import plain_vocabulary
from shared_models.continual import accuracy
from shared_models.expert_architectures import classifier_of

BRIGHT = {"above": slice(0, 4), "below": slice(4, 8), "all": slice(0, 8), "none": slice(0, 0)}
SETTING = Setting(side=8, width=4, expert_epochs=2, fusion_epochs=1, fusion_samples=64, batch=8, copies=1)
Rival = TypeVar("Rival", bound=NetworkRival)
VOCABULARY = plain_vocabulary("toys", list(BRIGHT))


def fold(labels: tuple[str, ...], each: int, seed: int, glow: int) -> Fold:
    random = np.random.default_rng(seed)
    named = tuple(label for label in labels for _ in range(each))
    images = random.integers(10, 60, (len(named), 8, 8)) + glow
    for row, label in enumerate(named):
        images[row, BRIGHT[label]] += 150
    names = tuple(f"p{seed}-{row}" for row in range(len(named)))
    features = np.ones((len(named), 2))
    return Fold(images.astype(np.uint8), LocalFold(features, named, names, names, np.ones(len(named))))


def site(name: str, labels: tuple[str, ...], seed: int) -> Site:
    sizes = {"train": 10, "validation": 6, "calibration": 2, "test": 6}
    folds = {
        part: fold(labels, each, 10 * seed + number, 5 * seed) for number, (part, each) in enumerate(sizes.items())
    }
    return Site(name, folds)


SITES = (site("ada", ("above", "below"), 1), site("ben", ("all", "below"), 2), site("cem", ("none",), 3))


@pytest.fixture
def start(tmp_path: Path) -> Start:
    card = FrontEndCard(name="pixels", config={}, digest="sha256:" + "a" * 64, features=2)
    return Start(VOCABULARY, card, SETTING, 3, tmp_path)


def arrived(rival: Rival, count: int) -> Rival:
    for one in SITES[:count]:
        rival.arrive(for_training(one))
    return rival


@pytest.mark.parametrize("name", NETWORK_RIVALS)
def test_all_answer_every_site_after_every_arrival_and_do_not_read_its_name(name: str, start: Start) -> None:
    rival = NETWORK_RIVALS[name](start)
    for one in SITES[:2]:
        rival.arrive(for_training(one))
        for asked in SITES:
            found = rival.answer(asked.folds["test"], asked.name)
            assert found.scores.shape == (len(asked.folds["test"].images), len(found.labels))
            assert np.isfinite(found.scores).all()
            assert np.allclose(found.probabilities.sum(axis=1), 1)
    test = SITES[0].folds["test"]
    assert np.array_equal(rival.answer(test, "ada").scores, rival.answer(test, "somewhere").scores)
    assert set(rival.sent()) == set(rival.received()) == {"ada", "ben"}
    assert all(count > 0 for count in rival.sent().values())


def test_combining_knows_every_label_in_any_order_and_sends_all_images(start: Start) -> None:
    rival = arrived(CombineAndRetrain(start), 3)
    assert rival.labels == VOCABULARY.codes
    assert rival.sent()["ada"] == SITES[0].folds["train"].images.nbytes + SITES[0].folds["validation"].images.nbytes
    assert set(rival.received().values()) == {0}
    other = CombineAndRetrain(Start(**{**vars(start), "folder": start.folder / "other"}))
    for one in reversed(SITES):
        other.arrive(for_training(one))
    assert other.network.digest == rival.network.digest


def test_what_was_combined_before_is_found_ready_with_its_seconds(start: Start) -> None:
    first, again = CombineAndRetrain(start), CombineAndRetrain(start)
    assert first.arrive(for_training(SITES[0])) == 0.0
    assert again.arrive(for_training(SITES[0])) > 0.0
    assert first.network.digest == again.network.digest


def test_fine_tuning_with_a_constant_head_answers_with_the_last_sites_labels(start: Start) -> None:
    rival = arrived(FineTuneConstant(start), 2)
    assert rival.answer(SITES[0].folds["test"], "ada").labels == ("all", "below")
    size = state_bytes(rival.network.state())
    assert rival.sent()["ben"] == size
    assert rival.received()["ada"] == 0
    assert 0 < rival.received()["ben"] <= size + 1000


def test_fine_tuning_that_expands_leaves_outputs_of_absent_labels_as_they_are(start: Start) -> None:
    rival = arrived(FineTuneExpand(start), 1)
    before = classifier_of(rival.network.network)[1].weight.detach().clone()
    rival.arrive(for_training(SITES[1]))
    after = classifier_of(rival.network.network)[1].weight.detach()
    assert rival.labels == ("above", "below", "all")
    assert bool((after[0] == before[0]).all())
    assert not bool((after[1] == before[1]).all())


def test_a_newcomer_of_one_label_changes_no_answer_of_the_expanding_network(start: Start) -> None:
    rival = arrived(FineTuneExpand(start), 2)
    test = SITES[0].folds["test"]
    before = rival.answer(test, "ada").scores
    rival.arrive(for_training(SITES[2]))
    assert rival.labels[3] == "none"
    assert np.allclose(rival.answer(test, "ada").scores[:, :3], before, atol=1e-5)


def test_rules_that_hold_the_old_begin_alike_and_part_when_a_second_site_arrives(start: Start) -> None:
    rivals = [FineTuneExpand(start), WithoutForgetting(start, strengths=(3.0,)), Consolidated(start, strengths=(1e4,))]
    test = SITES[0].folds["test"]
    first = [arrived(rival, 1).answer(test, "ada").scores for rival in rivals]
    assert np.array_equal(first[0], first[1])
    assert np.array_equal(first[0], first[2])
    for rival in rivals:
        rival.arrive(for_training(SITES[1]))
    second = [rival.answer(test, "ada").scores for rival in rivals]
    assert not np.array_equal(second[0], second[1])
    assert not np.array_equal(second[0], second[2])


def test_what_travels_is_counted(start: Start) -> None:
    plain, held = arrived(FineTuneExpand(start), 2), arrived(Consolidated(start, strengths=(1.0,)), 2)
    one = state_bytes(arrived(FineTuneExpand(start), 1).network.state())
    assert plain.received() == {"ada": 0, "ben": one}
    weights = sum(4 * part.numel() for part in held.anchors[0].weights.values())
    assert held.received() == {"ada": 0, "ben": one + 2 * weights}
    assert held.sent()["ada"] == one + weights
    choosing = arrived(WithoutForgetting(start, strengths=(1.0, 2.0)), 2)
    assert choosing.sent()["ben"] == 2 * plain.sent()["ben"]
    assert choosing.received()["ada"] == 2 * plain.sent()["ben"]


def test_to_a_site_of_one_label_no_weight_is_worth_anything(start: Start) -> None:
    held = arrived(Consolidated(start, strengths=(1.0,)), 3)
    worth = [anchor.importance for anchor in held.anchors]
    assert all(worth)
    assert [any(bool(part.any()) for part in (one or {}).values()) for one in worth] == [True, True, False]


def test_rounds_go_both_ways_for_all_who_have_arrived(start: Start) -> None:
    rival = arrived(Rounds(start, choices=[(0.0, "all")]), 1)
    first = state_bytes(rival.network.state())
    assert rival.sent() == rival.received() == {"ada": rival.rounds * first}
    rival.arrive(for_training(SITES[1]))
    second = state_bytes(rival.network.state())
    assert rival.sent() == {"ada": rival.rounds * (first + second), "ben": rival.rounds * second}


def test_the_best_candidate_is_chosen_on_validation_images(start: Start) -> None:
    rivals = [
        arrived(FineTuneExpand(Start(**{**vars(start), "seed": seed, "folder": start.folder / str(seed)})), 1)
        for seed in (0, 1)
    ]
    given = validation_examples(SITES[0], rivals[0].labels)
    assert given is not None
    checks = [given]
    networks = [rival.network for rival in rivals]
    found = [accuracy(network, checks, (0, 1)) for network in networks]
    assert best(networks, checks) is networks[int(np.argmax(found))]
    assert best(networks[::-1], checks) is networks[::-1][int(np.argmax(found[::-1]))]
    assert best(networks, []) is networks[0]
