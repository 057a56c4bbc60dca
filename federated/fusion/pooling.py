"""Rules that pool what experts say of their own labels, without learning anything (baselines of Bransby et al.).

With u_k the logits of expert k over its labels Y_k and p_k = softmax(u_k):

    max-logit    f_c = max over k with c in Y_k of u_kc       max-softmax    the same of p_kc
    score sum    f_c = sum over k with c in Y_k of u_kc
    routing      the expert with the largest max_c p_kc (or u_kc) answers alone

A softmax says how likely a label is among an expert's own: with few labels it is sure of any image, and of one label it
is always certain. Max-softmax and routing then follow the expert that knows least, which is what a gate is for.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import softmax

from federated.fusion.experts import Consulted, Floats, Pooled, Rows
from federated.statistics import Array

Confidence = Literal["softmax", "logit"]


def max_logit(consulted: Consulted) -> Pooled:
    """The highest logit that an expert gives to each label; its whole score is that expert's contribution."""
    return _highest(consulted, _spread(consulted, consulted.logits))


def max_softmax(consulted: Consulted) -> Pooled:
    """The highest probability that an expert gives to each label; its whole score is that expert's contribution."""
    return _highest(consulted, _spread(consulted, _probabilities(consulted)))


def score_sum(consulted: Consulted) -> Pooled:
    """The sum of the logits of all experts that hold a label, each of weight one."""
    spread = _spread(consulted, consulted.logits)
    contributions = np.where(np.isfinite(spread), spread, 0.0)
    scores = np.where(np.isfinite(spread).any(axis=1), contributions.sum(axis=1), -np.inf)
    return Pooled(consulted.merged, scores, contributions, consulted.present.astype(np.float64), consulted.present)


def confidence_routing(consulted: Consulted, by: Confidence = "softmax") -> Pooled:
    """The answer of the one expert whose best label has the highest probability, or logit; the first of equals."""
    said = _probabilities(consulted) if by == "softmax" else consulted.logits
    spread = _spread(consulted, said)
    sure = spread.max(axis=2).argmax(axis=1)
    chosen = _chosen(sure, len(consulted.names))
    scores = spread[np.arange(consulted.images), sure]
    contributions = np.where(np.isfinite(spread) & chosen[:, :, None], spread, 0.0)
    return Pooled(consulted.merged, scores, contributions, chosen.astype(np.float64), consulted.present)


def _highest(consulted: Consulted, spread: Array) -> Pooled:
    """Winner takes all, label by label; the weight is with the expert whose score is the answer."""
    winner, scores = spread.argmax(axis=1), spread.max(axis=1)
    won = _chosen(winner, len(consulted.names)) & np.isfinite(scores)[:, None, :]
    contributions = np.where(won, scores[:, None, :], 0.0)
    best = np.take_along_axis(winner, scores.argmax(axis=1)[:, None], axis=1)[:, 0]
    weights = _chosen(best, len(consulted.names)).astype(np.float64)
    return Pooled(consulted.merged, scores, contributions, weights, consulted.present)


def _chosen(winner: Rows, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """(n, …) numbers of experts as (n, count, …) flags."""
    return np.asarray(np.moveaxis(winner[..., None] == np.arange(count), -1, 1))


def _spread(consulted: Consulted, said: tuple[Floats, ...]) -> Array:
    """(n, T, G) by merged label; -inf where an expert does not hold it, or did not see the image."""
    spread = np.full((consulted.images, len(consulted.names), len(consulted.merged)), -np.inf)
    for expert, (held, values) in enumerate(zip(consulted.labels, said, strict=True)):
        columns = [consulted.merged.index(label) for label in held]
        spread[:, expert, columns] = np.where(consulted.present[:, expert, None], values, -np.inf)
    return spread


def _probabilities(consulted: Consulted) -> tuple[Array, ...]:
    present = consulted.present[:, :, None]
    return tuple(
        np.asarray(softmax(np.where(present[:, expert], own, 0.0), axis=1))
        for expert, own in enumerate(consulted.logits)
    )
