"""The fused experts of a problem, their scores, and weights that test images never touch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.refusal_data import CHECKED, COUNTED, TESTED, TRAINED
from benchmarks.refusal_experts import (
    LEARNED,
    NORMALISED,
    USED,
    WITH_DISTANCE,
    Experts,
    contenders,
    experts,
    learned_weights,
    standard,
    without,
    z_scores,
)
from federated.in_distribution_scores import IN_USE, SCORES, WITH_CLASS_DISTANCE, largest_own
from tests.benchmarks.refusal_toys import LABELS, TAUGHT, toy


@pytest.fixture(scope="module")
def found() -> Experts:
    return experts(toy())


def test_the_fused_classifier_answers_known_images(found: Experts) -> None:
    assert found.labels == LABELS
    for site in TAUGHT:
        rows = found.rows(site, TESTED)
        look = found.look(rows)
        assert (look.logits.argmax(axis=1) == found.columns(rows)).mean() > 0.9
        assert look.features.shape[1] == found.problem.images.features.shape[1] - 1


def test_other_sites_images_and_labels_taught_elsewhere(found: Experts) -> None:
    images = found.problem.images
    assert set(images.sites[found.elsewhere("ada", TESTED)]) == {"ben"}
    assert set(images.labels[found.elsewhere("ada", TESTED)]) == {"a", "b", "c"}
    assert set(images.labels[found.not_here("ada", TESTED)]) == {"d"}
    assert set(images.sites[found.not_here("ada", TESTED)]) == {"ada"}


def test_one_image_a_patient_calibrates(found: Experts) -> None:
    rows = found.one_a_patient("ben", COUNTED)
    patients = found.problem.images.patients[rows]
    assert len(set(patients)) == len(patients) == len(set(found.problem.images.patients[found.rows("ben", COUNTED)]))


def test_a_label_is_left_out_everywhere_or_at_one_site(found: Experts) -> None:
    nowhere, here = without(found, "b"), without(found, "b", ["ada"])
    assert nowhere.labels == ("a", "c", "d")
    assert "b" not in found.problem.images.labels[nowhere.rows("ben", TRAINED)]
    assert here.taught == {"ada": ("a", "c"), "ben": TAUGHT["ben"]}
    assert nowhere.hyperparameters == found.hyperparameters


def test_z_scores_are_of_validation_patients(found: Experts) -> None:
    rows = found.one_a_patient("ada", CHECKED)
    z = z_scores(found, "ada", IN_USE)(found.look(rows))
    assert np.allclose(z.mean(axis=0), 0)
    assert np.allclose(z.std(axis=0), 1)


def test_a_site_with_few_validation_patients_takes_all_sites_standard() -> None:
    few = experts(toy(patients=20))
    assert len(few.one_a_patient("ada", CHECKED)) < 5
    look = few.look(np.concatenate([few.one_a_patient(site, CHECKED) for site in TAUGHT]))
    own = largest_own(few.known["ada"])(look)
    assert np.allclose(standard(few, "ada", [largest_own(few.known["ada"])]), [[own.mean(), own.std()]])


def test_weights_are_learned_without_test_or_calibration_images(found: Experts) -> None:
    weights = learned_weights(found, WITH_CLASS_DISTANCE)
    assert weights.sum() == pytest.approx(1.0)
    assert (weights >= 0).all()
    images = found.problem.images
    later = np.isin(found.problem.folds, [TESTED, COUNTED])
    garbled = np.where(later[:, None], 0.0, images.features)
    other = Experts(
        replace(found.problem, images=replace(images, features=garbled)), found.taught, found.hyperparameters
    )
    assert np.array_equal(weights, learned_weights(other, WITH_CLASS_DISTANCE))


def test_every_score_contends_for_every_site(found: Experts) -> None:
    ways = contenders(found)
    assert set(ways) == {*SCORES, NORMALISED, USED, WITH_DISTANCE, LEARNED}
    look = found.look(found.rows("ada", TESTED))
    strange = found.look_at(found.problem.strangers["noise"])
    for name, sites in ways.items():
        assert set(sites) == set(TAUGHT)
        if name not in ("energy", "max-softmax", "GEN"):
            assert sites["ada"](look).mean() > sites["ada"](strange).mean(), name
