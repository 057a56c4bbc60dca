"""What an arrival costs at hospitals of some size: the closed form against the gate of the source paper.

Features are simulated, because time and bytes are measured and never accuracy. The gate is trained as in the paper, on
everybody's features; the closed form solves, and every site reports on the candidate. Neither counts front end, experts
or network. The contest's hospitals have a few hundred images each, and its gate is trained for less.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.claims import Measured, Row, at_least, at_most, told
from benchmarks.incremental.closed_form import ClosedForm
from benchmarks.incremental.contestant import Contestant, Fold, Setting, Site, Start
from benchmarks.incremental.gated import Gated
from benchmarks.incremental.heads import head_of
from benchmarks.incremental.suites import PRESETS, QUICK
from federated.local_fold import LocalFold
from federated.manifest import FrontEndCard
from federated.vocabulary import plain_vocabulary
from site_agent.progress import track

FEATURES = 512
LABELS, LABELS_A_SITE = 15, 8
SITES = 6
IMAGES = (500, 2000, 10_000)  # of training, at each site
IMAGES_A_PATIENT = 5
HELD_BACK = 0.2  # of each of the two folds that are not trained on
CHEAPER, FLAT = 20.0, 2.0  # times
SEED = 1993


@dataclass(frozen=True)
class Taken:
    """Seconds of every arrival, and kilobytes that a site has shared after the last."""

    seconds: list[float]
    kilobytes: float


def measure(*, quick: bool) -> Measured:
    """Every size; the last arrival at the largest is held against the targets."""
    sizes, preset = ((100, 200), QUICK) if quick else (IMAGES, PRESETS["paper"])
    features = 64 if quick else FEATURES
    rivals: dict[str, Callable[[Start], Contestant]] = {
        "closed form": ClosedForm,
        "gate": lambda start: Gated(start, reads="features"),
    }
    jobs = [(images, name) for images in sizes for name in rivals]
    found = {
        (images, name): _played(rivals[name], preset.setting, images, features)
        for images, name in track(jobs, total=len(jobs), what="sizes")
    }
    rows = tuple(row for images in sizes for row in _rows(images, found[images, "closed form"], found[images, "gate"]))
    last, gate = found[sizes[-1], "closed form"], found[sizes[-1], "gate"]
    at = f"{sizes[-1]:,} images a site"
    claims = (
        at_least(
            f"last of {SITES} arrivals at {at}: gate over closed form",
            gate.seconds[-1] / last.seconds[-1],
            "x",
            CHEAPER,
        ),
        at_most(f"closed form at {at}: last arrival over the second", last.seconds[-1] / last.seconds[1], "x", FLAT),
        told(f"gate at {at}: last arrival over the second", gate.seconds[-1] / gate.seconds[1], "x"),
        at_most(f"bytes that a site shares at {at}: closed form over gate", last.kilobytes / gate.kilobytes, "x", 1.0),
    )
    return Measured(rows=rows, claims=claims)


def _rows(images: int, ours: Taken, theirs: Taken) -> Iterator[Row]:
    for number, (one, other) in enumerate(zip(ours.seconds, theirs.seconds, strict=True)):
        if number:
            yield {
                "table": "Seconds of an arrival, simulated features",
                "images a site": images,
                "earlier sites": number,
                "closed form, s": one,
                "gate, s": other,
                "gate over closed form": other / one,
                "closed form, kB a site": ours.kilobytes,
                "gate, kB a site": theirs.kilobytes,
            }


@threadpool_limits.wrap(1)
def _played(make: Callable[[Start], Contestant], setting: Setting, images: int, features: int) -> Taken:
    """Sites train heads of their own before the clock runs, for both alike."""
    card = FrontEndCard(name="simulated", config={}, digest="sha256:" + "0" * 64, features=features)
    with tempfile.TemporaryDirectory() as folder:
        start = Start(plain_vocabulary("simulated", list(_labels())), card, setting, SEED, Path(folder))
        contestant, seconds = make(start), []
        sites = _sites(images, features)
        for site in sites:
            head_of(start, site)
        for site in sites:
            begun = time.perf_counter()
            contestant.arrive(site)
            seconds.append(time.perf_counter() - begun)
        sent = contestant.sent()
    return Taken(seconds, sum(sent.values()) / len(sent) / 1e3)


def _labels() -> tuple[str, ...]:
    return tuple(f"label{number:02d}" for number in range(LABELS))


def _sites(images: int, features: int) -> list[Site]:
    random = np.random.default_rng(SEED)
    centres = random.normal(size=(LABELS, features)) / np.sqrt(features)
    held_back = round(HELD_BACK * images)
    sites = []
    for number in range(SITES):
        held = (np.arange(LABELS_A_SITE) + 3 * number) % LABELS
        offset = random.normal(size=features) / np.sqrt(features)
        folds = {
            fold: Fold(np.zeros((count, 0, 0), np.uint8), _fold(random, centres[held] + offset, held, count, fold))
            for fold, count in (("train", images), ("validation", held_back), ("calibration", held_back))
        }
        sites.append(Site(f"site{number}", folds))
    return sites


def _fold(random: np.random.Generator, centres: np.ndarray, held: np.ndarray, count: int, fold: str) -> LocalFold:
    """A patient has one label."""
    patient = np.arange(count) // IMAGES_A_PATIENT
    place = patient % len(held)
    rows = centres[place] + random.normal(size=(count, centres.shape[1])) / np.sqrt(centres.shape[1])
    rows[:, -1] = 1.0
    return LocalFold(
        rows,
        tuple(_labels()[held[one]] for one in place),
        tuple(f"{fold}{one}" for one in patient),
        tuple(f"{fold}{row}" for row in range(count)),
        np.full(count, 1 / IMAGES_A_PATIENT),
    )
