"""Experts of registration on the site's held-back patients: each alone and all fused.

Of every pair: how alike the images are before and after, where the field folds, and how well label maps that are
carried along lie on those that were drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from federated.errors import DataError
from federated.manifest import Frozen
from site_agent.evaluation import Interval
from site_agent.expert_figures import FUSED, each_and_all, interval, shown
from site_agent.frame_pairs import FramePair, ShownPair, frame_pairs, shown_pairs
from site_agent.progress import track
from site_agent.registration.registrar import Registered, Registrar, registrar_of
from site_agent.tasks.exchanged import TEST
from site_agent.training_report.page import Table
from site_agent.truth import clips_of

if TYPE_CHECKING:
    from site_agent.home import SiteHome

PERCENT = 100


class PairFit(Frozen):
    """How well pairs are registered, on average.

    Attributes:
        by: which expert, or all of them fused.
        before, after: likeness, 1 at best (`registration_measures.likeness`), of the images as they are and of the
            moving one, warped.
        folded_percent: of the pixels.
        carried: pairs both images of which have label maps.
        dice_before, dice: of these, over their structures, as they are and carried along.
    """

    by: str
    pairs: int
    patients: int
    before: Interval
    after: Interval
    folded_percent: Interval
    carried: int
    dice_before: Interval
    dice: Interval


class RegistrationEvaluation(Frozen):
    """What experts of registration do on the test fold; shares are means over pairs, of what is fused."""

    pairs: int
    patients: int
    shares: dict[str, float]
    fits: tuple[PairFit, ...]


@dataclass(frozen=True)
class Judged:
    """A pair of the test fold and what became of it; Dice is no number where a label map is missing."""

    pair: FramePair
    weights: Mapping[str, float]
    before: float
    after: float
    folded_percent: float
    dice_before: float
    dice: float


def evaluate(home: SiteHome, names: Sequence[str] = ()) -> RegistrationEvaluation:
    """All experts that are here, or those named, on clips of the test fold: every pair's frame to end-diastole.

    Raises:
        DataError: no test patient has a clip.
        ConsiliumError: no expert is here, or none of a name.
    """
    pairs = frame_pairs(home, clips_of(home.archive, fold=TEST))
    if not pairs:
        raise DataError("no test patient has a clip", where=str(home.path), cure="take in clips of more patients")
    registrar = registrar_of(home)
    return figures(each_and_all(registrar.experts, names, lambda whom: judge(home, registrar, pairs, whom)))


def judge(home: SiteHome, registrar: Registrar, pairs: Sequence[FramePair], names: Sequence[str] = ()) -> list[Judged]:
    """What the experts, or those named, make of pairs."""
    what = f"registering by {', '.join(names) or FUSED}"
    return [
        judged(each, registrar.register(each.moving, each.fixed, names))
        for each in track(shown_pairs(home, pairs), total=len(pairs), what=what)
    ]


def judged(each: ShownPair, found: Registered) -> Judged:
    """One pair."""
    from shared_models.registration_measures import carried_dice, folded_percent, likeness

    still = np.zeros_like(found.field)
    before, after = (likeness(each.moving, each.fixed, field) for field in (still, found.field))
    dice = [np.nan if each.labels is None else carried_dice(*each.labels, field) for field in (still, found.field)]
    return Judged(each.pair, found.weights, before, after, folded_percent(found.field), *dice)


def figures(by_whom: Mapping[str, Sequence[Judged]]) -> RegistrationEvaluation:
    """Figures by who answered; shares are those of the last."""
    last = list(by_whom.values())[-1]
    names = dict.fromkeys(name for each in last for name in each.weights)
    return RegistrationEvaluation(
        pairs=len(last),
        patients=len({each.pair.clip.patient for each in last}),
        shares={name: float(np.mean([each.weights[name] for each in last])) for name in names},
        fits=tuple(_fit(by, each) for by, each in by_whom.items()),
    )


def _fit(by: str, pairs: Sequence[Judged]) -> PairFit:
    patients = [each.pair.clip.patient for each in pairs]

    def mean(value: Callable[[Judged], float]) -> Interval:
        return interval([value(each) for each in pairs], patients)

    return PairFit(
        by=by,
        pairs=len(pairs),
        patients=len(set(patients)),
        before=mean(lambda each: each.before),
        after=mean(lambda each: each.after),
        folded_percent=mean(lambda each: each.folded_percent),
        carried=sum(not np.isnan(each.dice) for each in pairs),
        dice_before=mean(lambda each: each.dice_before),
        dice=mean(lambda each: each.dice),
    )


def tables(_home: SiteHome, found: RegistrationEvaluation) -> list[Table]:
    """The figures for a person, and the shares."""
    alike = [
        (fit.by, fit.pairs, shown(fit.before, 3), shown(fit.after, 3), shown(fit.folded_percent, 3))
        for fit in found.fits
    ]
    carried = [
        (fit.by, fit.carried, shown(fit.dice_before, 3), shown(fit.dice, 3)) for fit in found.fits if fit.carried
    ]
    shares = [(name, f"{PERCENT * share:.0f} %") for name, share in found.shares.items() if len(found.shares) > 1]
    title = f"{found.pairs} pairs of {found.patients} patients, 95 % intervals by patient"
    return [
        Table(f"{title}: likeness", ("by", "pairs", "before", "after", "folded, %"), alike),
        Table("label maps carried along: Dice", ("by", "pairs", "before", "after"), carried),
        Table("mean share of each site in what is fused", ("site", "share"), shares),
    ]
