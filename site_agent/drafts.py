"""A draft: what a task would like to send, with the facts that the disclosure filters need, held against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np

from federated.disclosure import Cell, Facts
from federated.errors import ContractError, DisclosureError
from federated.manifest import (
    SITE_KINDS,
    ConsultationManifest,
    Contribution,
    FeaturesManifest,
    Manifest,
    ReportManifest,
    StatisticsManifest,
    SummaryManifest,
    Tensors,
    UpdateManifest,
    WithdrawalManifest,
    manifest_bytes,
    manifest_digest,
    own_gram_name,
    pack_tensors,
    parse_manifest,
    unpack_tensors,
)
from federated.shapes import check_shapes
from federated.vocabulary import Vocabulary
from site_agent.decisions.sums import FLAGGED, FOLD, NO_LABEL
from site_agent.standing import about

STEPS = "steps"  # in the facts of a report: patients whose label tells how an answer goes down from a concept


@dataclass(frozen=True)
class Draft:
    """A manifest and its tensors, and the patients behind them (who stay here)."""

    manifest: Manifest
    tensors: bytes
    facts: Facts

    @property
    def digest(self) -> str:
        """Digest of the manifest: the parcel's, once it is sealed."""
        return manifest_digest(self.manifest)


def withdrawal_draft(federation: str, site: str, contributions: Sequence[str]) -> Draft:
    """The message that takes contributions back. It holds nothing of a patient."""
    data, specs, tensors_digest = pack_tensors({})
    manifest = WithdrawalManifest(
        federation=federation,
        tensors=specs,
        tensors_digest=tensors_digest,
        site=site,
        contributions=tuple(sorted(contributions)),
    )
    return Draft(manifest, data, Facts("withdrawal", None, None, {}, 0.0, len(data)))


def check_draft(draft: Draft, *, federation: str, site: str, vocabulary: Vocabulary) -> None:
    """Whether a draft is what its manifest says, is this site's, and its facts do not understate it.

    Raises:
        ContractError: the manifest or its tensors are not what the contract says.
        DisclosureError: another site's, a label outside the vocabulary, or facts that do not cover what is in it.
    """
    manifest = parse_manifest(manifest_bytes(draft.manifest))
    if manifest.kind not in SITE_KINDS or (manifest.federation, manifest.site) != (federation, site):
        raise _refusal("address", f"a '{manifest.kind}' of another site or federation", "draft it anew in this home")
    check_shapes(manifest)
    tensors = unpack_tensors(draft.tensors, manifest)
    unknown = set(getattr(manifest, "labels", ())) - set(vocabulary.codes)
    if unknown:
        raise _refusal("vocabulary", f"labels {sorted(unknown)} are not in the vocabulary", "map them when ingesting")
    for found in _understated(manifest, tensors, draft):
        raise _refusal("facts", found, "this is a mistake in the task: report it")


def _refusal(name: str, what: str, cure: str) -> DisclosureError:
    return DisclosureError(what, filter_name=name, cure=cure)


def _understated(manifest: Any, tensors: Tensors, draft: Draft) -> list[str]:
    facts = draft.facts
    found = []
    if (facts.kind, facts.size, facts.level) != (manifest.kind, len(draft.tensors), getattr(manifest, "level", None)):
        found.append("the facts are about another kind, size or level")
    if (facts.features or 0) < _matrix_width(manifest):
        found.append(f"a matrix over {_matrix_width(manifest)} features is in it, the facts say {facts.features}")
    for kind, check in CHECKS.items():
        if isinstance(manifest, kind):
            found += check(manifest, tensors, facts)
    return found


def _matrix_width(manifest: Any) -> int:
    """Features of the largest Gram or covariance matrix inside."""
    if isinstance(manifest, StatisticsManifest):
        return manifest.features if manifest.level == 2 else 0
    if isinstance(manifest, ReportManifest):
        rows, packed = manifest.tensors["covariance"].shape
        return (isqrt(8 * packed + 1) - 1) // 2 if rows else 0
    return 0


def _contribution(manifest: Contribution, _: Tensors, facts: Facts) -> list[str]:
    counts = {label: len(_patients(facts, label=label)) for label in manifest.labels}
    found = [
        f"the manifest counts more patients with '{label}' than the facts"
        for label, count in manifest.patients.items()
        if count > counts[label]
    ]
    if manifest.batch_patients > len(_patients(facts)):
        found.append("the manifest counts more patients than the facts")
    return found + [f"the facts hold no patient with '{label}'" for label, count in counts.items() if not count]


def _statistics(manifest: StatisticsManifest, tensors: Tensors, facts: Facts) -> list[str]:
    present: set[Cell] = {
        (fold, manifest.labels[column])
        for fold in manifest.folds
        for column in np.flatnonzero(tensors[f"{fold}.weights"] + np.abs(tensors[f"{fold}.class_sums"]).sum(axis=0))
    }
    own = [(fold, index, label) for fold in manifest.folds for index, label in enumerate(manifest.coarse)]
    present |= {(fold, label) for fold, index, label in own if tensors[own_gram_name(fold, index)].any()}
    untold = [f"label '{label}' has a matrix of its own" for label in manifest.coarse if label not in facts.coarse]
    return untold + _uncovered(present, facts)


def _features(manifest: FeaturesManifest | ConsultationManifest, tensors: Tensors, facts: Facts) -> list[str]:
    found: list[str] = []
    present: set[Cell] = set()
    for fold in manifest.folds:
        columns = np.unique(tensors[f"{fold}.label"])
        if columns.size and not (columns[0] >= 0 and columns[-1] < len(manifest.labels)):
            raise ContractError("an index points to no label", where=f"{fold}.label")
        present |= {(fold, manifest.labels[column]) for column in columns}
        if np.unique(tensors[f"{fold}.patient"]).size > len(_patients(facts, fold=fold)):
            found.append(f"fold '{fold}' numbers more patients than the facts hold")
    return found + _uncovered(present, facts)


def _report(manifest: ReportManifest, tensors: Tensors, facts: Facts) -> list[str]:
    counts = {"validation": manifest.validation_patients, "calibration": manifest.calibration_patients}
    crossed = len(_patients(facts, fold="train")) + len(_patients(facts, fold="validation"))
    short = [fold for fold, count in counts.items() if count > len(_patients(facts, fold=fold))]
    found = [f"the manifest counts more patients in '{fold}' than the facts" for fold in short]
    if manifest.cross_fitted_patients > crossed:
        found.append("the manifest counts more cross-fitted patients than the facts")
    for row, concept in enumerate(manifest.steps):
        patients = len(_patients(facts, fold=STEPS, label=concept))
        if patients < max(int(tensors[f"steps.{unit}"][row].sum()) for unit in ("image", "clip")):
            found.append(f"more patients are counted below '{concept}' than the facts hold")
    return found + _uncovered({("train", label) for label in manifest.labels}, facts)


def _update(manifest: UpdateManifest, _: Tensors, facts: Facts) -> list[str]:
    found = [] if facts.about == about(manifest.task, manifest.model) else ["the facts are about another model"]
    return found + _uncovered({("train", label) for label in manifest.labels}, facts)


def _summary(manifest: SummaryManifest, tensors: Tensors, facts: Facts) -> list[str]:
    more = manifest.patients > len(_patients(facts, fold=FOLD))
    counted = {FOLD: tensors["answered"], FLAGGED: tensors["flagged"]}
    present = {(fold, manifest.labels[column]) for fold, counts in counted.items() for column in np.flatnonzero(counts)}
    present |= {(FOLD, NO_LABEL)} if tensors["abstained"].any() else set()
    return (["the manifest counts more patients than the facts"] if more else []) + _uncovered(present, facts)


CHECKS: dict[type[Manifest], Callable[[Any, Tensors, Facts], list[str]]] = {
    Contribution: _contribution,
    StatisticsManifest: _statistics,
    FeaturesManifest: _features,
    ConsultationManifest: _features,
    UpdateManifest: _update,
    ReportManifest: _report,
    SummaryManifest: _summary,
}


def _uncovered(present: set[Cell], facts: Facts) -> list[str]:
    missing = sorted(cell for cell in present if not facts.cells.get(cell))
    return [f"label '{label}' of fold '{fold}' is in it, the facts hold no patient" for fold, label in missing]


def _patients(facts: Facts, *, fold: str | None = None, label: str | None = None) -> frozenset[str]:
    sets = (
        patients
        for (its_fold, its_label), patients in facts.cells.items()
        if fold in (None, its_fold) and label in (None, its_label)
    )
    return frozenset().union(*sets)
