"""What is registered in the contest: hippocampi, warps of them whose truth is known, and beating phantom hearts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from benchmarks import real_data
from benchmarks.registration_pairs import HIPPOCAMPUS_LABELS, Scan, brain_slices, hippocampi, pairs_of
from benchmarks.registration_starts import Started, started
from shared_models.phantom.labels import LA, LV, MYOCARDIUM, RA, RV
from shared_models.phantom.patients import draw_patient
from shared_models.recipe import Precision
from shared_models.registration.pairs import Pair, volume_pair
from shared_models.registration.random_warps import band_limited_warp, local_warp, warped, warped_labels

HIPPOCAMPUS, PHANTOM, BRAIN = "hippocampus", "phantom", "brain slices"
PROBLEMS = (HIPPOCAMPUS, PHANTOM, BRAIN)
LIMITED, UNLIMITED = "hippocampus, band-limited warps", "hippocampus, local warps"
HEART = (LV, MYOCARDIUM, LA, RV, RA)
LARGEST, SIGMA = 5.0, 6.0  # voxels: of random warps
NOISE = 0.02  # deviation of what a warped image and its origin do not share
WARPS, PHANTOM_SEED = 83, 8100


@dataclass(frozen=True)
class Setting:
    """How much is registered and learnt.

    Attributes:
        learnt, checked, asked: pairs of hippocampi.
        held: the last patients of the training split, on whom everything is chosen.
        hearts: phantom patients to learn from, to choose on and to be asked about.
        edge: voxels a side of their volumes.
        steps: of learning.
        tried: of learning while rates and weights are chosen.
        precision: of products while networks learn; they are asked in float32.
        seeds: of first weights and of the order of pairs.
        few: pairs that classical methods are chosen on.
        images: hippocampi of each split at most; None for all.
    """

    learnt: int = 150
    checked: int = 24
    asked: int = 60
    held: int = 9
    hearts: tuple[int, int, int] = (40, 6, 20)
    edge: int = 48
    steps: int = 400
    tried: int = 80
    precision: Precision = "bfloat16"
    seeds: tuple[int, ...] = (1, 2, 3)
    few: int = 8
    images: int | None = None


@dataclass(frozen=True)
class Problem:
    """What is learnt from, chosen on and asked.

    Attributes:
        name: of the problem.
        similarity: name of that which networks learn by.
        labels: that are judged; none where there are none.
        learnt, checked: pairs; none where nothing can be learnt.
        asked: pairs, by name of the set.
    """

    name: str
    similarity: str
    labels: tuple[int, ...]
    learnt: Sequence[Started]
    checked: Sequence[Started]
    asked: Mapping[str, Sequence[Started]]


@lru_cache(maxsize=1)
def problem(name: str, setting: Setting, folder: Path) -> Problem:
    """One, its alignments kept in a folder."""
    makers = {HIPPOCAMPUS: _hippocampus, PHANTOM: _phantom, BRAIN: _brain}
    return makers[name](setting, folder / "starts")


def _hippocampus(setting: Setting, starts: Path) -> Problem:
    scans, strange = (hippocampi(real_data.HIPPOCAMPUS, split)[: setting.images] for split in ("train", "test"))
    own, held = scans[: -setting.held], scans[-setting.held :]
    return Problem(
        HIPPOCAMPUS,
        "mse",
        HIPPOCAMPUS_LABELS,
        started(pairs_of(own, setting.learnt), starts / "hippocampus-learnt.npz"),
        started(pairs_of(held, setting.checked), starts / "hippocampus-checked.npz"),
        {
            HIPPOCAMPUS: started(pairs_of(strange, setting.asked), starts / "hippocampus-asked.npz"),
            LIMITED: started(_warps(strange, limited=True), None),
            UNLIMITED: started(_warps(strange, limited=False), None),
        },
    )


def _warps(scans: Sequence[Scan], *, limited: bool) -> Iterator[Pair]:
    for number, scan in enumerate(scans):
        drawn = np.random.default_rng([WARPS, limited, number])
        shape = scan.image.shape
        field = band_limited_warp(drawn, shape, LARGEST) if limited else local_warp(drawn, shape, LARGEST, SIGMA)
        fixed = warped(scan.image, field) + drawn.normal(0, NOISE, shape)
        labels = None if scan.labels is None else warped_labels(scan.labels, field)
        yield Pair(
            name=f"{scan.name} warped",
            moving=scan.image,
            fixed=np.clip(fixed, 0, 1).astype(np.float32),
            spacing_mm=scan.spacing_mm,
            moving_labels=scan.labels,
            fixed_labels=labels,
            displacement=field,
        )


def _phantom(setting: Setting, starts: Path) -> Problem:
    first, parts = PHANTOM_SEED, []
    for count, name in zip(setting.hearts, ("learnt", "checked", "asked"), strict=True):
        hearts = (volume_pair(draw_patient(first + place), setting.edge, "speckle") for place in range(count))
        parts.append(started(hearts, starts / f"phantom-{name}.npz"))
        first += count
    learnt, checked, asked = parts
    return Problem(PHANTOM, "mse", HEART, learnt, checked, {PHANTOM: asked})


def _brain(setting: Setting, starts: Path) -> Problem:
    scans = brain_slices(real_data.BRAINS)[: setting.images]
    asked = started(pairs_of(scans), starts / "brain.npz")
    return Problem(BRAIN, "local_ncc", (), (), (), {BRAIN: asked})
