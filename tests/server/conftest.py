"""A coordinator and hand-made sites: each draws its own images, seals with its key, and answers as a site does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.canonical import digest
from federated.enrolment import Request, write_request
from federated.envelope import Ledger, Opened, Passage, check_sequence, open_parcel, parse_parcel, seal
from federated.fused_model import FusedModel
from federated.keys import Party, fingerprint, public_hex
from federated.local_fold import LocalFold
from federated.log.checkpoints import origin_of, witness_name
from federated.log.notes import ED25519, NoteKey
from federated.log.witness import OtherSizeError, Witness, have
from federated.manifest import (
    AdoptionManifest,
    AverageManifest,
    FeaturesManifest,
    FrontEndCard,
    Manifest,
    StatisticsManifest,
    Tensors,
    UpdateManifest,
    WeightsManifest,
    WithdrawalManifest,
    manifest_digest,
    own_gram_name,
    pack_tensors,
)
from federated.release_status import is_status
from federated.report import compute_report
from federated.statistics import from_features, pack_symmetric
from federated.vocabulary import Concept, Vocabulary, plain_vocabulary
from server.coordinator import Coordinator
from server.event import ExchangeRequest, Unreached
from server.home import CoordinatorConfig, CoordinatorHome

FEATURES = 9
LABELS = ("plax", "a4c", "a2c")
HELD = {"ada": ("plax", "a4c"), "ben": ("a4c", "a2c"), "cem": ("plax", "a2c")}
CARD = FrontEndCard(name="pixels", config={"size": 8}, digest=digest(b"front end"), features=FEATURES)
NESTED = Vocabulary(  # a2c counts as a level of a4c
    name="views",
    concepts=(
        *plain_vocabulary("views", ["plax", "a4c"]).concepts,
        Concept(code="a2c", scheme="local", meaning="a2c", parents=("a4c",)),
    ),
)
COUNTS = {"train": 8, "validation": 6, "calibration": 10}
IMAGES = {"ada": 10, "ben": 30, "cem": 20}  # a label, behind an update
SHIFTS = {"ada": 1.0, "ben": 3.0, "cem": -2.0}  # what training does to every number of a state


def draw(site: str, batch: str, fold: str, patients: int) -> LocalFold:
    """Two images a patient, one clip each: class center + scanner shift + noise, and the constant 1."""
    rng = np.random.default_rng([len(fold), int(batch[1:]), *site.encode()])
    centers = dict(zip(LABELS, np.random.default_rng(7).normal(size=(3, FEATURES - 1)), strict=True))
    shift = 0.3 * np.random.default_rng(list(site.encode())).normal(size=FEATURES - 1)
    names = [(label, f"{label}-{patient}") for label in HELD[site] for patient in range(patients) for _ in range(2)]
    rows = np.array([centers[label] + shift + 0.4 * rng.normal(size=FEATURES - 1) for label, _ in names])
    features = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
    labels, patient_names = (tuple(column) for column in zip(*names, strict=True))
    return LocalFold(features, labels, patient_names, patient_names, np.full(len(names), 0.5))


class Site:
    """A site by hand: key, sequence, outbox and inbox, as `site_agent` keeps them."""

    def __init__(self, name: str, coordinator: Coordinator) -> None:
        self.name, self.trust = name, coordinator.trust()
        self.key, self.approver = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        self.sequence = 0
        self.last: str | None = None
        self.outbox: dict[str, bytes] = {}
        self.sent: set[str] = set()
        self.ledger = Ledger()
        coordinator_key = bytes.fromhex(public_hex(coordinator.home.key()))
        log = NoteKey(origin_of("test"), coordinator_key, ED25519)
        self.witnessing = Witness(coordinator.home.path.parent / f"{name}-witness", log)
        self.told: list[bytes] = []
        self.releases: list[Opened] = []
        self.recalls: list[Opened] = []
        self.averages: list[Opened] = []
        self.choice = "adopted"
        self.reports = True
        self.answer: Callable[[Opened], Draft | None] = self.update

    def card(self, batch: str) -> dict[str, Any]:
        labels = HELD[self.name]
        return {
            "federation": "test",
            "site": self.name,
            "task": "classification",
            "front_end": CARD.digest,
            "batch": batch,
            "labels": labels,
            "patients": dict.fromkeys(labels, COUNTS["train"]),
            "images": dict.fromkeys(labels, 2 * COUNTS["train"]),
            "batch_patients": len(labels) * sum(COUNTS.values()),
        }

    def statistics(
        self, batch: str = "b0001", level: int = 2, to_sites: int = 2, coarse: tuple[str, ...] = (), **changes: Any
    ) -> Draft:
        tensors: Tensors = {}
        for fold in ("train", "validation"):
            images = draw(self.name, batch, fold, COUNTS[fold])
            block = from_features(images.features, images.labels, images.weights, HELD[self.name], coarse)
            tensors |= {f"{fold}.class_sums": block.class_sums, f"{fold}.weights": block.weights}
            if level == 2:
                assert block.gram is not None
                tensors[f"{fold}.gram"] = pack_symmetric(block.gram)
                for index, gram in enumerate(block.own_grams.values()):
                    tensors[own_gram_name(fold, index)] = pack_symmetric(gram)
        fields: dict[str, Any] = {"level": level, "level_to_sites": min(level, to_sites), "features": FEATURES}
        fields |= {"folds": ("train", "validation"), "coarse": coarse}
        return Draft(StatisticsManifest, self.card(batch) | fields, tensors, changes)

    def features(self, batch: str = "b0001", **changes: Any) -> Draft:
        tensors: Tensors = {}
        for fold in ("train", "validation"):
            images = draw(self.name, batch, fold, COUNTS[fold])
            patients = list(dict.fromkeys(images.patients))
            tensors |= {
                f"{fold}.features": images.features,
                f"{fold}.label": np.array([HELD[self.name].index(label) for label in images.labels]),
                f"{fold}.weight": images.weights,
                f"{fold}.patient": np.array([patients.index(patient) for patient in images.patients]),
            }
        fields = {"features": FEATURES, "folds": ("train", "validation")}
        return Draft(FeaturesManifest, self.card(batch) | fields, tensors, changes)

    def weights(self, batch: str = "b0001", **changes: Any) -> Draft:
        labels = HELD[self.name]
        config = {"features": FEATURES, "labels": len(labels)}
        tensors = {
            "weight": np.ones((len(labels), FEATURES), np.float32),
            "bias": np.zeros(len(labels), np.float32),
        }
        fields = {"architecture": "linear_head", "config": config}
        return Draft(WeightsManifest, self.card(batch) | fields, tensors, changes)

    def update(self, average: Opened, /, tensors: Tensors | None = None, **changes: Any) -> Draft:
        """Answers a global model, by another state than that of training where tensors are given."""
        moved = {name: array + np.float32(SHIFTS[self.name]) for name, array in average.tensors.items()}
        manifest: AverageManifest = average.manifest
        fields = {"average": average.digest, "run": manifest.run, "round": manifest.round + 1}
        fields |= {"model": manifest.plan.model, "images": dict.fromkeys(HELD[self.name], IMAGES[self.name])}
        return Draft(UpdateManifest, self.card("all") | fields, moved if tensors is None else tensors, changes)

    def withdrawal(self, *contributions: str) -> Draft:
        fields = {"federation": "test", "site": self.name, "contributions": contributions}
        return Draft(WithdrawalManifest, fields, {}, {})

    def adoption(self, release: str) -> Draft:
        fields = {"federation": "test", "site": self.name, "release": release, "choice": self.choice}
        return Draft(AdoptionManifest, fields, {}, {})

    def report(self, candidate: Opened) -> Draft:
        model = FusedModel.from_release(candidate.manifest, candidate.tensors)
        train, validation, calibration = (draw(self.name, "b0001", fold, count) for fold, count in COUNTS.items())
        manifest, data = compute_report(model, self.name, train=train, validation=validation, calibration=calibration)
        return Draft.of(manifest, data)

    def seal(self, draft: Draft, **passage: Any) -> bytes:
        """The next parcel; fields of the passage may be changed."""
        manifest, tensors = draft.built()
        fields = {
            "federation": "test",
            "sender": self.name,
            "recipient": "hub",
            "sequence": self.sequence + 1,
            "previous": self.last,
            "kind": manifest.kind,
            "policy": None,
            "filters": {},
            "approval": "standing",
            "issued": "2030-01-01T00:00:00Z",
        }
        parcel = seal(manifest, tensors, Passage.model_validate(fields | passage), [self.key])
        self.sequence, self.last = self.sequence + 1, parcel.digest
        return parcel.to_bytes()

    def put(self, draft: Draft) -> str:
        """Seals into the outbox, once; the digest."""
        name = manifest_digest(draft.built()[0])
        if name not in self.outbox and name not in self.sent:
            self.outbox[name] = self.seal(draft)
        return name

    def settle(self, settled: list[tuple[str, str]]) -> None:
        for name, _ in settled:
            self.outbox.pop(name, None)
            self.sent.add(name)

    def take(self, data: bytes) -> None:
        """Opens a parcel from the coordinator; answers a candidate with a report and a release with a choice."""
        opened = open_parcel(parse_parcel(data), self.trust, recipient=self.name)
        if check_sequence(self.ledger, opened.passage, opened.digest) == "same":
            return
        self.ledger = self.ledger.accepting(opened.passage, opened.digest)
        if opened.manifest.kind == "candidate" and self.reports:
            self.put(self.report(opened))
        elif opened.manifest.kind == "release":
            self.releases.append(opened)
            self.put(self.adoption(opened.digest))
        elif opened.manifest.kind == "recall":
            self.recalls.append(opened)
        elif opened.manifest.kind == "average":
            self.averages.append(opened)
            draft = None if opened.manifest.is_finished else self.answer(opened)
            if draft is not None:
                self.put(draft)

    def witness(self, data: bytes, told: Sequence[bytes] = ()) -> bytes:
        self.told += told
        try:
            note = self.witnessing.cosign(data, witness_name("test", self.name), self.key, int(time.time()))
        except OtherSizeError as error:
            return have(error.size)
        return note.to_bytes()

    def exchange(self, request: ExchangeRequest) -> list[bytes]:
        self.settle(request.settled)
        for data in request.parcels:  # over Flower the list of releases is one of them
            if not is_status(data):
                self.take(data)
        return list(self.outbox.values())


class Draft:
    """A manifest's class, its fields and its tensors, any of which a test may change before they are packed."""

    def __init__(
        self, model: type[Manifest], fields: Mapping[str, Any], tensors: Tensors, changes: Mapping[str, Any]
    ) -> None:
        self.model, self.fields, self.tensors = model, dict(fields) | dict(changes), dict(tensors)
        self.ready: tuple[Manifest, bytes] | None = None

    @classmethod
    def of(cls, manifest: Manifest, data: bytes) -> Draft:
        draft = cls(type(manifest), {}, {}, {})
        draft.ready = (manifest, data)
        return draft

    def built(self) -> tuple[Any, bytes]:
        if self.ready is not None:
            return self.ready
        data, specs, tensors_digest = pack_tensors(self.tensors)
        return self.model(**self.fields, tensors=specs, tensors_digest=tensors_digest), data

    def opened(self) -> tuple[Any, Tensors]:
        return self.built()[0], self.tensors


class World:
    """A coordinator with its sites, and a route between them in this process."""

    def __init__(self, folder: Path, vocabulary: Vocabulary | None = None, **config: Any) -> None:
        self.folder = folder
        fixed = {"federation": "test", "name": "hub", "task": "classification", "front_end": CARD}
        settings = CoordinatorConfig.model_validate(fixed | config)
        views = vocabulary or plain_vocabulary("views", list(LABELS))
        home = CoordinatorHome.create(folder / "hub", settings, views)
        self.coordinator = Coordinator(home)
        self.members: dict[str, Site] = {}
        self.offline: set[str] = set()

    def restart(self) -> Coordinator:
        self.coordinator = Coordinator(CoordinatorHome(self.folder / "hub"))
        return self.coordinator

    def request(self, member: Site, **changes: Any) -> Path:
        """Invites a site and writes its request."""
        kit = self.coordinator.invite(member.name)
        fields = {
            "federation": kit.federation,
            "site": member.name,
            "site_public": public_hex(member.key),
            "approvers": (
                Party(name=f"{member.name}-dpo", role="approver", public=public_hex(member.approver), site=member.name),
            ),
            "invitation": kit.invitation,
            "flower_public": "",
        }
        path = self.folder / f"{member.name}.request.json"
        write_request(Request(**fields | changes), member.key, path)
        return path

    def join(self, name: str, **changes: Any) -> Site:
        """A site that is invited and enrolled."""
        site = Site(name, self.coordinator)
        self.coordinator.enrol(self.request(site, **changes), fingerprint(bytes.fromhex(public_hex(site.key))))
        self.members[name] = site
        return site

    def sites(self) -> list[str]:
        return sorted(set(self.members) - self.offline)

    def witness(self, requests: Mapping[str, Sequence[bytes]]) -> dict[str, bytes]:
        return {
            site: self.members[site].witness(asked, told)
            for site, (asked, *told) in requests.items()
            if site not in self.offline
        }

    def exchange(self, requests: Mapping[str, ExchangeRequest]) -> dict[str, list[bytes] | Unreached]:
        return {
            site: Unreached("offline") if site in self.offline else self.members[site].exchange(request)
            for site, request in requests.items()
        }


@pytest.fixture
def make_world(tmp_path: Path) -> Callable[..., World]:
    def make(**config: Any) -> World:
        folder = tmp_path / f"world{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return World(folder, **config)

    return make


@pytest.fixture
def nested_world(make_world: Callable[..., World]) -> World:
    """One view lies within another."""
    return make_world(vocabulary=NESTED)


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()
