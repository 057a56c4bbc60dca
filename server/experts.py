"""What a candidate's rule needs beside statistics: the sites' own experts, and a gate trained on their features.

Training is done here and not in `federated`, which knows no torch; the release carries what came of it, and answers
with numpy alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from federated.errors import ConsiliumError
from federated.fusion.experts import Consulted, Rows
from federated.fusion.rules import HEAD, RULES, Head, consulted
from federated.manifest import ExpertCard, Fold, RuleName, Tensors
from federated.statistics import Array
from server.contributions import Stored, expert_cards

SEED = 10  # as published


@dataclass(frozen=True)
class Shown:
    """Images that sites sent as features: (n, M), with label and weight of each."""

    features: Array
    labels: tuple[str, ...]
    weights: Array


def heads_in(contributions: Sequence[Stored], front_end: str) -> tuple[Head, ...]:
    """The linear heads on a front end (by its digest) among networks that were sent, in the order of `expert_cards`."""
    by_digest = {item.digest: item for item in contributions}
    return tuple(
        _head(card, by_digest[card.contribution])
        for card in expert_cards(contributions)
        if card.architecture == HEAD and by_digest[card.contribution].manifest.front_end == front_end
    )


def _head(card: ExpertCard, sent: Stored) -> Head:
    return Head(card, *(sent.tensors[name].astype(np.float64) for name in ("weight", "bias")))


def trained_gate(
    rule: RuleName, heads: Sequence[Head], sent: Sequence[Stored], means: Mapping[str, Array], seed: int = SEED
) -> Tensors:
    """What is learnt of a gated rule from the features that sites sent, by the published recipe.

    Images whose label no expert knows are left out.

    Args:
        rule: its name.
        heads: the experts.
        sent: contributions of kind ``features``.
        means: mean features (M,) of each site, for a gate that reads discrepancies.
        seed: of first weights and order.

    Raises:
        ConsiliumError: no site sent features, or no expert.
    """
    from shared_models.gate import Lesson, paper_recipe, train_gate

    reads = RULES[rule].gate
    assert reads is not None
    if not heads or not sent:
        raise not_sent(rule, "weights" if not heads else "features")

    def lesson(fold: Fold) -> Lesson | None:
        shown = _shown(sent, fold, {label for head in heads for label in head.card.labels})
        if not shown.labels:
            return None
        said = consulted(heads, shown.features, means if reads == "discrepancy" else None)
        return Lesson(said, _numbers(said, shown), shown.weights)

    train = lesson("train")
    if train is None:
        raise ConsiliumError(f"rule '{rule}' has no image of a label that an expert knows", where="features")
    return dict(train_gate(train, lesson("validation"), reads, paper_recipe(seed), device="cpu"))


def not_sent(rule: RuleName, what: str) -> ConsiliumError:
    """Why a rule can make no release yet."""
    return ConsiliumError(
        f"rule '{rule}' needs {what}, which no site has sent",
        where="experts",
        cure="let sites send them, or choose another rule: consilium coordinator fusion",
    )


def _numbers(said: Consulted, shown: Shown) -> Rows:
    columns = {label: column for column, label in enumerate(said.merged)}
    return np.array([columns[label] for label in shown.labels], dtype=np.int64)


def _shown(sent: Sequence[Stored], fold: Fold, known: set[str]) -> Shown:
    """The images of a fold in digest order, of the labels that are known."""
    features, labels, weights = [], [], []
    for item in sorted(sent, key=lambda item: item.digest):
        if fold in item.manifest.folds:
            names = [item.manifest.labels[index] for index in item.tensors[f"{fold}.label"]]
            rows = [row for row, name in enumerate(names) if name in known]
            features.append(item.tensors[f"{fold}.features"][rows])
            weights.append(item.tensors[f"{fold}.weight"][rows])
            labels += [names[row] for row in rows]
    if not labels:
        return Shown(np.zeros((0, 0)), (), np.zeros(0))
    return Shown(np.concatenate(features), tuple(labels), np.concatenate(weights))
