"""Small synthetic federations: three scanners, overlapping labels, several images a patient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

from federated.fused_model import FusedModel
from federated.manifest import FrontEndCard, ReportManifest, Tensors, manifest_digest, unpack_tensors
from federated.release import Built, SiteInput, build_candidate, build_release
from federated.report import LocalFold, compute_report
from federated.statistics import Statistics, from_features
from federated.vocabulary import plain_vocabulary

LABELS = ("plax", "a4c", "a2c", "psax", "sub")
HELD = {"ada": ("plax", "a4c", "a2c"), "ben": ("a4c", "a2c", "psax"), "cem": ("plax", "psax", "sub")}
FEATURES = 24


class Federation:
    """Sites' folds and what follows from them."""

    model: ClassVar[Callable[[Built], FusedModel]]
    draw: ClassVar[Callable[..., LocalFold]]

    def __init__(
        self,
        folds: dict[str, dict[str, LocalFold]],
        gram_to_sites: bool = True,
        weighting: str = "refit",
        mode: str = "shared",
    ) -> None:
        self.folds, self.gram_to_sites, self.weighting, self.mode = folds, gram_to_sites, weighting, mode

    def __repr__(self) -> str:
        return "Federation()"

    def inputs(self, names: tuple[str, ...] = tuple(HELD)) -> list[SiteInput]:
        return [self.input(name) for name in names]

    def input(self, name: str) -> SiteInput:
        train, validation = (self.folds[name][fold] for fold in ("train", "validation"))
        patients = {
            label: len({p for p, x in zip(train.patients, train.labels, strict=True) if x == label})
            for label in HELD[name]
        }
        digest = f"sha256:{sorted(HELD).index(name):064x}"
        return SiteInput(
            name,
            (digest,),
            statistics_of(train, HELD[name]),
            statistics_of(validation, HELD[name]),
            patients,
            self.gram_to_sites,
        )

    def blocks(self, names: tuple[str, ...] = tuple(HELD)) -> dict[str, Statistics]:
        return {name: self.input(name).train.spread(LABELS) for name in names}

    def candidate(self, names: tuple[str, ...] = tuple(HELD), **options) -> Built:
        settings: dict[str, Any] = {
            "weighting": self.weighting,
            "mode": self.mode,
            "number": 1,
            "previous": None,
        } | options
        return build_candidate(
            federation="test",
            task="classification",
            front_end=FrontEndCard(name="pixels", config={}, digest="sha256:" + "0" * 64, features=FEATURES),
            vocabulary=plain_vocabulary("views", list(LABELS)),
            sites=self.inputs(names),
            experts=(),
            **settings,
        )

    def reports(self, candidate: Built, names: tuple[str, ...]) -> dict[str, tuple[str, ReportManifest, Tensors]]:
        model = model_of(candidate)
        reports = {}
        for name in names:
            folds = self.folds[name]
            manifest, data = compute_report(
                model, name, train=folds["train"], validation=folds["validation"], calibration=folds["calibration"]
            )
            reports[name] = (manifest_digest(manifest), manifest, unpack_tensors(data, manifest))
        return reports

    def release(
        self, names: tuple[str, ...] = tuple(HELD), reporting: tuple[str, ...] | None = None, **options
    ) -> Built:
        candidate = self.candidate(names, **options)
        reports = self.reports(candidate, names if reporting is None else reporting)
        return build_release(candidate.manifest, unpack_tensors(candidate.tensors, candidate.manifest), reports)


def statistics_of(fold: LocalFold, labels: tuple[str, ...]) -> Statistics:
    return from_features(fold.features, fold.labels, fold.weights, labels)


def model_of(built: Built) -> FusedModel:
    return FusedModel.from_release(built.manifest, unpack_tensors(built.tensors, built.manifest))


def draw(rng: np.random.Generator, site: str, label: str, patients: int, fold: str, spread: float = 0.35) -> LocalFold:
    """Images of one label at one site: class center + scanner shift + patient effect + noise, two clips of two."""
    shared = np.random.default_rng(7)
    centers = {name: shared.normal(size=FEATURES - 1) for name in (*LABELS, "foreign")}
    shifts = {name: 0.4 * shared.normal(size=FEATURES - 1) for name in (*HELD, "nowhere")}
    rows, names, clips = [], [], []
    for patient in range(patients):
        center = centers[label] + shifts[site] + spread * rng.normal(size=FEATURES - 1)
        for image in range(4):
            rows.append(np.append(center + spread * rng.normal(size=FEATURES - 1), 1.0))
            names.append(f"{site}-{fold}-{label}-{patient}")
            clips.append(f"{names[-1]}-{image // 2}")
    count = len(rows)
    return LocalFold(np.array(rows), (label,) * count, tuple(names), tuple(clips), np.full(count, 0.25))


def join(folds: list[LocalFold]) -> LocalFold:
    return LocalFold(
        np.concatenate([fold.features for fold in folds]),
        tuple(label for fold in folds for label in fold.labels),
        tuple(patient for fold in folds for patient in fold.patients),
        tuple(clip for fold in folds for clip in fold.clips),
        np.concatenate([fold.weights for fold in folds]),
    )


def site_folds(seed: int, site: str, patients: dict[str, int]) -> dict[str, LocalFold]:
    rng = np.random.default_rng([seed, sorted(HELD).index(site)])
    return {
        fold: join([draw(rng, site, label, count, fold) for label in HELD[site]]) for fold, count in patients.items()
    }


Federation.model = staticmethod(model_of)  # tests reach everything through the fixture
Federation.draw = staticmethod(draw)


@pytest.fixture(scope="session")
def make_federation() -> Callable[..., Federation]:
    def make(seed: int = 0, **settings) -> Federation:
        patients = {"train": 12, "validation": 8, "calibration": 12, "test": 8}
        return Federation({site: site_folds(seed, site, patients) for site in HELD}, **settings)

    return make


@pytest.fixture(scope="session")
def federation(make_federation: Callable[..., Federation]) -> Federation:
    return make_federation()
