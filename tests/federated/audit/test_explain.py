"""One decision taken apart: what is told of each site is what the answer holds, and what a refit finds."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from federated.audit.explain import NO_FEATURES, NO_RELEASE, Evidence, explain, standing
from federated.decision import Decision
from federated.errors import ContractError
from federated.fused_model import FusedModel
from federated.refits import ClosedFormRefit


@pytest.fixture(scope="module")
def model(federation: Any) -> FusedModel:
    return federation.model(federation.release())


@pytest.fixture(scope="module")
def features(federation: Any) -> np.ndarray:
    return np.asarray(federation.folds["cem"]["test"].features)


@pytest.fixture(scope="module")
def decisions(model: FusedModel, federation: Any) -> list[Decision]:
    fold = federation.folds["cem"]["test"]
    return model.decide(fold.features, [f"{row}.png" for row in range(len(fold.clips))], list(fold.clips))


def test_what_is_told_is_what_the_answer_holds(
    model: FusedModel, decisions: list[Decision], features: np.ndarray
) -> None:
    for row in (0, 40, 90):
        found, decision = explain(decisions[row], Evidence(model, features[[row]])), decisions[row]
        assert (found.label, found.why, found.caption) == (decision.label, decision.why, decision.caption)
        assert found.score == decision.scores[found.best] == max(decision.scores.values())
        assert sum(site.contribution for site in found.sites) == pytest.approx(found.score, abs=1e-12)
        shares = [site.evidence or 0.0 for site in found.sites]
        assert sum(shares) + found.prior + found.disagreement + found.other == pytest.approx(1.0, abs=1e-12)
        assert [site.qualified for site in found.sites] == [p > 0.05 for p in decision.qualified.values()]
        assert found.next_probability == sorted(decision.probabilities.values())[-2]


def test_without_a_site_is_what_a_federation_that_never_had_it_says(
    make_federation: Any, model: FusedModel, decisions: list[Decision], features: np.ndarray
) -> None:
    """Weights that silence nobody, and the hyper-parameters of the release: a refit is another release."""
    federation = make_federation(weighting="none")
    with_all = federation.model(federation.release())
    decision = with_all.decide(features[[80]], ["80.png"], ["c"])[0]
    found = explain(decision, Evidence(with_all, features[[80]]))
    for left_out in ("ada", "ben"):
        names = tuple(name for name in ("ada", "ben", "cem") if name != left_out)
        chosen = with_all.manifest.hyperparameters
        rest = federation.model(federation.candidate(names, hyperparameters=chosen))
        expected = rest.decide(features[[80]], ["80.png"], ["c"])[0]
        (account,) = [site for site in found.sites if site.site == left_out]
        assert account.without is not None
        assert account.without.best == expected.best
        assert account.without.score == pytest.approx(expected.scores[found.best], abs=1e-9)
        assert account.without.effect == pytest.approx(account.without.score - found.score, abs=1e-12)


def test_the_only_site_of_a_label_takes_it_away(
    model: FusedModel, decisions: list[Decision], features: np.ndarray
) -> None:
    row = next(row for row, decision in enumerate(decisions) if decision.best == "sub" and decision.image)
    found = explain(decisions[row], Evidence(model, features[[row]]))
    (cem,) = [site for site in found.sites if site.site == "cem"]
    assert cem.without is not None
    assert cem.without.score == pytest.approx(0.0, abs=1e-12)
    assert cem.without.best not in (None, "sub")
    assert cem.without.effect == pytest.approx(-found.score, abs=1e-12)


def test_a_clip_is_explained_by_its_frames(model: FusedModel, decisions: list[Decision], federation: Any) -> None:
    fold = federation.folds["cem"]["test"]
    clip = next(decision for decision in decisions if decision.image is None)
    rows = [row for row, name in enumerate(fold.clips) if name == clip.clip]
    found = explain(clip, Evidence(model, fold.features[rows]))
    refit = ClosedFormRefit(model, fold.features[rows].mean(axis=0, keepdims=True), "clip")
    score = refit.scores(("ada", "ben"))[0, model.labels.index(clip.best)]
    assert found.sites[2].without is not None
    assert found.sites[2].without.score == pytest.approx(score, abs=1e-9)


def test_withheld_without_the_only_qualified_site(
    model: FusedModel, decisions: list[Decision], features: np.ndarray
) -> None:
    row = next(
        row
        for row, decision in enumerate(decisions)
        if decision.image and [name for name, p in decision.qualified.items() if p > 0.05] == ["cem"]
    )
    found = explain(decisions[row], Evidence(model, features[[row]]))
    assert [site.without.withheld for site in found.sites if site.without] == [False, False, True]


def test_who_has_the_evidence(decisions: list[Decision]) -> None:
    def having(**evidence: float) -> str:
        return standing(decisions[0].model_copy(update={"evidence": evidence}))

    assert having(ada=0.5, prior=0.3, disagreement=0.2) == "sites know"
    assert having(ada=0.4, prior=0.3, disagreement=0.3) == "nobody knows"
    assert having(ada=0.4, prior=0.2, disagreement=0.4) == "sites disagree"
    assert having(other=1.0) == "sites know"


def test_what_is_not_at_hand_is_said(
    model: FusedModel, decisions: list[Decision], features: np.ndarray, make_federation: Any
) -> None:
    bare = explain(decisions[0])
    assert (bare.not_removed, bare.alpha, bare.sites[0].qualified, bare.sites[0].without) == (NO_RELEASE, *[None] * 3)
    assert explain(decisions[0], Evidence(model)).not_removed == NO_FEATURES
    federation = make_federation(gram_to_sites=False)
    kept = federation.model(federation.release())
    decision = kept.decide(features[[0]], ["0.png"], ["c"])[0]
    found = explain(decision, Evidence(kept, features[[0]]))
    assert "its Gram matrix is not in the release" in str(found.not_removed)
    assert found.other > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scores": {}}, "has no score"),
        ({"qualified": {}}, "qualified: are not of its release's labels and sites"),
        ({"contributions": {}}, "contributions: are not of its"),
        ({"evidence": {"ada": 0.2}}, "evidence shares do not add up to one"),
        (
            {"label": "heart", "path": ({"concept": "heart", "probability": 1.0},)},
            "the path does not lead to the label",
        ),
        ({"label": "plax", "path": ()}, "the label is not the one with the largest score"),
    ],
)
def test_what_does_not_add_up_is_not_explained(decisions: list[Decision], change: Any, words: str) -> None:
    row = next(row for row, decision in enumerate(decisions) if decision.best == "sub")
    forged = Decision.model_validate_json(json.dumps(decisions[row].model_dump(mode="json") | change))
    with pytest.raises(ContractError, match=words):
        explain(forged)


def test_features_that_are_no_numbers(model: FusedModel, decisions: list[Decision], features: np.ndarray) -> None:
    for value in (np.nan, np.inf):
        wrong = features[[0]].copy()
        wrong[0, 0] = value
        assert explain(decisions[0], Evidence(model, wrong)).not_removed == "explain: features are no finite numbers"


def test_a_release_that_cannot_be_solved_says_so(
    model: FusedModel, decisions: list[Decision], features: np.ndarray
) -> None:
    broken = FusedModel.from_release(model.manifest, dict(model.tensors))
    broken.tensors.pop("calibration.ben.image")
    assert explain(decisions[0], Evidence(broken, features[[0]])).not_removed == "'calibration.ben.image'"


def test_other_features_or_another_release_are_no_explanation(
    model: FusedModel, decisions: list[Decision], features: np.ndarray, federation: Any
) -> None:
    swapped = explain(decisions[0], Evidence(model, features[[1]]))
    assert swapped.not_removed == "explain: these features do not give the score that was answered"
    narrow = explain(decisions[0], Evidence(model, features[[0], :3]))
    assert narrow.not_removed == "explain: features are (1, 3), not (n, 24)"
    other = federation.model(federation.release(("ada", "ben")))
    with pytest.raises(ContractError, match="the release given is sha256:"):
        explain(decisions[0], Evidence(other, features[[0]]))
    forged = decisions[0].model_copy(update={"release": other.digest})
    with pytest.raises(ContractError, match="has other labels or sites than its release"):
        explain(forged, Evidence(other, features[[0]]))
