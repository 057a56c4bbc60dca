"""A site's home with everything in it, and drafts of every kind, made anew for each test."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray
from PIL import Image

import consilium
from federated.disclosure import Cell, Facts
from federated.enrolment import Kit
from federated.keys import fingerprint, public_hex, read_private_key
from federated.manifest import (
    AdoptionManifest,
    ConsultationManifest,
    DecisionManifest,
    FeaturesManifest,
    FrontEndCard,
    Manifest,
    ReportManifest,
    StatisticsManifest,
    SummaryManifest,
    SyntheticManifest,
    Tensors,
    UpdateManifest,
    WeightsManifest,
    WithdrawalManifest,
    pack_tensors,
)
from federated.panel import Asked
from federated.vocabulary import Concept, Vocabulary, plain_vocabulary
from server.coordinator import Coordinator
from server.home import CoordinatorConfig, CoordinatorHome
from shared_models.front_ends import create_front_end
from site_agent.agent import exchange
from site_agent.decisions.sums import FOLD, NO_LABEL
from site_agent.egress import Draft
from site_agent.home import SiteHome
from site_agent.intake.ingest import ingest
from site_agent.intake.reports import IngestReport
from site_agent.policy import Policy, permissive_policy, read_policy, sign_policy, write_policy
from tests import decision_making

LABELS = ("a4c", "plax")
FEATURES = 3
FRONT_END = FrontEndCard(name="pixels", config={"size": 8}, digest="sha256:" + "1" * 64, features=FEATURES)
RELEASE = decision_making.RELEASE
LEAF = decision_making.a_record(0)
TREE = decision_making.Tree([LEAF.to_bytes(), *(b"%d" % number for number in range(1, 20))])


@pytest.fixture
def coordinator_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(b"c" * 32)


@pytest.fixture
def kit(coordinator_key: Ed25519PrivateKey) -> Kit:
    return Kit(
        federation="test",
        coordinator="hub",
        coordinator_public=public_hex(coordinator_key),
        site="ada",
        invitation="ab" * 16,
        superlink="127.0.0.1:18000",
        ca_certificate="",
        task="classification",
        front_end=FRONT_END,
        vocabulary=plain_vocabulary("views", [*LABELS, "sub"]),
    )


@pytest.fixture
def home(tmp_path: Path, kit: Kit) -> SiteHome:
    return SiteHome.create(tmp_path / "ada", kit)


@pytest.fixture
def approver(home: SiteHome) -> Ed25519PrivateKey:
    return read_private_key(home.keys_path / "approver.pem")


@pytest.fixture
def open_home(home: SiteHome, approver: Ed25519PrivateKey) -> SiteHome:
    """A home whose signed policy lets everything out."""
    write_policy(home, permissive_policy("test", "ada"))
    sign_policy(home, approver)
    return home


class Drafts:
    """Drafts of every kind over patients p<first> to p<last - 1>, half of them with each label."""

    def make(self, kind: str, people: range = range(40), /, **changes: Any) -> Draft:
        build = getattr(self, f"_{kind}")
        draft: Draft = build(self.cells(people), **changes)
        return draft

    @staticmethod
    def cells(patients: range, folds: tuple[str, ...] = ("train", "validation")) -> dict[Cell, frozenset[str]]:
        """Patients in turn to folds and labels."""
        slots = [(fold, label) for fold in folds for label in LABELS]
        return {
            slot: frozenset(f"p{number}" for number in patients if number % len(slots) == index)
            for index, slot in enumerate(slots)
        }

    def _statistics(self, cells: dict[Cell, frozenset[str]], level: int = 2, **changes: Any) -> Draft:
        folds = ("train", "validation")
        rng = np.random.default_rng(sum(map(len, cells.values())))
        tensors: Tensors = {}
        for fold in folds:
            rows = rng.normal(size=(9, FEATURES))
            sizes = [float(len(cells[fold, label])) for label in LABELS]
            tensors |= {f"{fold}.class_sums": rng.normal(size=(FEATURES, 2)), f"{fold}.weights": np.array(sizes)}
            if level == 2:
                tensors[f"{fold}.gram"] = (rows.T @ rows)[np.triu_indices(FEATURES)]
        fields = {"level": level, "level_to_sites": 1, "features": FEATURES, "folds": folds}
        return self._contribution(StatisticsManifest, "statistics", cells, tensors, fields | changes, level)

    def _features(self, cells: dict[Cell, frozenset[str]], **changes: Any) -> Draft:
        tensors: Tensors = {}
        for fold in ("train", "validation"):
            sizes = [len(cells[fold, label]) for label in LABELS]
            rows = sum(sizes)
            tensors |= {
                f"{fold}.features": np.arange(rows * FEATURES, dtype=float).reshape(rows, FEATURES),
                f"{fold}.label": np.repeat(np.arange(2), sizes),
                f"{fold}.weight": np.ones(rows),
                f"{fold}.patient": np.arange(rows),
            }
        fields = {"features": FEATURES, "folds": ("train", "validation")}
        return self._contribution(FeaturesManifest, "features", cells, tensors, fields | changes, None)

    def _consultation(self, cells: dict[Cell, frozenset[str]], **changes: Any) -> Draft:
        tensors: Tensors = {}
        for fold in ("train", "validation"):
            sizes = [len(cells[fold, label]) for label in LABELS]
            tensors |= {
                f"{fold}.said": np.ones((sum(sizes), 9), np.float32),
                f"{fold}.label": np.repeat(np.arange(2), sizes),
                f"{fold}.weight": np.ones(sum(sizes)),
                f"{fold}.patient": np.arange(sum(sizes)),
            }
        panel = (Asked(contribution=RELEASE, features=4, logits=2, means=3),)
        fields = {"panel": panel, "copies": 0, "folds": ("train", "validation")}
        return self._contribution(ConsultationManifest, "consultation", cells, tensors, fields | changes, None)

    def _weights(self, cells: dict[Cell, frozenset[str]], **changes: Any) -> Draft:
        tensors: Tensors = {"bias": np.zeros(2), "weight": np.full((2, FEATURES), float(len(cells)))}
        fields = {"architecture": "linear_head", "config": {"features": FEATURES, "classes": 2}}
        return self._contribution(WeightsManifest, "weights", cells, tensors, fields | changes, None)

    def _update(self, cells: dict[Cell, frozenset[str]], **changes: Any) -> Draft:
        tensors: Tensors = {"bias": np.zeros(2, np.float32), "weight": np.ones((2, FEATURES), np.float32)}
        fields = {"batch": "all", "average": RELEASE, "run": 1, "round": 1, "model": "linear_head"} | changes
        draft = self._contribution(UpdateManifest, "update", cells, tensors, fields, None)
        return Draft(draft.manifest, draft.tensors, replace(draft.facts, about=f"classification/{fields['model']}"))

    def _synthetic(self, cells: dict[Cell, frozenset[str]], **changes: Any) -> Draft:
        tensors: Tensors = {"images": np.zeros((4, 6, 8), np.uint8), "label": np.array([0, 0, 1, 1])}
        fields = {"generator": "diffusion", "privacy_filter": "nearest", "threshold": 0.5}
        return self._contribution(SyntheticManifest, "synthetic", cells, tensors, fields | changes, None)

    def _report(self, _: dict[Cell, frozenset[str]], **changes: Any) -> Draft:
        cells = self.cells(range(60), ("train", "validation", "calibration"))
        tensors: Tensors = {
            "covariance": np.ones((2, 3)),
            "nll": np.ones(61),
            "nll_count": np.ones(1),
            "score_correct": np.ones((2, 20), np.int64),
            "confusion": np.ones((2, 2), np.int64),
        }
        for unit in ("image", "clip"):
            tensors |= {f"standard.{unit}": np.ones((3, 2)), f"calibration.{unit}": np.ones(9, np.int64)}
        fields = {"candidate": RELEASE, "labels": LABELS, "validation_patients": 20, "calibration_patients": 20}
        return self._draft(ReportManifest, Facts("report", None, 2, cells, 0.1, 0), tensors, fields | changes)

    def _summary(self, given: dict[Cell, frozenset[str]], **changes: Any) -> Draft:
        people = sorted(frozenset().union(*given.values()))
        slots = [(FOLD, label) for label in (*LABELS, NO_LABEL)]
        cells = {slot: frozenset(people[index :: len(slots)]) for index, slot in enumerate(slots)}
        tensors: Tensors = decision_making.sums()
        fields = decision_making.told(TREE)
        return self._draft(SummaryManifest, Facts("summary", None, None, cells, 0.0, 0), tensors, fields | changes)

    def _decision(self, _: dict[Cell, frozenset[str]], **changes: Any) -> Draft:
        cells = {("test", "a4c"): frozenset({"p1"})}
        fields = decision_making.shown(TREE, LEAF, decision_making.an_answer())
        facts = Facts("decision", None, None, cells, 1.0, 0)
        return self._draft(DecisionManifest, facts, {"features": decision_making.rows(0)}, fields | changes)

    def _adoption(self, _: dict[Cell, frozenset[str]], **changes: Any) -> Draft:
        facts = Facts("adoption", None, None, {}, 0.0, 0)
        return self._draft(AdoptionManifest, facts, {}, {"release": RELEASE, "choice": "adopted"} | changes)

    def _withdrawal(self, _: dict[Cell, frozenset[str]], **changes: Any) -> Draft:
        facts = Facts("withdrawal", None, None, {}, 0.0, 0)
        return self._draft(WithdrawalManifest, facts, {}, {"contributions": (RELEASE,)} | changes)

    def _contribution(
        self,
        model: type[Manifest],
        kind: str,
        cells: dict[Cell, frozenset[str]],
        tensors: Tensors,
        fields: dict[str, Any],
        level: int | None,
    ) -> Draft:
        counts = {label: len(cells["train", label] | cells["validation", label]) for label in LABELS}
        shared: dict[str, Any] = {
            "task": "classification",
            "front_end": FRONT_END.digest,
            "batch": "b0001",
            "labels": LABELS,
        }
        shared |= {"patients": counts, "images": counts, "batch_patients": sum(counts.values())}
        facts = Facts(kind, level, FEATURES if level == 2 else None, cells, 0.1, 0)
        return self._draft(model, facts, tensors, shared | fields)

    @staticmethod
    def _draft(model: type[Manifest], facts: Facts, tensors: Tensors, fields: dict[str, Any]) -> Draft:
        data, specs, digest = pack_tensors(tensors)
        shared = {"federation": "test", "site": "ada", "tensors": specs, "tensors_digest": digest}
        return Draft(model(**(shared | fields)), data, Facts(**{**vars(facts), "size": len(data)}))


@pytest.fixture
def make_draft() -> Callable[..., Draft]:
    return Drafts().make


PIXELS = create_front_end("pixels")
PIXELS_CARD = FrontEndCard(name="pixels", config={}, digest=PIXELS.digest, features=PIXELS.features)
SHADES = ("dark", "light", "striped")
SIDE = 12


def shade(label: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """An image that shows its label."""
    base = np.full((SIDE, SIDE), {"dark": 60.0, "light": 180.0, "striped": 120.0}[label])
    base[:, : SIDE // 2] += 40.0 if label == "dark" else -40.0
    if label == "striped":
        base[::3] = 250.0
    return np.clip(base + rng.normal(0.0, 15.0, base.shape), 0, 255).astype(np.uint8)


class Federation:
    """A coordinator and hospitals with real images, which pass parcels by hand."""

    def __init__(self, folder: Path, vocabulary: Vocabulary | None = None, card: FrontEndCard = PIXELS_CARD) -> None:
        self.folder = folder
        config = CoordinatorConfig(federation="shades", name="hub", task="classification", front_end=card)
        vocabulary = vocabulary or plain_vocabulary("shades", list(SHADES))
        self.coordinator = Coordinator(CoordinatorHome.create(folder / "hub", config, vocabulary))

    def join(self, name: str) -> SiteHome:
        """A site, enrolled; without images, and without a policy."""
        home = SiteHome.create(self.folder / name, self.coordinator.invite(name))
        (home.keys_path / "secret").write_bytes(name.encode().ljust(32, b"."))  # the same folds in every run
        self.coordinator.enrol(home.request_path, fingerprint(bytes.fromhex(public_hex(home.key()))))
        return home

    def allow(self, home: SiteHome, *kinds: str, **changes: Any) -> Policy:
        """A signed policy that lets these kinds out without limits, but for changes by kind."""
        policy = permissive_policy("shades", home.config.site, kinds or ("statistics", "report"))
        rules = {kind: policy.rule(kind).model_copy(update=change) for kind, change in changes.items()}
        write_policy(home, policy.model_copy(update=rules))
        sign_policy(home, read_private_key(home.keys_path / "approver.pem"))
        return read_policy(home)

    def images(self, name: str, patients: Mapping[str, int], *, each: int = 2, first: int = 0) -> Path:
        """A folder with an index: so many patients a label, so many images each, which are one clip."""
        folder = self.folder / f"images of {name} from {first}"
        folder.mkdir()
        rng = np.random.default_rng([first, *name.encode()])
        lines = ["path,label,patient,clip"]
        for label, count in patients.items():
            for number in range(first, first + count):
                for frame in range(each):
                    path = f"{label}-{number}-{frame}.png"
                    Image.fromarray(shade(label, rng)).save(folder / path)
                    lines.append(f"{path},{label},{label}-{number},{label}-{number}")
        (folder / "index.csv").write_text("\n".join(lines))
        return folder

    def take_in(self, home: SiteHome, patients: Mapping[str, int], *, each: int = 2, first: int = 0) -> IngestReport:
        """Images of so many new patients a label become a batch."""
        index = self.images(home.config.site, patients, each=each, first=first)
        return ingest(home.archive, home.vocabulary, home.label_map, index)

    def hospital(self, name: str, patients: Mapping[str, int], *kinds: str) -> SiteHome:
        """A site with images and a permissive policy."""
        home = self.join(name)
        self.take_in(home, patients)
        self.allow(home, *kinds)
        return home

    def exchange(self, home: SiteHome, **options: Any) -> list[str]:
        """One round with one site; outcomes of what it sent."""
        site = home.config.site
        outgoing, settled = self.coordinator.outgoing(site), self.coordinator.settled(site)
        answer = exchange(home, [parcel.to_bytes() for parcel in outgoing], settled, **options)
        for parcel in outgoing:
            self.coordinator.acknowledge(site, parcel.digest)
        self.coordinator.told(site, [digest for digest, _ in settled])
        return [f"{each.kind} {each.outcome}" for each in self.coordinator.accept_all(answer)]

    def event(self, *homes: SiteHome, **options: Any) -> str | None:
        """Contribute, propose, report, release and hand out; the digest of the release."""
        for home in homes:
            self.exchange(home, **options)
        self.coordinator.propose()
        for home in homes:
            self.exchange(home, **options)
        release = self.coordinator.release()
        for home in homes:
            self.exchange(home, **options)
        return release


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation(tmp_path)


@pytest.fixture
def nested(tmp_path: Path) -> Federation:
    """One where `dark` and `striped` lie below `light`."""
    above = {"dark": ("light",), "striped": ("light",)}
    concepts = (Concept(code=code, scheme="local", meaning=code, parents=above.get(code, ())) for code in SHADES)
    return Federation(tmp_path, Vocabulary(name="shades", concepts=tuple(concepts)))


@pytest.fixture(scope="session")
def found() -> type[Federation]:
    """For what several tests share: a federation in a folder."""
    return Federation


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs `consilium site …` on the home of ada."""
    monkeypatch.setenv("CONSILIUM_HOME", str(tmp_path / "ada"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["consilium", "site", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            consilium.main()
        told = capsys.readouterr()
        return Result(int(stop.value.code or 0), told.out, told.err)

    return call
