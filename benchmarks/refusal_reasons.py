"""Why an expert refuses: two questions with two answers each, told apart by one number whose boundary is learned.

The boundary lies between validation images of both kinds, as sites could make them of their own: other sites score
their images of the expert's labels with it; a label left out at one site stands for one that is taught elsewhere, and
left out at all for one that nobody teaches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.refusal_data import CHECKED, COUNTED, TESTED
from benchmarks.refusal_experts import ELSEWHERE, Experts, without, z_scores
from federated.in_distribution_scores import IN_USE, Look, boundary
from federated.statistics import Array

MACHINE, LABEL = "another machine or a label nobody teaches", "taught elsewhere or nobody teaches it"
ALPHA = 0.05
EXCESS = ("largest own score", "relative Mahalanobis")

Statistic = Callable[[Experts, str], Callable[[Look], Array]]
Pair = tuple[Array, Array]


def reasons(found: Experts) -> dict[str, float]:
    """Share of right answers about test images that a site's expert refuses, the mean of both kinds: chance is a half.

    A question that cannot be asked, for want of images of one kind, is left out.
    """
    learned = {MACHINE: _other_or_unknown(found), LABEL: _here_or_nowhere(found)}
    tested = {
        MACHINE: _tested(found, excess, Experts.elsewhere),
        LABEL: _tested(found, score_elsewhere, Experts.not_here),
    }
    return {
        question: _right(learned[question], tested[question])
        for question in learned
        if all(len(part) for part in (*learned[question], *tested[question]))
    }


def _right(learned: Pair, tested: Pair) -> float:
    limit = boundary(*learned)
    return float(((tested[0] > limit).mean() + (tested[1] <= limit).mean()) / 2)


def excess(found: Experts, site: str) -> Callable[[Look], Array]:
    """How much farther off an image is than its label's score explains."""
    z = z_scores(found, site, EXCESS)
    return lambda look: np.asarray(z(look) @ np.array([1.0, -1.0]))


def score_elsewhere(found: Experts, site: str) -> Callable[[Look], Array]:
    """The largest score of labels that only other sites teach."""
    return found.score(site, ELSEWHERE)


def _other_or_unknown(found: Experts) -> Pair:
    """Validation images of other sites, and of a label left out at all sites."""
    others = [excess(found, site)(found.look(found.elsewhere(site, CHECKED))) for site in found.taught]
    return _joined(others), _joined(
        [part for label in found.labels for part in _left_out(found, without(found, label), label, excess)]
    )


def _here_or_nowhere(found: Experts) -> Pair:
    """Validation images of a label left out at their own site, and left out at all."""
    here: list[Array] = []
    for site, held in found.taught.items():
        for label in held:
            fewer = without(found, label, [site])
            here += _left_out(found, fewer, label, score_elsewhere, [site]) if label in fewer.labels else []
    return _joined(here), _joined(
        [part for label in found.labels for part in _left_out(found, without(found, label), label, score_elsewhere)]
    )


def _left_out(
    found: Experts, fewer: Experts, label: str, statistic: Statistic, sites: Sequence[str] | None = None
) -> list[Array]:
    """What the fewer experts say of validation images of a label, at sites that taught it."""
    asked = [site for site in sites or fewer.taught if site in fewer.taught and label in found.taught[site]]
    return [_finite(statistic(fewer, site)(fewer.look(found.problem.rows(site, CHECKED, [label])))) for site in asked]


def _tested(found: Experts, statistic: Statistic, strange: Callable[[Experts, str, int], NDArray[np.int64]]) -> Pair:
    """Of refused test images of one kind, and of the label that nobody teaches."""
    unknown = {site: found.problem.rows(site, TESTED, [found.problem.unknown]) for site in found.taught}
    return (
        _joined([_said(found, statistic, site, strange(found, site, TESTED)) for site in found.taught]),
        _joined([_said(found, statistic, site, rows) for site, rows in unknown.items()]),
    )


def _said(found: Experts, statistic: Statistic, site: str, rows: NDArray[np.int64]) -> Array:
    look = found.look(rows)
    return _finite(statistic(found, site)(look)[_refused(found, site)(look)])


def _refused(found: Experts, site: str) -> Callable[[Look], NDArray[np.bool_]]:
    """Below all but alpha of the site's own patients by the score in use."""
    z = z_scores(found, site, IN_USE)
    own = np.sort(z(found.look(found.one_a_patient(site, COUNTED))).sum(axis=1))
    allowed = int(np.floor(ALPHA * (len(own) + 1))) - 1
    return lambda look: z(look).sum(axis=1) < own[allowed] if allowed >= 0 else np.zeros(len(look.features), dtype=bool)


def _joined(parts: Sequence[Array]) -> Array:
    return np.concatenate([np.zeros(0), *parts])


def _finite(values: Array) -> Array:
    return values[np.isfinite(values)]
