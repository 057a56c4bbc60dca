"""The algebra: equal to the central fit, any order, exact removal, isolation, shares that add up."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated.errors import ContractError
from federated.fusion.closed_form import (
    Key,
    assemble,
    evidence,
    fit,
    full_key,
    full_systems,
    labelling_sites,
    scatter_factor,
    scatter_sites,
    solve,
    validation_loss,
)
from federated.fusion.targets import targets_of
from federated.manifest import Hyperparameters
from federated.statistics import from_features, merge

LABELS = ("plax", "a4c", "a2c", "psax", "sub")
HYPER = Hyperparameters(ridge=0.7, scatter=3.0, outside=0.3)


def central_fit(federation, hyperparameters: Hyperparameters) -> np.ndarray:
    """The masked, weighted least squares of the module's docstring, solved from all images at once by lstsq."""
    folds = {name: folds["train"] for name, folds in federation.folds.items()}
    blocks = federation.blocks()
    root = np.sqrt(hyperparameters.scatter) * scatter_factor(blocks, sorted(blocks)).T
    size = next(iter(folds.values())).features.shape[1]
    columns = []
    for label in LABELS:
        rows, targets = [root, np.sqrt(hyperparameters.ridge) * np.eye(size)], [np.zeros(len(root)), np.zeros(size)]
        for name, fold in folds.items():
            inside = name in labelling_sites(blocks, label)
            scale = np.sqrt(fold.weights * (1.0 if inside else hyperparameters.outside))
            rows.append(fold.features * scale[:, None])
            targets.append(scale * np.array([inside and x == label for x in fold.labels]))
        columns.append(np.linalg.lstsq(np.concatenate(rows), np.concatenate(targets), rcond=None)[0])
    return np.stack(columns, axis=1)


def test_equals_the_central_fit_of_the_masked_weighted_loss(federation):
    assert np.abs(fit(federation.blocks(), LABELS, HYPER) - central_fit(federation, HYPER)).max() < 1e-9


@pytest.mark.parametrize("outside", [0.0, 1.0])
def test_the_outside_weight_runs_from_the_mask_to_the_joint_ridge(federation, outside):
    chosen = HYPER.model_copy(update={"outside": outside, "scatter": 0.0})
    weights = fit(federation.blocks(), LABELS, chosen)
    total = merge(federation.blocks().values())
    joint = np.linalg.solve(total.gram + chosen.ridge * np.eye(total.features), total.class_sums)
    equal = np.abs(weights - joint).max() < 1e-9
    assert bool(equal) is (outside == 1.0)


def test_any_order_of_sites_and_batches_gives_the_same_weights(federation):
    blocks = federation.blocks()
    reference = fit(blocks, LABELS, HYPER)
    for order in permutations(blocks):
        assert np.array_equal(fit({name: blocks[name] for name in order}, LABELS, HYPER), reference)
    halves = {}
    for name, folds in federation.folds.items():
        fold = folds["train"]
        odd = np.arange(len(fold.labels)) % 2 == 1
        parts = [
            from_features(fold.features[rows], np.array(fold.labels)[rows], fold.weights[rows], LABELS)
            for rows in (odd, ~odd)
        ]
        halves[name] = merge(parts)
    assert np.abs(fit(halves, LABELS, HYPER) - reference).max() < 1e-9


def test_isolated_mode_leaves_unlabelled_columns_bit_identical(federation):
    isolated = HYPER.model_copy(update={"mode": "isolated", "outside": 0.0})
    blocks = federation.blocks()
    before = fit({name: blocks[name] for name in ("ada", "ben")}, LABELS, isolated)
    after = fit(blocks, LABELS, isolated)
    untouched = [LABELS.index(label) for label in ("a4c", "a2c")]
    assert np.array_equal(before[:, untouched], after[:, untouched])
    assert not np.array_equal(before[:, LABELS.index("psax")], after[:, LABELS.index("psax")])


def test_shared_mode_does_move_them_which_is_why_the_isolated_mode_exists(federation):
    blocks = federation.blocks()
    before = fit({name: blocks[name] for name in ("ada", "ben")}, LABELS, HYPER)
    assert not np.array_equal(before[:, 1], fit(blocks, LABELS, HYPER)[:, 1])


@settings(max_examples=25, deadline=None)
@given(
    ridge=st.floats(1e-3, 1e2),
    scatter=st.floats(0, 1e3),
    outside=st.floats(0, 1),
    weight=st.floats(0.05, 1),
    seed=st.integers(0, 10**6),
)
def test_contributions_and_evidence_add_up(federation, ridge, scatter, outside, weight, seed):
    blocks = federation.blocks()
    hyper = Hyperparameters(ridge=ridge, scatter=scatter, outside=outside)
    key = Key((("ada", 1.0), ("ben", weight)), (("cem", weight),))
    features = np.random.default_rng(seed).normal(size=(5, 24))
    solved = solve(blocks, key, LABELS, hyper)
    direct = features @ np.linalg.solve(assemble(blocks, key, hyper), weight * blocks["ben"].class_sums)
    assert np.abs(np.einsum("nm,mc->nc", features, solved.solutions[1]) - direct).max() < 1e-9
    grams = {name: block.gram for name, block in blocks.items()}
    factor = scatter_factor(blocks, scatter_sites(key, hyper))
    shares = evidence(features, solved.inverse, key, grams, factor, hyper)
    assert set(shares) == {"ada", "ben", "cem", "prior", "disagreement"}
    assert np.abs(sum(shares.values()) - 1).max() < 1e-9
    assert all((share >= -1e-12).all() for share in shares.values())
    without_cem = evidence(features, solved.inverse, key, {"ada": grams["ada"], "ben": grams["ben"]}, factor, hyper)
    assert np.abs(without_cem.get("other", 0.0) - shares["cem"]).max() < 1e-9


def test_a_direction_nobody_has_seen_is_all_prior():
    block = from_features(np.array([[1.0, 0.0, 1.0]]), ["a4c"], np.ones(1), ("a4c",))
    hyper = Hyperparameters(ridge=1.0, scatter=0.0, outside=0.0)
    key = full_key(["ada"], ["ada"], hyper)
    solved = solve({"ada": block}, key, ("a4c",), hyper)
    shares = evidence(np.array([[0.0, 2.0, 0.0]]), solved.inverse, key, {"ada": block.gram}, np.zeros((3, 0)), hyper)
    assert shares["prior"] == pytest.approx(1.0, abs=1e-12)
    assert shares["ada"] == pytest.approx(0.0, abs=1e-12)


def test_the_scatter_penalty_shrinks_what_sites_disagree_about(federation):
    blocks = federation.blocks()
    factor = scatter_factor(blocks, sorted(blocks))
    sizes = [
        np.linalg.norm(factor.T @ fit(blocks, LABELS, HYPER.model_copy(update={"scatter": scatter})))
        for scatter in (0.0, 10.0, 1e4)
    ]
    assert sizes[0] > sizes[1] > sizes[2]


def test_the_validation_loss_is_the_squared_error_of_the_images(federation):
    fold = federation.folds["ada"]["validation"]
    block = from_features(fold.features, fold.labels, fold.weights, LABELS)
    weights = fit(federation.blocks(), LABELS, HYPER)
    columns = np.array([True, False, True, True, False])
    onehot = np.array([[x == label for label in LABELS] for x in fold.labels], dtype=float)
    error = fold.weights[:, None] * (fold.features @ weights - onehot) ** 2
    assert validation_loss(weights, block, LABELS, columns) == pytest.approx(error[:, columns].sum(), rel=1e-9)


def test_a_site_that_keeps_its_gram_back_cannot_enter_a_system(federation):
    blocks = federation.blocks()
    blocks["ada"] = blocks["ada"].without_gram()
    with pytest.raises(ContractError, match="ada: its Gram matrix is not here"):
        fit(blocks, LABELS, HYPER)


def central_partial_fit(federation, hyperparameters):
    """The loss of the partial labels' page, from all images at once: silent images are no rows of a column."""
    blocks, labels = federation.blocks(), federation.vocabulary.codes
    root = np.sqrt(hyperparameters.scatter) * scatter_factor(blocks, sorted(blocks)).T
    size = next(iter(blocks.values())).features
    above = {"psax-av": "psax", "psax-pm": "psax"}
    columns = []
    for label in labels:
        rows, targets = [root, np.sqrt(hyperparameters.ridge) * np.eye(size)], [np.zeros(len(root)), np.zeros(size)]
        for folds in federation.folds.values():
            fold = folds["train"]
            hits = np.array([label in (x, above.get(x)) for x in fold.labels])
            told = np.array([above.get(label) != x for x in fold.labels])
            scale = np.sqrt(fold.weights * (1.0 if hits.any() else hyperparameters.outside))
            rows.append((fold.features * scale[:, None])[told])
            targets.append((scale * hits)[told])
        columns.append(np.linalg.lstsq(np.concatenate(rows), np.concatenate(targets), rcond=None)[0])
    return np.stack(columns, axis=1)


def test_partial_labels_equal_the_central_fit_of_what_they_say(nested):
    labels = nested.vocabulary.codes
    weights = fit(nested.blocks(), labels, HYPER, targets_of(nested.vocabulary, labels))
    assert np.abs(weights - central_partial_fit(nested, HYPER)).max() < 1e-9
    assert np.abs(weights - fit(nested.blocks(), labels, HYPER)).max() > 1e-2


def test_without_coarse_labels_nothing_changes_to_the_last_digit(nested):
    names = ("ada", "ben")  # both by level, in a vocabulary with something above the levels
    blocks, labels = nested.blocks(names), ("plax", "a4c", "psax-av", "psax-pm")
    assert np.array_equal(fit(blocks, labels, HYPER, targets_of(nested.vocabulary, labels)), fit(blocks, labels, HYPER))


def test_a_coarse_site_leaves_isolated_levels_bit_identical_and_teaches_the_view(nested):
    isolated = HYPER.model_copy(update={"mode": "isolated", "outside": 0.0})
    labels = nested.vocabulary.codes
    targets = targets_of(nested.vocabulary, labels)
    before = fit(nested.blocks(("ada", "ben", "cem")), labels, isolated, targets)
    after = fit(nested.blocks(), labels, isolated, targets)
    levels = [labels.index(label) for label in ("psax-av", "psax-pm")]
    assert np.array_equal(before[:, levels], after[:, levels])
    assert np.abs(before - after)[:, labels.index("psax")].max() > 1e-3


def test_silent_validation_images_do_not_count_in_a_column(nested):
    labels = nested.vocabulary.codes
    targets = targets_of(nested.vocabulary, labels)
    weights = fit(nested.blocks(), labels, HYPER, targets)
    fold, block = nested.folds["cem"]["validation"], nested.input("cem").validation
    fitted = fold.features @ weights
    told = np.array([x != "psax" for x in fold.labels])
    columns = np.array([label in ("psax", "psax-av") for label in labels])
    view, level = labels.index("psax"), labels.index("psax-av")
    expected = (fold.weights * (fitted[:, view] - ~told) ** 2).sum()
    expected += (fold.weights * fitted[:, level] ** 2)[told].sum()
    assert validation_loss(weights, block, labels, columns, targets) == pytest.approx(expected, rel=1e-9)


def test_contributions_and_evidence_add_up_where_images_are_left_out(nested):
    labels, blocks = nested.vocabulary.codes, nested.blocks()
    targets = targets_of(nested.vocabulary, labels)
    (key,) = [key for key, columns in full_systems(blocks, labels, HYPER, targets).items() if 3 in columns]
    assert key.silent == (("cem", "psax"), ("dan", "psax"))
    features = np.random.default_rng(0).normal(size=(5, 24))
    solved = solve(blocks, key, labels, HYPER, targets)
    weights = fit(blocks, labels, HYPER, targets)
    scores = np.einsum("nm,kmc->nc", features, solved.solutions[:, :, 3:])
    assert np.abs(scores - features @ weights[:, 3:]).max() < 1e-9
    grams = {name: block.gram_without(key.silent_at(name)) for name, block in blocks.items()}
    shares = evidence(features, solved.inverse, key, grams, scatter_factor(blocks, scatter_sites(key, HYPER)), HYPER)
    assert np.abs(sum(shares.values()) - 1).max() < 1e-9
    assert all((share >= -1e-12).all() for share in shares.values())
    whole = {name: block.gram for name, block in blocks.items()}
    wrong = evidence(features, solved.inverse, key, whole, scatter_factor(blocks, scatter_sites(key, HYPER)), HYPER)
    assert np.abs(sum(wrong.values()) - 1).max() > 1e-3


def test_golden_numbers():
    features = np.array([[1.0, 0.0, 1.0], [0.0, 2.0, 1.0], [1.0, 1.0, 1.0]])
    blocks = {
        "ada": from_features(features, ["a4c", "a2c", "a4c"], np.ones(3), ("a4c", "a2c")),
        "ben": from_features(features[:1] * 2, ["a4c"], np.ones(1), ("a4c",)),
    }
    hyper = Hyperparameters(ridge=0.5, scatter=2.0, outside=0.25)
    weights = fit(blocks, ("a4c", "a2c"), hyper)
    expected = [
        [0.5205158264947242, -0.23529411764705904],
        [0.12661195779601403, 0.26774847870182544],
        [0.004689331770222898, 0.2312373225152132],
    ]
    assert np.allclose(weights, expected, rtol=1e-12)
