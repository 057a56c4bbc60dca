"""The targets that the closed form is held to, each against those it must beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.claims import Claim, at_least, at_most, told
from benchmarks.incremental import figures
from benchmarks.incremental.answers import ALPHA, Answers
from benchmarks.incremental.contestants import CLOSED_FORM, GATED, JOINT
from benchmarks.incremental.paired import Difference
from benchmarks.incremental.questions import ALL, EXTERNAL, SEEN, Compared, Played, mean_over
from federated.faithfulness import Faithfulness

TARGETED = ("phantom", "digits")
GAIN, SEEN_LOSS = 5.0, -1.0  # points
CHEAPER, FLAT = 20.0, 2.0  # times
ORDERS_ALIKE = 1e-9


def targets(
    suite: str,
    played: Played,
    found: Compared,
    orders: Mapping[str, float],
    displays: Mapping[str, Faithfulness],
) -> list[Claim]:
    """What is said of the closed form on a suite; `orders` are deviations over orders of arrival, NaN of one.

    Against its rivals it is held to targets where there are any; elsewhere it is told how it does.
    """
    ours = found.sampled[ALL][CLOSED_FORM].value
    claims = [told(f"{suite}: closed form, {ALL}", round(100 * ours, 1), "%")]
    against = [*_against(suite, played, found), *_displays(suite, displays), *_growing(suite, played)]
    claims += against if suite in TARGETED else [told(claim.claim, claim.value, claim.unit) for claim in against]
    if not np.isnan(orders[CLOSED_FORM]):
        claims.append(
            at_most(f"{suite}: closed form, deviation over orders of arrival", orders[CLOSED_FORM], "", ORDERS_ALIKE)
        )
    wrong = 100 * mean_over(played[CLOSED_FORM], figures.refused_known)
    return [*claims, at_most(f"{suite}: closed form, refused of what its site taught", wrong, "%", 100 * ALPHA)]


def _against(suite: str, played: Played, found: Compared) -> list[Claim]:
    claims = []
    if GATED in played:
        claims += [_gain(suite, found.differences[ALL][GATED], ALL, GATED, GAIN), *_costs(suite, played)]
    if JOINT in played:
        claims += [
            _gain(suite, found.differences[question][JOINT], question, JOINT, least)
            for question, least in ((SEEN, SEEN_LOSS), (EXTERNAL, 0.0))
            if question in found.differences
        ]
    return claims


def _growing(suite: str, played: Played) -> list[Claim]:
    name = f"{suite}: closed form, seconds of the last arrival over those of the second"
    ours = at_most(name, _growth(played[CLOSED_FORM]), "x", FLAT)
    return [ours, told(f"{suite}: the same of {GATED}", _growth(played[GATED]), "x")] if GATED in played else [ours]


def _gain(suite: str, one: Difference, question: str, other: str, least: float) -> Claim:
    mark = "" if one.told_apart else " (cannot be told apart)"
    name = f"{suite}, {question}: closed form minus {other}{mark}"
    return at_least(name, round(100 * one.value, 1), "points", least)


def _costs(suite: str, played: Played) -> list[Claim]:
    ours, theirs = (float(np.median([one.seconds[-1] for one in played[name]])) for name in (CLOSED_FORM, GATED))
    small, large = (mean_over(played[name], lambda one: figures.kilobytes(one.sent)) for name in (CLOSED_FORM, GATED))
    return [
        at_least(f"{suite}: seconds of the last arrival, {GATED} over closed form", theirs / ours, "x", CHEAPER),
        at_most(f"{suite}: bytes that a site shares, closed form over {GATED}", small / large, "x", 1.0),
    ]


def _displays(suite: str, displays: Mapping[str, Faithfulness]) -> list[Claim]:
    ours, theirs = (displays[name].per_image.value if name in displays else None for name in (CLOSED_FORM, GATED))
    if ours is None or theirs is None:
        return []
    name = f"{suite}: rank correlation of contributions with leaving out, closed form minus {GATED}"
    return [at_least(name, round(ours - theirs, 3), "", 0.0)]


def _growth(cells: Sequence[Answers]) -> float:
    seconds = np.median([one.seconds for one in cells], axis=0)
    return float(seconds[-1] / seconds[1])
