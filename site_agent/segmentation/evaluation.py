"""Experts of segmentation on the site's held-back patients: each alone and all fused, with the ejection fraction."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from federated.errors import DataError
from federated.manifest import Frozen
from site_agent.catalogue import Catalogue
from site_agent.evaluation import Interval
from site_agent.expert_figures import FUSED, each_and_all, interval, shown
from site_agent.progress import track
from site_agent.segmentation.segmenter import Seen, Segmenter, segmenter_of
from site_agent.tasks.exchanged import TEST
from site_agent.tasks.segmentation import meanings_of, structures_of
from site_agent.training_report.page import Table
from site_agent.truth import LA, LV, MYOCARDIUM, MaskedCase, masked_cases

if TYPE_CHECKING:
    from shared_models.ejection_fraction import Chamber
    from site_agent.home import SiteHome

AT_ONCE = 16
FOUR, TWO = "399214001", "399232001"  # codes of the apical views


class StructureFit(Frozen):
    """How well one structure is found, over the images in which the expert drew it.

    Attributes:
        by: which expert, or all of them fused.
        hausdorff_mm, hausdorff_95_mm: mean over images whose pixels have a known size and in which it was found.
        missed: images in which it is and was not found.
    """

    by: str
    structure: str
    images: int
    patients: int
    dice: Interval
    hausdorff_mm: Interval
    hausdorff_95_mm: Interval
    missed: int


class EjectionFraction(Frozen):
    """Of patients with both apical views at both ends of the beat, in points of percent.

    Attributes:
        error, bias: mean absolute and mean signed difference to what is known of the patient.
        unreadable: patients of whose maps no outline could be found.
    """

    by: str
    patients: int
    error: Interval
    bias: Interval
    unreadable: int


class SegmentationEvaluation(Frozen):
    """What experts of segmentation do on the test fold."""

    images: int
    patients: int
    shares: dict[str, dict[str, float]]
    fits: tuple[StructureFit, ...]
    ejection_fractions: tuple[EjectionFraction, ...]


@dataclass(frozen=True)
class Judged:
    """An image of the test fold and what was seen in it."""

    truth: MaskedCase
    seen: Seen

    @property
    def dice(self) -> float:
        """Of all structures as one: 0 to 1."""
        from shared_models.segmentation_metrics import dice_of

        return dice_of(self.seen.labels > 0, self.truth.mask > 0)


def evaluate(home: SiteHome, names: Sequence[str] = ()) -> SegmentationEvaluation:
    """All experts that are here, or those named, on the images of the test fold that have masks.

    Raises:
        DataError: no test patient has an image with a mask.
        ConsiliumError: no expert is here, or none of a name.
    """
    cases = masked_cases(home, structures_of(home), fold=TEST)
    if not cases:
        raise DataError("no test patient has an image with a mask", where=str(home.path), cure="take in more patients")
    segmenter = segmenter_of(home)
    return figures(home, each_and_all(segmenter.experts, names, lambda whom: judge(segmenter, cases, whom)))


def figures(home: SiteHome, judged: Mapping[str, Sequence[Judged]]) -> SegmentationEvaluation:
    """Of the same images, judged by several; shares are those of the last."""
    structures, last = structures_of(home), list(judged.values())[-1]
    known = Catalogue(home.catalogue_path).rows("SELECT id, ejection_fraction FROM clips")
    fractions = {int(clip): float(value) for clip, value in known if value is not None}
    return SegmentationEvaluation(
        images=len(last),
        patients=len({each.truth.case.patient for each in last}),
        shares=_mean_shares([each.seen for each in last]),
        fits=tuple(
            fit for by, each in judged.items() for code in structures if (fit := _fit(by, code, structures, each))
        ),
        ejection_fractions=tuple(
            found for by, each in judged.items() if (found := _fraction(by, each, fractions)) is not None
        ),
    )


def tables(home: SiteHome, found: SegmentationEvaluation) -> list[Table]:
    """The figures for a person, the ejection fraction and the shares where there are any."""
    names = {code: short(meaning) for code, meaning in meanings_of(home).items()}
    columns = ("by", "structure", "images", "patients", "Dice", "Hausdorff mm", "95 % of it mm", "not found")
    fits = [
        (
            fit.by,
            names.get(fit.structure, fit.structure),
            fit.images,
            fit.patients,
            shown(fit.dice, 3),
            shown(fit.hausdorff_mm, 1),
            shown(fit.hausdorff_95_mm, 1),
            fit.missed,
        )
        for fit in found.fits
    ]
    fractions = [
        (each.by, each.patients, shown(each.error, 1), shown(each.bias, 1), each.unreadable)
        for each in found.ejection_fractions
    ]
    shares = [
        (names.get(code, code), name, f"{100 * share:.0f} %")
        for code, parts in found.shares.items()
        if len(parts) > 1
        for name, share in parts.items()
    ]
    title = f"{found.images} images of {found.patients} patients, 95 % intervals by patient"
    heads = ("by", "patients", "mean error", "bias", "no outline")
    return [
        Table(title, columns, fits),
        Table("ejection fraction by Simpson's biplane method, points of percent", heads, fractions),
        Table("mean share of each site in what is fused", ("structure", "site", "share"), shares),
    ]


def short(meaning: str) -> str:
    """The short name at the end of what a code means, where there is one."""
    found = re.search(r"\((\w+)\)$", meaning)
    return found[1] if found else meaning


def judge(segmenter: Segmenter, cases: Sequence[MaskedCase], names: Sequence[str] = ()) -> list[Judged]:
    """What the experts, or those named, see in images beside what was drawn in them."""
    parts = [cases[begin : begin + AT_ONCE] for begin in range(0, len(cases), AT_ONCE)]
    found: list[Judged] = []
    for part in track(parts, total=len(parts), what=f"segmenting by {', '.join(names) or FUSED}"):
        seen = segmenter.look([each.image for each in part], names)
        found += [Judged(truth, one) for truth, one in zip(part, seen, strict=True)]
    return found


def _mean_shares(seen: Sequence[Seen]) -> dict[str, dict[str, float]]:
    """Structure -> expert -> mean share over the images in which anything of the structure is seen."""
    found: dict[str, dict[str, float]] = {}
    for structure in dict.fromkeys(code for each in seen for code in each.structures):
        told = [each.shares[structure] for each in seen if each.shares.get(structure)]
        names = dict.fromkeys(name for each in told for name in each)
        found[structure] = {name: float(np.mean([each.get(name, 0.0) for each in told])) for name in names}
    return found


def _fit(by: str, code: str, structures: Sequence[str], judged: Sequence[Judged]) -> StructureFit | None:
    from shared_models.segmentation_metrics import fits

    value = 1 + structures.index(code)
    drawn = [each for each in judged if (each.truth.mask == value).any()]
    if not drawn:
        return None
    each = [
        fits(one.seen.mask(code).astype(np.uint8), (one.truth.mask == value).astype(np.uint8), {code: 1}, 1.0)[code]
        for one in drawn
    ]
    spacing = np.array([one.truth.spacing_mm or np.nan for one in drawn])
    patients = [one.truth.case.patient for one in drawn]
    return StructureFit(
        by=by,
        structure=code,
        images=len(drawn),
        patients=len(set(patients)),
        dice=interval([fit.dice for fit in each], patients),
        hausdorff_mm=interval(spacing * [fit.hausdorff_mm for fit in each], patients),
        hausdorff_95_mm=interval(spacing * [fit.hausdorff_95_mm for fit in each], patients),
        missed=sum(not one.seen.mask(code).any() for one in drawn),
    )


def _fraction(by: str, judged: Sequence[Judged], known: Mapping[int, float]) -> EjectionFraction | None:
    """Where patients have both views at both moments, and their ejection fraction is known."""
    from shared_models.ejection_fraction import ejection_fraction

    places: dict[str, dict[tuple[str, str], Judged]] = {}
    for each in judged:
        places.setdefault(each.truth.case.patient, {})[each.truth.view, each.truth.moment] = each
    wanted = [(view, moment) for moment in ("ED", "ES") for view in (FOUR, TWO)]
    differences, patients, unreadable = [], [], 0
    for patient, found in places.items():
        if not all(place in found and found[place].truth.spacing_mm for place in wanted):
            continue
        true = known.get(found[wanted[0]].truth.case.id)
        if true is None:
            continue
        four, two, late_four, late_two = (_chamber(found[place]) for place in wanted)
        try:
            differences.append(ejection_fraction((four, two), (late_four, late_two)) - true)
            patients.append(patient)
        except ValueError:
            unreadable += 1
    if not differences and not unreadable:
        return None
    return EjectionFraction(
        by=by,
        patients=len(patients),
        error=interval(np.abs(np.array(differences, dtype=np.float64)), patients),
        bias=interval(differences, patients),
        unreadable=unreadable,
    )


def _chamber(each: Judged) -> Chamber:
    from shared_models.ejection_fraction import Chamber

    assert each.truth.spacing_mm
    return Chamber(each.seen.mask(LV), each.seen.mask(MYOCARDIUM), each.truth.spacing_mm, each.seen.mask(LA))
