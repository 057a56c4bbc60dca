"""The contest on real lung ultrasound: four sources arrive one after another, many splits by patient, no Flower.

Every method sees the same features, folds and sample weights. Hyper-parameters come from validation statistics, never from
held-back clips. Intervals are over patients within their sites (resampled alike for both methods of a difference) and, for
differences, also over splits. With so few patients most methods cannot be told apart; the notes say which can.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.claims import Claim, Measured, Row, at_most, told
from benchmarks.lung_data import LABELS, ORDER, STRANGE_PROBE, Images, Shot, load_images, split, without
from benchmarks.lung_methods import FUSED, METHODS, Predictor, contestants, fused, released
from deploy.demo.baselines import SiteFolds
from deploy.demo.evaluation import Answers, HeldBack, Interval, difference, share
from federated.disclosure import Limits
from federated.report import LocalFold
from site_agent.progress import track

SEEDS, QUICK_SEEDS = 20, 1
OURS = FUSED["refit"]
COUNTED = "fused experts, refit, minimum counts of 5"
HELD_BACK = "Held-back clips, all four sites have arrived"
INSIDE = "Healthy against pneumonia inside northumbria, balanced accuracy"
TO_COME = "Held-back clips of sites to come, labels known"
LEFT_OUT = "All clips of a site left out, labels known"
PROBE = "Clips of a probe that no site trained on (linear)"
UNKNOWN = "Clips of a label that no site trained on"
PAIR = ("healthy", "pneumonia")


@dataclass(frozen=True)
class Line:
    """One clip that was asked about in one split, and every method's forced answer, among all and among two labels."""

    question: str
    seed: int
    site: str
    patient: str
    clip: str
    label: str
    answers: Mapping[str, str | None]
    among_pair: Mapping[str, str | None]
    refused: Mapping[str, bool]


def measure(*, quick: bool) -> Measured:
    """The contest over many splits."""
    images = load_images()
    seeds = range(QUICK_SEEDS if quick else SEEDS)
    with threadpool_limits(1):
        lines = [line for seed in track(seeds, total=len(seeds), what="splits") for line in one_split(images, seed)]
    return report(lines, seeds=len(seeds))


def one_split(images: Images, seed: int) -> list[Line]:
    """All questions on one split by patient."""
    shots, strange = without(images.shots, lambda shot: shot.probe == STRANGE_PROBE)
    sites = split(images, shots, seed)
    everyone = contestants(sites, seed=seed)
    counted = split(images, shots, seed, Limits())
    lines: list[Line] = []
    for site in sites:
        extra = {COUNTED: fused(released(counted), "refit")} if counted else {}
        lines += ask(HELD_BACK, seed, everyone | extra, site.name, site.test, LABELS)
    trained = {patient for site in sites for patient in site.train.patients}
    for name in ORDER:
        clips = images.fold([shot for shot in strange if shot.site == name and shot.patient not in trained])
        lines += ask(PROBE, seed, everyone, name, clips, LABELS)
    lines += _sites_to_come(sites, seed)
    lines += _sites_left_out(images, shots, sites, seed)
    return lines + _unknown_labels(images, shots, seed)


def _sites_to_come(sites: Sequence[SiteFolds], seed: int) -> list[Line]:
    lines: list[Line] = []
    for arrived in range(2, len(sites)):
        predictors = contestants(sites[:arrived], seed=seed)
        for site in sites[arrived:]:
            lines += ask(TO_COME, seed, predictors, site.name, site.test, _labels(sites[:arrived]))
    return lines


def _sites_left_out(images: Images, shots: Sequence[Shot], sites: Sequence[SiteFolds], seed: int) -> list[Line]:
    lines: list[Line] = []
    for left in sites:
        others = [site for site in sites if site is not left]
        clips = images.fold([shot for shot in shots if shot.site == left.name])
        lines += ask(LEFT_OUT, seed, contestants(others, seed=seed), left.name, clips, _labels(others))
    return lines


def _unknown_labels(images: Images, shots: Sequence[Shot], seed: int) -> list[Line]:
    lines: list[Line] = []
    for label in LABELS:
        rest, gone = without(shots, lambda shot, label=label: shot.label == label)  # type: ignore[misc]
        sites = split(images, rest, seed)
        if len(_labels(sites)) > 1 and len(sites) == len(ORDER):
            predictor = fused(released(sites), "refit")
            for name in ORDER:
                clips = images.fold([shot for shot in gone if shot.site == name])
                lines += ask(UNKNOWN, seed, {OURS: predictor}, name, clips, (label,))
    return lines


def _labels(sites: Sequence[SiteFolds]) -> tuple[str, ...]:
    return tuple(sorted({label for site in sites for label in site.train.labels}))


def ask(
    question: str,
    seed: int,
    predictors: Mapping[str, Predictor],
    site: str,
    fold: LocalFold,
    labels: Sequence[str],
) -> list[Line]:
    """Every method's answers to the clips of a site that show one of the labels."""
    facts = dict(zip(fold.clips, zip(fold.patients, fold.labels, strict=True), strict=True))
    if not facts:
        return []
    scored = {name: predictor(site, fold) for name, predictor in predictors.items()}
    free = {name: one.answers() for name, one in scored.items()}
    pair = {name: one.answers(PAIR) for name, one in scored.items()}
    return [
        Line(
            question,
            seed,
            site,
            patient,
            clip,
            label,
            answers={name: found[row] for name, found in free.items()},
            among_pair={name: found[row] for name, found in pair.items()},
            refused={name: bool(one.refused[row]) for name, one in scored.items()},
        )
        for row, (clip, (patient, label)) in enumerate(facts.items())
        if label in labels
    ]


def held(lines: Sequence[Line], *, by_seed: bool = False) -> HeldBack:
    """Lines as clips to be resampled by patient within their site, or by split."""
    return HeldBack(
        tuple("all" if by_seed else line.site for line in lines),
        tuple(str(line.seed) if by_seed else line.patient for line in lines),
        tuple(line.clip for line in lines),
        tuple(line.label for line in lines),
    )


def answers(lines: Sequence[Line], method: str) -> Answers:
    """One method's answers."""
    return Answers(method, tuple(line.answers[method] for line in lines), tuple(line.refused[method] for line in lines))


def report(lines: Sequence[Line], *, seeds: int) -> Measured:
    """Tables, claims and what can be told apart."""
    by_question: dict[str, list[Line]] = {}
    for line in lines:
        by_question.setdefault(line.question, []).append(line)
    rows = [*_accuracies(by_question), *_refusals(by_question)]
    differences = _differences(by_question)
    return Measured(
        rows=(*rows, *(row for _, row in differences)),
        claims=tuple(_claims(by_question)),
        notes=(
            _setting(by_question, seeds),
            _told_apart([pair for pair, _ in differences]),
            _refusal_note(by_question),
        ),
    )
