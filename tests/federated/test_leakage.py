"""What each kind gives away, shown by attack: the threat model cites these tests by name."""

from __future__ import annotations

import numpy as np

from federated.fused_model import FusedModel
from federated.manifest import unpack_tensors
from federated.release import build_candidate
from federated.statistics import from_features, unpack_symmetric

LABELS = ("plax", "a4c", "a2c", "psax", "sub")


def test_two_gram_matrices_that_differ_by_one_image_reveal_its_features(federation):
    fold = federation.folds["ada"]["train"]
    with_patient = from_features(fold.features, fold.labels, fold.weights, LABELS)
    without = from_features(fold.features[1:], fold.labels[1:], fold.weights[1:], LABELS)
    values, vectors = np.linalg.eigh(with_patient.gram - without.gram)
    recovered = np.sqrt(values[-1] / fold.weights[0]) * vectors[:, -1]
    recovered *= np.sign(recovered[-1])  # the last feature is known to be 1
    assert np.abs(recovered - fold.features[0]).max() < 1e-9


def test_two_class_sums_that_differ_by_one_patient_reveal_the_patients_mean(federation):
    fold = federation.folds["ada"]["train"]
    patient = np.array([name == fold.patients[0] for name in fold.patients])
    labels = np.array(fold.labels)
    whole = from_features(fold.features, fold.labels, fold.weights, LABELS)
    rest = from_features(fold.features[~patient], labels[~patient], fold.weights[~patient], LABELS)
    column = LABELS.index(fold.labels[0])
    mean = (whole.class_sums - rest.class_sums)[:, column] / (whole.weights - rest.weights)[column]
    assert np.abs(mean - fold.features[patient].mean(axis=0)).max() < 1e-9


def test_a_cell_of_one_patient_is_that_patient(federation):
    fold = federation.folds["ada"]["train"]
    rows = [index for index, name in enumerate(fold.patients) if name == fold.patients[0]]
    block = from_features(fold.features[rows], ["plax"] * len(rows), np.ones(len(rows)), ("plax",))
    assert np.abs(block.class_sums[:, 0] / block.weights[0] - fold.features[rows].mean(axis=0)).max() < 1e-12


def test_with_fewer_images_than_features_a_gram_fixes_them_up_to_a_rotation(federation):
    """All lengths and angles between images follow: the rows are known but for one orthogonal matrix."""
    features = federation.folds["ada"]["train"].features[::4][:10]
    gram = from_features(features, ["plax"] * 10, np.ones(10), ("plax",)).gram
    values, vectors = np.linalg.eigh(gram)
    rebuilt = np.sqrt(values[-10:])[:, None] * vectors[:, -10:].T
    left, _, right = np.linalg.svd(features @ rebuilt.T)
    rotated = (left @ right) @ rebuilt
    assert np.abs(rotated - features).max() < 1e-8


def test_the_system_of_a_single_site_would_be_its_gram(make_federation):
    """Why solutions of kept Gram matrices travel without inverses: an inverse of one site inverts back."""
    federation = make_federation(gram_to_sites=False)
    built = federation.candidate(("ada",))
    assert not any(system.inverse for system in built.manifest.systems)
    released = make_federation(gram_to_sites=True).candidate(("ada",))
    block = FusedModel.from_release(released.manifest, unpack_tensors(released.tensors, released.manifest)).blocks[
        "ada"
    ]
    assert np.abs(block.gram - federation.blocks()["ada"].gram).max() < 1e-12


def test_two_releases_reveal_the_newcomers_gram_where_sums_are_carried(make_federation):
    """Not defended yet: sums over kept Gram matrices, before and after an arrival, differ by the newcomer's."""
    federation = make_federation(gram_to_sites=False)
    hyper = federation.candidate().manifest.hyperparameters.model_copy(update={"scatter": 0.0, "outside": 1.0})
    fourth = federation.folds["ada"]["test"]
    block = from_features(fourth.features, fourth.labels, fourth.weights, ("plax", "a4c", "a2c"))
    inputs = federation.inputs()
    newcomer = inputs[0].__class__("dan", ("sha256:" + "9" * 64,), block, None, dict.fromkeys(block.labels, 8), False)
    card = federation.candidate().manifest

    def pooled(sites):
        built = build_candidate(
            federation="test", task="classification", front_end=card.front_end, vocabulary=card.vocabulary,
            sites=sites, experts=(), number=1, previous=None, hyperparameters=hyper,
        )  # fmt: skip
        tensors = unpack_tensors(built.tensors, built.manifest)
        space, weight = tensors["basis"], float(tensors["weights"].sum())
        size = space.shape[1]
        within = (
            unpack_symmetric(tensors["within"], size)
            - 0.05 * np.trace(unpack_symmetric(tensors["within"], size)) / size * np.eye(size)
        ) / 0.95
        means = tensors["class_sums"] / np.maximum(tensors["weights"], 1e-12)[:, None, :]
        outer = np.einsum("kmc,knc,kc->mn", means, means, tensors["weights"])
        return weight * space @ within @ space.T + outer

    difference = pooled([*inputs, newcomer]) - pooled(inputs)
    correlation = np.corrcoef(difference[:-1, :-1].ravel(), block.gram[:-1, :-1].ravel())[0, 1]
    assert correlation > 0.99


def test_solution_vectors_show_a_kept_gram_only_where_class_sums_point(make_federation):
    """From u = A^-1 b and b a recipient learns A on the span of the class sums and nothing outside it."""
    federation = make_federation(gram_to_sites=False)
    built = federation.candidate(("ada", "ben"))
    tensors = unpack_tensors(built.tensors, built.manifest)
    known = np.concatenate(
        [tensors[name].transpose(1, 0, 2).reshape(24, -1) for name in tensors if "solution" in name], 1
    )
    assert 0 < np.linalg.matrix_rank(known) < 24
