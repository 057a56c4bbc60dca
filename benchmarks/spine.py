"""Speed, memory and size of the spine: statistics in, one release out.

The federation that is solved is simulated, because it measures time and size, never accuracy. Its peer is what a user
of scikit-learn would do instead: pool all features and refit `RidgeClassifier` whenever a site arrives or leaves.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.answering import measure_answering
from benchmarks.claims import Measured, Row, at_most, told
from benchmarks.federation import LABELS, SEED, SITES, Site, fastest, order, seconds, simulate
from benchmarks.processes import size_of, watch
from benchmarks.real_data import LUNG
from federated.envelope import Passage, seal
from federated.fusion.closed_form import fit
from federated.fusion.selection import select
from federated.manifest import Hyperparameters, StatisticsManifest, Tensors, pack_tensors
from federated.statistics import Statistics, pack_symmetric

FEATURES = 1024
GIVEN = Hyperparameters(ridge=10.0, scatter=1.0, outside=0.5)
JOINT = Hyperparameters(ridge=10.0, scatter=0.0, outside=1.0)
GIB = 2**30
PHANTOM = "the phantom's hospitals"
LUNG_COLUMNS = "site=site_group,patient=split_group,clip=clip_id"
NOTE = (
    "The federation of the solve and of the fusion is simulated; it measures time and size, never accuracy. "
    "The peer solves one system for all labels, ours one for each set of sites that share a label."
)


def measure(*, quick: bool) -> Measured:
    """All claims of the spine."""
    features = 128 if quick else FEATURES
    parts = [
        _solving(features, images=(50, 100) if quick else (100, 1000)),
        _selecting(features, images=50),
        _sizes(features),
        measure_answering(quick=quick),
        _demonstrating(PHANTOM, 240.0, ["--offline", "--patients", "6"]) if quick else _demonstrations(),
    ]
    return Measured(
        rows=tuple(row for part in parts for row in part.rows),
        claims=tuple(claim for part in parts for claim in part.claims),
        notes=(NOTE,),
    )


def _solving(features: int, images: tuple[int, int]) -> Measured:
    pair = [Pooled(count, features) for count in images]
    few, few_refit, many, many_refit = fastest([action for each in pair for action in (each.solve, each.refit)], 5)
    rows = tuple(
        _solved(count * SITES, features, solve, refit)
        for count, solve, refit in zip(images, (few, many), (few_refit, many_refit), strict=True)
    )
    fold = images[1] // images[0]
    pooled = f"RidgeClassifier on {images[1] * SITES:,} pooled images"
    claims = (
        at_most(f"solve, {features:,} features, {LABELS} labels, {SITES} sites", many, "s", 2.0),
        at_most(f"that solve over the same with 1/{fold} of the patients", many / few, "times", 1.25),
        told(f"refit of {pooled} over our solve, which needs no image", many_refit / many, "times"),
        at_most("largest difference from scikit-learn's pooled ridge", pair[1].difference(), "", 1e-9),
    )
    return Measured(rows=rows, claims=claims)


def _solved(images: int, features: int, solve: float, refit: float) -> Row:
    return {
        "table": "One site has arrived: solve from statistics, or refit on pooled features",
        "images": images,
        "features": features,
        "solve, s": solve,
        "refit, s": refit,
    }


class Pooled:
    """The same simulated images as statistics of sites, and pooled."""

    def __init__(self, images: int, features: int) -> None:
        sites = simulate(images, features)
        self.blocks = blocks_of(sites)
        self.features = np.concatenate([site.features for site in sites])
        self.labels = np.concatenate([site.labels for site in sites])

    def solve(self) -> None:
        """Ours, at given hyper-parameters."""
        fit(self.blocks, order(), GIVEN)

    def refit(self) -> None:
        """The peer's, on all images."""
        from sklearn.linear_model import RidgeClassifier

        RidgeClassifier(alpha=GIVEN.ridge).fit(self.features, self.labels)

    def difference(self) -> float:
        """Largest difference of weights where both minimise the same: a ridge on everybody's images."""
        from sklearn.linear_model import Ridge

        ridge = Ridge(alpha=JOINT.ridge, fit_intercept=False, solver="cholesky")
        peer = ridge.fit(self.features, np.eye(LABELS)[self.labels])
        return float(np.abs(fit(self.blocks, order(), JOINT) - peer.coef_.T).max())


def blocks_of(sites: list[Site]) -> dict[str, Statistics]:
    """Statistics by site."""
    return {f"site{number:02d}": site.statistics() for number, site in enumerate(sites)}


def _selecting(features: int, images: int) -> Measured:
    train, validation = (blocks_of(simulate(images, features, seed=seed)) for seed in (SEED, SEED + 1))
    taken = seconds(lambda: select(train, validation, order()), 1)
    return Measured(rows=(), claims=(at_most("selection of λ and γ by validation statistics", taken, "s", 60.0),))


def _sizes(features: int) -> Measured:
    rows = tuple(_size(level, features) for level in (1, 2))
    largest = float(rows[-1]["MB"] or 0)
    return Measured(rows=rows, claims=(at_most("contribution at level 2, both folds", largest, "MB", 10.0),))


def _size(level: Literal[1, 2], features: int) -> Row:
    """A contribution of statistics as it travels, sealed, with every label."""
    block = simulate(200, features)[0].statistics().spread(order())
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
        labels=order(),
        patients=dict.fromkeys(order(), 10),
        images=dict.fromkeys(order(), 10),
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


def _demonstrations() -> Measured:
    """The demonstration as `make demo` shows it, and on real lung ultrasound where that is at hand."""
    phantom = _demonstrating(PHANTOM, 240.0, [])
    if not LUNG.is_dir():
        return phantom
    lung = _demonstrating("lung ultrasound", 360.0, ["--data", str(LUNG), "--columns", LUNG_COLUMNS])
    return Measured(rows=(*phantom.rows, *lung.rows), claims=(*phantom.claims, *lung.claims))


def _demonstrating(name: str, limit: float, arguments: list[str]) -> Measured:
    """One demonstration from its start to its end, with all processes that it starts."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = [sys.executable, "-m", "consilium", "demo", "--out", str(out), *arguments]
        watched = watch(command, Path(folder) / "log")
        results = json.loads((out / "results.json").read_text(encoding="utf-8"))
        disk = size_of(out) + size_of(Path(sys.prefix))
    slowest = max(arrival["exchange_seconds"] for arrival in results["arrivals"])
    row: Row = {
        "table": "consilium demo, with all processes; the disk with the environment",
        "images": name,
        "route": results["route"],
        "sites": len(results["order"]),
        "wall, s": watched.seconds,
        "slowest arrival, s": slowest,
        "memory, GiB": watched.peak_bytes / GIB,
        "disk, GiB": disk / GIB,
    }
    claims = (
        at_most(f"demonstration on {name}, after set-up", watched.seconds, "s", limit),
        at_most("the same, from a site's offer to the release, slowest arrival", slowest, "s", 60.0),
        at_most("the same, memory", watched.peak_bytes / GIB, "GiB", 5.0),
        at_most("the same, disk", disk / GIB, "GiB", 5.0),
    )
    return Measured(rows=(row,), claims=claims)
