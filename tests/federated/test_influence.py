"""Leaving a site out: the effect on scores and answers, beside what is displayed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from federated.influence import (
    answer_influences,
    changed_labels,
    displayed,
    faithful_displays,
    removal,
    withdrawals,
)
from federated.refits import ClosedFormRefit, Refit, right_answers
from federated.shapley import shapley_of_scores


def _pooled(federation: Any, fold: str = "test") -> Any:
    folds = [federation.folds[name][fold] for name in sorted(federation.folds)]
    features = np.concatenate([part.features for part in folds])
    labels, patients = (sum((getattr(part, what) for part in folds), ()) for what in ("labels", "patients"))
    return features, labels, patients, tuple(name.split("-")[0] for name in patients)


@pytest.fixture(scope="module")
def looked_at(federation: Any) -> Any:
    model = federation.model(federation.release())
    features, labels, patients, sites = _pooled(federation)
    refit = ClosedFormRefit(model, features)
    return model, refit, removal(refit), labels, patients, sites


def test_the_effect_is_the_score_without_minus_the_score_with(federation: Any, looked_at: Any) -> None:
    model, refit, removed, *_ = looked_at
    hyperparameters = model.manifest.hyperparameters
    candidate = federation.model(federation.candidate(("ada", "ben"), hyperparameters=hyperparameters))
    none = ClosedFormRefit(model, refit.features, weighting="none")
    effects = removal(none).effects[:, model.sites.index("cem")]
    columns = [model.labels.index(label) for label in candidate.labels]
    expected = candidate.full_scores(refit.features) - model.full_scores(refit.features)[:, columns]
    assert np.abs(effects[:, columns] - expected).max() < 1e-9
    lost = model.labels.index("sub")
    assert np.abs(effects[:, lost] + model.full_scores(refit.features)[:, lost]).max() < 1e-9
    assert (removed.of_answer[5] == removed.effects[5, :, removed.answered[5]]).all()


def test_a_site_that_labels_nothing_here_has_influence_and_no_contribution(looked_at: Any) -> None:
    """Through the outside weight: contribution 0, influence not."""
    model, refit, *_ = looked_at
    none = removal(ClosedFormRefit(model, refit.features, weighting="none"))
    column, site = model.labels.index("psax"), model.sites.index("ada")
    assert model.manifest.hyperparameters.outside > 0
    assert (model.answer(refit.features, "image", "none").contributions[:, site, column] == 0).all()
    assert np.abs(none.effects[:, site, column]).max() > 1e-3


def test_what_is_displayed_is_that_of_the_answer(looked_at: Any) -> None:
    model, refit, removed, *_ = looked_at
    shown = displayed(model, refit.features[:7])
    lines = model.decide(refit.features[:7], list("abcdefg"), list("abcdefg"))[:7]
    for row, line in enumerate(lines):
        assert shown.contribution[row].tolist() == [line.contributions[line.best][name] for name in model.sites]
        assert shown.evidence[row].tolist() == [line.evidence.get(name, 0.0) for name in model.sites]
        assert shown.weight[row].tolist() == list(line.weights.values())
        assert model.labels[removed.answered[row]] == line.best


def test_rows_by_label_and_site(looked_at: Any) -> None:
    model, refit, removed, *_ = looked_at
    shown = displayed(model, refit.features)
    values = shapley_of_scores(refit, removed.answered).values
    rows = answer_influences(model.labels, model.sites, shown, removed, values)
    assert sum(row.answers for row in rows) == len(refit.features) * len(model.sites)
    sub = {row.site: row for row in rows if row.label == "sub"}
    scores = refit.scores(refit.sites)[removed.answered == model.labels.index("sub"), model.labels.index("sub")]
    assert sum(row.contribution for row in sub.values()) == pytest.approx(scores.mean(), abs=1e-9)
    assert sum(row.shapley or 0 for row in sub.values()) == pytest.approx(scores.mean(), abs=1e-9)
    assert sub["cem"].changed == sub["cem"].answers  # cem alone holds the label
    assert sub["cem"].removal == pytest.approx(-scores.mean(), abs=1e-9)
    without = answer_influences(model.labels, model.sites, shown, removed, None)
    assert {row.shapley for row in without} == {None}


def test_contributions_tell_how_much_the_score_moves(looked_at: Any) -> None:
    """Less well whether it falls: where its own site is gone, the weights of the others rise."""
    model, refit, removed, _, patients, _ = looked_at
    found = {
        (row.displayed, row.against): row.faithfulness
        for row in faithful_displays(displayed(model, refit.features), removed, patients)
    }
    assert len(found) == 6
    drop, size = found["contribution", "drop"], found["contribution", "size"]
    for each in (drop, size):
        bounds = [bound or 0.0 for bound in (each.pooled.low, each.pooled.value, each.pooled.high)]
        assert bounds == sorted(set(bounds))
    assert 0.1 < (drop.pooled.value or 0.0) < (size.pooled.value or 0.0)
    assert (size.pooled.value or 0.0) > 0.9
    assert size.patients == len(set(patients))


def test_withdrawing_a_site(looked_at: Any, federation: Any) -> None:
    model, refit, removed, labels, _, sites = looked_at
    right = right_answers(federation.vocabulary, model.labels, labels)
    rows = withdrawals(refit, removed, right, sites, labels)
    assert len(rows) == 3 * 9
    assert sum(row.images for row in rows) == 3 * len(labels)
    cell = next(row for row in rows if (row.site, row.images_of, row.label) == ("cem", "cem", "sub"))
    assert (cell.accuracy_before, cell.accuracy_after, cell.changed) == (1.0, 0.0, cell.images)
    names = [str(row) for row in range(len(labels))]
    changes = changed_labels(refit, removed, names)
    assert len(changes) == sum(row.changed for row in rows)
    assert all(change.before != change.after for change in changes)
    assert {"cem"} == {change.site for change in changes if change.before == "sub"}


def test_the_only_site_leaves_nobody(make_federation: Any) -> None:
    federation = make_federation()
    model = federation.model(federation.candidate(("ada",)))
    fold = federation.folds["ada"]["test"]
    refit = ClosedFormRefit(model, fold.features)
    removed = removal(refit)
    assert (removed.without == -1).all()
    assert {change.after for change in changed_labels(refit, removed, fold.clips)} == {None}
    assert np.abs(removed.of_answer[:, 0] + model.full_scores(fold.features).max(axis=1)).max() < 1e-9


class Averaging:
    """Some other rule: mean of what the sites say, of two labels that each knows or not."""

    sites, labels = ("one", "two"), ("a", "b")

    @property
    def said(self) -> dict[str, np.ndarray]:
        return {"one": np.array([[0.5, 0.4]]), "two": np.array([[-np.inf, 0.8]])}

    def scores(self, present: Any) -> np.ndarray:
        told = [self.said[name] for name in present]
        return np.max(told, axis=0) if told else np.full((1, 2), -np.inf)

    def answers(self, present: Any) -> np.ndarray:
        return self.scores(present).argmax(axis=1)


def test_any_rule_that_can_be_fitted_again_gets_the_same_tables() -> None:
    rule: Refit = Averaging()
    removed = removal(rule)
    assert removed.answered.tolist() == [1]
    assert removed.effects.tolist() == [[[-0.5, 0.0], [0.0, pytest.approx(-0.4)]]]
    assert removed.without.tolist() == [[1, 0]]
