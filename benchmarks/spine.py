"""Speed, memory and size of the spine: statistics in, one release out.

The federation that is solved has 20 sites, 20 labels of which each site holds 8, and 1,024 features. Its peer is what a
user of scikit-learn would do instead: pool all features and refit `RidgeClassifier` whenever a site arrives or leaves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from benchmarks.claims import Measured, Row, at_least, at_most
from federated.envelope import Passage, seal
from federated.fusion.closed_form import fit
from federated.fusion.selection import select
from federated.manifest import Hyperparameters, StatisticsManifest, Tensors, pack_tensors
from federated.statistics import Array, Statistics, from_features, pack_symmetric

SITES, LABELS, LABELS_A_SITE, FEATURES = 20, 20, 8, 1024
GIVEN = Hyperparameters(ridge=10.0, scatter=1.0, outside=0.5)
JOINT = Hyperparameters(ridge=10.0, scatter=0.0, outside=1.0)
SEED = 1993


@dataclass(frozen=True)
class Site:
    """One simulated site: (n, M) features and n label indices."""

    features: Array
    labels: NDArray[np.int64]

    def statistics(self, order: tuple[str, ...]) -> Statistics:
        """Its sufficient statistics."""
        names = [order[label] for label in self.labels]
        return from_features(self.features, names, np.ones(len(names)), order)


def simulate(images: int, features: int, *, seed: int = SEED) -> list[Site]:
    """Sites whose images scatter around one centre a label, with an offset a site; the last feature is 1."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(LABELS, features))
    sites = []
    for _ in range(SITES):
        own = rng.choice(LABELS, LABELS_A_SITE, replace=False)
        labels = rng.choice(own, images)
        rows = centres[labels] + rng.normal(size=(images, features)) + 0.3 * rng.normal(size=features)
        rows[:, -1] = 1.0
        sites.append(Site(rows, labels))
    return sites


def seconds(action: Callable[[], object], repeats: int) -> float:
    """Median wall time of some runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def measure(*, quick: bool) -> Measured:
    """All claims of the spine."""
    features = 128 if quick else FEATURES
    parts = [
        _solving(features, images=(50, 100) if quick else (100, 1000)),
        _selecting(features, images=50),
        _sizes(features),
    ]
    return Measured(
        rows=tuple(row for part in parts for row in part.rows),
        claims=tuple(claim for part in parts for claim in part.claims),
        notes=("The federation of the solve is simulated; it measures time and size, never accuracy.",),
    )


def _order() -> tuple[str, ...]:
    return tuple(f"label{number:02d}" for number in range(LABELS))


def _blocks(sites: list[Site]) -> dict[str, Statistics]:
    return {f"site{number:02d}": site.statistics(_order()) for number, site in enumerate(sites)}


def _solving(features: int, images: tuple[int, int]) -> Measured:
    rows = tuple(_solve_beside_peer(features, count) for count in images)
    few, many = (float(row["solve, s"] or 0) for row in rows)
    claims = (
        at_most(f"solve, {features} features, {LABELS} labels, {SITES} sites", many, "s", 2.0),
        at_most(f"the same solve, {images[1] // images[0]} times the patients: time over time", many / few, "", 1.25),
        at_least(
            "refit of scikit-learn's RidgeClassifier on pooled features over our solve", _ratio(rows[-1]), "", 1.0
        ),
        at_most("largest difference from scikit-learn's pooled ridge", float(rows[-1]["difference"] or 0), "", 1e-9),
    )
    return Measured(rows=rows, claims=claims)


def _ratio(row: Row) -> float:
    return float(row["refit, s"] or 0) / float(row["solve, s"] or 1)


def _solve_beside_peer(features: int, images: int) -> Row:
    from sklearn.linear_model import Ridge, RidgeClassifier

    sites = simulate(images, features)
    blocks = _blocks(sites)
    pooled, labels = np.concatenate([site.features for site in sites]), np.concatenate([site.labels for site in sites])
    same = Ridge(alpha=JOINT.ridge, fit_intercept=False, solver="cholesky").fit(pooled, np.eye(LABELS)[labels])
    return {
        "table": "One site has arrived: solve from statistics, or refit on pooled features",
        "images": images * SITES,
        "features": features,
        "solve, s": seconds(lambda: fit(blocks, _order(), GIVEN), 5),
        "refit, s": seconds(lambda: RidgeClassifier(alpha=GIVEN.ridge).fit(pooled, labels), 3),
        "difference": float(np.abs(fit(blocks, _order(), JOINT) - same.coef_.T).max()),
    }


def _selecting(features: int, images: int) -> Measured:
    train, validation = _blocks(simulate(images, features)), _blocks(simulate(images, features, seed=SEED + 1))
    taken = seconds(lambda: select(train, validation, _order()), 1)
    return Measured(rows=(), claims=(at_most("selection of λ, γ and ρ by validation statistics", taken, "s", 60.0),))


def _sizes(features: int) -> Measured:
    rows = tuple(_size(level, features) for level in (1, 2))
    largest = float(rows[-1]["MB"] or 0)
    return Measured(rows=rows, claims=(at_most("contribution at level 2, both folds", largest, "MB", 10.0),))


def _size(level: Literal[1, 2], features: int) -> Row:
    """A contribution of statistics as it travels, sealed, with every label."""
    block = simulate(200, features)[0].statistics(_order())
    assert block.gram is not None
    tensors: Tensors = {}
    for fold in ("train", "validation"):
        tensors |= {f"{fold}.class_sums": block.class_sums, f"{fold}.weights": block.weights}
        tensors |= {f"{fold}.gram": pack_symmetric(block.gram)} if level == 2 else {}
    data, specs, digest = pack_tensors(tensors)
    manifest = StatisticsManifest(
        federation="spine",
        tensors=specs,
        tensors_digest=digest,
        site="site00",
        task="views",
        front_end=digest,
        batch="b0001",
        labels=_order(),
        patients=dict.fromkeys(_order(), 10),
        images=dict.fromkeys(_order(), 10),
        batch_patients=200,
        level=level,
        level_to_sites=1,
        features=features,
        folds=("train", "validation"),
    )
    size = len(seal(manifest, data, _passage(), [Ed25519PrivateKey.generate()]).to_bytes())
    return {"table": "Size of one contribution, whatever the number of patients", "level": level, "MB": size / 1e6}


def _passage() -> Passage:
    return Passage(
        federation="spine",
        sender="site00",
        recipient="coordinator",
        sequence=1,
        previous=None,
        kind="statistics",
        policy=None,
        filters={},
        approval="standing",
        issued="2026-01-01T00:00:00Z",
    )
