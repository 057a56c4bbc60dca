"""Small synthetic federations: three scanners, overlapping labels, several images a patient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import TypeAdapter

from federated.fused_model import FusedModel
from federated.fusion.targets import coarse_labels
from federated.local_fold import LocalFold
from federated.manifest import (
    AnyManifest,
    FrontEndCard,
    ReportManifest,
    Tensors,
    manifest_digest,
    pack_tensors,
    unpack_tensors,
)
from federated.release import Built, SiteInput, build_candidate, build_release
from federated.report import compute_report
from federated.statistics import Statistics, from_features
from federated.vocabulary import Concept, Vocabulary, plain_vocabulary
from tests import decision_making

LABELS = ("plax", "a4c", "a2c", "psax", "sub")
HELD = {"ada": ("plax", "a4c", "a2c"), "ben": ("a4c", "a2c", "psax"), "cem": ("plax", "psax", "sub")}
FEATURES = 24
LEVELS = ("psax-av", "psax-pm")
NESTED = {
    "ada": ("plax", "a4c", *LEVELS),
    "ben": ("plax", "a4c", *LEVELS),
    "cem": ("plax", "a4c", "psax"),
    "dan": ("plax", "psax"),
}
NESTED_VIEWS = Vocabulary(
    name="views",
    concepts=tuple(
        Concept(code=code, scheme="local", meaning=code, parents=("psax",) if code in LEVELS else ())
        for code in ("plax", "a4c", "psax", *LEVELS)
    ),
)


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
        held: Mapping[str, tuple[str, ...]] = HELD,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        self.folds, self.gram_to_sites, self.weighting, self.mode = folds, gram_to_sites, weighting, mode
        self.held, self.vocabulary = held, vocabulary or plain_vocabulary("views", list(LABELS))

    def __repr__(self) -> str:
        return "Federation()"

    def inputs(self, names: tuple[str, ...] = ()) -> list[SiteInput]:
        return [self.input(name) for name in names or self.held]

    def input(self, name: str) -> SiteInput:
        train, validation = (self.folds[name][fold] for fold in ("train", "validation"))
        patients = {
            label: len({p for p, x in zip(train.patients, train.labels, strict=True) if x == label})
            for label in self.held[name]
        }
        digest = f"sha256:{sorted(self.held).index(name):064x}"
        own = coarse_labels(self.vocabulary, self.held[name])
        return SiteInput(
            name,
            (digest,),
            statistics_of(train, self.held[name], own),
            statistics_of(validation, self.held[name], own),
            patients,
            self.gram_to_sites,
        )

    def blocks(self, names: tuple[str, ...] = ()) -> dict[str, Statistics]:
        return {name: self.input(name).train.spread(self.vocabulary.codes) for name in names or self.held}

    def candidate(self, names: tuple[str, ...] = (), **options) -> Built:
        return self.candidate_of(self.inputs(names), **options)

    def candidate_of(self, sites: list[SiteInput], **options) -> Built:
        settings: dict[str, Any] = {
            "weighting": self.weighting,
            "mode": self.mode,
            "number": 1,
            "previous": None,
            "experts": (),
        } | options
        return build_candidate(
            federation="test",
            task="classification",
            front_end=FrontEndCard(name="pixels", config={}, digest="sha256:" + "0" * 64, features=FEATURES),
            vocabulary=self.vocabulary,
            sites=sites,
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

    def release(self, names: tuple[str, ...] = (), reporting: tuple[str, ...] | None = None, **options) -> Built:
        names = names or tuple(self.held)
        candidate = self.candidate(names, **options)
        reports = self.reports(candidate, names if reporting is None else reporting)
        return build_release(candidate.manifest, unpack_tensors(candidate.tensors, candidate.manifest), reports)


def statistics_of(fold: LocalFold, labels: tuple[str, ...], own: tuple[str, ...] = ()) -> Statistics:
    return from_features(fold.features, fold.labels, fold.weights, labels, own)


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


def nested_folds(seed: int, site: str, patients: dict[str, int]) -> dict[str, LocalFold]:
    """Images of views, the short axis at two levels that differ little; a site without levels calls both psax."""
    rng = np.random.default_rng([seed, 9, sorted(NESTED).index(site)])
    shared = np.random.default_rng(11)
    centers = {name: shared.normal(size=FEATURES - 1) for name in ("plax", "a4c", "psax")}
    centers |= {level: centers["psax"] + 0.15 * shared.normal(size=FEATURES - 1) for level in LEVELS}
    shift = 0.3 * np.random.default_rng([13, *site.encode()]).normal(size=FEATURES - 1)
    drawn = [view for label in NESTED[site] for view in (LEVELS if label == "psax" else (label,))]
    return {
        fold: join([_around(rng, centers[view] + shift, site, view, count, fold) for view in drawn])
        for fold, count in patients.items()
    }


def _around(rng: np.random.Generator, center: np.ndarray, site: str, view: str, patients: int, fold: str) -> LocalFold:
    names = [f"{site}-{fold}-{view}-{patient}" for patient in range(patients) for _ in range(2)]
    rows = center + 0.5 * rng.normal(size=(patients, FEATURES - 1)).repeat(2, axis=0)
    rows = rows + 0.2 * rng.normal(size=rows.shape)
    label = view if view in NESTED[site] else "psax"
    features = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
    return LocalFold(features, (label,) * len(names), tuple(names), tuple(names), np.full(len(names), 0.5))


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
def make_nested() -> Callable[..., Federation]:
    """Four sites: two label the short axis by level, two do not."""

    def make(seed: int = 0, calibration: int = 20, **settings) -> Federation:
        patients = {"train": 16, "validation": 8, "calibration": calibration, "test": 10}
        folds = {site: nested_folds(seed, site, patients) for site in NESTED}
        return Federation(folds, held=NESTED, vocabulary=NESTED_VIEWS, **settings)

    return make


@pytest.fixture(scope="session")
def nested(make_nested: Callable[..., Federation]) -> Federation:
    return make_nested()


@pytest.fixture(scope="session")
def federation(make_federation: Callable[..., Federation]) -> Federation:
    return make_federation()


A_DIGEST = "sha256:" + "a" * 64
SAMPLE_LABELS = ("a4c", "plax")
CONTRIBUTION = {
    "site": "ada",
    "task": "classification",
    "front_end": A_DIGEST,
    "batch": "b0001",
    "labels": SAMPLE_LABELS,
    "patients": {"a4c": 6, "plax": 7},
    "images": {"a4c": 12, "plax": 9},
    "batch_patients": 13,
}
RELEASE = {
    "number": 1,
    "previous": None,
    "candidate": None,
    "task": "classification",
    "front_end": {"name": "pixels", "config": {"size": 8, "lift": True}, "digest": A_DIGEST, "features": 3},
    "vocabulary": plain_vocabulary("views", ["a4c", "plax"]).model_dump(),
    "labels": SAMPLE_LABELS,
    "sites": (),
    "experts": (),
    "hyperparameters": {"ridge": 1.0, "scatter": 0.5, "outside": 0.25},
    "weighting": "refit",
    "alpha": 0.05,
    "temperature": 1.0,
    "systems": ({"inside": ("ada",), "outside": (), "labels": ("a4c",), "inverse": False},),
}
PLAN = {
    "task": "classification",
    "front_end": A_DIGEST,
    "labels": SAMPLE_LABELS,
    "model": "linear_head",
    "config": {"features": 3, "labels": 2},
    "strategy": "fedprox",
    "rounds": 4,
    "epochs": 2,
    "proximal": 0.1,
    "least": 2,
}
ENTERED = tuple({"site": site, "update": A_DIGEST, "images": 21} for site in ("ada", "ben"))
ASKED = (
    {"contribution": A_DIGEST, "features": 4, "logits": 2, "means": 3},
    {"contribution": "sha256:" + "b" * 64, "features": 2, "logits": 1, "means": 0},
)
EXPERT = {
    "site": "ben",
    "contribution": A_DIGEST,
    "place": 1,
    "task": "classification",
    "architecture": "small_resnet18",
    "config": {"classes": 2, "side": 16, "width": 4},
    "labels": SAMPLE_LABELS,
    "network": A_DIGEST,
}
STATE: Tensors = {"weight": np.ones((2, 3), np.float32), "bias": np.ones(2, np.float32)}
LEAF = decision_making.a_record(0)
TREE = decision_making.Tree([LEAF.to_bytes(), *(b"%d" % number for number in range(1, 20))])
SAMPLE_FIELDS: dict[str, dict[str, Any]] = {
    "statistics": CONTRIBUTION | {"level": 2, "level_to_sites": 1, "features": 3, "folds": ("train", "validation")},
    "features": CONTRIBUTION | {"features": 3, "folds": ("train",)},
    "weights": CONTRIBUTION | {"architecture": "linear_head", "config": {"features": 3, "classes": 2}},
    "consultation": CONTRIBUTION | {"panel": ASKED, "copies": 1, "folds": ("train",)},
    "expert": EXPERT,
    "synthetic": CONTRIBUTION | {"generator": "diffusion", "privacy_filter": "nearest", "threshold": 0.5},
    "report": {
        "site": "ada",
        "candidate": A_DIGEST,
        "labels": SAMPLE_LABELS,
        "validation_patients": 5,
        "calibration_patients": 19,
    },
    "summary": {"site": "ada", **decision_making.told(TREE, release=A_DIGEST)},
    "decision": {"site": "ada", **decision_making.shown(TREE, LEAF, decision_making.an_answer())},
    "update": CONTRIBUTION | {"batch": "all", "average": A_DIGEST, "run": 1, "round": 3, "model": "linear_head"},
    "average": {"run": 1, "plan": PLAN, "round": 2, "previous": A_DIGEST, "updates": ENTERED},
    "adoption": {"site": "ada", "release": A_DIGEST, "choice": "adopted"},
    "withdrawal": {"site": "ada", "contributions": (A_DIGEST,)},
    "candidate": RELEASE,
    "release": RELEASE | {"candidate": A_DIGEST},
    "recall": {"release": A_DIGEST, "fallback": None, "reason": "wrong labels at one site"},
}


def _block(fold: str) -> Tensors:
    return {f"{fold}.class_sums": np.ones((3, 2)), f"{fold}.weights": np.ones(2), f"{fold}.gram": np.ones(6)}


def _rows(count: int) -> Tensors:
    return {
        "train.features": np.ones((count, 3)),
        "train.label": np.zeros(count, np.int64),
        "train.weight": np.ones(count),
        "train.patient": np.arange(count),
    }


SAMPLE_TENSORS: dict[str, Tensors] = {
    "statistics": _block("train") | _block("validation"),
    "features": _rows(5),
    "consultation": {name: array for name, array in _rows(5).items() if name != "train.features"}
    | {"train.said": np.ones((5, 12), np.float32)},
    "expert": STATE,
    "weights": {"weight": np.ones((2, 3)), "bias": np.ones(2)},
    "synthetic": {"images": np.zeros((3, 6, 8), np.uint8), "label": np.zeros(3, np.int64)},
    "report": {
        "covariance": np.ones((2, 6)),
        "standard.image": np.ones((3, 2)),
        "standard.clip": np.ones((3, 2)),
        "calibration.image": np.ones(9, np.int64),
        "calibration.clip": np.ones(9, np.int64),
        "nll": np.ones(61),
        "nll_count": np.ones(1),
        "score_correct": np.ones((2, 20), np.int64),
        "confusion": np.ones((2, 2), np.int64),
    },
    "summary": decision_making.sums(),
    "decision": {"features": decision_making.rows(0)},
    "update": STATE,
    "average": STATE,
    "candidate": {"class_sums": np.ones((1, 3, 2))},
    "release": {"class_sums": np.ones((1, 3, 2))},
}


@pytest.fixture(scope="session")
def make_sample() -> Callable[..., tuple[Any, bytes]]:
    """A small manifest of any kind, with its tensors."""

    def make(kind: str, tensors: Tensors | None = None, **changes: Any) -> tuple[Any, bytes]:
        data, specs, digest = pack_tensors(SAMPLE_TENSORS.get(kind, {}) if tensors is None else tensors)
        fields = {"kind": kind, "federation": "test", "tensors": specs, "tensors_digest": digest}
        return TypeAdapter(AnyManifest).validate_python(fields | SAMPLE_FIELDS[kind] | changes), data

    return make
