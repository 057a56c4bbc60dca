from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from shared_models.batches import ORDER, STEP, STREAM, batches, seeds
from shared_models.recipe import Recipe


def recipe(batch: int, seed: int = 1, most: int | None = None) -> Recipe:
    return Recipe(epochs=1, batch=batch, rate=0.1, seed=seed, samples_an_epoch=most)


@given(some.integers(2, 200), some.integers(2, 40))
def test_every_row_comes_once_and_never_alone(examples: int, batch: int) -> None:
    found = batches(3, examples, recipe(batch))
    assert sorted(np.concatenate(found)) == list(range(examples))
    assert min(len(rows) for rows in found) >= 2
    assert all(len(rows) == batch for rows in found[:-1])
    assert len(found[-1]) <= batch + 1


@given(some.integers(2, 100), some.integers(2, 40), some.integers(2, 100))
def test_an_epoch_may_be_cut(examples: int, batch: int, most: int) -> None:
    rows = np.concatenate(batches(0, examples, recipe(batch, most=most)))
    assert len(rows) == len(set(rows)) == min(examples, most)


def test_the_order_is_that_of_the_seed_and_the_epoch() -> None:
    orders = [np.concatenate(batches(epoch, 50, recipe(8, seed))) for seed in (1, 2) for epoch in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4
    assert np.array_equal(orders[0], np.random.default_rng([STREAM, ORDER, 1, 0]).permutation(50))
    cut = [set(np.concatenate(batches(epoch, 50, recipe(8, most=20)))) for epoch in range(60)]
    assert set.union(*cut) == set(range(50))  # others each time


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**70 + 3])
def test_seeds_are_those_of_numpys_sequence(seed: int) -> None:
    for number, pair in enumerate(seeds(seed, 5, 3), start=5):
        drawn = np.random.SeedSequence([STREAM, STEP, seed, number]).generate_state(2, np.uint64)
        assert pair == tuple(int(word) >> 1 for word in drawn)


def test_every_step_has_seeds_of_its_own() -> None:
    found = [word for seed in range(4) for pair in seeds(seed, 0, 50) for word in pair]
    assert len(set(found)) == 400
    assert all(0 <= word < 2**63 for word in found)
