"""What a site tells of its decisions: floored sums, with the counts behind them.

Tensors of a summary, over its C labels and K sites:

    answered          (C,)    clips that were answered with the label
    abstained         (2,)    clips that were not, by `REASONS`
    weights           (C, K)  sums of the sites' weights over what was answered
    contributions     (C, K)  sums of what each site added to the score of the best label
    evidence          (C, K + 3)  sums of the shares of evidence: sites, then `REST`
    qualified         (K,)    clips for which the site is qualified (p > alpha), of all that are counted
    drift             (10,)   clips by this site's own p-value, in tenths; nothing where the release has no calibration
    flagged, wrong, wrong_confident  (C,)  answers with this label whose truth was told, by flags of the same records;
                              those that were wrong; those that were wrong with a probability of `CONFIDENT` or more

A clip's best label lies below the one it is answered with where a step down was not sure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from federated.contract import Tensors
from federated.descent import tree_of
from federated.errors import ContractError

if TYPE_CHECKING:
    from federated.manifest import ReleaseManifest, SummaryManifest
    from federated.shapes import Shapes

NOBODY_QUALIFIED, OTHERWISE = "nobody-qualified", "other"
REASONS = (NOBODY_QUALIFIED, OTHERWISE)
REST = ("prior", "disagreement", "other")
DRIFT_BINS = 10
CONFIDENT = 0.9
FLAGS = ("flagged", "wrong", "wrong_confident")
SUMS = ("weights", "contributions", "evidence")
ROUNDING = 1e-6


def concepts_of(release: ReleaseManifest) -> tuple[str, ...]:
    """What a release may answer with: its labels, then the concepts above them where an answer may stop."""
    below = tree_of(release.vocabulary, release.labels).below
    return (*release.labels, *sorted(set(below) - set(release.labels)))


def shapes_of(manifest: SummaryManifest) -> Shapes:
    """Of a summary's tensors."""
    labels, sites = len(manifest.labels), len(manifest.sites)
    columns = {"weights": sites, "contributions": sites, "evidence": sites + len(REST)}
    return {
        "answered": ("I64", (labels,)),
        "abstained": ("I64", (len(REASONS),)),
        "qualified": ("I64", (sites,)),
        "drift": ("I64", (DRIFT_BINS,)),
        **dict.fromkeys(FLAGS, ("I64", (labels,))),
        **{name: ("F64", (labels, width)) for name, width in columns.items()},
    }


def cells_of(manifest: SummaryManifest) -> dict[str, tuple[str, int]]:
    """Each count that a summary has, by its name (``answered.a4c``): the tensor, and the place in it."""
    names = {
        "answered": manifest.labels,
        "abstained": REASONS,
        "qualified": manifest.sites,
        "drift": tuple(str(number) for number in range(DRIFT_BINS)),
        **dict.fromkeys(FLAGS, manifest.labels),
    }
    return {f"{tensor}.{name}": (tensor, place) for tensor, each in names.items() for place, name in enumerate(each)}


def check_summary(manifest: SummaryManifest, tensors: Tensors, release: ReleaseManifest) -> None:
    """Whether a summary is of its release, and its numbers do not contradict each other.

    Raises:
        ContractError: they do; it says which.
    """
    if manifest.labels != concepts_of(release):
        raise ContractError("are not what its release may answer with", where="labels")
    if manifest.sites != tuple(site.name for site in release.sites):
        raise ContractError("are not those of its release", where="sites")
    for name, wrong in _contradictions(manifest, tensors):
        raise ContractError(wrong, where=f"summary, {name}")


def _contradictions(manifest: SummaryManifest, tensors: Tensors) -> Iterator[tuple[str, str]]:
    """What is wrong, and in which tensor."""
    for name in ("answered", "abstained", "qualified", "drift", *FLAGS):
        if (tensors[name] < 0).any() or (tensors[name] > manifest.decisions + manifest.last + 1).any():
            yield name, "counts less than nothing, or more than there are records"
            return
    told = int(tensors["answered"].sum() + tensors["abstained"].sum())
    if told != manifest.decisions or told > manifest.last - manifest.first + 1:
        yield "answered", f"counts {told} decisions, {manifest.decisions} are declared"
    if manifest.patients > manifest.decisions or (manifest.patients == 0) != (manifest.decisions == 0):
        yield "patients", f"{manifest.patients} patients cannot be behind {manifest.decisions} decisions"
    for name, count in (("qualified", tensors["qualified"].max()), ("drift", tensors["drift"].sum())):
        if count > told:
            yield name, f"counts {count} of {told} decisions"
    yield from _wrong_sums(tensors["answered"], tensors)
    yield from _wrong_flags(manifest, tensors)
    yield from _wrong_cells(manifest, tensors)


def _wrong_sums(answered: NDArray[np.int64], tensors: Tensors) -> Iterator[tuple[str, str]]:
    for name in SUMS:
        if not np.isfinite(tensors[name]).all() or tensors[name][answered == 0].any():
            yield name, "sums over no answer, or is no number"
    weights, slack = tensors["weights"], ROUNDING * np.maximum(answered, 1)
    if (weights < 0).any() or (weights > (answered + slack)[:, None]).any():
        yield "weights", "are not sums of weights from 0 to 1"
    if (np.abs(tensors["evidence"].sum(axis=1) - answered) > slack).any():
        yield "evidence", "shares do not add up to one for each answer"


def _wrong_flags(manifest: SummaryManifest, tensors: Tensors) -> Iterator[tuple[str, str]]:
    flagged, wrong, confident = (tensors[name] for name in FLAGS)
    if int(flagged.sum()) > manifest.last - manifest.first + 1:
        yield "flagged", "counts more flags than there are records"
    if (wrong > flagged).any() or (confident > wrong).any():
        yield "wrong", "counts more wrong answers than flagged ones, or more confident ones than wrong ones"


def _wrong_cells(manifest: SummaryManifest, tensors: Tensors) -> Iterator[tuple[str, str]]:
    cells = cells_of(manifest)
    if len(set(manifest.suppressed)) != len(manifest.suppressed):
        yield "suppressed", "names a cell twice"
    for name in manifest.suppressed:
        tensor, place = cells.get(name, ("", 0))
        if not tensor or tensors[tensor][place]:
            yield "suppressed", f"'{name}' is no cell of it, or is told all the same"
