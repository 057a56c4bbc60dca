"""What each kind gives away, shown by attack: the threat model cites these tests by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from federated.fused_model import FusedModel
from federated.fusion.closed_form import scatter_factor
from federated.manifest import unpack_tensors
from federated.release import build_candidate
from federated.statistics import Statistics, from_features, unpack_symmetric

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


def test_a_first_update_beside_class_sums_that_hold_one_patient_more_reveals_the_patients_mean(federation):
    """A step from zero of softmax regression is t (class sums - their mean over classes), and its bias tells t."""
    from shared_models.averaged_models import Examples, averaged_model

    fold, head = federation.folds["ada"]["train"], averaged_model("linear_head")
    left = np.array([name != fold.patients[0] for name in fold.patients])
    numbers = np.array([LABELS.index(label) for label in fold.labels])
    config, size = head.config(fold.features.shape[1], len(LABELS)), len(LABELS)
    examples = Examples(fold.features[left], numbers[left], fold.weights[left])
    update = head.train(head.start(config), config, examples, 1, 0.0, 0)
    whole = from_features(fold.features, fold.labels, fold.weights, LABELS)
    total, column = fold.weights[left].sum(), numbers[0]
    share = np.bincount(numbers[left], fold.weights[left], size) / total - 1 / size
    step = np.median(update["bias"][share != 0] / share[share != 0])
    before = (whole.class_sums - whole.class_sums.mean(axis=1, keepdims=True)) / total
    gone = (before - update["weight"].T.astype(float) / step)[:, column] / (1 - 1 / size)
    assert np.abs(gone / gone[-1] - fold.features[~left].mean(axis=0)).max() < 1e-3


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


def recovered(built, unknown, known):
    """Least squares for the unknown Gram matrices from every carried equation (A u = b), relative error of the best."""
    tensors, manifest = unpack_tensors(built.tensors, built.manifest), built.manifest
    hyper, size, names = manifest.hyperparameters, manifest.front_end.features, [site.name for site in manifest.sites]
    blocks = {
        name: Statistics(manifest.labels, known.get(name), tensors["class_sums"][index], tensors["weights"][index])
        for index, name in enumerate(names)
    }
    rows, right = [], []
    upper = np.array(np.triu_indices(size)).T
    for index, system in enumerate(manifest.systems):
        factor = scatter_factor(blocks, sorted((*system.inside, *system.outside)))
        base = hyper.ridge * np.eye(size) + hyper.scatter * factor @ factor.T
        scale = dict.fromkeys(system.inside, 1.0) | dict.fromkeys(system.outside, hyper.outside)
        base = base + sum(scale[name] * gram for name, gram in known.items() if name in scale)
        for place, name in enumerate(system.inside):
            for column, label in enumerate(system.labels):
                u = tensors[f"solution.{index:03d}"][place][:, column]
                b = blocks[name].class_sums[:, manifest.labels.index(label)]
                if not b.any():
                    continue
                operator = np.zeros((size, len(upper)))
                for entry, (i, j) in enumerate(upper):
                    operator[i, entry] += u[j]
                    operator[j, entry] += u[i] if i != j else 0.0
                rows.append(np.hstack([scale.get(name, 0.0) * operator for name in unknown]))
                right.append(b - base @ u)
    found = np.linalg.lstsq(np.vstack(rows), np.concatenate(right), rcond=None)[0].reshape(len(unknown), -1)
    return np.linalg.matrix_rank(np.vstack(rows)), [unpack_symmetric(packed, size) for packed in found]


def test_solutions_do_not_give_back_a_gram_that_was_kept(make_federation):
    """An attacker who knows every other site's Gram solves all carried equations for the one that was kept.

    Equations are one a feature for each (site, label) pair, so that what is fixed is a share of the unknowns which
    falls with the number of features: here 24 features and 9 pairs, in use some 600 features and as many pairs.
    """
    federation = make_federation()
    inputs = federation.inputs()
    inputs[2] = replace(inputs[2], gram_to_sites=False)
    card = federation.candidate().manifest
    built = build_candidate(
        federation="test", task="classification", front_end=card.front_end, vocabulary=card.vocabulary,
        sites=inputs, experts=(), number=1, previous=None,
    )  # fmt: skip
    assert not any(system.inverse for system in built.manifest.systems)
    blocks = federation.blocks()
    known = {name: blocks[name].gram for name in ("ada", "ben")}
    rank, (guess,) = recovered(built, ["cem"], known)
    unknowns = 24 * 25 // 2
    assert rank < 0.75 * unknowns
    centered = (
        blocks["cem"].gram - np.outer(blocks["cem"].gram[-1], blocks["cem"].gram[-1]) / blocks["cem"].gram[-1, -1]
    )
    guess = guess - np.outer(guess[-1], guess[-1]) / guess[-1, -1]
    assert np.linalg.norm(guess - centered) / np.linalg.norm(centered) > 0.1


def test_a_release_gives_no_class_covariance_of_a_site_that_keeps_its_gram(make_federation):
    federation = make_federation(gram_to_sites=False)
    release = federation.release()
    tensors = unpack_tensors(release.tensors, release.manifest)
    for site in release.manifest.sites:
        for row in tensors[f"covariance.{site.name}"]:
            assert np.array_equal(row, tensors["within"])  # the pooled one, in all of the 23 directions
    open_ = make_federation().release()
    own = unpack_tensors(open_.tensors, open_.manifest)["covariance.ada"]
    assert len({row.tobytes() for row in own}) == 3
