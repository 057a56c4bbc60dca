"""A candidate held against a change plan, from the sites' reports and manifests alone.

Whoever has these computes it again, to the same bytes; approvals name their digest. Figures of the candidate are counts
of the sites' own held-back patients:

``balanced-accuracy``: mean over labels of the share of clips that were answered rightly; ``recall``: that share of one
label; ``drop``: how far either fell since the release before; ``answered``: share of calibration patients whose images
their own site does not refuse; ``changed-sites``: sites of the release before that are made of other contributions now;
``reporting-sites`` and ``calibrated-sites``: how many sent a report, and one with patients enough to be calibrated by
it; ``validation-patients``: how many were counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from federated.canonical import canonical, digest
from federated.change_plan import Change, Criterion, Planned, changed_sites, changes
from federated.contract import Digest, Frozen, Name, Tensors
from federated.errors import ContractError, cannot_read
from federated.faults import first_fault
from federated.in_distribution import ALONE, BINS, calibration_source, p_values
from federated.manifest import ReleaseManifest, ReportManifest, manifest_digest

DECIMALS = 9
MAX_BYTES = 2**20
NO_RELEASE_BEFORE = "no release before"


@dataclass(frozen=True)
class Reported:
    """A site's report, whose contents were checked."""

    digest: str
    manifest: ReportManifest
    tensors: Tensors


@dataclass(frozen=True)
class Judged:
    """A candidate or release with the reports about it, by site."""

    manifest: ReleaseManifest
    reports: Mapping[str, Reported]

    def confusion(self, site: str | None) -> NDArray[np.int64] | None:
        """(C, C) clips by (true, answered), of a site or of all; None where nobody counted."""
        own = [each for name, each in self.reports.items() if site in (None, name)]
        return np.sum([each.tensors["confusion"] for each in own], axis=0) if own else None

    @property
    def sites(self) -> list[str]:
        """Names of the sites in it."""
        return [site.name for site in self.manifest.sites]


class Finding(Frozen):
    """What was found for one criterion.

    Attributes:
        found: the figure; None where it is not known.
        ok: whether it is within the limits.
        note: at which site or of which label, where the worst of several counts, or why there is no figure.
    """

    criterion: Criterion
    found: float | None
    ok: bool
    note: str = ""


class Assessment(Frozen):
    """Everything that approvers approve of a candidate.

    Attributes:
        candidate: digest.
        plan: digest.
        before: digest of the release that it is compared with.
        reports: digests, by site.
        changes: what differs from the release before.
        outside: those of them that the plan does not allow.
        findings: one a criterion, in the plan's order.
    """

    version: Literal[1] = 1
    federation: Name
    candidate: Digest
    plan: Digest
    before: Digest | None
    reports: dict[Name, Digest]
    changes: tuple[Change, ...]
    outside: tuple[Change, ...]
    findings: tuple[Finding, ...]

    def to_bytes(self) -> bytes:
        """Canonical JSON."""
        return canonical(self.model_dump(mode="json"))

    @property
    def digest(self) -> str:
        """By which approvals name it."""
        return digest(self.to_bytes())

    @property
    def failed(self) -> tuple[Finding, ...]:
        """Criteria that are not met."""
        return tuple(finding for finding in self.findings if not finding.ok)


def assess(planned: Planned, candidate: Judged, before: Judged | None) -> Assessment:
    """A candidate, with the reports that are here, held against a plan and the release before.

    Args:
        planned: the plan.
        candidate: what is to be released.
        before: the release that the candidate names as the one before it, with the reports that calibrated it.
    """
    differs = changes(before.manifest if before else None, candidate.manifest)
    return Assessment(
        federation=candidate.manifest.federation,
        candidate=manifest_digest(candidate.manifest),
        plan=planned.digest,
        before=manifest_digest(before.manifest) if before else None,
        reports={site: each.digest for site, each in sorted(candidate.reports.items())},
        changes=differs,
        outside=tuple(each for each in differs if each not in planned.plan.may_change),
        findings=tuple(_finding(criterion, candidate, before) for criterion in planned.plan.criteria),
    )


def read_assessment(path: Path) -> Assessment:
    """An assessment from its file, in the form that approvals name the digest of.

    Raises:
        ConsiliumError: it cannot be read, is too long, or is none.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise cannot_read(path, error) from error
    if len(data) > MAX_BYTES:
        raise ContractError(f"more than {MAX_BYTES} bytes are no assessment", where=str(path))
    try:
        found = Assessment.model_validate_json(data)
    except ValidationError as error:
        cure = "ask the coordinator for one: consilium coordinator approve --figures FILE"
        raise ContractError(first_fault(error), where=str(path), cure=cure) from error
    if found.to_bytes() != data:
        raise ContractError("is not in canonical form (RFC 8785)", where=str(path))
    return found


def require_planned(assessment: Assessment, planned: Planned) -> None:
    """Whether verdicts follow from the figures and the plan; the figures themselves are computed from reports.

    Raises:
        ContractError: they are of another plan, or say something else of a figure or a change than it does.
    """
    if assessment.plan != planned.digest:
        raise ContractError("is held against another plan than this one", where="assessment")
    if tuple(finding.criterion for finding in assessment.findings) != planned.plan.criteria:
        raise ContractError("has other criteria than the plan", where="assessment")
    for finding in assessment.findings:
        first = finding.criterion.measure in AGAINST_BEFORE and assessment.before is None
        met = first or finding.criterion.met(finding.found)
        if finding.ok != met:
            said = "met" if finding.ok else "not met"
            raise ContractError(f"calls {finding.criterion.measure} {said}, which it is not", where="assessment")
    if assessment.outside != tuple(each for each in assessment.changes if each not in planned.plan.may_change):
        raise ContractError("says something else than the plan of what may change", where="assessment")


def _finding(criterion: Criterion, candidate: Judged, before: Judged | None) -> Finding:
    if criterion.measure in AGAINST_BEFORE and before is None:
        return Finding(criterion=criterion, found=None, ok=True, note=NO_RELEASE_BEFORE)
    found, note = _worst(criterion, candidate, before)
    return Finding(criterion=criterion, found=found, ok=criterion.met(found), note=note)


def _worst(criterion: Criterion, candidate: Judged, before: Judged | None) -> tuple[float | None, str]:
    """The figure, or of several the first that is not known, else the worst, with its name."""
    figures = _figures(criterion, candidate, before)
    if not figures:
        return None, "nothing to count"
    unknown = [name for name, figure in figures if figure is None]
    if unknown:
        return None, unknown[0] or "nobody counted"
    sign = 1.0 if criterion.at_least is not None else -1.0
    known = [(figure, name) for name, figure in figures if figure is not None]
    return min(known, key=lambda item: (criterion.met(item[0]), sign * item[0], item[1]))


def _figures(criterion: Criterion, candidate: Judged, before: Judged | None) -> list[tuple[str, float | None]]:
    """Name and figure, one for each site or label where the criterion is about each of them."""
    measure = MEASURES[criterion.measure]
    if criterion.each == "site":
        names: Sequence[str] = _compared(candidate.sites, before.sites if before else None, criterion)
        return [(name, _rounded(measure(candidate, before, name, criterion.label))) for name in names]
    if criterion.each == "label":
        labels = before.manifest.labels if before else None
        names = _compared(candidate.manifest.labels, labels, criterion)
        return [(name, _rounded(measure(candidate, before, criterion.site, name))) for name in names]
    return [("", _rounded(measure(candidate, before, criterion.site, criterion.label)))]


def _compared(now: Sequence[str], before: Sequence[str] | None, criterion: Criterion) -> list[str]:
    """What has come since cannot have fallen."""
    return [name for name in now if criterion.measure not in AGAINST_BEFORE or before is None or name in before]


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(float(figure), DECIMALS)


def recalls(judged: Judged, site: str | None) -> dict[str, float]:
    """Label -> share of its clips that were answered rightly, of labels that were counted."""
    confusion = judged.confusion(site)
    if confusion is None:
        return {}
    totals = confusion.sum(axis=1)
    labels = judged.manifest.labels
    return {
        label: int(confusion[row, row]) / int(totals[row]) for row, label in enumerate(labels) if int(totals[row]) > 0
    }


def _balanced(judged: Judged, site: str | None, among: Sequence[str] | None = None) -> float | None:
    found = [share for label, share in recalls(judged, site).items() if among is None or label in among]
    return sum(found) / len(found) if found else None


def _balanced_accuracy(candidate: Judged, _: Judged | None, site: str | None, _label: str | None) -> float | None:
    return _balanced(candidate, site)


def _recall(candidate: Judged, _: Judged | None, site: str | None, label: str | None) -> float | None:
    return recalls(candidate, site).get(str(label))


def _drop(candidate: Judged, before: Judged | None, site: str | None, label: str | None) -> float | None:
    """Over the labels that were counted both times, so that a new one is not held against the others."""
    assert before is not None
    both = [one for one in recalls(before, site) if one in recalls(candidate, site) and label in (None, one)]
    was, now = (_balanced(judged, site, both) for judged in (before, candidate))
    return None if was is None or now is None else was - now


def _answered(candidate: Judged, _: Judged | None, site: str | None, _label: str | None) -> float | None:
    """Share of calibration patients with a p-value above alpha at their own site, calibrated as the release will be."""
    counted = {name: each.tensors["calibration.clip"] for name, each in candidate.reports.items()}
    pooled = np.sum(list(counted.values()), axis=0) if counted else np.zeros(len(BINS) - 1, np.int64)
    accepted = total = 0
    for name, own in counted.items():
        if site not in (None, name) or own.sum() == 0:
            continue
        alone = calibration_source(int(own.sum()), int(pooled.sum()), candidate.manifest.alpha) == ALONE
        p = p_values((BINS[:-1] + BINS[1:]) / 2, own if alone else pooled)
        accepted += int(own[p > candidate.manifest.alpha].sum())
        total += int(own.sum())
    return accepted / total if total else None


def _changed_sites(candidate: Judged, before: Judged | None, _site: str | None, _label: str | None) -> float | None:
    assert before is not None
    return float(len(changed_sites(before.manifest, candidate.manifest)))


def _reporting_sites(candidate: Judged, _: Judged | None, _site: str | None, _label: str | None) -> float | None:
    return float(len(candidate.reports))


def _calibrated_sites(candidate: Judged, _: Judged | None, _site: str | None, _label: str | None) -> float | None:
    alpha = candidate.manifest.alpha
    own = [int(each.tensors["calibration.clip"].sum()) for each in candidate.reports.values()]
    return float(sum(calibration_source(count, count, alpha) == ALONE for count in own))


def _validation_patients(candidate: Judged, _: Judged | None, site: str | None, _label: str | None) -> float | None:
    own = [each.manifest for name, each in candidate.reports.items() if site in (None, name)]
    return float(sum(manifest.validation_patients for manifest in own)) if own else None


MEASURES: dict[str, Callable[[Judged, Judged | None, str | None, str | None], float | None]] = {
    "balanced-accuracy": _balanced_accuracy,
    "recall": _recall,
    "drop": _drop,
    "answered": _answered,
    "changed-sites": _changed_sites,
    "reporting-sites": _reporting_sites,
    "calibrated-sites": _calibrated_sites,
    "validation-patients": _validation_patients,
}
AGAINST_BEFORE = ("drop", "changed-sites")
