"""Settings are tried in two steps, and what goes astray is the worst."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import registration_peers
from benchmarks.registration import QUICK
from benchmarks.registration_classical import identity
from benchmarks.registration_learned import VOXELMORPH
from benchmarks.registration_peers import (
    CHOICES,
    CLASSICAL,
    DEMONS,
    NETWORKS,
    RATES,
    WEIGHTS,
    WORST,
    agreement,
    checked,
    first_tries,
    fresh,
    further_tries,
    last_tries,
    still,
)
from benchmarks.registration_problems import Problem
from benchmarks.registration_starts import Started
from shared_models.registration.pairs import Pair
from tests.benchmarks.registration_toys import blobs, moved, swirl

SHAPE = (32, 32)


@pytest.fixture
def given() -> Problem:
    moving = blobs(SHAPE)
    fixed = moved(moving, swirl(SHAPE))
    labels = [(image > 0.4).astype(np.uint8) for image in (moving, fixed)]
    pair = Pair("a", moving, fixed, (1.0, 1.0), *labels)
    one = Started(pair, identity(2), moving, ("a",))
    return Problem("toy", "squared difference", (1,), [one, one], [one], {"toy": [one]})


def test_all_rates_are_tried_first_and_then_all_weights() -> None:
    first = first_tries(VOXELMORPH)
    assert [CHOICES[number].rate for number in first] == list(RATES)
    further = further_tries(VOXELMORPH, first[1])
    assert {CHOICES[number].rate for number in further} == {RATES[1]}
    assert {CHOICES[number].weight for number in (first[1], *further)} == set(WEIGHTS)
    assert first_tries(DEMONS) == list(range(len(CLASSICAL[DEMONS].choices)))
    assert further_tries(DEMONS, 0) == []
    plain, changed = (CHOICES[number] for number in last_tries(VOXELMORPH, further[0]))
    assert plain == CHOICES[further[0]]
    assert (changed.rate, changed.weight, changed.changed) == (plain.rate, plain.weight, True)
    assert last_tries(DEMONS, 0) == []


def test_demons_do_better_than_nothing_on_the_pairs_for_choosing(given) -> None:
    (one,) = given.checked
    assert (
        checked(DEMONS, 0, given, QUICK, QUICK.tried)
        > agreement(one, still(one.moving, one.fixed), given.labels) + 0.02
    )


def test_what_goes_astray_is_the_worst(given, monkeypatch) -> None:
    def astray(*_):
        raise ValueError("training went astray")

    monkeypatch.setattr(registration_peers, "learnt", astray)
    assert checked(VOXELMORPH, 0, given, QUICK, QUICK.tried) == WORST


def test_without_labels_likeness_counts(given) -> None:
    (one,) = given.checked
    assert agreement(one, swirl(SHAPE), ()) > 0.99


@pytest.mark.parametrize("name", NETWORKS)
def test_first_weights_are_those_of_the_seed(name) -> None:
    one, again, other = (next(fresh(name, 2, seed).parameters()) for seed in (3, 3, 4))
    assert bool((one == again).all())
    assert bool((one != other).any())
