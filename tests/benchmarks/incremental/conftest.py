"""A suite of clouds of points, which any rule learns in no time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.incremental.cases import Cases, external_site, split_site
from benchmarks.incremental.contestant import Setting, Start
from benchmarks.incremental.suite import Preset, Suite
from federated.canonical import digest
from federated.manifest import FrontEndCard
from federated.vocabulary import plain_vocabulary

LABELS = ("a", "b", "c", "d")
TAUGHT = {"first": ("a", "b"), "second": ("b", "c")}
FEATURES, PATIENTS, FRAMES = 6, 40, 2
SETTING = Setting(side=8, width=4, expert_epochs=1, fusion_epochs=3, fusion_samples=64, batch=16, copies=1)


def cloud(site: str, labels: Sequence[str], seed: int) -> Cases:
    """Patients of one label each, two frames of one clip each, around a corner of a cube for each label."""
    generator = np.random.default_rng([seed, len(site)])
    truth = [labels[number % len(labels)] for number in range(PATIENTS) for _ in range(FRAMES)]
    patients = tuple(f"{site}-{number}" for number in range(PATIENTS) for _ in range(FRAMES))
    corners = np.eye(FEATURES)[[LABELS.index(label) for label in truth]]
    features = corners + 0.1 * generator.standard_normal(corners.shape)
    features[:, -1] = 1.0
    images = np.zeros((len(truth), 8, 8), dtype=np.uint8)
    return Cases(site, images, features, tuple(truth), patients, tuple(f"{patient}-clip" for patient in patients))


def clouds(seed: int, preset: Preset) -> Suite:
    """Two sites that share one label of two each, one that only tests, and a label nobody teaches."""
    return Suite(
        vocabulary=plain_vocabulary("clouds", list(LABELS)),
        front_end=FrontEndCard(name="cloud", config={}, digest=digest(b"cloud"), features=FEATURES),
        sites=tuple(split_site(cloud(site, LABELS, seed), seed, labels) for site, labels in TAUGHT.items()),
        external=(external_site(cloud("outside", LABELS, seed)),),
        orders=(("first", "second"), ("second", "first")),
    )


@pytest.fixture
def preset() -> Preset:
    """Small, with nobody beside this process."""
    return Preset(SETTING, patients=0, cases=None, digit_side=8, orders=2)


@pytest.fixture
def suite(preset: Preset) -> Suite:
    """The clouds of one seed."""
    return clouds(3, preset)


@pytest.fixture
def start(suite: Suite, tmp_path: Path) -> Start:
    """What every contestant knows."""
    return Start(suite.vocabulary, suite.front_end, SETTING, 3, tmp_path / "kept")
