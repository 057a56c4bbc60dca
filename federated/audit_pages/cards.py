"""What is said of one expert in one release: what it holds, where it is strong, where it must not be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from federated.manifest import Frozen, ReleaseManifest

FEW_PATIENTS = 20
FEW_CLIPS = 10
STRONG, WEAK = 0.9, 0.7  # share of a hospital's own clips that the release answers rightly
FOREIGN = 0.5  # share of another hospital's clips for which an expert is qualified
CALIBRATIONS = {
    "own": "its own patients",
    "cross-fitted": "its own patients, scored by fits without them",
    "pooled": "all hospitals' patients together, because it reported too few",
    "none": "nobody: it counts as qualified for everything",
}
GRAMS = {"released": "in the release", "kept": "kept back", "imputed": "imputed"}


class Card(Frozen):
    """One expert: of each of its labels how many patients, and what became of its hospital's own validation clips.

    `recalls` is label -> (rightly answered, clips).
    """

    site: str
    patients: dict[str, int]
    contributions: tuple[str, ...]
    gram: str
    calibration: str
    calibration_patients: int
    report: str | None
    architecture: str
    recalls: dict[str, tuple[int, int]]


def cards_of(manifest: ReleaseManifest, confusions: Mapping[str, Sequence[Sequence[int]]]) -> list[Card]:
    """One for each site of a release; `confusions` are the reports' counts, rows the truth."""
    networks = {expert.site: expert.architecture for expert in manifest.experts}
    return [
        Card(
            site=site.name,
            patients={label: int(site.patients.get(label, 0)) for label in site.labels},
            contributions=site.contributions,
            gram=site.gram,
            calibration=site.calibration,
            calibration_patients=site.calibration_patients,
            report=site.report,
            architecture=networks.get(site.name, ""),
            recalls=recalls_of(manifest.labels, confusions.get(site.name, ())),
        )
        for site in manifest.sites
    ]


def recalls_of(labels: Sequence[str], confusion: Sequence[Sequence[int]]) -> dict[str, tuple[int, int]]:
    """Label -> (rightly answered, clips), of labels that were counted."""
    counted = ((label, int(row[place]), int(sum(row))) for place, (label, row) in enumerate(zip(labels, confusion)))  # noqa: B905 - without a report there is no row
    return {label: (right, total) for label, right, total in counted if total}


def strong(card: Card) -> list[str]:
    """Labels of its own that are answered well before its hospital's patients."""
    return [label for label, share in _shares(card).items() if share >= STRONG]


def weak(card: Card) -> list[str]:
    """Labels of its own that are answered badly there."""
    return [label for label, share in _shares(card).items() if share < WEAK]


def thin(card: Card) -> list[str]:
    """Labels that it knows from few patients."""
    return [label for label, count in card.patients.items() if count < FEW_PATIENTS]


def unknown(card: Card, labels: Sequence[str]) -> list[str]:
    """Labels of the release that it has never seen."""
    return [label for label in labels if label not in card.patients]


def uncalibrated(card: Card) -> bool:
    """Whether its p-values are not its own patients'."""
    return card.calibration in {"pooled", "none"}


def _shares(card: Card) -> dict[str, float]:
    counted = {label: found for label, found in card.recalls.items() if label in card.patients}
    return {label: right / clips for label, (right, clips) in counted.items() if clips >= FEW_CLIPS}
