"""Hyper-parameters follow the validation statistics, not the training ones."""

from __future__ import annotations

import numpy as np

from federated.fusion.closed_form import fit, validation_loss
from federated.fusion.selection import RIDGES, select

LABELS = ("plax", "a4c", "a2c", "psax", "sub")


def blocks_of(federation, fold):
    return {site.name: getattr(site, fold).spread(LABELS) for site in federation.inputs()}


def test_the_ridge_has_the_least_pooled_validation_error_on_its_grid(federation):
    train, validation = blocks_of(federation, "train"), blocks_of(federation, "validation")
    chosen = select(train, validation, LABELS)
    unit = sum(np.trace(block.gram) for block in train.values()) / 24
    held = {
        name: np.array([label in site.labels for label in LABELS])
        for name, site in zip(train, (site.train for site in federation.inputs()), strict=True)
    }

    def error(ridge):
        weights = fit(train, LABELS, chosen.model_copy(update={"ridge": ridge * unit}))
        return sum(validation_loss(weights, validation[name], LABELS, held[name]) for name in validation)

    assert chosen.ridge / unit == min(RIDGES, key=error)


def test_noise_calls_for_a_larger_ridge(make_federation):
    federation = make_federation(seed=3)
    train, validation = blocks_of(federation, "train"), blocks_of(federation, "validation")
    quiet = select(train, train, LABELS).ridge
    assert select(train, validation, LABELS).ridge >= quiet


def test_one_site_has_nothing_to_scatter(federation):
    train, validation = blocks_of(federation, "train"), blocks_of(federation, "validation")
    chosen = select({"ada": train["ada"]}, {"ada": validation["ada"]}, LABELS)
    assert chosen.scatter == 0.0


def test_isolated_mode_pins_the_outside_weight(federation):
    train, validation = blocks_of(federation, "train"), blocks_of(federation, "validation")
    chosen = select(train, validation, LABELS, "isolated")
    assert (chosen.mode, chosen.outside) == ("isolated", 0.0)


def test_without_validation_patients_the_middle_of_the_road_is_taken(federation):
    train = blocks_of(federation, "train")
    chosen = select(train, {}, LABELS)
    unit = sum(np.trace(block.gram) for block in train.values()) / 24
    assert (round(chosen.ridge / unit, 9), chosen.outside) == (0.1, 0.5)
