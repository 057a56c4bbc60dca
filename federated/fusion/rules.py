"""Which rule makes the scores of a release: the closed form, or another one on the same front end.

Whichever rule answers, qualification, refusal and evidence are those of the statistics, so that a release of another
rule carries all that a release of the closed form does. Beside it stand, of a linear rule, ``rule.weights`` (K, M, C)
and ``rule.bias`` (K, C); of a rule of experts ``expert.{i}.weight`` (C_i, M) and ``expert.{i}.bias`` (C_i,), with i the
expert's place in the release; and what was trained of a gated rule, each name with ``gate.`` before it. A rule of
expert networks carries the gate alone: the networks are at the sites, and what they say of images stands beside the
front end's features, (n, M + B).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from federated.errors import ConsiliumError, ContractError
from federated.fusion.discriminant import tuned_discriminant
from federated.fusion.experts import Consulted, Pooled, merged_labels
from federated.fusion.gated import GatedModel, GatedShape, Reads
from federated.fusion.linear_rule import LinearRule
from federated.fusion.nearest_mean import nearest_class_mean
from federated.fusion.pooling import confidence_routing, max_logit, max_softmax, score_sum
from federated.fusion.ridge import joint_ridge, masked_ridge
from federated.fusion.scattered_discriminant import tuned_scattered_discriminant
from federated.fusion.targets import FLAT, Targets
from federated.hierarchy import descendants
from federated.manifest import ExpertCard, ReleaseManifest, RuleName, Tensors
from federated.panel import Asked, PanelCard, consulted_in
from federated.statistics import Array, Statistics
from federated.vocabulary import Vocabulary

CLOSED_FORM: RuleName = "closed-form"
HEAD = "linear_head"
GATE = "gate."
Blocks = Mapping[str, Statistics]
Fit = Callable[[Blocks, Blocks, Sequence[str], Targets], LinearRule]
Pool = Callable[[Consulted], Pooled]


@dataclass(frozen=True)
class Rule:
    """A rule: `about` it; `fit` where it is linear, `pool` where it pools experts, `gate` what its gate reads.

    `networks` says whether its experts are networks of their own, and not heads on the shared front end.
    """

    about: str
    fit: Fit | None = None
    pool: Pool | None = None
    gate: Reads | None = None
    networks: bool = False

    @property
    def of_experts(self) -> bool:
        """Whether sites have to send their experts."""
        return self.pool is not None or self.gate is not None

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of contributions that sites have to send."""
        if self.networks:
            return ("statistics", "weights", "consultation")
        return (("statistics", "features")[self.gate is not None], *(("weights",) if self.of_experts else ()))


def _nearest(blocks: Blocks, _: Blocks, labels: Sequence[str], targets: Targets = FLAT) -> LinearRule:
    return nearest_class_mean(blocks, labels, targets)


RULES: dict[RuleName, Rule] = {
    "closed-form": Rule("one solve from statistics, a site's images weighted by how like this one they are"),
    "joint-ridge": Rule("ridge regression on everything together", fit=joint_ridge),
    "masked-ridge": Rule("ridge regression of each label on the sites that label it", fit=masked_ridge),
    "nearest-mean": Rule("the nearest class mean", fit=_nearest),
    "discriminant": Rule("class means and one covariance", fit=tuned_discriminant),
    "scattered-discriminant": Rule(
        "the same with the scatter between sites in the covariance", fit=tuned_scattered_discriminant
    ),
    "max-logit": Rule("the largest logit of any expert", pool=max_logit),
    "max-softmax": Rule("the largest probability of any expert", pool=max_softmax),
    "routing": Rule("the most confident expert", pool=confidence_routing),
    "score-sum": Rule("the sum of all experts' logits", pool=score_sum),
    "ungated": Rule("cross heads, and every expert with weight one", gate="none"),
    "gated": Rule("cross heads and a learnt gate that reads features", gate="features"),
    "gated-discrepancy": Rule("cross heads and a learnt gate that reads neural mean discrepancies", gate="discrepancy"),
    "gated-experts": Rule(
        "expert networks, cross heads, and a gate that reads features", gate="features", networks=True
    ),
    "gated-experts-discrepancy": Rule(
        "expert networks, cross heads, and a gate that reads neural mean discrepancies",
        gate="discrepancy",
        networks=True,
    ),
}


@dataclass(frozen=True)
class Head:
    """A site's own expert on the shared front end: (C, M) weights and (C,) bias of a linear softmax head."""

    card: ExpertCard
    weight: Array
    bias: Array


@dataclass(frozen=True)
class Made:
    """What a release carries of its rule, and the sites that have labels in it and no part in its scores."""

    tensors: Tensors
    lacking: tuple[str, ...] = ()
    panel: PanelCard | None = None


@dataclass(frozen=True)
class Chosen:
    """The rule of a candidate, with what it needs beside statistics.

    Attributes:
        rule: its name.
        heads: of a rule of experts, those that are linear heads on the shared front end.
        gate: of a gated rule, what was trained.
        panel: of a rule of networks, who is consulted.
    """

    rule: RuleName
    heads: tuple[Head, ...] = ()
    gate: Tensors = field(default_factory=dict)
    panel: PanelCard | None = None


BY_CLOSED_FORM = Chosen(CLOSED_FORM)


def made_of(
    chosen: Chosen,
    blocks: Blocks,
    validation: Blocks,
    labels: Sequence[str],
    targets: Targets,
    cards: Sequence[ExpertCard],
) -> Made:
    """What a release carries of its rule.

    Args:
        chosen: the rule.
        blocks: statistics of the training images of every site of the release.
        validation: of those that sent some.
        labels: of the release.
        targets: of its labels.
        cards: of all experts that the release names.

    Raises:
        ConsiliumError: no expert knows some label.
    """
    rule = RULES[chosen.rule]
    if rule.fit is not None:
        found = rule.fit(blocks, validation, labels, targets)
        return Made({"rule.weights": found.site_weights, "rule.bias": found.site_bias})
    return _experts(chosen, sorted(blocks), labels, cards) if rule.of_experts else Made({})


def _experts(chosen: Chosen, sites: Sequence[str], labels: Sequence[str], cards: Sequence[ExpertCard]) -> Made:
    experts = [head.card for head in chosen.heads] if chosen.panel is None else cards_of(chosen.panel, cards)
    known = {label for card in experts for label in card.labels}
    if unknown := [label for label in labels if label not in known]:
        raise ConsiliumError(
            f"no expert knows {', '.join(unknown)}, which rule '{chosen.rule}' needs",
            where="experts",
            cure="ask the sites that label it for weights, or choose a rule of statistics",
        )
    tensors: Tensors = {f"{GATE}{name}": tensor for name, tensor in chosen.gate.items()}
    for head in chosen.heads:
        place = cards.index(head.card)
        tensors |= {f"expert.{place:03d}.weight": head.weight, f"expert.{place:03d}.bias": head.bias}
    owners = {card.site for card in experts}
    return Made(tensors, tuple(site for site in sites if site not in owners), chosen.panel)


def cards_of(panel: PanelCard, cards: Sequence[ExpertCard]) -> tuple[ExpertCard, ...]:
    """The experts of a panel among those that a release names, in the panel's order.

    Raises:
        ContractError: one is not among them, or has other labels than its logits.
    """
    found = {card.contribution: card for card in cards}
    for each in panel.experts:
        if each.contribution not in found or len(found[each.contribution].labels) != each.logits:
            raise ContractError("is not the expert that the release names", where=each.contribution[:23])
    return tuple(found[each.contribution] for each in panel.experts)


def expert_names(cards: Sequence[ExpertCard]) -> tuple[str, ...]:
    """The site's name of each, with a number where a site has several."""
    sites = [card.site for card in cards]
    numbers = [sites[: place + 1].count(site) for place, site in enumerate(sites)]
    return tuple(f"{site}.{n}" if sites.count(site) > 1 else site for site, n in zip(sites, numbers, strict=True))


def consulted(heads: Sequence[Head], features: Array, means: Mapping[str, Array] | None = None) -> Consulted:
    """What the experts say of images by their (n, M) features, which all experts share.

    Args:
        heads: in the release's order.
        features: of the images.
        means: mean features (M,) of each site, where discrepancies are asked for.
    """
    cards = [head.card for head in heads]
    shared = np.broadcast_to(features[:, None, :], (len(features), len(heads), features.shape[1]))
    apart = None if means is None else np.stack([features - means[card.site] for card in cards], axis=1)
    logits = tuple(features @ head.weight.T + head.bias for head in heads)
    return Consulted(expert_names(cards), tuple(card.labels for card in cards), shared, logits, apart)


def scorer_of(manifest: ReleaseManifest, tensors: Tensors, blocks: Blocks) -> Callable[[Array], Pooled] | None:
    """From (n, M) features to scores over the release's labels, contributions and weights by site; None if closed-form.

    Raises:
        ContractError: the release does not carry what its rule needs.
        KeyError: a tensor is missing.
    """
    rule = RULES[manifest.rule]
    if rule is RULES[CLOSED_FORM]:
        return None
    sites = tuple(site.name for site in manifest.sites)
    if rule.fit is not None:
        found = LinearRule(manifest.labels, sites, tensors["rule.weights"], tensors["rule.bias"])
        _check_shapes(found, manifest.front_end.features)
        return lambda features: _linear(found, features)
    if rule.networks:
        return _panel_scorer(manifest, tensors)
    heads = heads_of(manifest, tensors)
    owners = _owners(manifest, [head.card for head in heads])
    means = {name: site_mean(block) for name, block in blocks.items()} if rule.gate == "discrepancy" else None
    pool = rule.pool or GatedModel.from_tensors(gate_shape(manifest.rule, heads), _unprefixed(tensors)).answer

    def scored(features: Array) -> Pooled:
        found = by_site(pool(consulted(heads, features, means)), owners, sites, manifest.labels)
        return with_those_below(found, manifest.vocabulary)

    return scored


def _panel_scorer(manifest: ReleaseManifest, tensors: Tensors) -> Callable[[Array], Pooled]:
    if manifest.panel is None:
        raise ContractError("names no panel", where=manifest.kind)
    asked, cards = manifest.panel.experts, cards_of(manifest.panel, manifest.experts)
    owners, sites = _owners(manifest, cards), tuple(site.name for site in manifest.sites)
    shape = panel_shape(manifest.rule, asked, cards)
    gate, first = GatedModel.from_tensors(shape, _unprefixed(tensors)), manifest.front_end.features

    def scored(features: Array) -> Pooled:
        said = consulted_in(
            asked, shape.names, shape.labels, features[:, first:], features=shape.features, means=shape.means
        )
        return with_those_below(by_site(gate.answer(said), owners, sites, manifest.labels), manifest.vocabulary)

    return scored


def _owners(manifest: ReleaseManifest, cards: Sequence[ExpertCard]) -> list[str]:
    owners = [card.site for card in cards]
    if set(merged_labels([card.labels for card in cards])) != set(manifest.labels) or set(owners) - {
        site.name for site in manifest.sites
    }:
        raise ContractError("experts do not answer the release's labels", where=manifest.kind)
    return owners


def panel_shape(rule: RuleName, asked: Sequence[Asked], cards: Sequence[ExpertCard]) -> GatedShape:
    """What a gated rule is made for on a panel of networks, of which the widest sets the widths."""
    reads = RULES[rule].gate
    assert reads is not None
    means = max(each.means for each in asked) if reads == "discrepancy" else 0
    features = max(each.features for each in asked)
    return GatedShape(expert_names(cards), tuple(card.labels for card in cards), reads, features, means)


def gate_shape(rule: RuleName, heads: Sequence[Head]) -> GatedShape:
    """What a gated rule is made for on these experts of one front end."""
    reads = RULES[rule].gate
    assert reads is not None
    features = heads[0].weight.shape[1]
    cards = [head.card for head in heads]
    means = features if reads == "discrepancy" else 0
    return GatedShape(expert_names(cards), tuple(card.labels for card in cards), reads, features, means)


def heads_of(manifest: ReleaseManifest, tensors: Tensors) -> list[Head]:
    """The experts that a release carries, in its order.

    Raises:
        ContractError: one of them has another shape than its labels and the front end ask for.
    """
    heads = []
    for place, card in enumerate(manifest.experts):
        if f"expert.{place:03d}.weight" in tensors:
            weight, bias = (tensors[f"expert.{place:03d}.{part}"] for part in ("weight", "bias"))
            if weight.shape != (len(card.labels), manifest.front_end.features) or bias.shape != (len(card.labels),):
                raise ContractError(f"is {weight.shape} and {bias.shape}", where=f"expert of {card.site}")
            heads.append(Head(card, weight, bias))
    return heads


def site_mean(block: Statistics) -> Array:
    """(M,) mean features of a site's training images."""
    return np.asarray(block.class_sums.sum(axis=1) / block.weights.sum())


def by_site(pooled: Pooled, owners: Sequence[str], sites: Sequence[str], labels: Sequence[str]) -> Pooled:
    """Contributions and weights of each site's experts together, columns in the release's order.

    The one expert of routing gives a label that it does not know the probability 0.
    """
    columns = [pooled.labels.index(label) for label in labels]
    member = np.array([[owner == site for site in sites] for owner in owners], dtype=np.float64)
    contributions = np.einsum("ntc,tk->nkc", pooled.contributions[:, :, columns], member)
    weights = np.minimum(pooled.weights @ member, 1.0)
    present = (pooled.present @ member) > 0
    return Pooled(tuple(labels), contributions.sum(axis=1), contributions, weights, present)


def with_those_below(pooled: Pooled, vocabulary: Vocabulary) -> Pooled:
    """A label that another label lies below is worth the best of both, with the contributions of that one.

    Experts learn their labels as exclusive: one that labels levels says nothing of the view above them, so that on the
    way down its images would be lost at the first step.
    """
    scores, contributions = pooled.scores.copy(), pooled.contributions.copy()
    rows = np.arange(len(scores))
    for column, label in enumerate(pooled.labels):
        below = descendants(vocabulary, label)
        columns = np.array([column, *(place for place, other in enumerate(pooled.labels) if other in below)])
        best = columns[pooled.scores[:, columns].argmax(axis=1)]
        scores[:, column] = pooled.scores[rows, best]
        contributions[:, :, column] = pooled.contributions[rows, :, best]
    return replace(pooled, scores=scores, contributions=contributions)


def _linear(rule: LinearRule, features: Array) -> Pooled:
    contributions = rule.contributions(features)
    weights = np.ones(contributions.shape[:2])
    return Pooled(rule.labels, contributions.sum(axis=1), contributions, weights, weights > 0)


def _check_shapes(rule: LinearRule, features: int) -> None:
    expected = (len(rule.sites), features, len(rule.labels))
    if rule.site_weights.shape != expected or rule.site_bias.shape != (expected[0], expected[2]):
        raise ContractError(f"is {rule.site_weights.shape} and {rule.site_bias.shape}", where="rule")


def _unprefixed(tensors: Tensors) -> Tensors:
    return {name.removeprefix(GATE): tensor for name, tensor in tensors.items() if name.startswith(GATE)}
