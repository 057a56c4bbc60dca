"""Every site's part in a release, or in the answers of a file of predictions, as rows that add up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from federated.decision import Decision
from federated.manifest import Frozen, ReleaseManifest


class SitePart(Frozen):
    """One site in a release."""

    site: str
    labels: tuple[str, ...]
    patients: int
    contributions: int
    gram: str
    calibration: str
    calibration_patients: int
    expert: str


class AnswerPart(Frozen):
    """One site's mean part in the answers with one label, of images or of clips.

    `weight` is the mean in-distribution weight, `contribution` the mean part of the label's score, `evidence` the mean
    share; of ``prior``, ``disagreement`` and ``other`` there is evidence only.
    """

    unit: str
    label: str
    answers: int
    site: str
    weight: float | None
    contribution: float | None
    evidence: float | None


def site_parts(manifest: ReleaseManifest) -> list[SitePart]:
    """One row a site, in the release's order."""
    experts = {expert.site: expert.architecture for expert in manifest.experts}
    return [
        SitePart(
            site=site.name,
            labels=site.labels,
            patients=sum(site.patients.values()),
            contributions=len(site.contributions),
            gram=site.gram,
            calibration=site.calibration,
            calibration_patients=site.calibration_patients,
            expert=experts.get(site.name, ""),
        )
        for site in manifest.sites
    ]


def answer_parts(decisions: Iterable[Decision]) -> list[AnswerPart]:
    """Means over the decisions whose best label is the row's (also where the answer was withheld)."""
    groups: dict[tuple[str, str], list[Decision]] = defaultdict(list)
    for decision in decisions:
        groups["clip" if decision.image is None else "image", decision.best].append(decision)
    return [
        _part(unit, label, name, group) for (unit, label), group in sorted(groups.items()) for name in _names(group)
    ]


def _names(group: list[Decision]) -> list[str]:
    """Sites first, then what is nobody's."""
    sites = sorted({name for decision in group for name in decision.weights})
    shares = {name for decision in group for name in decision.evidence}
    return sites + sorted(shares - set(sites))


def _part(unit: str, label: str, name: str, group: list[Decision]) -> AnswerPart:
    return AnswerPart(
        unit=unit,
        label=label,
        answers=len(group),
        site=name,
        weight=_mean(decision.weights.get(name) for decision in group),
        contribution=_mean(decision.contributions[label].get(name) for decision in group),
        evidence=_mean(decision.evidence.get(name) for decision in group),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    """Mean over all; a part that some decisions lack counts as nothing there."""
    known = list(values)
    if all(value is None for value in known):
        return None
    return sum(value or 0.0 for value in known) / len(known)


def release_facts(manifest: ReleaseManifest) -> dict[str, Any]:
    """How a release was fused: what is the same for every site."""
    return {
        "number": manifest.number,
        "kind": manifest.kind,
        "labels": list(manifest.labels),
        "front_end": manifest.front_end.name,
        "rule": manifest.rule,
        **manifest.hyperparameters.model_dump(mode="json"),
        "weighting": manifest.weighting,
        "alpha": manifest.alpha,
        "temperature": manifest.temperature,
    }
