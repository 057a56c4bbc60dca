"""Releases over time, at the command line."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from federated.commands import app
from federated.errors import ConsiliumError
from federated.keys import write_trust
from federated.manifest import pack_tensors, unpack_tensors
from federated.release import Built
from tests.answering import Answering


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def _cells(line: str) -> list[str]:
    return re.split(r" {2,}", line.strip())


def test_what_changed_and_what_did_not(bundle: Path, trust: Path, run: Callable[..., Any]) -> None:
    result = run("diff", bundle, 1, 2, "--trust", trust)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("from release 1 sha256:")
    assert lines[1].startswith("to   release 2 sha256:")
    assert lines[2] == "signatures checked"
    assert lines[3].startswith("changed: sites-added, labels-added")
    assert lines[4] == "labels added: sub"
    ada = _cells(next(line for line in lines if line.startswith(" ada")))
    assert ada[:4] == ["ada", "unchanged", "0", "0"]
    assert re.fullmatch("[0-9a-f]{8}", ada[4])
    assert "proved unchanged, block by block: ada, ben" in lines
    assert lines[-1] == "answers: no fixed set was given, with --on"


def test_without_keys_it_says_so(bundle: Path, run: Callable[..., Any]) -> None:
    assert "signatures not checked: keys unverified" in run("diff", bundle, 1, 2).stdout
    assert "signatures not checked: keys unverified" in run("weights", bundle).stdout


def test_an_expert_that_changed_without_a_reason_ends_with_one(
    make_record: Any, tmp_path: Path, run: Callable[..., Any]
) -> None:
    def heavier(built: Built) -> Built:
        if built.manifest.number == 1:
            return built
        tensors = unpack_tensors(built.tensors, built.manifest)
        data, specs, name = pack_tensors(tensors | {"weights": tensors["weights"] * 2})
        return replace(
            built, manifest=built.manifest.model_copy(update={"tensors": specs, "tensors_digest": name}), tensors=data
        )

    path = make_record(told_as=heavier).write(tmp_path / "a.bundle")
    result = run("diff", path, 1, 2)
    assert result.exit_code == 1
    told = "WRONG: made of the same contributions, and not what it was: ada: weights; ben: weights"
    assert told in result.stdout.splitlines()


def test_answers_on_features_are_counted(
    whole: Any, bundle: Path, tmp_path: Path, run: Callable[..., Any], make_sample: Any, federation: Any
) -> None:
    fold = federation.folds["cem"]["test"]
    labels = tuple(dict.fromkeys(fold.labels))
    patients = list(dict.fromkeys(fold.patients))
    tensors = {
        "train.features": fold.features,
        "train.label": [labels.index(label) for label in fold.labels],
        "train.weight": fold.weights,
        "train.patient": [patients.index(patient) for patient in fold.patients],
    }
    counts = dict.fromkeys(labels, len(patients))
    fields = {
        "site": "cem",
        "labels": labels,
        "patients": counts,
        "images": counts,
        "features": 24,
        "folds": ("train",),
    }
    sent = copy.deepcopy(whole).seal(*make_sample("features", tensors, front_end="sha256:" + "0" * 64, **fields))
    (tmp_path / "features.parcel").write_bytes(sent.to_bytes())
    result = run("diff", bundle, 1, 2, "--on", tmp_path / "features.parcel")
    assert result.exit_code == 0, result.exception
    assert f" of {len(fold.labels)} images are answered otherwise" in result.stdout
    told = json.loads(run("diff", bundle, 1, 2, "--on", tmp_path / "features.parcel", "--json").stdout)
    assert told["answers"]["answers"] == {"image": len(fold.labels)}
    assert len(told["answers"]["changed"]) > 0


def test_answers_in_predictions_are_counted(
    bundle: Path, tmp_path: Path, run: Callable[..., Any], federation: Any
) -> None:
    fold = federation.folds["cem"]["test"]
    for number, names in (("1", ("ada", "ben")), ("2", ("ada", "ben", "cem"))):
        decisions = federation.model(federation.release(names)).decide(
            fold.features[:9], list("abcdefghi"), list("a" * 9)
        )
        digest = json.loads(run("diff", bundle, "1", "2", "--json").stdout)["digests"][int(number) - 1]
        lines = "".join(each.model_copy(update={"release": digest}).json_line() for each in decisions)
        (tmp_path / f"{number}.jsonl").write_text(lines)
    first, second = (("--on", tmp_path / f"{number}.jsonl") for number in "12")
    assert " of 9 images are answered otherwise" in run("diff", bundle, 1, 2, *first, *second).stdout
    for words, what in (
        ((*second, *first), "answers by sha256:"),
        (first, "1 files of predictions, one of each release is needed"),
    ):
        wrong = run("diff", bundle, 1, 2, *words)
        assert isinstance(wrong.exception, ConsiliumError)
        assert what in str(wrong.exception)


def test_a_release_that_is_not_there_is_one_line(bundle: Path, run: Callable[..., Any]) -> None:
    result = run("diff", bundle, 1, 3)
    assert isinstance(result.exception, ConsiliumError)
    assert str(result.exception) == f"{bundle}: holds no release '3'; releases there are: 1, 2"


def test_weights_of_every_expert_and_class(whole: Any, tmp_path: Path, trust: Path, run: Callable[..., Any]) -> None:
    answering = Answering(whole)
    answering.tell(answering.tree())
    answering.write(tmp_path / "a.bundle")
    files = ("--csv", tmp_path / "a.csv", "--plot", tmp_path / "a.svg")
    result = run("weights", tmp_path / "a.bundle", "--trust", trust, *files)
    assert result.exit_code == 0, result.exception
    lines = result.stdout.splitlines()
    assert lines[:2] == [f"wrote {tmp_path / 'a.csv'}", f"wrote {tmp_path / 'a.svg'}"]
    assert lines[2:4] == ["signatures checked", "release 2, and 1 before it (--csv has all)"]
    label = answering.manifest.labels[0]
    told = [_cells(line) for line in lines if line.strip().startswith("ada")]
    assert ["ada", label, "6", "prior", "-", "-", "0.000"] in told
    assert (tmp_path / "a.csv").read_text().startswith("release,digest,source,at,site,label,")
    assert (tmp_path / "a.svg").read_text().startswith("<svg")
    shown = json.loads(run("weights", tmp_path / "a.bundle", "--json", "--release", 1, "--site", "ada").stdout)
    assert {(row["release"], row["site"]) for row in shown} == {(1, "ada")}


def test_names_of_labels_stand_beside_their_codes(
    make_record: Callable[..., Any], tmp_path: Path, run: Callable[..., Any]
) -> None:
    def with_names(built: Built) -> Built:
        said = tuple(
            each.model_copy(update={"meaning": f"the view {each.code}"}) for each in built.manifest.vocabulary.concepts
        )
        vocabulary = built.manifest.vocabulary.model_copy(update={"concepts": said})
        return replace(built, manifest=built.manifest.model_copy(update={"vocabulary": vocabulary}))

    record = make_record(told_as=with_names)
    lines = run("weights", record.write(tmp_path / "a.bundle")).stdout.splitlines()
    assert ["label", "name", "site", "share", "patients"] in [_cells(line) for line in lines]
    assert ["plax", "the view plax", "ada"] in [_cells(line)[:3] for line in lines]
    release = tmp_path / "release.parcel"
    release.write_bytes([parcel for parcel in record.parcels.values() if b"release" in parcel.manifest][-1].to_bytes())
    assert ["plax", "the view plax"] in [_cells(line) for line in run("weights", release).stdout.splitlines()]


def test_weights_that_nobody_signed_are_not_shown_as_signed(
    whole: Any, bundle: Path, tmp_path: Path, run: Callable[..., Any]
) -> None:
    write_trust(whole.trust.model_copy(update={"parties": whole.trust.parties[1:]}), tmp_path / "keys.toml")
    result = run("weights", bundle, "--trust", tmp_path / "keys.toml")
    assert isinstance(result.exception, ConsiliumError)
    assert "hub: no key of this coordinator counts" in str(result.exception)


def test_what_is_asked_of_a_bundle_alone_is_said(
    whole: Any, bundle: Path, tmp_path: Path, run: Callable[..., Any]
) -> None:
    (tmp_path / "one.parcel").write_bytes(next(iter(whole.parcels.values())).to_bytes())
    for words, what in (
        ((tmp_path / "one.parcel", "--site", "ada"), "are of a bundle; leave them out, or give a bundle"),
        ((bundle, "--site", "dan"), "holds no weights of these"),
    ):
        result = run("weights", *words)
        assert isinstance(result.exception, ConsiliumError)
        assert what in str(result.exception)
