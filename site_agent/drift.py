"""Whether the images that come still look like those that the release in use was calibrated on at this site.

For each patient whom the release has not seen, one conformal p-value under this site's own calibration. While patients
are exchangeable with the calibration patients these are uniform, and how many of m patients fall to alpha or under is
beta-binomial: with n calibration patients and l = floor(alpha (n + 1)), Beta-Binomial(m, l, n + 1 - l). That is the
exact law; a binomial would take the calibration patients for the whole population and call their chance a drift. Beside
it a Kolmogorov-Smirnov test holds all p-values against the calibration patients' own; Holm's procedure corrects over
the groups of one kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from federated.clips import clip_means
from federated.errors import ConsiliumError
from federated.fused_model import FusedModel
from federated.in_distribution import BINS, one_item_a_patient, p_values
from federated.manifest import Frozen, ReleaseSite
from federated.statistics import Array
from site_agent.adopt import model_of, read_shelf
from site_agent.candidates import part_of
from site_agent.features import features_of
from site_agent.steps import read_progress

if TYPE_CHECKING:
    from site_agent.catalogue import Case
    from site_agent.home import SiteHome

FEWEST = 5  # patients; fewer say more about themselves than about those who will come
LEVEL = 0.05  # how often a site that has not changed may be told to ask for recalibration
IN_LINE, DRIFTING = "in line", "drifting: ask for recalibration"
Kind = Literal["all", "machine", "batch", "day"]


class Group(Frozen):
    """Patients of one batch, machine or day.

    Attributes:
        patients: with one p-value each.
        refused: of them at or under alpha; `share` with its exact 95 % interval (Clopper-Pearson).
        p_share, p_all: of the two tests; None where nothing can be tested.
        adjusted: twice the smaller, corrected over the groups of this kind.
    """

    kind: Kind
    name: str
    patients: int
    refused: int
    share: float
    low: float
    high: float
    p_share: float | None
    p_all: float | None
    adjusted: float | None
    verdict: str


class Drift(Frozen):
    """All of it.

    Attributes:
        calibration: own, cross-fitted or pooled, and how many patients it is of.
        strangers: patients left out since the release knows no label of theirs from this site.
    """

    release: int
    calibration: str
    calibration_patients: int
    alpha: float
    strangers: int
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Seen:
    """Clips that the release has not learnt or been calibrated from: one p-value, patient, batch, machine, day each."""

    p: Array
    patients: tuple[str, ...]
    clips: tuple[str, ...]
    groups: Mapping[Kind, tuple[str, ...]]


def drift(home: SiteHome) -> Drift:
    """The state of things under the release in use. Nothing leaves, nothing changes but the cache of features.

    Raises:
        ConsiliumError: no release answers here, or it was not calibrated for this site.
    """
    current = read_shelf(home).current
    if current is None:
        cure = "consilium site evaluate, then consilium site adopt"
        raise ConsiliumError("no release answers here, so there is nothing to hold images against", cure=cure)
    model = model_of(home, current.digest)
    own = _own(home, model)
    cases, strangers = _unseen(home, own)
    counts = model.tensors[f"calibration.{own.name}.clip"]
    return Drift(
        release=current.number,
        calibration=own.calibration,
        calibration_patients=own.calibration_patients,
        alpha=model.manifest.alpha,
        strangers=strangers,
        groups=tuple(_groups(_seen(home, model, cases), counts, model.manifest.alpha)),
    )


def _own(home: SiteHome, model: FusedModel) -> ReleaseSite:
    own, where = part_of(home, model.manifest), f"release {model.manifest.number}"
    if own is None:
        raise ConsiliumError("holds nothing of this site, so no calibration either", where=where, cure="contribute")
    if own.calibration == "none":
        raise ConsiliumError(
            "is not calibrated", where=where, cure="allow 'report' in the policy, then wait for the next"
        )
    return own


def _unseen(home: SiteHome, own: ReleaseSite) -> tuple[list[Case], int]:
    """Cases of patients who neither trained nor calibrated it, and how many patients show other labels only."""
    held = set(read_progress(home).batches(own.contributions))
    cases = home.archive.catalogue.cases(labelled=False)
    used = {case.patient for case in cases if case.batch in held and case.fold != "test"}
    unseen = [case for case in cases if case.patient not in used]
    fitting = [case for case in unseen if not case.label or case.label in own.labels]
    return fitting, len({case.patient for case in unseen} - {case.patient for case in fitting})


def _seen(home: SiteHome, model: FusedModel, cases: Sequence[Case]) -> Seen:
    names = [f"{case.patient}/{case.clip}/{case.batch}" for case in cases]  # a name may come again another day
    first = dict(zip(reversed(names), reversed(cases), strict=True))
    clips = list(dict.fromkeys(names))
    p = np.zeros(0)
    if cases:
        means = clip_means(features_of(home, cases), names)
        p = model.in_distribution(means, "clip")[0][:, model.sites.index(home.config.site)]
    rows = home.archive.catalogue.rows
    machines = {row[0]: row[1] or "not said" for row in rows("SELECT id, machine FROM clips")}
    days = {row[0]: row[1][:10] for row in rows("SELECT name, closed FROM batches")}
    chosen = [first[clip] for clip in clips]
    return Seen(
        p,
        tuple(case.patient for case in chosen),
        tuple(clips),
        {
            "all": ("all",) * len(chosen),
            "machine": tuple(machines[case.id] for case in chosen),
            "batch": tuple(case.batch for case in chosen),
            "day": tuple(days[case.batch] for case in chosen),
        },
    )


def _groups(seen: Seen, counts: NDArray[np.int64], alpha: float) -> list[Group]:
    found: list[Group] = []
    for kind, names in seen.groups.items():
        groups = [_group(kind, name, _one_a_patient(seen, names, name), counts, alpha) for name in sorted(set(names))]
        found += _judged(groups)
    return found


def _one_a_patient(seen: Seen, names: Sequence[str], name: str) -> Array:
    """As the calibration took one item a patient."""
    rows = [row for row, its_name in enumerate(names) if its_name == name]
    chosen = one_item_a_patient([seen.patients[row] for row in rows], [seen.clips[row] for row in rows])
    return np.asarray(seen.p[[rows[place] for place in chosen]])


def _group(kind: Kind, name: str, p: Array, counts: NDArray[np.int64], alpha: float) -> Group:
    from scipy.stats import binomtest

    refused = int((p <= alpha + 1e-12).sum())
    interval = binomtest(refused, len(p)).proportion_ci(method="exact")
    enough = len(p) >= FEWEST
    return Group(
        kind=kind,
        name=name,
        patients=len(p),
        refused=refused,
        share=refused / len(p),
        low=float(interval.low),
        high=float(interval.high),
        p_share=too_many_refused(refused, len(p), int(counts.sum()), alpha) if enough else None,
        p_all=too_small(p, counts) if enough else None,
        adjusted=None,
        verdict=f"too few patients to say ({len(p)})",
    )


def too_many_refused(refused: int, patients: int, calibrated: int, alpha: float) -> float | None:
    """P(so many refused, or more) while patients are exchangeable with those who calibrated; None if none ever is."""
    from scipy.stats import betabinom

    ranks = floor(alpha * (calibrated + 1) + 1e-9)
    if ranks == 0:
        return None
    return float(betabinom.sf(refused - 1, patients, ranks, calibrated + 1 - ranks))


def too_small(p: Array, counts: NDArray[np.int64]) -> float:
    """One-sided two-sample Kolmogorov-Smirnov: whether p-values are smaller than the calibration patients' own."""
    from scipy.stats import ks_2samp

    own = np.repeat(p_values((BINS[:-1] + BINS[1:]) / 2, counts), counts)
    return float(ks_2samp(p, own, alternative="greater").pvalue)


def _judged(groups: Sequence[Group]) -> list[Group]:
    """With what is left of the tests once Holm's procedure has corrected for there being several groups."""
    tested = {place: min(1.0, 2 * min(_tests(group))) for place, group in enumerate(groups) if _tests(group)}
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    return [
        group.model_copy(update={"adjusted": p, "verdict": DRIFTING if p < LEVEL else IN_LINE})
        if (p := adjusted.get(place)) is not None
        else group
        for place, group in enumerate(groups)
    ]


def _tests(group: Group) -> list[float]:
    return [p for p in (group.p_share, group.p_all) if p is not None]


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm, Scand. J. Statist. 6, 1979)."""
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=lambda place: p[place])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = largest
    return adjusted
