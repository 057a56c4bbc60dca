"""One decision taken apart: what was answered or why nothing was, who stands behind it, and what would be without each.

A share of the evidence, a contribution and a weight say what a site put in. What the answer owes to a site is told by
the rule fitted again without it, and by nothing else (method page, section 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.linalg import LinAlgError

from federated.clips import clip_means
from federated.decision import TOLERANCE, Decision, Step, check_decision
from federated.decision_record import Record, check_names
from federated.errors import ContractError
from federated.fused_model import FusedModel
from federated.influence import removal
from federated.manifest import Digest, Frozen
from federated.refits import NOBODY, ClosedFormRefit
from federated.statistics import Array

PRIOR, DISAGREEMENT, OTHER = "prior", "disagreement", "other"
MOST = 0.5  # of the evidence
Standing = Literal["sites know", "nobody knows", "sites disagree"]
UNSOLVABLE = (KeyError, IndexError, ValueError, LinAlgError)  # of a release that holds something else than it should
NO_RELEASE = "give the release that answered"
NO_FEATURES = "the image's features stay with whoever asked; a decision that was opened holds them"


class Without(Frozen):
    """What the rule says of the image, fitted again without one site.

    Attributes:
        best: the label with the largest score; None where nobody is left.
        withheld: whether none of the other sites is qualified, so that nothing would be answered.
        score: of the label that is explained; 0 where nobody who is left knows it.
        effect: that score minus the one with the site.
    """

    best: str | None
    withheld: bool
    score: float
    effect: float


class Account(Frozen):
    """One site in one decision.

    Attributes:
        p: conformal p-value: the share of the site's own patients who fit the site no better than this image.
        calibration: whose patients those are; None where no release is given.
        qualified: whether p exceeds the release's level; None where that is not known.
        weight: 0 (foreign) to 1.
        contribution: to the score of the label that is explained.
        evidence: share of the evidence; None where it is part of ``other``.
        without: what would be without the site; None where it cannot be computed.
    """

    site: str
    p: float
    calibration: str | None
    qualified: bool | None
    weight: float
    contribution: float
    evidence: float | None
    without: Without | None


class Explanation(Frozen):
    """One decision, for a person.

    Attributes:
        best: the label with the largest score, which is explained, whether or not it was answered.
        next, next_probability: the likeliest label that is not on the way to the best one.
        rule, alpha: of the release; None where it is not given.
        prior, disagreement, other: shares of the evidence that are no single site's.
        standing: who has most of the evidence: sites, nobody, or their disagreement.
        not_removed: why it is not told what would be without each site; None where it is.
        flags: what became known later, in the words of the decision log.
    """

    image: str | None
    clip: str
    release: Digest
    label: str | None
    best: str
    why: str | None
    caption: str | None
    score: float
    probability: float
    next: str | None
    next_probability: float | None
    path: tuple[Step, ...]
    rule: str | None
    alpha: float | None
    standing: Standing
    prior: float
    disagreement: float
    other: float
    sites: tuple[Account, ...]
    not_removed: str | None
    flags: tuple[Record, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What is at hand beside a decision: its release, the (n, width) features that were answered, and flags of it."""

    model: FusedModel | None = None
    features: Array | None = None
    flags: tuple[Record, ...] = ()


def explain(decision: Decision, at_hand: Evidence | None = None) -> Explanation:
    """A decision explained, as far as what is at hand allows.

    Raises:
        ContractError: it does not add up, or the release is not the one that answered.
    """
    at_hand = at_hand or Evidence()
    _require_sound(decision)
    model, best = at_hand.model, decision.best
    if model is not None:
        _require_answered_by(model, decision)
    without, not_removed = _removals(decision, at_hand)
    likely = _next(decision)
    return Explanation(
        image=decision.image,
        clip=decision.clip,
        release=decision.release,
        label=decision.label,
        best=best,
        why=decision.why,
        caption=decision.caption,
        score=decision.scores[best],
        probability=decision.probabilities[best],
        next=likely,
        next_probability=None if likely is None else decision.probabilities[likely],
        path=decision.path,
        rule=None if model is None else model.manifest.rule,
        alpha=None if model is None else model.manifest.alpha,
        standing=standing(decision),
        prior=decision.evidence.get(PRIOR, 0.0),
        disagreement=decision.evidence.get(DISAGREEMENT, 0.0),
        other=decision.evidence.get(OTHER, 0.0),
        sites=tuple(_account(decision, name, model, without) for name in sorted(decision.weights)),
        not_removed=not_removed,
        flags=at_hand.flags,
    )


def standing(decision: Decision) -> Standing:
    """Who has most of the evidence behind the best label."""
    prior, disagreement = (decision.evidence.get(name, 0.0) for name in (PRIOR, DISAGREEMENT))
    if prior + disagreement <= MOST:
        return "sites know"
    return "nobody knows" if prior >= disagreement else "sites disagree"


def _require_sound(decision: Decision) -> None:
    where = decision.image or decision.clip
    if not decision.scores:
        raise ContractError("has no score", where=where)
    check_names(decision, tuple(decision.scores), tuple(decision.weights))
    check_decision(decision)


def _require_answered_by(model: FusedModel, decision: Decision) -> None:
    where = decision.image or decision.clip
    if model.digest != decision.release:
        raise ContractError(f"was answered by {decision.release}, the release given is {model.digest}", where=where)
    if set(model.labels) != set(decision.scores) or set(model.sites) != set(decision.weights):
        raise ContractError("has other labels or sites than its release", where=where)


def _next(decision: Decision) -> str | None:
    way = {step.concept for step in decision.path} | {decision.best}
    others = {label: p for label, p in decision.probabilities.items() if label not in way}
    return max(others, key=lambda label: others[label], default=None)


def _account(decision: Decision, name: str, model: FusedModel | None, without: Mapping[str, Without] | None) -> Account:
    p = decision.qualified[name]
    card = None if model is None else model.manifest.sites[model.sites.index(name)]
    return Account(
        site=name,
        p=p,
        calibration=None if card is None else card.calibration,
        qualified=None if model is None else p > model.manifest.alpha,
        weight=decision.weights[name],
        contribution=decision.contributions[decision.best][name],
        evidence=decision.evidence.get(name),
        without=None if without is None else without[name],
    )


def _removals(decision: Decision, at_hand: Evidence) -> tuple[dict[str, Without] | None, str | None]:
    """What would be without each site, or why that cannot be told."""
    if at_hand.model is None:
        return None, NO_RELEASE
    if at_hand.features is None:
        return None, NO_FEATURES
    try:
        return without_each(at_hand.model, decision, at_hand.features), None
    except (ContractError, *UNSOLVABLE) as error:
        return None, str(error) or "the release cannot be fitted again"


def without_each(model: FusedModel, decision: Decision, features: Array) -> dict[str, Without]:
    """The rule fitted again without each site, before the (n, width) rows of one image or of one clip's frames.

    Raises:
        ContractError: the release cannot be fitted again, or the features are not of its width.
    """
    if features.ndim != 2 or not len(features) or features.shape[1] != model.manifest.width:
        raise ContractError(f"features are {features.shape}, not (n, {model.manifest.width})", where="explain")
    if not np.isfinite(features).all():
        raise ContractError("features are no finite numbers", where="explain")
    unit = "clip" if decision.image is None else "image"
    refit = ClosedFormRefit(model, clip_means(features, [decision.clip] * len(features)), unit)
    column, score = model.labels.index(decision.best), decision.scores[decision.best]
    if abs(float(refit.scores(model.sites)[0, column]) - score) > TOLERANCE:
        raise ContractError("these features do not give the score that was answered", where="explain")
    removed, found = removal(refit), {}
    for index, name in enumerate(model.sites):
        answer, effect = int(removed.without[0, index]), float(removed.effects[0, index, column])
        others = [p for site, p in decision.qualified.items() if site != name]
        found[name] = Without(
            best=None if answer == NOBODY else model.labels[answer],
            withheld=answer == NOBODY or max(others) <= model.manifest.alpha,
            score=score + effect,
            effect=effect,
        )
    return found
