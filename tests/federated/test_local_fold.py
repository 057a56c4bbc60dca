"""A site's own images: rows, clips, class covariances and scores, one item a patient."""

from __future__ import annotations

import numpy as np
import pytest

from federated.local_fold import LocalFold, class_covariances, raw_scores

FOLD = LocalFold(
    np.arange(8.0).reshape(4, 2),
    ("a", "a", "b", "a"),
    ("p", "p", "q", "p"),
    ("x", "y", "z", "x"),
    np.array([1, 1, 2, 3]),
)


def test_rows_keep_everything_together():
    part = FOLD.rows([2, 0])
    assert (part.labels, part.patients, part.clips) == (("b", "a"), ("q", "p"), ("z", "x"))
    assert part.features.tolist() == [[4.0, 5.0], [0.0, 1.0]]
    assert part.weights.tolist() == [2, 1]


def test_a_clip_is_the_mean_of_its_frames():
    clips = FOLD.in_unit("clip")
    assert clips.clips == ("x", "y", "z")
    assert clips.features[0].tolist() == [3.0, 4.0]
    assert clips.labels == ("a", "a", "b")
    assert FOLD.in_unit("image") is FOLD


def test_covariances_are_those_of_the_images_in_the_leading_directions(federation):
    model = federation.model(federation.candidate())
    train = federation.folds["ada"]["train"]
    found = class_covariances(model, "ada", train, 1)
    rows = [row for row, label in enumerate(train.labels) if label == found.labels[0]]
    expected = np.cov(model.space.project(train.features[rows]).T, ddof=0)
    assert np.allclose(found.packed[0], expected[np.triu_indices(23)])
    assert found.shrunk.shape == (3, 23, 23)


def test_too_few_patients_have_no_covariance_of_their_own(federation):
    model = federation.model(federation.candidate())
    found = class_covariances(model, "ada", federation.folds["ada"]["train"], 13)
    assert found.labels == ()
    assert np.allclose(found.shrunk, model.space.within)


@pytest.mark.parametrize("unit", ["image", "clip"])
def test_scores_are_one_row_a_patient(federation, unit):
    model = federation.model(federation.candidate())
    fold = federation.folds["ada"]["test"].in_unit(unit)
    covariances = class_covariances(model, "ada", federation.folds["ada"]["train"], 1).shrunk
    assert raw_scores(model, "ada", covariances, fold).shape == (24, 3)
    assert raw_scores(model, "ada", covariances, fold.rows([])).shape == (0, 3)
