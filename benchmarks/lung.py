"""The contest on real lung ultrasound: four sources arrive one after another, many splits by patient, no Flower.

Every method sees the same features, folds and sample weights. Hyper-parameters come from validation statistics, never
from held-back clips. Intervals are over patients within their sites, resampled alike for both methods of a difference,
and for differences also over splits.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from threadpoolctl import threadpool_limits

from benchmarks.claims import Measured
from benchmarks.lung_data import LABELS, ORDER, STRANGE_PROBE, Images, Shot, load_images, split, without
from benchmarks.lung_methods import ALPHA, LOOSE, LOOSE_ALPHA, Predictor, contestants, fused, released
from benchmarks.lung_report import (
    COUNTED,
    HELD_BACK,
    INSIDE,
    LEFT_OUT,
    OURS,
    PAIR,
    PROBE,
    TO_COME,
    UNKNOWN,
    Line,
    summarise,
)
from deploy.demo.baselines import SiteFolds
from federated.disclosure import Limits
from federated.local_fold import LocalFold
from site_agent.progress import track

SEEDS, QUICK_SEEDS = 20, 1
TWO_LABEL_SITE = "northumbria"


def measure(*, quick: bool) -> Measured:
    """The contest over many splits, as many at once as there are cores."""
    images = load_images()
    seeds = range(QUICK_SEEDS if quick else SEEDS)
    with ProcessPoolExecutor(min(len(os.sched_getaffinity(0)), len(seeds))) as pool:
        found = pool.map(partial(one_split, images), seeds)
        lines = [line for part in track(found, total=len(seeds), what="splits") for line in part]
    return summarise(lines)


def _usual_shots(images: Images) -> tuple[list[Shot], list[Shot]]:
    """Images of the probe that sites use, and of the one that none trains on."""
    return without(images.shots, lambda shot: shot.probe == STRANGE_PROBE)


@threadpool_limits.wrap(1)
def one_split(images: Images, seed: int) -> list[Line]:
    """All questions on one split by patient."""
    shots, strange = _usual_shots(images)
    sites = split(images, shots, seed)
    everyone = contestants(sites, seed=seed)
    lines = _held_back(sites, everyone | _with_minimum_counts(images, shots, seed), seed)
    trained = {patient for site in sites for patient in site.train.patients}
    for name in ORDER:
        clips = images.fold([shot for shot in strange if shot.site == name and shot.patient not in trained])
        lines += ask(PROBE, seed, everyone, name, clips, LABELS)
    lines += _sites_to_come(sites, seed)
    lines += _sites_left_out(images, shots, sites, seed)
    return lines + _unknown_labels(images, shots, seed)


def _held_back(sites: Sequence[SiteFolds], predictors: Mapping[str, Predictor], seed: int) -> list[Line]:
    lines = [line for site in sites for line in ask(HELD_BACK, seed, predictors, site.name, site.test, LABELS)]
    inside = next(site for site in sites if site.name == TWO_LABEL_SITE)
    return lines + ask(INSIDE, seed, predictors, inside.name, inside.test, PAIR, among=PAIR)


def _with_minimum_counts(images: Images, shots: Sequence[Shot], seed: int) -> dict[str, Predictor]:
    """Our default where every site drops the blocks that the published limits would not let out."""
    sites = split(images, shots, seed, Limits())
    return {COUNTED: fused(released(sites)[0], "none")} if sites else {}


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
    """Each label in turn is taken from every site that can do without it, and then asked about."""
    lines: list[Line] = []
    for label in LABELS:
        rest, gone = without(shots, partial(_shows, label))
        sites = split(images, rest, seed)
        if len(sites) == len(ORDER):
            strict, loose = released(sites, (ALPHA, LOOSE_ALPHA))
            predictors = {OURS: fused(strict, "none"), LOOSE["none"]: fused(loose, "none")}
            for name in ORDER:
                clips = images.fold([shot for shot in gone if shot.site == name])
                lines += ask(UNKNOWN, seed, predictors, name, clips, (label,))
    return lines


def _shows(label: str, shot: Shot) -> bool:
    return shot.label == label


def _labels(sites: Sequence[SiteFolds]) -> tuple[str, ...]:
    return tuple(sorted({label for site in sites for label in site.train.labels}))


def ask(
    question: str,
    seed: int,
    predictors: Mapping[str, Predictor],
    site: str,
    fold: LocalFold,
    labels: Sequence[str],
    *,
    among: Sequence[str] | None = None,
) -> list[Line]:
    """Every method's answers to those clips of a site that show one of `labels`; answers may be held to `among`."""
    facts = dict(zip(fold.clips, zip(fold.patients, fold.labels, strict=True), strict=True))
    if not facts:
        return []
    scored = {name: predictor(site, fold) for name, predictor in predictors.items()}
    ours = scored[OURS]
    assert ours.p is not None
    answers = {name: one.answers(among) for name, one in scored.items()}
    return [
        Line(
            question,
            seed,
            site,
            patient,
            clip,
            label,
            answers={name: found[row] for name, found in answers.items()},
            refused={name: bool(one.refused[row]) for name, one in scored.items()},
            p=float(ours.p[row]),
            calibrated=ours.calibrated,
        )
        for row, (clip, (patient, label)) in enumerate(facts.items())
        if label in labels
    ]
