"""Fitting again without sites is what a federation of the others would have fitted."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from federated.errors import ContractError
from federated.fusion.experts import Consulted, Pooled
from federated.fusion.pooling import max_logit
from federated.refits import NOBODY, ClosedFormRefit, ExpertsRefit, is_right, known, right_answers


def _refit(federation: Any, weighting: str | None = None, site: str = "ada") -> ClosedFormRefit:
    model = federation.model(federation.release())
    features = np.concatenate([fold.features for fold in federation.folds[site].values()])
    return ClosedFormRefit(model, features, weighting=weighting)


def _subsets(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [chosen for size in range(1, len(names) + 1) for chosen in combinations(names, size)]


@pytest.mark.parametrize("kind", ["federation", "nested"])
def test_a_refit_is_the_candidate_of_the_sites_that_are_left(kind: str, request: pytest.FixtureRequest) -> None:
    federation = request.getfixturevalue(kind)
    refit = _refit(federation, "none")
    for present in _subsets(refit.sites):
        candidate = federation.candidate(present, hyperparameters=refit.model.manifest.hyperparameters)
        alone = federation.model(candidate)
        columns = [refit.labels.index(label) for label in alone.labels]
        scores = refit.scores(present)
        expected = alone.full_scores(refit.features)
        assert np.abs(scores[:, columns] - expected).max() < 1e-9
        assert [alone.labels[column] for column in alone.tree.best(expected)] == [
            refit.labels[column] for column in refit.answers(present)
        ]


@pytest.mark.parametrize("weighting", ["refit", "graded", "scaled", "none"])
@pytest.mark.parametrize("mode", ["shared", "isolated"])
def test_with_every_site_it_is_the_release(make_federation: Any, weighting: str, mode: str) -> None:
    federation = make_federation(weighting=weighting, mode=mode)
    refit = _refit(federation, site="ben")
    answers = refit.model.answer(refit.features, "image")
    assert np.abs(refit.scores(refit.sites) - answers.scores).max() < 1e-9
    assert (refit.answers(refit.sites) == refit.model.tree.best(answers.scores)).all()
    assert weighting == "none" or (answers.weights < 0.5).any()


def test_a_site_that_is_silenced_everywhere_changes_nothing(federation: Any) -> None:
    refit = _refit(federation)
    weights = refit.model.answer(refit.features, "image").weights
    ada, ben, cem = (weights[:, refit.sites.index(name)] for name in ("ada", "ben", "cem"))
    rows = (ada == 1) & (ben > 0.5) & (cem == 0)
    assert rows.sum() > 3
    shared = [refit.labels.index(label) for label in ("plax", "a4c", "a2c", "psax")]  # cem alone holds sub
    both, everybody = refit.scores(("ada", "ben")), refit.scores(refit.sites)
    assert np.abs((both - everybody)[np.ix_(rows, shared)]).max() < 1e-9


def test_what_nobody_labels_cannot_be_answered(federation: Any) -> None:
    refit = _refit(federation)
    scores = refit.scores(("ada",))
    lost = [refit.labels.index(label) for label in ("psax", "sub")]
    assert (scores[:, lost] == -np.inf).all()
    assert np.isfinite(np.delete(scores, lost, axis=1)).all()
    assert (known(scores)[:, lost] == 0).all()
    assert not np.isin(refit.answers(("ada",)), lost).any()
    assert (refit.answers(()) == NOBODY).all()
    assert (refit.scores(()) == -np.inf).all()


def test_a_system_is_solved_once(federation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from federated import refits

    solved: list[Any] = []

    def solving(blocks: Any, key: Any, labels: list[str], *_: Any) -> np.ndarray:
        solved.append((key, tuple(labels)))
        return np.zeros((blocks["ada"].features, len(labels)))

    monkeypatch.setattr(refits, "fused", solving)
    refit = _refit(federation)
    for _ in range(2):
        refit.scores(refit.sites)
        refit.scores(("ada", "ben"))
    assert len(solved) == len(set(solved)) > len(refit.model.groups)


def test_what_cannot_be_fitted_again_is_one_line(make_federation: Any, federation: Any) -> None:
    features = federation.folds["ada"]["test"].features
    kept = make_federation(gram_to_sites=False)
    with pytest.raises(ContractError, match="ada, ben, cem: its Gram matrix is not in the release"):
        ClosedFormRefit(kept.model(kept.release()), features)
    model = federation.model(federation.release())
    model.manifest = model.manifest.model_copy(update={"rule": "gated"})
    with pytest.raises(ContractError, match="release: was made by the rule 'gated'"):
        ClosedFormRefit(model, features)


def test_right_is_the_label_or_one_below_it(nested: Any) -> None:
    labels = ("plax", "psax", "psax-av")
    right = right_answers(nested.vocabulary, labels, ("plax", "psax", "psax-av"))
    assert right.tolist() == [[True, False, False], [False, True, True], [False, False, True]]
    assert is_right(right, np.array([0, 2, NOBODY])).tolist() == [True, True, False]
    assert is_right(right, np.array([1, 0, 1])).tolist() == [False, False, False]
    assert right_answers(nested.vocabulary, labels, ()).shape == (0, 3)


def _consulted() -> Consulted:
    """Two images; the second expert alone knows `c`, the first alone `a`."""
    logits = (np.array([[1.0, 5.0], [2.0, 0.0]]), np.array([[3.0, 4.0], [9.0, 1.0]]))
    return Consulted(("one", "two"), (("a", "b"), ("b", "c")), np.zeros((2, 2, 3)), logits)


def test_experts_without_one_of_them() -> None:
    refit = ExpertsRefit(_consulted(), lambda _: max_logit)
    assert (refit.sites, refit.labels) == (("one", "two"), ("a", "b", "c"))
    assert refit.scores(("two", "one")).tolist() == [[1, 5, 4], [2, 9, 1]]
    assert refit.scores(("two",)).tolist() == [[-np.inf, 3, 4], [-np.inf, 9, 1]]
    assert refit.answers(("two",)).tolist() == [2, 1]
    assert refit.answers(("one",)).tolist() == [1, 0]
    assert refit.answers(()).tolist() == [NOBODY, NOBODY]


def test_a_rule_that_is_learnt_is_learnt_again() -> None:
    asked: list[tuple[str, ...]] = []

    def learn(present: tuple[str, ...]) -> Any:
        asked.append(present)

        def rule(consulted: Consulted) -> Pooled:
            assert consulted.names == present
            return max_logit(consulted)

        return rule

    ExpertsRefit(_consulted(), learn).scores(["two"])
    assert asked == [("two",)]
