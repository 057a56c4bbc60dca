"""The arrays behind some answers as decisions: the way down to each, how far it is sure, and who stands behind it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from federated.clips import clip_means
from federated.decision import TOLERANCE, Decision, Step
from federated.descent import doubt as p_value
from federated.descent import tree_of
from federated.errors import ContractError
from federated.in_distribution import qualified
from federated.statistics import Array

if TYPE_CHECKING:
    from federated.fused_model import Answers, FusedModel
    from federated.manifest import ReleaseManifest, Tensors

FOREIGN = "foreign evidence only"
CERTAIN = 1.0  # doubt


def decisions(
    model: FusedModel, features: Array, unit: str, images: Sequence[str | None], clips: Sequence[str]
) -> list[Decision]:
    """One decision a row of (n, M) features; `unit` (image or clip) says which calibration holds.

    Raises:
        ContractError: the release's numbers give none.
    """
    try:
        return _decisions(model, features, unit, images, clips)
    except (np.linalg.LinAlgError, ValidationError) as error:  # a system without a solution, a share that is no number
        cure = "refuse it, and tell the coordinator"
        raise ContractError("its numbers give no answer", where=f"release {model.digest}", cure=cure) from error


def _decisions(
    model: FusedModel, features: Array, unit: str, images: Sequence[str | None], clips: Sequence[str]
) -> list[Decision]:
    answers = model.answer(features, unit)
    probabilities = model.tree.probabilities(answers.scores / model.manifest.temperature)
    full = model.full_scores(features) if model.manifest.steps else answers.scores
    ways = [
        way_down(model, unit, column, probabilities[row], full[[row]])
        for row, column in enumerate(model.tree.best(answers.scores))
    ]
    return [
        _decision(model, answers, probabilities, row, way, image, clip)
        for row, (way, image, clip) in enumerate(zip(ways, images, clips, strict=True))
    ]


def decide_alone(model: FusedModel, features: Array, image: str | None, clip: str) -> Decision:
    """The decision on one image, or on the frames of one clip (`image` None), by themselves.

    Many rows at once may differ in the last digits, as sums are ordered otherwise. What is logged is decided so, and
    can be decided again to the last bit.

    Args:
        model: a release.
        features: (1, `manifest.width`), or (n, `manifest.width`) of a clip's n frames in their order.
        image: its name, or None.
        clip: the clip's name.
    """
    if image is not None:
        return decisions(model, features, "image", [image], [clip])[0]
    return decisions(model, clip_means(features, [clip] * len(features)), "clip", [None], [clip])[0]


def way_down(model: FusedModel, unit: str, column: int, probabilities: Array, full: Array) -> tuple[Step, ...]:
    """From the top to a column, with what the release's calibration says of each step; (1, C) full scores.

    A step that is not on the way of the full scores has no margin above zero: it is not what was calibrated.
    """
    tree, way = model.tree, model.tree.ways[column]
    full_way = tree.ways[int(tree.best(full)[0])]
    steps = [Step(concept=way[0], probability=tree.probability(way[0], probabilities))]
    for concept, down in pairwise(way):
        told = concept in model.manifest.steps
        margin = float(tree.margins(full, concept, down)[0]) if told else None
        margin = min(margin, 0.0) if margin is not None and down not in full_way else margin
        doubt = doubt_of(model.manifest, model.tensors, unit, concept, margin)
        steps.append(Step(concept=down, probability=tree.probability(down, probabilities), margin=margin, doubt=doubt))
    return tuple(steps)


def doubt_of(
    manifest: ReleaseManifest, tensors: Tensors, unit: str, concept: str, margin: float | None
) -> float | None:
    """The doubt of a step down from a concept; None where the release is not calibrated for it."""
    if len(tree_of(manifest.vocabulary, manifest.labels).children[concept]) == 1:
        return CERTAIN
    if margin is None:
        return None
    counts = tensors[f"steps.{unit}"][manifest.steps.index(concept)]
    return p_value(margin, counts, manifest.alpha)


def sure_of(way: Sequence[Step], alpha: float) -> str:
    """The deepest concept on the way that is sure; a step that nothing is known of is taken."""
    reached = way[0].concept
    for step in way[1:]:
        if step.doubt is not None and step.doubt > alpha:
            break
        reached = step.concept
    return reached


def check_way(decision: Decision, manifest: ReleaseManifest, tensors: Tensors) -> None:
    """Whether a decision goes down as its release does: the same path, probabilities and doubts, and no further.

    Raises:
        ContractError: it does not.
    """
    where, tree = decision.image or decision.clip, tree_of(manifest.vocabulary, manifest.labels)
    if not decision.path and not manifest.steps and len(tree.groups) == 1:
        return  # a line from before there were paths: its label is that of the largest score
    scores = np.array([[decision.scores[label] for label in manifest.labels]])
    way = tree.ways[int(tree.best(scores)[0])]
    if tuple(step.concept for step in decision.path) != way:
        raise ContractError("the path is not the one that its release takes", where=where)
    probabilities = tree.probabilities(scores / manifest.temperature)[0]
    expected = [tree.probability(concept, probabilities) for concept in way]
    if not np.allclose([step.probability for step in decision.path], expected, rtol=0, atol=TOLERANCE):
        raise ContractError("the probabilities on the path are not those of its scores", where=where)
    unit = "clip" if decision.image is None else "image"
    for step, down in pairwise(decision.path):
        told = (down.margin is not None) == (step.concept in manifest.steps)
        if not told or doubt_of(manifest, tensors, unit, step.concept, down.margin) != down.doubt:
            raise ContractError("a step down is doubted otherwise than by its release", where=where)
    if decision.label not in (None, sure_of(decision.path, manifest.alpha)):
        raise ContractError("the label is not the deepest that is sure", where=where)


def _decision(
    model: FusedModel,
    answers: Answers,
    probabilities: Array,
    row: int,
    way: tuple[Step, ...],
    image: str | None,
    clip: str,
) -> Decision:
    p, alpha = answers.p[row], model.manifest.alpha
    abstained = not qualified(p, alpha).any()
    label = sure_of(way, alpha)
    labelling = [model.sites.index(name) for name in model.labelling(label)]
    foreign = bool((answers.weights[row, labelling] <= 0).all())
    why = f"no site is qualified (largest p-value {p.max():.3f}, {alpha:g} needed)"
    return Decision(
        image=image,
        clip=clip,
        label=None if abstained else label,
        abstained=abstained,
        why=why if abstained else None,
        caption=FOREIGN if foreign else None,
        scores=_named(model.labels, answers.scores[row]),
        probabilities=_named(model.labels, probabilities[row]),
        path=way,
        weights=_named(model.sites, answers.weights[row]),
        contributions={
            label: _named(model.sites, answers.contributions[row, :, column])
            for column, label in enumerate(model.labels)
        },
        evidence=answers.evidence[row],
        qualified=_named(model.sites, answers.p[row]),
        release=model.digest,
    )


def _named(names: Sequence[str], values: Array) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values, strict=True)}
