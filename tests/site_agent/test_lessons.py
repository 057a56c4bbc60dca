"""What a site learns from in rounds, counted as it leaves, and rounds of networks that segment, outline and encode."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from federated.averaging import Plan, UpdateManifest
from federated.disclosure import Limits
from federated.envelope import parse_parcel
from federated.errors import DataError, DisclosureError
from federated.keys import fingerprint, public_hex, read_private_key
from federated.manifest import parse_manifest
from federated.vocabulary import Vocabulary, builtin_vocabulary, plain_vocabulary
from server.averaging import AveragingSummary, run_average
from server.coordinator import Coordinator
from server.home import CoordinatorConfig, CoordinatorHome
from shared_models.averaged_models import averaged_model, config_of
from shared_models.segmentation import Masked
from site_agent import lessons, tasks, truth
from site_agent.agent import work
from site_agent.averaging import load_average
from site_agent.egress import Gate
from site_agent.home import SiteHome
from site_agent.intake.ingest import ingest
from site_agent.lessons import Lesson, lesson_of
from site_agent.policy import Policy, StandingApproval, UpdateRule, sign_policy, write_policy
from site_agent.truth import LA, LV, MYOCARDIUM
from tests.site_agent.sources.conftest import Exported, exported
from tests.site_agent.test_averaging import Files, Mean
from tests.small_front_end import CARD

__all__ = ["exported"]

FREE = Limits(cell=1, batch=1)
A2C, A4C = "399232001", "399214001"
OPTIONS: dict[str, dict[str, int | str]] = {
    "unet": {"side": 16, "width": 2, "levels": 2},
    "contour_network": {"side": 16, "width": 2, "levels": 2, "shrunk": 1},
    "clip_encoder": {"side": 8, "width": 2, "levels": 2, "stride": 2, "cells": 1, "dense": 4, "projected": 4},
    "diff_fourier_net": {"side": 16, "width": 1},
    "pix2vox": {"views": "A4C,A2C", "trunk": "test_resnet", "shrink": 32, "bottleneck": 8},
}
TASKS = {
    "unet": ("segmentation", "chambers"),
    "contour_network": ("contour", "heart"),
    "clip_encoder": ("retrieval", "muscle"),
    "diff_fourier_net": ("registration", "heart"),
    "pix2vox": ("reconstruction", "heart"),
}


class Party:
    """A coordinator of a federation that averages a network, and sites that may answer."""

    def __init__(self, folder: Path, model: str, vocabulary: Vocabulary | None = None) -> None:
        self.folder, self.model = folder, model
        self.task, words = TASKS[model]
        config = CoordinatorConfig(federation="party", name="hub", task=self.task, front_end=CARD)
        self.vocabulary = vocabulary or builtin_vocabulary(words)
        self.coordinator = Coordinator(CoordinatorHome.create(folder / "hub", config, self.vocabulary))

    def join(self, name: str, root: Path) -> SiteHome:
        """A site that has taken in a folder, and whose approver lets updates out."""
        home = SiteHome.create(self.folder / name, self.coordinator.invite(name))
        (home.keys_path / "secret").write_bytes(name.encode().ljust(32, b"."))  # the same folds in every run
        self.coordinator.enrol(home.request_path, fingerprint(bytes.fromhex(public_hex(home.key()))))
        ingest(home.archive, home.image_vocabulary, home.label_map, root)
        standing = StandingApproval(task=self.task, model=self.model, rounds=20, until="2999-12-31", bytes=10**7)
        limits = Limits(cell=1, batch=1, difference=1, dominance=1.0)
        rule = {"allowed": True, "approval": "standing", "averaging": (standing,), "limits": limits}
        write_policy(home, Policy(federation="party", site=name, update=UpdateRule.model_validate(rule)))
        sign_policy(home, read_private_key(home.keys_path / "approver.pem"))
        return home

    def plan(self, **changes: Any) -> Plan:
        """Two rounds of an epoch."""
        labels, features = self.vocabulary.codes, CARD.features
        fields: dict[str, Any] = {
            "task": self.task,
            "front_end": CARD.digest,
            "labels": labels,
            "model": self.model,
            "config": config_of(averaged_model(self.model), features, len(labels), OPTIONS[self.model]),
            "strategy": "fedavg",
            "rounds": 2,
            "epochs": 1,
            "proximal": 0.0,
            "least": 2,
        }
        return Plan.model_validate(fields | changes)

    def run(self, *homes: SiteHome, **changes: Any) -> AveragingSummary:
        self.coordinator.begin_average(self.plan(**changes))
        return run_average(self.coordinator, Files(*homes), Mean())


def _root(exported: Exported, model: str, seed: int = 5) -> Path:
    if model == "clip_encoder":
        return exported("muscle", patients=4, frames=20, size=48, seed=seed)[0]
    if model == "pix2vox":
        return exported("hearts", patients=2, size=32, seed=seed)[0]
    return exported("camus", patients=6, frames=4, size=64, seed=seed)[0]


def _updates(home: SiteHome) -> list[UpdateManifest]:
    found = [parse_manifest(parse_parcel(path.read_bytes()).manifest) for path in sorted(home.outbox.rglob("*.parcel"))]
    return [manifest for manifest in found if isinstance(manifest, UpdateManifest)]


@pytest.fixture(autouse=True)
def _tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but updates leaves here, so that any task will do."""
    for task, _ in TASKS.values():
        monkeypatch.setitem(tasks.TASKS, task, tasks.TASKS["segmentation"])


@pytest.mark.parametrize(
    ("model", "strategy"),
    [
        ("unet", "fedavg"),
        ("contour_network", "fedprox"),
        ("clip_encoder", "fedavg"),
        ("diff_fourier_net", "fedprox"),
        ("pix2vox", "fedprox"),
    ],
)
def test_two_hospitals_average_a_network_for_two_rounds(
    model: str, strategy: str, tmp_path: Path, exported: Exported
) -> None:
    party = Party(tmp_path, model)
    homes = [party.join(name, _root(exported, model, seed)) for name, seed in (("ada", 5), ("ben", 6))]
    summary = party.run(*homes, strategy=strategy, proximal=0.1 if strategy == "fedprox" else 0.0)
    assert (summary.trouble, [sorted(each.entered) for each in summary.rounds]) == ("", 2 * [["ada", "ben"]])
    assert summary.finished is not None
    plan = party.plan()
    start = averaged_model(model).start(dict(plan.config))
    for home in homes:
        manifest, state = load_average(home, summary.finished)
        assert manifest.round == 2
        assert any(not np.array_equal(state[name], start[name]) for name in start if name.endswith("weight"))
        rows = lesson_of(home, plan, FREE).cases
        for update in _updates(home):
            assert update.images == {label: sum(row.label == label for row in rows) for label in update.labels}
            assert update.examples == len(rows) == summary.rounds[0].entered[home.config.site]
            assert update.batch_patients == len({row.patient for row in rows})
        assert all(receipt.kind == "update" for receipt in Gate(home).receipts())


@pytest.fixture
def ada(tmp_path: Path, exported: Exported) -> tuple[Party, SiteHome]:
    party = Party(tmp_path, "unet")
    return party, party.join("ada", _root(exported, "unet"))


def _masked(lesson: Lesson) -> list[Masked]:
    found: list[Masked] = lesson.examples({"side": 16})
    return found


def test_an_image_counts_once_for_each_structure_that_is_drawn(ada: tuple[Party, SiteHome]) -> None:
    lesson = lesson_of(ada[1], ada[0].plan(), FREE)
    (masked,) = _masked(lesson)
    shown = [row.label for row in lesson.cases]
    assert set(shown) == {LV, MYOCARDIUM, LA}
    assert shown.count(LV) == len(masked.images)
    assert masked.images.shape == masked.masks.shape == (shown.count(LV), 16, 16)
    assert masked.labelled == (1, 2, 3)  # in the order of the federation's structures, of which there are six
    assert {row.fold for row in lesson.cases} == {"train"}


def test_of_structures_that_a_site_does_not_draw_nothing_is_said(
    ada: tuple[Party, SiteHome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(truth.STRUCTURES, "camus", {1: LV, 3: LA})
    lesson = lesson_of(ada[1], ada[0].plan(), FREE)
    (masked,) = _masked(lesson)
    assert masked.labelled == (1, 3)
    assert set(np.unique(masked.masks)) == {0, 1, 3}
    assert {row.label for row in lesson.cases} == {LV, LA}


def test_of_a_structure_that_too_few_patients_show_nothing_is_said(
    ada: tuple[Party, SiteHome], monkeypatch: pytest.MonkeyPatch
) -> None:
    party, home = ada
    drawn = truth.masked_cases(home, party.vocabulary.codes, fold="train")
    one, patients = drawn[0].case.patient, len({each.case.patient for each in drawn})

    def only_of_one(*_: object, **__: object) -> list[truth.MaskedCase]:
        hidden = [replace(each, mask=np.where(each.mask == 3, 0, each.mask)) for each in drawn]
        return [kept if kept.case.patient != one else each for each, kept in zip(drawn, hidden, strict=True)]

    monkeypatch.setattr(truth, "masked_cases", only_of_one)
    lesson = lesson_of(home, party.plan(), Limits(cell=2, batch=1))
    (masked,) = _masked(lesson)
    assert patients > 1
    assert (masked.labelled, 3 in masked.masks) == ((1, 2), False)
    assert {row.label for row in lesson.cases} == {LV, MYOCARDIUM}
    with pytest.raises(DisclosureError, match="no label has 99 training patients"):
        lesson_of(home, party.plan(), Limits(cell=99, batch=1))


def test_contours_are_counted_by_their_views(tmp_path: Path, exported: Exported) -> None:
    party = Party(tmp_path, "contour_network")
    lesson = lesson_of(party.join("ada", _root(exported, "unet")), party.plan(), FREE)
    contoured = lesson.examples({"side": 16})
    assert {row.label for row in lesson.cases} == {A2C, A4C}
    assert len(lesson.cases) == len(contoured.images) == len(contoured.points)
    assert contoured.points.shape[1:] == (7, 2)
    assert (contoured.points.mean(axis=1) > 2).all()
    assert (contoured.points.mean(axis=1) < 14).all()


def test_clips_are_read_window_by_window(tmp_path: Path, exported: Exported) -> None:
    party = Party(tmp_path, "clip_encoder")
    lesson = lesson_of(party.join("ada", _root(exported, "clip_encoder")), party.plan(), FREE)
    windows = lesson.examples({"side": 8})
    assert windows.clips.shape == (len(lesson.cases), 10, 8, 8)
    assert {row.label for row in lesson.cases} == {"THIGH-L", "THIGH-R"}
    assert windows.sweeps.tolist() == sorted(2 * list(range(1, 1 + len(lesson.cases) // 2)))
    assert [row.place for row in lesson.cases[:2]] == [0, 10]


def test_frames_are_read_with_their_end_diastole_both_ways(tmp_path: Path, exported: Exported) -> None:
    party = Party(tmp_path, "diff_fourier_net")
    home = party.join("ada", _root(exported, "unet"))
    lesson = lesson_of(home, party.plan(), FREE)
    pairs = lesson.examples({"side": 16})
    assert pairs.images.shape[1:] == (16, 16)
    assert pairs.labels is None
    assert len(pairs.pairs) == 2 * len(lesson.cases)
    assert {row.label for row in lesson.cases} == {A2C, A4C}
    with pytest.raises(DisclosureError, match="no label has 99 training patients"):
        lesson_of(home, party.plan(), Limits(cell=99, batch=1))


def test_hearts_are_counted_by_their_views_and_their_statistics_stay(tmp_path: Path, exported: Exported) -> None:
    party = Party(tmp_path, "pix2vox")
    home, plan = party.join("ada", _root(exported, "pix2vox")), party.plan()
    lesson = lesson_of(home, plan, FREE)
    hearts = lesson.examples(dict(plan.config))
    assert len(lesson.cases) == 2 * len(hearts) > 0
    assert [row.label for row in lesson.cases[:2]] == [A4C, A2C]
    assert {row.fold for row in lesson.cases} == {"train"}
    assert {(heart.views, heart.target.shape) for heart in hearts} == {(("A4C", "A2C"), (32, 32, 32))}
    model = averaged_model("pix2vox")
    start = model.start(dict(plan.config))
    after = model.train(start, dict(plan.config), hearts[:2], 1, 0.0, 0)
    moved = {name for name in start if not np.array_equal(after[name], start[name])}
    assert any(name.startswith("fusing.1") for name in moved)
    assert not [name for name in moved if "running" in name or "tracked" in name]
    all_of_it = model.train(start, dict(plan.config) | {"batch_norm": "averaged"}, hearts[:2], 1, 0.0, 0)
    assert not np.array_equal(all_of_it["fusing.1.running_var"], start["fusing.1.running_var"])
    with pytest.raises(DisclosureError, match="no label has 99 training patients"):
        lesson_of(home, plan, Limits(cell=99, batch=1))


def test_what_was_taken_back_is_not_learnt_from(ada: tuple[Party, SiteHome], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lessons, "taken_back", lambda _: {"b0001"})
    with pytest.raises(DisclosureError, match="no label has 1 training patients"):
        lesson_of(ada[1], ada[0].plan(), FREE)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("unet", "no image has a mask"),
        ("contour_network", "no image has a contour"),
        ("clip_encoder", "no training patient has a clip of 10 frames"),
        ("diff_fourier_net", "no training patient has a clip of two frames or more"),
        ("pix2vox", "no training patient has a heart with a picture of A4C,A2C"),
    ],
)
def test_a_site_with_nothing_to_learn_from_is_told_what_it_lacks(
    model: str, reason: str, tmp_path: Path, exported: Exported
) -> None:
    party = Party(tmp_path, model, plain_vocabulary("words", ["a4c", "a2c"]))
    root = tmp_path / "bare"
    root.mkdir()
    lines = ["path,label,patient"]
    for number in range(6):
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (32, 32)).astype(np.uint8)).save(
            root / f"{number}.png"
        )
        lines.append(f"{number}.png,{A4C if model == 'unet' else 'a4c'},{number}")
    (root / "index.csv").write_text("\n".join(lines))
    home = party.join("ada", root)
    with pytest.raises(DataError, match=reason):
        lesson_of(home, party.plan(), FREE)
    assert party.run(home, least=1).trouble.startswith("round 1 has updates of 0 sites")
    assert reason in work(home).steps[0].note
