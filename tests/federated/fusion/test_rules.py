from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

from federated.decision import check_decision
from federated.descent import tree_of
from federated.errors import ConsiliumError, ContractError
from federated.fused_model import FusedModel
from federated.fusion.experts import Pooled
from federated.fusion.rules import (
    CLOSED_FORM,
    RULES,
    Chosen,
    Head,
    expert_names,
    gate_shape,
    panel_shape,
    scorer_of,
    with_those_below,
)
from federated.local_fold import LocalFold
from federated.manifest import ExpertCard, RuleName, Tensors, unpack_tensors
from federated.panel import Asked, PanelCard, Unasked
from federated.report import compute_report
from federated.vocabulary import Concept, Vocabulary

LINEAR = [name for name, rule in RULES.items() if rule.fit is not None]
POOLS = [name for name, rule in RULES.items() if rule.pool is not None]
GATED = [name for name, rule in RULES.items() if rule.gate is not None and not rule.networks]
NETWORKS = [name for name, rule in RULES.items() if rule.networks]
ON_THE_FRONT_END = [name for name, rule in RULES.items() if not rule.networks]


def experts_of(federation: Any, names: tuple[str, ...]) -> list[Head]:
    """Of each site, the least-squares fit of its own labels."""
    heads = []
    for number, name in enumerate(names):
        train, held = federation.folds[name]["train"], federation.held[name]
        wanted = np.array([[label == own for own in held] for label in train.labels], dtype=np.float64)
        weight = np.linalg.lstsq(train.features, wanted, rcond=None)[0].T
        card = ExpertCard(site=name, contribution=f"sha256:{number:064d}", architecture="linear_head", labels=held)
        heads.append(Head(card, weight, np.zeros(len(held))))
    return heads


def gate_of(rule: RuleName, heads: list[Head]) -> Tensors:
    """A gate that has learnt nothing yet."""
    draw = np.random.default_rng(3)
    return {name: 0.1 * draw.normal(size=shape) for name, shape in gate_shape(rule, heads).tensors.items()}


def settings(federation: Any, rule: RuleName, names: tuple[str, ...] = ("ada", "ben", "cem")) -> dict[str, Any]:
    if not RULES[rule].of_experts:
        return {"chosen": Chosen(rule)}
    heads = experts_of(federation, names)
    gate = gate_of(rule, heads) if rule in GATED else {}
    return {"experts": tuple(head.card for head in heads), "chosen": Chosen(rule, tuple(heads), gate)}


def test_the_list_holds_every_name_that_a_release_may_have():
    assert tuple(RULES) == get_args(RuleName)
    assert [name for name, rule in RULES.items() if not (rule.fit or rule.pool or rule.gate)] == [CLOSED_FORM]


@pytest.mark.parametrize("rule", ON_THE_FRONT_END)
def test_every_rule_gives_decisions_that_add_up(federation: Any, rule: RuleName) -> None:
    built = federation.release(**settings(federation, rule))
    model, test = federation.model(built), federation.folds["ben"]["test"]
    lines = model.decide(test.features, [str(row) for row in range(len(test.labels))], test.clips)
    for line in lines:
        check_decision(line)
        assert set(line.weights) == {"ada", "ben", "cem"}
        assert set(line.scores) == set(model.labels)
    assert built.manifest.rule == rule
    clips = [line for line in lines if line.image is None]
    truth = dict(zip(test.clips, test.labels, strict=True))
    right = np.mean([line.best == truth[line.clip] for line in clips])
    assert right > (0.9 if rule not in GATED else 0.3)  # an untrained gate knows nothing


@pytest.mark.parametrize("rule", LINEAR)
def test_a_linear_rule_is_carried_as_the_sum_of_its_sites(federation: Any, rule: RuleName) -> None:
    built = federation.candidate(chosen=Chosen(rule))
    model = federation.model(built)
    features = federation.folds["ada"]["test"].features
    tensors = unpack_tensors(built.tensors, built.manifest)
    weights, bias = tensors["rule.weights"].sum(axis=0), tensors["rule.bias"].sum(axis=0)
    np.testing.assert_allclose(model.full_scores(features), features @ weights + bias, atol=1e-9)
    assert built.manifest.lacking == ()


@pytest.mark.parametrize("rule", [*LINEAR, *POOLS])
def test_whichever_rule_answers_the_same_images_are_refused(federation: Any, rule: RuleName) -> None:
    closed, other = (federation.model(federation.release(**options)) for options in ({}, settings(federation, rule)))
    features = federation.folds["cem"]["test"].features
    np.testing.assert_array_equal(closed.answer(features, "image").p, other.answer(features, "image").p)


def test_a_rule_of_statistics_leaves_the_candidate_of_the_closed_form_as_it_was(federation: Any) -> None:
    plain, ruled = federation.candidate(), federation.candidate(chosen=Chosen("nearest-mean"))
    before, after = (unpack_tensors(built.tensors, built.manifest) for built in (plain, ruled))
    assert set(after) - set(before) == {"rule.weights", "rule.bias"}
    assert all((before[name] == after[name]).all() for name in before)
    assert "rule" not in plain.manifest.model_dump(mode="json")


def test_a_site_that_sent_no_expert_is_named_and_has_no_part(federation: Any) -> None:
    held = {"ada": ("plax", "a4c", "a2c"), "cem": ("plax", "psax", "sub")}
    assert set(held["ada"]) | set(held["cem"]) == set(federation.vocabulary.codes)
    built = federation.release(**settings(federation, "max-logit", ("ada", "cem")))
    assert built.manifest.lacking == ("ben",)
    answers = federation.model(built).answer(federation.folds["ben"]["test"].features, "image")
    assert not answers.contributions[:, 1].any()
    assert not answers.weights[:, 1].any()


def test_a_label_that_no_expert_knows_is_told(federation: Any) -> None:
    with pytest.raises(ConsiliumError, match=r"no expert knows sub.*ask the sites that label it for weights"):
        federation.candidate(**settings(federation, "routing", ("ada", "ben")))


def test_several_experts_of_a_site_are_told_apart_and_added() -> None:
    cards = [
        ExpertCard(site=site, contribution=f"sha256:{number:064d}", architecture="linear_head", labels=("a4c",))
        for number, site in enumerate(("ada", "ben", "ada"))
    ]
    assert expert_names(cards) == ("ada.1", "ben", "ada.2")


def test_what_an_expert_says_of_a_finer_label_counts_for_the_one_above() -> None:
    said = (("psax", ()), ("psax-av", ("psax",)), ("plax", ()))
    vocabulary = Vocabulary(
        name="v", concepts=tuple(Concept(code=code, scheme="x", meaning=code, parents=above) for code, above in said)
    )
    labels = vocabulary.codes
    contributions = np.array([[[-1.0, 3.0, 1.0], [-2.0, 0.0, 1.0]], [[4.0, 1.0, 0.0], [0.0, 1.0, 3.0]]])
    pooled = Pooled(labels, contributions.sum(axis=1), contributions, np.ones((2, 2)), np.ones((2, 2), dtype=np.bool_))
    found = with_those_below(pooled, vocabulary)
    assert found.scores.tolist() == [[3.0, 3.0, 2.0], [4.0, 2.0, 3.0]]
    assert tree_of(vocabulary, labels).best(pooled.scores).tolist() == [2, 1]
    assert tree_of(vocabulary, labels).best(found.scores).tolist() == [1, 1]
    assert np.array_equal(found.contributions.sum(axis=1), found.scores)


def _without(tensors: Tensors, name: str) -> Tensors:
    return {key: value for key, value in tensors.items() if key != name}


@pytest.mark.parametrize(
    ("rule", "spoil"),
    [
        ("joint-ridge", lambda tensors: _without(tensors, "rule.bias")),
        ("joint-ridge", lambda tensors: tensors | {"rule.weights": tensors["rule.weights"][:, 1:]}),
        ("max-softmax", lambda tensors: _without(tensors, "expert.002.weight")),
        ("max-softmax", lambda tensors: tensors | {"expert.000.bias": np.zeros(2)}),
        ("gated", lambda tensors: _without(tensors, "gate.gate.0.bias")),
    ],
)
def test_a_release_without_what_its_rule_needs_is_not_opened(
    federation: Any, rule: RuleName, spoil: Callable[[Tensors], Tensors]
) -> None:
    built = federation.candidate(**settings(federation, rule))
    tensors = unpack_tensors(built.tensors, built.manifest)
    with pytest.raises(ContractError):
        FusedModel.from_release(built.manifest, spoil(tensors))


def test_the_closed_form_has_no_other_scorer(federation: Any) -> None:
    built = federation.candidate()
    assert scorer_of(built.manifest, unpack_tensors(built.tensors, built.manifest), {}) is None


SIZES = {"ada": (6, 5), "ben": (4, 5), "cem": (6, 0)}  # features and neural means of each network; cem's has none


def panel_of(federation: Any, rule: RuleName, names: tuple[str, ...]) -> tuple[tuple[ExpertCard, ...], PanelCard]:
    """Networks in another order of arrival than that of their digests."""
    cards = tuple(
        ExpertCard(site=name, contribution=f"sha256:{9 - place:064d}", architecture="t", labels=federation.held[name])
        for place, name in enumerate(names)
    )
    reads = RULES[rule].gate == "discrepancy"
    asked = tuple(
        Asked(
            contribution=card.contribution,
            features=SIZES[card.site][0],
            logits=len(card.labels),
            means=SIZES[card.site][1] if reads else 0,
        )
        for card in cards
    )
    return cards, PanelCard(
        experts=asked, consultations=(), unasked=(Unasked(site="ada", expert=cards[-1].contribution),)
    )


def consulting(federation: Any, rule: RuleName, names: tuple[str, ...] = ("cem", "ada", "ben")) -> dict[str, Any]:
    cards, panel = panel_of(federation, rule, names)
    draw = np.random.default_rng(5)
    shapes = panel_shape(rule, panel.experts, cards).tensors
    gate = {name: (0.1 * draw.normal(size=shape)).astype(np.float32) for name, shape in shapes.items()}
    experts = tuple(sorted(cards, key=lambda card: card.contribution))
    return {"experts": experts, "chosen": Chosen(rule, gate=gate, panel=panel)}


def seen_by(manifest: Any, fold: LocalFold) -> LocalFold:
    """A fold with what a panel says: numbers that the images fix."""
    mixing = np.random.default_rng(6).normal(
        size=(fold.features.shape[1], manifest.width - manifest.front_end.features)
    )
    return replace(fold, features=np.concatenate([fold.features, np.tanh(fold.features @ mixing)], axis=1))


@pytest.mark.parametrize("rule", NETWORKS)
def test_a_panel_answers_and_every_answer_adds_up(federation: Any, rule: RuleName) -> None:
    built = federation.candidate(**consulting(federation, rule))
    test = seen_by(built.manifest, federation.folds["ben"]["test"])
    model = federation.model(built)
    lines = model.decide(test.features, [str(row) for row in range(len(test.labels))], test.clips)
    for line in lines:
        check_decision(line)
    assert set(lines[0].weights) == {"ada", "ben", "cem"}
    assert sum(lines[0].weights.values()) == pytest.approx(1)
    assert built.manifest.lacking == ()
    with pytest.raises(ContractError, match=r"features are \(\d+, 24\)"):
        model.decide(federation.folds["ben"]["test"].features, [""] * len(test.labels), test.clips)


def _report(model: FusedModel, folds: dict[str, LocalFold]) -> tuple[Any, bytes]:
    train, validation, calibration = (
        seen_by(model.manifest, folds[name]) for name in ("train", "validation", "calibration")
    )
    return compute_report(model, "cem", train=train, validation=validation, calibration=calibration)


@pytest.mark.parametrize("rule", NETWORKS)
def test_a_panel_leaves_statistics_refusal_and_report_as_they_are(federation: Any, rule: RuleName) -> None:
    """Only the answers counted in a report are the rule's own."""
    plain, ruled = federation.candidate(), federation.candidate(**consulting(federation, rule))
    folds = federation.folds["cem"]
    before, after = (_report(federation.model(built), folds) for built in (plain, ruled))
    one, other = (unpack_tensors(data, manifest) for manifest, data in (before, after))
    same = {name for name in one if np.array_equal(one[name], other[name])}
    assert set(one) - same == {"nll", "score_correct", "confusion"}


def test_cross_heads_of_a_panel_read_each_experts_own_numbers(federation: Any) -> None:
    """Other numbers of one expert change the answers; those that fill a narrow one up do not exist."""
    settings_ = consulting(federation, "gated-experts")
    built = federation.candidate(**settings_)
    model, test = federation.model(built), seen_by(built.manifest, federation.folds["ada"]["test"])
    for start in np.cumsum([24, *(each.width for each in settings_["chosen"].panel.experts[:-1])]):
        changed = test.features.copy()
        changed[:, start] += 1
        assert not np.allclose(model.full_scores(changed), model.full_scores(test.features))
        np.testing.assert_array_equal(model.closed_scores(changed), model.closed_scores(test.features))


def test_a_panel_that_the_release_does_not_name_is_not_opened(federation: Any) -> None:
    options = consulting(federation, "gated-experts")
    built = federation.candidate(**options)
    tensors = unpack_tensors(built.tensors, built.manifest)
    for update in ({"panel": None}, {"experts": built.manifest.experts[1:]}):
        with pytest.raises(ContractError, match=r"names no panel|is not the expert that the release names"):
            FusedModel.from_release(built.manifest.model_copy(update=update), tensors)


def test_a_site_without_a_network_has_no_part_in_a_panel(federation: Any) -> None:
    built = federation.candidate(**consulting(federation, "gated-experts", ("cem", "ada")))
    assert built.manifest.lacking == ("ben",)
    with pytest.raises(ConsiliumError, match="no expert knows sub"):
        federation.candidate(**consulting(federation, "gated-experts", ("ada", "ben")))
