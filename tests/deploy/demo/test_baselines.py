"""Rows beside the fused experts: each sees the images it says, when it says."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.demo.baselines import (
    SiteFolds,
    clip_order,
    held_back,
    max_softmax,
    most_frequent,
    one_head,
    site_alone,
    train,
)
from federated.local_fold import LocalFold

CENTRES = {"a": (4.0, 0.0, 0.0), "b": (0.0, 4.0, 0.0), "c": (0.0, 0.0, 4.0)}


def fold(labels: str, prefix: str, *, seed: int, frames: int = 2) -> LocalFold:
    """`frames` images of one clip of one patient for every letter."""
    rng = np.random.default_rng(seed)
    names = tuple(label for label in labels for _ in range(frames))
    features = np.array([[*(np.array(CENTRES[label]) + rng.normal(size=3)), 1.0] for label in names])
    clips = tuple(f"{prefix}{number}" for number in range(len(labels)) for _ in range(frames))
    return LocalFold(features, names, clips, clips, np.full(len(names), 1 / frames))


def site(name: str, train_labels: str, test_labels: str, *, seed: int) -> SiteFolds:
    """A site with three folds."""
    test = fold(test_labels, f"{name}-t", seed=seed + 1)
    folds = {
        "train": fold(train_labels, f"{name}-", seed=seed),
        "validation": fold(train_labels, f"{name}-v", seed=seed + 2),
        "test": test,
    }
    return SiteFolds(name, folds, tuple(f"{clip}.png" for clip in test.clips))


@pytest.fixture
def sites() -> tuple[SiteFolds, ...]:
    return site("north", "aab" * 10, "abc", seed=0), site("south", "bcc" * 10, "abc", seed=10)


def test_held_back_clips_are_those_of_the_test_folds(sites: tuple[SiteFolds, ...]) -> None:
    held = held_back(sites)
    assert held.sites == ("north",) * 3 + ("south",) * 3
    assert held.labels == tuple("abcabc")
    assert held.clips == (*clip_order(sites[0].test), *clip_order(sites[1].test))


def test_most_frequent_never_looks(sites: tuple[SiteFolds, ...]) -> None:
    assert most_frequent(sites, sites).labels == tuple("aaaccc")
    assert most_frequent(sites[:1], sites).labels == ("a", "a", "a", None, None, None)


def test_a_site_alone_knows_its_own_labels(sites: tuple[SiteFolds, ...]) -> None:
    heads = {one.name: train([one]) for one in sites}
    assert heads["north"].labels == ("a", "b")
    answers = site_alone(heads, sites).labels
    assert answers[:2] == ("a", "b")
    assert answers[4:] == ("b", "c")
    assert answers[2] in {"a", "b"}
    assert site_alone({"north": heads["north"]}, sites).labels[3:] == (None, None, None)


def test_joint_training_knows_all(sites: tuple[SiteFolds, ...]) -> None:
    assert one_head("joint", train(sites), sites).labels == tuple("abcabc")


def test_fine_tuning_keeps_old_labels_as_columns_and_forgets_them(sites: tuple[SiteFolds, ...]) -> None:
    first = train(sites[:1])
    second = train(sites[1:], start=first)
    assert second.labels == ("a", "b", "c")
    answers = one_head("sequential", second, sites).labels
    assert answers[1] == "b"
    assert answers[2] == "c"
    means = second.probabilities(np.array([[*CENTRES["a"], 1.0]]))
    assert means[0, 0] < first.probabilities(np.array([[*CENTRES["a"], 1.0]]))[0, 0]


def test_the_surest_head_answers(sites: tuple[SiteFolds, ...]) -> None:
    heads = [train([one]) for one in sites]
    answers = max_softmax(heads, sites).labels
    assert answers[0] == "a"
    assert answers[5] == "c"
