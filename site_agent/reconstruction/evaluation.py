"""Experts of reconstruction on the site's held-back patients: each alone and all fused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from federated.errors import DataError
from federated.manifest import Frozen
from site_agent.evaluation import Interval
from site_agent.expert_figures import FUSED, each_and_all, interval, shown
from site_agent.hearts import HOW, Heart, hearts_of
from site_agent.progress import track
from site_agent.reconstruction.reconstructor import Rebuilt, Reconstructor, reconstructor_of
from site_agent.tasks.exchanged import TEST
from site_agent.training_report.page import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from site_agent.home import SiteHome

HALF = 0.5


class VolumeFit(Frozen):
    """How well volumes fit, over the hearts that an expert can be shown.

    Attributes:
        by: which expert, or all of them fused.
        iou: mean overlap at a threshold of a half.
        peak_iou: the same at the threshold where the mean over hearts is largest.
        threshold: that one.
        hausdorff_95_mm: mean over hearts of which anything is found.
        missed: hearts of which nothing reaches a half.
    """

    by: str
    hearts: int
    patients: int
    iou: Interval
    peak_iou: Interval
    threshold: float
    hausdorff_95_mm: Interval
    missed: int


class ReconstructionEvaluation(Frozen):
    """What experts of reconstruction do on the test fold; shares are means over hearts, of what is fused."""

    hearts: int
    patients: int
    shares: dict[str, float]
    fits: tuple[VolumeFit, ...]


@dataclass(frozen=True)
class Judged:
    """A heart and what was made of it."""

    truth: Heart
    rebuilt: Rebuilt

    @property
    def iou(self) -> float:
        """At a threshold of a half."""
        from shared_models.reconstruction.volume_metrics import iou

        return iou(self.found, self.truth.target)

    @property
    def found(self) -> NDArray[np.bool_]:
        """(E, E, E) what reaches a half."""
        return self.rebuilt.probabilities >= HALF


def evaluate(home: SiteHome, names: Sequence[str] = ()) -> ReconstructionEvaluation:
    """All experts that are here, or those named, on the hearts of the test fold.

    Raises:
        DataError: no test patient has a heart, or none with a view that an expert was built for.
        ConsiliumError: no expert is here, or none of a name.
    """
    hearts = hearts_of(home, fold=TEST)
    if not hearts:
        raise DataError("no test patient has a heart with its volume", where=str(home.path), cure=HOW)
    reconstructor = reconstructor_of(home)
    return figures(each_and_all(reconstructor.experts, names, lambda whom: judge(reconstructor, hearts, whom)))


def judge(reconstructor: Reconstructor, hearts: Sequence[Heart], names: Sequence[str] = ()) -> list[Judged]:
    """What the experts, or those named, make of hearts, beside their volumes; of those that show a view they know.

    Raises:
        DataError: no heart does, or a volume is coarser than what is made.
    """
    known = reconstructor.views(names)
    seen = [kept for heart in hearts if (kept := heart.only(known))]
    if not seen:
        raise DataError(f"no heart shows {' or '.join(known)}", where=", ".join(names) or FUSED, cure=HOW)
    found: list[Judged] = []
    for heart in track(seen, total=len(seen), what=f"reconstructing by {', '.join(names) or FUSED}"):
        made = reconstructor.volume(dict(zip(heart.views, heart.planes, strict=True)), names)
        found.append(Judged(heart.at(len(made.probabilities)), made))
    return found


def figures(judged: Mapping[str, Sequence[Judged]]) -> ReconstructionEvaluation:
    """Of the same hearts, judged by several; shares are those of the last, 0 where an expert was not asked."""
    last = list(judged.values())[-1]
    names = dict.fromkeys(name for each in last for name in each.rebuilt.weights)
    return ReconstructionEvaluation(
        hearts=len(last),
        patients=len({each.truth.case.patient for each in last}),
        shares={name: float(np.mean([each.rebuilt.weights.get(name, 0.0) for each in last])) for name in names},
        fits=tuple(_fit(by, each) for by, each in judged.items()),
    )


def _fit(by: str, judged: Sequence[Judged]) -> VolumeFit:
    from shared_models.reconstruction.volume_metrics import THRESHOLDS, hausdorff_95_mm, ious, peak_iou

    each = np.concatenate([ious(one.rebuilt.probabilities[None], one.truth.target[None]) for one in judged])
    peak, patients = peak_iou(each), [one.truth.case.patient for one in judged]
    apart = [hausdorff_95_mm(one.found, one.truth.target, one.truth.spacing_mm) for one in judged]
    return VolumeFit(
        by=by,
        hearts=len(judged),
        patients=len(set(patients)),
        iou=interval(each[:, THRESHOLDS.index(HALF)], patients),
        peak_iou=interval(each[:, THRESHOLDS.index(peak.threshold)], patients),
        threshold=peak.threshold,
        hausdorff_95_mm=interval(apart, patients),
        missed=sum(not one.found.any() for one in judged),
    )


def tables(home: SiteHome, found: ReconstructionEvaluation) -> list[Table]:  # noqa: ARG001
    """The figures for a person, and the shares."""
    rows = [
        (
            fit.by,
            fit.hearts,
            fit.patients,
            shown(fit.iou, 3),
            shown(fit.peak_iou, 3),
            fit.threshold,
            shown(fit.hausdorff_95_mm, 1),
            fit.missed,
        )
        for fit in found.fits
    ]
    columns = ("by", "hearts", "patients", "IoU at 0.5", "peak IoU", "at", "Hausdorff 95 mm", "not found")
    title = f"{found.hearts} hearts of {found.patients} patients, 95 % intervals by patient"
    shares = [(name, f"{100 * share:.0f} %") for name, share in found.shares.items() if len(found.shares) > 1]
    return [Table(title, columns, rows), Table("mean share of each site in what is fused", ("site", "share"), shares)]
