"""An auditor asks from files: what sites change, what changed since, where labels are used differently."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from federated.audit.bundling import new_bundle
from federated.commands import app
from federated.envelope import Passage, parse_parcel, seal
from federated.errors import ConsiliumError
from federated.keys import Party, TrustFile, public_hex, write_trust
from federated.manifest import FeaturesManifest, pack_tensors

HUB, CEM, STRANGER = (Ed25519PrivateKey.from_private_bytes(letter * 32) for letter in (b"h", b"c", b"s"))
SITES = ("ada", "ben", "cem")


class Files:
    """Two releases of which the second has a further site, answers of both, and one site's features."""

    def __init__(self, folder: Path, federation: Any) -> None:
        self.folder = folder
        self.first = self.write("first", federation.release(SITES[:2]), "release", "hub", HUB)
        self.release = self.write("release", federation.release(), "release", "hub", HUB)
        self.features = self.write("features", self._features(federation), "features", "cem", CEM)
        fold = federation.folds["cem"]["test"]
        self.predictions = []
        for names in (SITES[:2], SITES):
            lines = federation.model(federation.release(names)).decide(
                fold.features, [f"{row}.png" for row in range(len(fold.clips))], list(fold.clips)
            )
            self.predictions.append(folder / f"{len(names)}.jsonl")
            self.predictions[-1].write_text("".join(line.json_line() for line in lines))
        self.keys = folder / "keys.toml"
        hub, cem = (Party(name="hub", role="coordinator", public=public_hex(HUB)), self.party("cem", CEM))
        write_trust(TrustFile(federation="test", parties=(hub, cem)), self.keys)

    @staticmethod
    def party(name: str, key: Ed25519PrivateKey) -> Party:
        return Party(name=name, role="site", public=public_hex(key))

    def write(self, name: str, built: Any, kind: Any, sender: str, key: Ed25519PrivateKey) -> Path:
        manifest, tensors = built if isinstance(built, tuple) else (built.manifest, built.tensors)
        passage = Passage(
            federation="test",
            sender=sender,
            recipient="cem" if sender == "hub" else "hub",
            sequence=1,
            previous=None,
            kind=kind,
            policy=None,
            filters={},
            approval="none",
            issued="2020-01-01T00:00:00Z",
        )
        path = self.folder / name
        path.write_bytes(seal(manifest, tensors, passage, [key]).to_bytes())
        return path

    @staticmethod
    def _features(federation: Any) -> tuple[FeaturesManifest, bytes]:
        fold = federation.folds["cem"]["validation"]
        patients = list(dict.fromkeys(fold.patients))
        labels = federation.held["cem"]
        tensors = {
            "validation.features": fold.features,
            "validation.label": np.array([labels.index(label) for label in fold.labels]),
            "validation.weight": fold.weights,
            "validation.patient": np.array([patients.index(name) for name in fold.patients]),
        }
        data, specs, digest = pack_tensors(tensors)
        manifest = FeaturesManifest(
            federation="test",
            tensors=specs,
            tensors_digest=digest,
            site="cem",
            task="classification",
            front_end="sha256:" + "0" * 64,
            batch="b0001",
            labels=labels,
            patients=dict.fromkeys(labels, 8),
            images=dict.fromkeys(labels, 32),
            batch_patients=24,
            features=fold.features.shape[1],
            folds=("validation",),
        )
        return manifest, data


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, federation: Any) -> Files:
    return Files(tmp_path_factory.mktemp("files"), federation)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("COLUMNS", "140")
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def _cells(output: str, start: str) -> list[str]:
    row = next(line for line in output.splitlines() if line.strip().startswith(start))
    return re.split(r"\s{2,}", row.strip())


def test_influence_of_every_site(files: Files, run: Callable[..., Any]) -> None:
    result = run("influence", files.release, files.features, "--trust", files.keys)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1] == "96 images of 24 patients"
    told = json.loads(run("influence", files.release, files.features, "--trust", files.keys, "--json").stdout)
    assert [site["site"] for site in told["sites"]] == list(SITES)
    first = told["sites"][0]
    figures = [f"{first[name]:.3f}" for name in ("accuracy_with", "accuracy_without", "shapley")]
    section = result.stdout.partition("each site withdrawn: accuracy")[2]
    assert _cells(section, "ada") == ["ada", *figures, str(first["changed"])]
    assert _cells(result.stdout, "weight")[:2] == ["weight", "drop"]
    assert {row["displayed"] for row in told["faithful"]} == {"contribution", "evidence", "weight"}
    assert len(told["changed"]) == sum(site["changed"] for site in told["sites"]) > 0


def test_a_bundle_brings_its_release_and_its_features(files: Files, tmp_path: Path, run: Callable[..., Any]) -> None:
    with new_bundle(tmp_path / "it.bundle", "test") as bundle:
        for path in (files.first, files.release, files.features):
            bundle.add_parcel(parse_parcel(path.read_bytes()))
    parcels = run("influence", files.release, files.features, "--trust", files.keys, "--json").stdout
    number = json.loads(run("weights", files.release, "--json").stdout)["number"]
    chosen = run(
        "influence", tmp_path / "it.bundle", "--release", _digest(files.release), "--trust", files.keys, "--json"
    )
    assert json.loads(chosen.stdout) == json.loads(parcels)
    assert number == 1
    conflicts = run("conflicts", tmp_path / "it.bundle", "--release", _digest(files.release), "--json")
    assert conflicts.stdout == run("conflicts", files.release, "--json").stdout


def test_a_bundle_without_features_says_what_is_missing(files: Files, tmp_path: Path, run: Callable[..., Any]) -> None:
    with new_bundle(tmp_path / "it.bundle", "test") as bundle:
        bundle.add_parcel(parse_parcel(files.release.read_bytes()))
    for arguments, told in (
        ((tmp_path / "it.bundle",), "no decision of it was opened, and there are no features; open decisions"),
        ((tmp_path / "it.bundle", "--release", "9"), "holds no release '9'"),
        ((files.release, "--release", "1"), "is no bundle, of which a release could be chosen"),
        ((files.release,), "whose images are answered is not said; add parcels of features"),
    ):
        result = run("influence", *arguments)
        assert isinstance(result.exception, ConsiliumError), arguments
        assert told in str(result.exception)


def _digest(path: Path) -> str:
    return parse_parcel(path.read_bytes()).digest


def test_signatures_are_checked_where_keys_are_given(files: Files, tmp_path: Path, run: Callable[..., Any]) -> None:
    unchecked = run("influence", files.release, files.features)
    assert unchecked.exit_code == 0
    assert "signatures were not checked" in unchecked.stderr
    hub = Party(name="hub", role="coordinator", public=public_hex(HUB))
    write_trust(TrustFile(federation="test", parties=(hub, files.party("cem", STRANGER))), tmp_path / "keys.toml")
    forged = run("influence", files.release, files.features, "--trust", tmp_path / "keys.toml")
    assert isinstance(forged.exception, ConsiliumError)
    assert "the signature does not verify" in str(forged.exception)


def test_which_answers_an_arrival_changed(files: Files, run: Callable[..., Any]) -> None:
    result = run("compare", *files.predictions)
    assert result.exit_code == 0
    told = json.loads(run("compare", *files.predictions, "--json").stdout)
    images = sum(row["unit"] == "image" for row in told["changed"])
    assert f"{images} of {told['answers']['image']} images are answered otherwise" in result.stdout.splitlines()
    assert images >= 32
    assert {row["after"] for row in told["changed"]} >= {"sub"}
    row = told["changed"][0]
    shown = " ".join(result.stdout.rpartition("changed answers")[2].split())
    assert f"{row['unit']} {row['image']} {row['before'] or '(withheld)'} {row['after'] or '(withheld)'}" in shown
    assert f"the first 40 of {len(told['changed'])} (--json has all)" in result.stdout
    same = run("compare", files.predictions[0], files.predictions[0])
    assert "0 of 96 images are answered otherwise" in same.stdout
    assert "changed answers" not in same.stdout


def test_conflicts_of_a_sound_release_and_of_one_with_swapped_labels(
    files: Files, federation: Any, run: Callable[..., Any]
) -> None:
    sound = run("conflicts", files.release, "--trust", files.keys)
    assert sound.stdout.splitlines()[0] == "4 labels held against another site, 0 in conflict"
    names = {"a4c": "a2c", "a2c": "a4c"}
    train = federation.folds["ada"]["train"]
    swapped = replace(train, labels=tuple(names.get(label, label) for label in train.labels))
    folds = federation.folds | {"ada": federation.folds["ada"] | {"train": swapped}}
    wrong = files.write("wrong", type(federation)(folds).candidate(), "candidate", "hub", HUB)
    result = run("conflicts", wrong)
    assert result.stdout.splitlines()[0] == "4 labels held against another site, 4 in conflict"
    told = json.loads(run("conflicts", wrong, "--json").stdout)
    claim = told["claims"][0]
    assert told["conflicts"] == 4
    assert _cells(result.stdout, "ada   a4c") == [
        "ada",
        "a4c",
        claim["against"],
        f"{claim['own']:.1f}",
        claim["nearest"],
        f"{claim['other']:.1f}",
        f"{claim['p']:.3f}",
    ]


def test_mistakes_are_one_line(files: Files, tmp_path: Path, make_federation: Any, run: Callable[..., Any]) -> None:
    kept = files.write("kept", make_federation(gram_to_sites=False).release(), "release", "hub", HUB)
    for arguments, told in (
        (("influence", files.release, tmp_path / "missing"), "missing"),
        (("influence", files.release, files.release), "is a 'release', not features; give contributions of features"),
        (("influence", files.features, files.features), "is a 'features', not a release"),
        (("influence", kept, files.features), "ada, ben, cem: its Gram matrix is not in the release"),
        (("compare", files.predictions[0], tmp_path / "missing"), "missing"),
        (("compare", files.release, files.predictions[0]), str(files.release)),
        (("conflicts", files.predictions[0]), str(files.predictions[0])),
    ):
        result = run(*arguments)
        assert isinstance(result.exception, ConsiliumError), arguments
        assert told in str(result.exception)
        assert "\n" not in str(result.exception)
