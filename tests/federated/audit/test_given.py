"""Decisions are found wherever an auditor has them, each with the release that answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from federated.audit import given as module
from federated.audit.given import Decisions
from federated.errors import ConsiliumError
from tests.opened_making import with_opened


@pytest.fixture(scope="module")
def with_decisions(make_record: Callable[..., Any], federation: Any) -> Any:
    return with_opened(make_record(), federation.folds["cem"]["test"].features[[80, 81]])


@pytest.fixture
def bundle(with_decisions: Any, tmp_path: Path) -> Path:
    record, _, predictions = with_decisions
    lines = "".join(decision.json_line() for decision in predictions)
    return record.write(tmp_path / "it.bundle", extra={"predictions/ada.jsonl": lines.encode()})


def test_a_file_of_predictions(with_decisions: Any, tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text("".join(decision.json_line() for decision in with_decisions[2]))
    found = Decisions(path, None, None)
    assert [given.decision for given in found] == with_decisions[2]
    assert list(found.opened()) == []
    assert found.model(found.choose("1.png").decision) is None
    assert found.choose("c").decision.image is None
    with pytest.raises(ConsiliumError, match=r"holds several decisions; name one with --image: 0.png, 1.png, c$"):
        found.choose(None)
    with pytest.raises(ConsiliumError, match=r"holds no decision on '9\.png'"):
        found.choose("9.png")


def test_of_many_some_are_named(with_decisions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SOME", 1)
    path = tmp_path / "predictions.jsonl"
    path.write_text("".join(decision.json_line() for decision in with_decisions[2]) + "never read\n")
    with pytest.raises(ConsiliumError, match=r"holds several decisions; name one with --image: 0.png …$"):
        Decisions(path, None, None).choose(None)


def test_an_opened_decision_and_its_release(with_decisions: Any, tmp_path: Path) -> None:
    record, opened, _ = with_decisions
    path = tmp_path / "decision.parcel"
    path.write_bytes(record.parcels[opened[0]].to_bytes())
    manifest = Decisions(path, None, None).choose(None).opened
    assert manifest is not None
    release = tmp_path / "release.parcel"
    release.write_bytes(record.parcels[manifest.manifest.release].to_bytes())
    found = Decisions(path, release, record.trust)
    given = found.choose(None)
    model = found.model(given.decision)
    assert model is not None
    assert model.digest == given.decision.release
    assert given.opened is not None
    assert given.opened.signers


def test_a_bundle_brings_decisions_predictions_and_releases(bundle: Path, with_decisions: Any) -> None:
    _, opened, predictions = with_decisions
    found = Decisions(bundle, None, None)
    names = [given.name for given in found]
    assert [given.opened is not None for given in found] == [True] * 2 + [False] * 3  # a flag answers nothing
    assert names[2:] == ["0.png", "1.png", "c"]
    assert {given.opened.digest for given in found.opened() if given.opened} < set(opened)
    for given in found:
        model = found.model(given.decision)
        assert model is not None
        assert model.digest == given.decision.release
    assert found.choose("0.png").decision == predictions[0]


def test_what_became_known_of_a_decision(bundle: Path, with_decisions: Any) -> None:
    found = Decisions(bundle, None, None)
    flags = {given.opened.manifest.record.number: found.flags(given) for given in found.opened() if given.opened}
    assert {number: [(flag.number, flag.truth) for flag in each] for number, each in flags.items()} == {
        0: [(2, "sub")],
        1: [],
    }
    assert found.flags(found.choose("0.png")) == ()


def test_an_image_that_is_its_own_clip(with_decisions: Any, tmp_path: Path) -> None:
    image, _, clip = with_decisions[2]
    path = tmp_path / "predictions.jsonl"
    path.write_text(clip.model_copy(update={"clip": image.image}).json_line() + image.json_line())
    assert Decisions(path, None, None).choose(None).decision == image


def test_of_two_answers_the_one_of_the_release_that_is_given(with_decisions: Any, tmp_path: Path) -> None:
    record, _, (image, *_) = with_decisions
    first, second = sorted(
        digest for digest, parcel in record.parcels.items() if b'"kind":"release"' in parcel.manifest
    )
    path, release = tmp_path / "predictions.jsonl", tmp_path / "release.parcel"
    path.write_text("".join(image.model_copy(update={"release": digest}).json_line() for digest in (first, second)))
    release.write_bytes(record.parcels[second].to_bytes())
    assert Decisions(path, release, None).choose(None).decision.release == second
    assert Decisions(path, None, None).choose(None).decision.release == first


def test_what_holds_no_decision_is_one_line(
    make_sample: Callable[..., Any], make_record: Callable[..., Any], tmp_path: Path
) -> None:
    record = make_record()
    (report, *_) = [parcel for parcel in record.parcels.values() if b'"kind":"report"' in parcel.manifest]
    path = tmp_path / "report.parcel"
    path.write_bytes(report.to_bytes())
    with pytest.raises(ConsiliumError, match="is a 'report', not an opened decision"):
        Decisions(path, None, None).choose(None)
    with pytest.raises(ConsiliumError, match="holds no decision"):
        Decisions(record.write(tmp_path / "empty.bundle"), None, None).choose(None)
    (tmp_path / "x.jsonl").write_text("{}\n")
    with pytest.raises(ConsiliumError, match="line 1"):
        Decisions(tmp_path / "x.jsonl", None, None).choose(None)
