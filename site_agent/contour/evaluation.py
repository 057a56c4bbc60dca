"""Experts of contours on the site's held-back patients, view by view: each alone and all fused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from federated.errors import DataError
from federated.manifest import Frozen
from site_agent.contour.tracer import Traced, Tracer, tracer_of
from site_agent.contour_truth import ContouredCase, contoured_cases
from site_agent.evaluation import Interval
from site_agent.expert_figures import FUSED, each_and_all, interval, shown
from site_agent.progress import track
from site_agent.segmentation.evaluation import AT_ONCE
from site_agent.tasks.contour import vocabulary_of
from site_agent.tasks.exchanged import TEST
from site_agent.training_report.page import Table

if TYPE_CHECKING:
    from shared_models.contour_metrics import ContourFit
    from site_agent.home import SiteHome


class ViewFit(Frozen):
    """How well contours are found in one view, over the images in which the expert drew one.

    Attributes:
        by: which expert, or all of them fused.
        base_1_mm, apex_mm, base_2_mm, contour_mm, hausdorff_mm: mean distances, of images whose pixels have a known
            size.
        landmarks_percent: mean over base and apex, in percent of the ventricle's length.
        dice: of what the contours enclose.
        crossed: images in which no curve leads through the points that were found.
    """

    by: str
    view: str
    images: int
    patients: int
    base_1_mm: Interval
    apex_mm: Interval
    base_2_mm: Interval
    contour_mm: Interval
    hausdorff_mm: Interval
    landmarks_percent: Interval
    dice: Interval
    crossed: int


class ContourEvaluation(Frozen):
    """What experts of contours do on the test fold; shares are means over images, of what is fused."""

    images: int
    patients: int
    shares: dict[str, float]
    fits: tuple[ViewFit, ...]


@dataclass(frozen=True)
class Judged:
    """An image of the test fold and what was seen in it."""

    truth: ContouredCase
    traced: Traced

    @property
    def fit(self) -> ContourFit | None:
        """In pixels; None where no curve leads through what was found."""
        from shared_models.contour_metrics import contour_fit

        try:
            height, width = self.truth.image.shape
            return contour_fit(self.traced.points, self.truth.points, 1.0, (height, width))
        except ValueError:
            return None

    @property
    def length(self) -> float:
        """Of the ventricle as it was drawn, from apex to base, pixels."""
        points = self.truth.points
        return float(np.linalg.norm(points[3] - (points[0] + points[6]) / 2))

    @property
    def landmarks_percent(self) -> float:
        """Mean distance of base and apex from where they were drawn, in percent of the length."""
        apart = np.linalg.norm(self.traced.points - self.truth.points, axis=1)[[0, 3, 6]]
        return 100 * float(apart.mean()) / self.length


def evaluate(home: SiteHome, names: Sequence[str] = ()) -> ContourEvaluation:
    """All experts that are here, or those named, on the images of the test fold that have contours.

    Raises:
        DataError: no test patient has an image with a contour.
        ConsiliumError: no expert is here, or none of a name.
    """
    cases = contoured_cases(home, fold=TEST)
    if not cases:
        raise DataError(
            "no test patient has an image with a contour", where=str(home.path), cure="take in more patients"
        )
    tracer = tracer_of(home)
    return figures(each_and_all(tracer.experts, names, lambda whom: judge(tracer, cases, whom)))


def judge(tracer: Tracer, cases: Sequence[ContouredCase], names: Sequence[str] = ()) -> list[Judged]:
    """What the experts, or those named, see in images beside what was drawn in them."""
    parts = [cases[begin : begin + AT_ONCE] for begin in range(0, len(cases), AT_ONCE)]
    found: list[Judged] = []
    for part in track(parts, total=len(parts), what=f"contours by {', '.join(names) or FUSED}"):
        traced = tracer.trace([each.image for each in part], names)
        found += [Judged(truth, one) for truth, one in zip(part, traced, strict=True)]
    return found


def figures(judged: Mapping[str, Sequence[Judged]]) -> ContourEvaluation:
    """Of the same images, judged by several; shares are those of the last."""
    last = list(judged.values())[-1]
    views = sorted({each.truth.view for each in last})
    return ContourEvaluation(
        images=len(last),
        patients=len({each.truth.case.patient for each in last}),
        shares={name: float(np.mean([each.traced.shares[name] for each in last])) for name in last[0].traced.shares},
        fits=tuple(
            _fit(by, view, [one for one in each if one.truth.view == view])
            for by, each in judged.items()
            for view in views
        ),
    )


def _fit(by: str, view: str, judged: Sequence[Judged]) -> ViewFit:
    fits = [each.fit for each in judged]
    patients = [each.truth.case.patient for each in judged]
    spacing = np.array([each.truth.spacing_mm or np.nan for each in judged])

    def mean(name: str, unit: np.ndarray | float = 1.0) -> Interval:
        values = np.array([np.nan if fit is None else getattr(fit, name) for fit in fits], dtype=np.float64)
        return interval(unit * values, patients)

    millimetres = {
        name: mean(name, spacing) for name in ("base_1_mm", "apex_mm", "base_2_mm", "contour_mm", "hausdorff_mm")
    }
    return ViewFit(
        by=by,
        view=view,
        images=len(judged),
        patients=len(set(patients)),
        **millimetres,
        landmarks_percent=interval([each.landmarks_percent for each in judged], patients),
        dice=mean("dice"),
        crossed=sum(fit is None for fit in fits),
    )


def tables(home: SiteHome, found: ContourEvaluation) -> list[Table]:
    """The figures for a person, and the shares."""
    meanings = {concept.code: concept.meaning for concept in vocabulary_of(home).concepts}
    named = [((fit.by, meanings.get(fit.view, fit.view), fit.images), fit) for fit in found.fits]
    distances = [
        (
            *head,
            shown(fit.base_1_mm, 1),
            shown(fit.apex_mm, 1),
            shown(fit.base_2_mm, 1),
            shown(fit.contour_mm, 1),
            shown(fit.hausdorff_mm, 1),
        )
        for head, fit in named
    ]
    others = [(*head, shown(fit.landmarks_percent, 1), shown(fit.dice, 3), fit.crossed) for head, fit in named]
    title = f"{found.images} images of {found.patients} patients, 95 % intervals by patient"
    shares = [(name, f"{100 * share:.0f} %") for name, share in found.shares.items() if len(found.shares) > 1]
    heads = ("by", "view", "images")
    return [
        Table(f"{title}: mm", (*heads, "base 1", "apex", "base 2", "contour", "Hausdorff"), distances),
        Table("the same", (*heads, "landmarks, % of length", "Dice", "no curve"), others),
        Table("mean share of each site in what is fused", ("site", "share"), shares),
    ]
