"""A suite as a file, so that every cell of a seed sees the same images and features, and none draws them again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.incremental.contestant import Fold, Site
from benchmarks.incremental.kept import Arrays, write_arrays
from benchmarks.incremental.suite import Suite
from federated.local_fold import LocalFold
from federated.manifest import FrontEndCard
from federated.vocabulary import Vocabulary

ABOUT = "about"


def write_suite(path: Path, suite: Suite) -> None:
    """All of a suite, whole or not at all."""
    about = {
        "vocabulary": suite.vocabulary.model_dump_json(),
        "front_end": suite.front_end.model_dump_json(),
        "sites": [site.name for site in suite.sites],
        "external": [site.name for site in suite.external],
        "orders": suite.orders,
        "folds": {site.name: list(site.folds) for site in suite.everyone},
    }
    arrays: dict[str, NDArray] = {ABOUT: np.array(json.dumps(about))}
    for site in suite.everyone:
        for name, fold in site.folds.items():
            arrays |= {f"{site.name}/{name}/{part}": array for part, array in _parts(fold).items()}
    write_arrays(path, arrays)


def read_suite(path: Path) -> Suite:
    """What `write_suite` wrote."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    about = json.loads(str(arrays[ABOUT]))
    sites = {site: _site(site, folds, arrays) for site, folds in about["folds"].items()}
    return Suite(
        vocabulary=Vocabulary.model_validate_json(about["vocabulary"]),
        front_end=FrontEndCard.model_validate_json(about["front_end"]),
        sites=tuple(sites[name] for name in about["sites"]),
        external=tuple(sites[name] for name in about["external"]),
        orders=tuple(tuple(order) for order in about["orders"]),
    )


def _parts(fold: Fold) -> dict[str, NDArray]:
    local = fold.local
    words = {"labels": local.labels, "patients": local.patients, "clips": local.clips}
    numbers: dict[str, NDArray] = {"images": fold.images, "features": local.features, "weights": local.weights}
    return numbers | {name: np.array(part, dtype=np.str_) for name, part in words.items()}


def _site(site: str, folds: list[str], arrays: Arrays) -> Site:
    return Site(site, {fold: _fold(f"{site}/{fold}", arrays) for fold in folds})


def _fold(where: str, arrays: Arrays) -> Fold:
    labels, patients, clips = (tuple(arrays[f"{where}/{part}"].tolist()) for part in ("labels", "patients", "clips"))
    local = LocalFold(arrays[f"{where}/features"], labels, patients, clips, arrays[f"{where}/weights"])
    return Fold(arrays[f"{where}/images"], local)
