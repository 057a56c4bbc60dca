"""Hyper-parameters follow the validation statistics, not the training ones."""

from __future__ import annotations

import numpy as np
import pytest

from federated.fusion.closed_form import fit
from federated.fusion.effective_number import counted
from federated.fusion.linear_rule import LinearRule
from federated.fusion.pairwise_error import pairwise_error
from federated.fusion.selection import (
    OUTSIDE,
    RIDGES,
    SCATTERS,
    UNTOLD,
    VOLUME,
    Search,
    first_valley,
    left_out,
    left_out_groups,
    select,
)
from federated.fusion.targets import FLAT
from federated.statistics import Statistics, from_features, merge

LABELS = ("plax", "a4c", "a2c", "psax", "sub")


def blocks_of(federation, fold):
    return {site.name: getattr(site, fold).spread(LABELS) for site in federation.inputs()}


def error_at(train, validation, ridge, scatter):
    """By the words of the method page: all sites together, and the mean over those left out."""
    total = merge(train.values())
    unit, weight = np.trace(total.gram) / total.features, total.weights.sum()
    chosen = select(train, {}, LABELS).model_copy(update={"ridge": ridge * unit, "scatter": scatter * weight})

    def judged(blocks, judges):
        held = tuple(label for label in LABELS if any(block.weights[LABELS.index(label)] for block in blocks.values()))
        weights = fit(blocks, held, chosen)
        return pairwise_error(LinearRule(held, ("all",), weights[None], np.zeros((1, len(held)))), judges)

    apart = [judged({n: b for n, b in train.items() if n != name}, [validation[name]]) for name in train]
    return judged(train, validation.values()), float(np.mean(apart))


def test_the_ridge_has_the_least_error_on_its_grid(federation):
    train, validation = (counted(blocks_of(federation, fold), VOLUME) for fold in ("train", "validation"))
    chosen = select(blocks_of(federation, "train"), blocks_of(federation, "validation"), LABELS)
    total = merge(train.values())
    scatter = chosen.scatter / total.weights.sum()
    errors = {ridge: sum(error_at(train, validation, ridge, scatter)) for ridge in RIDGES}
    assert chosen.ridge / (np.trace(total.gram) / 24) == pytest.approx(min(errors, key=errors.get))


def test_the_scatter_is_the_largest_within_a_standard_error(federation):
    train, validation = (counted(blocks_of(federation, fold), VOLUME) for fold in ("train", "validation"))
    chosen = select(blocks_of(federation, "train"), blocks_of(federation, "validation"), LABELS)
    scatter = chosen.scatter / merge(train.values()).weights.sum()
    patients = sum(block.weights.sum() for block in blocks_of(federation, "validation").values())
    first = RIDGES[
        first_valley(
            [lambda ridge=ridge: sum(error_at(train, validation, ridge, SCATTERS[0])) for ridge in RIDGES],
            RIDGES.index(UNTOLD),
        )
    ]
    errors = {value: error_at(train, validation, first, value) for value in SCATTERS}
    least = min(errors.values(), key=sum)
    bound = sum(least) + np.sqrt(sum(error * (1 - error) for error in least) / patients)
    assert scatter == pytest.approx(max(value for value in SCATTERS if sum(errors[value]) <= bound))


def two_scanners(between: tuple[float, float, float]) -> tuple[dict[str, Statistics], dict[str, Statistics]]:
    """Two labels far apart in the first direction and less so in the second; two sites that lie apart as told."""
    random = np.random.default_rng(0)
    found = []
    for count in (60, 60):
        blocks = {}
        for side, name in ((-0.5, "ada"), (0.5, "ben")):
            labels = ["plax"] * count + ["a4c"] * count
            places = np.repeat([[-0.5, -0.2, 0.0], [0.5, 0.2, 0.0]], count, axis=0) + side * np.array(between)
            features = np.hstack([places + 0.2 * random.normal(size=places.shape), np.ones((2 * count, 1))])
            blocks[name] = from_features(features, labels, np.ones(2 * count), ("plax", "a4c"))
        found.append(blocks)
    return found[0], found[1]


@pytest.mark.parametrize(("between", "taken"), [((0.0, 0.0, 3.0), True), ((0.6, 0.0, 0.0), False)])
def test_where_scanners_differ_as_labels_do_less_scatter_is_taken(between, taken):
    """Expecting another scanner along the direction of the labels would leave them the second one alone."""
    search = Search(*two_scanners(between), ("plax", "a4c"), "shared", FLAT)
    assert (search.scatter(UNTOLD) == SCATTERS[0]) == taken


def test_few_patients_and_many_features_call_for_a_larger_ridge():
    random = np.random.default_rng(1)

    def block(count: int) -> Statistics:
        labels = ["plax"] * count + ["a4c"] * count
        features = np.hstack([np.repeat([[-0.5], [0.5]], count, axis=0), np.zeros((2 * count, 40))])
        return from_features(features + random.normal(size=features.shape), labels, np.ones(2 * count), LABELS[:2])

    few, many, asked = ({"ada": block(count)} for count in (12, 2000, 2000))
    ridges = []
    for blocks in (few, many):
        total = counted(blocks, VOLUME)["ada"]
        ridges.append(select(blocks, asked, LABELS[:2]).ridge / (np.trace(total.gram) / total.features))
    assert ridges[0] > 10 * ridges[1]


def test_one_site_has_nothing_to_scatter(federation):
    train, validation = blocks_of(federation, "train"), blocks_of(federation, "validation")
    chosen = select({"ada": train["ada"]}, {"ada": validation["ada"]}, LABELS)
    assert chosen.scatter == 0.0


def test_isolated_mode_pins_the_outside_weight(federation):
    train, validation = blocks_of(federation, "train"), blocks_of(federation, "validation")
    chosen = select(train, validation, LABELS, "isolated")
    assert (chosen.mode, chosen.outside) == ("isolated", 0.0)


def test_without_validation_patients_the_given_values_are_taken(federation):
    train = blocks_of(federation, "train")
    chosen, total = select(train, {}, LABELS), merge(counted(train, VOLUME).values())
    assert chosen.ridge == pytest.approx(UNTOLD * np.trace(total.gram) / 24)
    assert chosen.scatter == pytest.approx(SCATTERS[0] * total.weights.sum())
    assert (chosen.outside, chosen.volume) == (OUTSIDE, VOLUME)


@pytest.mark.parametrize(
    ("values", "start", "place", "looked_at"),
    [([3, 1, 2, 0], 0, 1, {0, 1, 2}), ([3, 1, 2, 0], 3, 3, {2, 3}), ([2, 2, 1], 0, 0, {0, 1})],
)
def test_downhill_to_the_first_valley(values, start, place, looked_at):
    """What lies beyond the valley's far side is not even asked."""
    asked = []

    def told(number):
        asked.append(number)
        return values[number]

    found = first_valley([lambda number=number: told(number) for number in range(len(values))], start)
    assert (found, set(asked)) == (place, looked_at)


def test_groups_are_judged_on_what_the_others_hold(federation):
    train, validation = blocks_of(federation, "train"), blocks_of(federation, "validation")
    assert [sorted(rest) for rest, _ in left_out(train, validation)] == [["ben", "cem"], ["ada", "cem"], ["ada", "ben"]]
    strange = {"ada": train["ada"], "dan": from_features(np.ones((4, 24)), ["sub"] * 4, np.ones(4), LABELS)}
    assert left_out(strange, {"dan": strange["dan"]}) == []
    assert left_out_groups("abcdefg") == [["a", "f"], ["b", "g"], ["c"], ["d"], ["e"]]
