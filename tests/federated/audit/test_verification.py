from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.audit.opening import open_release
from federated.audit.outcome import Audit
from federated.audit.verification import verify
from federated.envelope import Parcel, Passage, seal
from federated.errors import ConsiliumError, ContractError
from federated.keys import Party, TrustFile, public_hex
from federated.manifest import ExpertCard, manifest_digest
from federated.statistics import pack_symmetric

HUB, ADA, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2, 3))
TRUST = TrustFile(
    federation="test",
    parties=(
        Party(name="hub", role="coordinator", public=public_hex(HUB)),
        Party(name="ada", role="site", public=public_hex(ADA)),
    ),
)
MakeSample = Callable[..., tuple[Any, bytes]]


def _seal(manifest: Any, data: bytes, key: Ed25519PrivateKey | None = None, **changes: Any) -> Parcel:
    from_site = hasattr(manifest, "site")
    fields = {
        "federation": "test",
        "sender": "ada" if from_site else "hub",
        "recipient": "hub" if from_site else "ada",
        "sequence": 1,
        "previous": None,
        "kind": manifest.kind,
        "policy": None,
        "filters": {},
        "approval": "none",
        "issued": "2020-01-01T00:00:00Z",
    }
    return seal(manifest, data, Passage.model_validate(fields | changes), [key or (ADA if from_site else HUB)])


def _write(path: Path, parcel: Parcel) -> Path:
    path.write_bytes(parcel.to_bytes())
    return path


@pytest.fixture(scope="session")
def built(federation: Any) -> Any:
    return federation.release()


@pytest.fixture
def release(built: Any, tmp_path: Path) -> Path:
    return _write(tmp_path / "release", _seal(built.manifest, built.tensors))


@pytest.fixture(scope="session")
def lines(federation: Any, built: Any) -> list[str]:
    fold = federation.folds["ada"]["test"]
    model = federation.model(built)
    images = [f"image {number}" for number in range(8)]
    return [each.json_line() for each in model.decide(fold.features[:8], images, list(fold.clips[:8]))]


def _checks(audit: Audit) -> dict[str, bool | None]:
    return {check.name: check.ok for check in audit.checks}


def _found(audit: Audit, name: str) -> str:
    (found,) = [check.found for check in audit.checks if check.name == name]
    return found


def _only(path: Path, release: Path | None = None) -> Audit:
    (audit,) = verify([path], TRUST, release)
    return audit


def test_a_release_is_verified(release: Path, built: Any) -> None:
    audit = _only(release)
    assert audit.ok
    assert (audit.kind, audit.file) == ("release", str(release))
    seen = dict.fromkeys(("signature", "contents", "model", "number", "lineage", "solutions"), True)
    assert _checks(audit) == seen | dict.fromkeys(("site ada", "site ben", "site cem"))
    assert _found(audit, "lineage") == "0 of 3 contributions among the files"
    assert _found(audit, "site ada") == "not recomputed: 1 of its 1 contributions are not among the files"


def test_a_contribution_is_verified(tmp_path: Path, make_sample: MakeSample) -> None:
    audit = _only(_write(tmp_path / "one", _seal(*make_sample("statistics"))))
    assert audit.ok
    assert _checks(audit) == dict.fromkeys(("signature", "contents", "number"), True)


def test_no_byte_can_change_unnoticed(tmp_path: Path, make_sample: MakeSample) -> None:
    path = _write(tmp_path / "one", _seal(*make_sample("statistics")))
    data = path.read_bytes()
    for place in range(20, len(data), 37):
        path.write_bytes(data[:place] + bytes([data[place] ^ 2]) + data[place + 1 :])
        assert not _only(path).ok, f"byte {place}"


def test_a_wrong_file_tells_the_step_and_the_reason(tmp_path: Path, make_sample: MakeSample, built: Any) -> None:
    manifest, data = make_sample("statistics")
    wrong = {
        "stranger": _seal(manifest, data, STRANGER),
        "tensors": _seal(manifest, data + b"x"),
        "release": _seal(*make_sample("release")),
    }
    audits = verify([_write(tmp_path / name, parcel) for name, parcel in wrong.items()], TRUST)
    found = [[check for check in audit.checks if check.ok is False] for audit in audits]
    assert [(check.name, check.found.split(";")[0]) for (check,) in found[:2]] == [
        ("signature", "ada: the signature does not verify"),
        ("contents", "tensors: the tensors are not the ones the manifest names"),
    ]
    assert [check.name for check in found[2]] == ["model"]


def test_numbers_that_follow_each_other(tmp_path: Path, make_sample: MakeSample) -> None:
    first = _seal(*make_sample("statistics"))
    second = _seal(*make_sample("features"), sequence=2, previous=first.digest)
    third = _seal(*make_sample("adoption"), sequence=3, previous=second.digest)
    paths = [_write(tmp_path / str(number), each) for number, each in enumerate((third, first, second))]
    audits = verify(paths, TRUST)
    assert all(audit.ok for audit in audits)
    assert "its predecessor is right" in audits[0].checks[-1].found
    assert "its predecessor is not among the files" in _only(paths[0]).checks[-1].found


@pytest.mark.parametrize(
    ("sequence", "previous", "reason"),
    [
        (2, "sha256:" + "0" * 64, "names another predecessor"),
        (2, None, "names another predecessor"),
        (1, "sha256:" + "0" * 64, "was used for 2 different parcels"),
        (1, None, "was used for 2 different parcels"),
    ],
)
def test_numbers_that_do_not(
    sequence: int, previous: str | None, reason: str, tmp_path: Path, make_sample: MakeSample
) -> None:
    first = _write(tmp_path / "1", _seal(*make_sample("statistics")))
    second = _seal(*make_sample("features"), sequence=sequence, previous=previous)
    audit = verify([first, _write(tmp_path / "2", second)], TRUST)[1]
    assert [reason in check.found for check in audit.checks if check.ok is False] == [True]


def test_the_first_parcel_has_no_predecessor(tmp_path: Path, make_sample: MakeSample) -> None:
    parcel = _seal(*make_sample("statistics"), previous="sha256:" + "0" * 64)
    assert not _only(_write(tmp_path / "1", parcel)).ok


def _naming(built: Any, *digests: str) -> Any:
    sites = [site.model_copy(update={"contributions": digests}) for site in built.manifest.sites[:1]]
    return built.manifest.model_copy(update={"sites": (*sites, *built.manifest.sites[1:])})


@pytest.mark.parametrize(
    ("kind", "changes", "ok"),
    [
        ("statistics", {}, True),
        ("features", {}, True),
        ("statistics", {"front_end": "sha256:" + "9" * 64}, False),
        ("adoption", {}, False),
    ],
)
def test_what_a_release_names_is_what_was_sent(
    kind: str, changes: dict[str, Any], ok: bool, tmp_path: Path, make_sample: MakeSample, built: Any
) -> None:
    front_end = {"front_end": built.manifest.front_end.digest} if kind != "adoption" else {}
    part = _seal(*make_sample(kind, **(front_end | changes)))
    release = _seal(_naming(built, part.digest), built.tensors)
    audits = verify([_write(tmp_path / "part", part), _write(tmp_path / "release", release)], TRUST)
    assert audits[0].ok
    assert _checks(audits[1])["lineage"] == ok
    if ok:
        assert _found(audits[1], "lineage") == "1 of 3 contributions among the files"
        assert _found(audits[1], "site ada") == "class sums: (24, 5) in the release, (3, 5) recomputed"


@pytest.mark.parametrize(("kind", "ok"), [("weights", True), ("statistics", False)])
def test_an_expert_that_a_release_names_came_as_weights(
    kind: str, ok: bool, tmp_path: Path, make_sample: MakeSample, built: Any
) -> None:
    sent = _seal(*make_sample(kind))
    card = ExpertCard(site="ada", contribution=sent.digest, architecture="linear_head", labels=("a4c",))
    release = _seal(built.manifest.model_copy(update={"experts": (card,)}), built.tensors)
    audits = verify([_write(tmp_path / "part", sent), _write(tmp_path / "release", release)], TRUST)
    assert _checks(audits[1])["lineage"] is ok


def _contribution(federation: Any, site: str, make_sample: MakeSample, scale: float = 1.0) -> Parcel:
    block = federation.input(site).train
    tensors = {"train.class_sums": block.class_sums * scale, "train.weights": block.weights}
    tensors["train.gram"] = pack_symmetric(block.gram)
    fields = {"labels": block.labels, "patients": dict.fromkeys(block.labels, 9), "features": block.features}
    card = federation.candidate().manifest.front_end.digest
    fields |= {"images": fields["patients"], "folds": ("train",), "front_end": card}
    manifest, data = make_sample("statistics", tensors, site=site, **fields)
    return _seal(manifest, data, sender="ada")


def test_a_release_is_recomputed_from_what_it_names(
    make_federation: Any, tmp_path: Path, make_sample: MakeSample
) -> None:
    for gram_to_sites in (True, False):
        federation = make_federation(gram_to_sites=gram_to_sites)
        built = federation.release()
        parts = [_contribution(federation, "ada", make_sample, scale) for scale in (1.0, 1.001)]
        releases = [_seal(_naming(built, part.digest), built.tensors) for part in parts]
        for part, release, same in zip(parts, releases, (True, False), strict=True):
            audits = verify([_write(tmp_path / "part", part), _write(tmp_path / "release", release)], TRUST)
            assert _checks(audits[0]) == dict.fromkeys(("signature", "contents", "number"), True)
            seen = {
                name: ok for name, ok in _checks(audits[1]).items() if name in ("site ada", "site ben", "solutions")
            }
            assert seen == {"site ada": same, "site ben": None, "solutions": gram_to_sites or None}
            assert audits[1].ok is same
    assert _found(audits[1], "solutions") == "not recomputed: the release carries no Gram matrix of ada, ben, cem"


def _averaged(make_sample: MakeSample, factor: float) -> tuple[Parcel, Parcel]:
    """An update, and a global model that names it and is `factor` times its state."""
    state = {"bias": np.array([0.25, -2.0], np.float32), "seen": np.array(7)}
    update, data = make_sample("update", state, round=2)
    entered = ({"site": "ada", "update": manifest_digest(update), "images": update.examples},)
    plan = make_sample("average")[0].plan.model_copy(update={"least": 1})
    scaled = {"bias": np.float32(factor) * state["bias"], "seen": state["seen"]}
    average, more = make_sample("average", scaled, plan=plan, previous=update.average, updates=entered)
    return _seal(update, data), _seal(average, more)


def test_a_global_model_is_recomputed_from_the_updates_it_names(tmp_path: Path, make_sample: MakeSample) -> None:
    for factor, same in ((1.0, True), (1.001, False)):
        files = [_write(tmp_path / f"{number}", one) for number, one in enumerate(_averaged(make_sample, factor))]
        assert _checks(verify(files, TRUST)[1])["mean"] is same
    assert _found(verify(files, TRUST)[1], "mean") == "tensor bias: is not the mean of the updates"
    assert _found(_only(files[1]), "mean") == "not recomputed: 1 of its 1 updates are not among the files"


def test_a_contribution_counts_once(federation: Any, built: Any, tmp_path: Path) -> None:
    one = built.manifest.sites[0].contributions[0]
    for twice in (_naming(built, one, one), _naming(built, built.manifest.sites[1].contributions[0])):
        audit = _only(_write(tmp_path / "release", _seal(twice, built.tensors)))
        assert _checks(audit)["lineage"] is False
        assert _found(audit, "lineage") == "a contribution is counted twice"


def test_a_release_comes_from_its_candidate(federation: Any, built: Any, tmp_path: Path) -> None:
    candidate = federation.candidate()
    first = _seal(candidate.manifest, candidate.tensors)
    second = _seal(built.manifest, built.tensors, sequence=2, previous=first.digest)
    audits = verify([_write(tmp_path / "candidate", first), _write(tmp_path / "release", second)], TRUST)
    assert all(audit.ok for audit in audits)
    assert built.manifest.candidate == first.digest


def test_a_candidate_that_came_later_is_not_the_releases(federation: Any, built: Any, tmp_path: Path) -> None:
    candidate = federation.candidate()
    later = _seal(candidate.manifest.model_copy(update={"number": 5}), candidate.tensors)
    named = built.manifest.model_copy(update={"candidate": later.digest})
    release = _seal(named, built.tensors, sequence=2, previous=later.digest)
    audits = verify([_write(tmp_path / "candidate", later), _write(tmp_path / "release", release)], TRUST)
    assert _checks(audits[1])["lineage"] is False


def test_predictions_that_add_up(tmp_path: Path, release: Path, lines: list[str]) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text("".join(lines))
    audit = _only(path, release)
    assert audit.ok
    assert _checks(audit) == {"sums": True, "answers": None, "release": True}
    assert audit.checks[0].found == f"{len(lines)} lines: contributions, evidence and weights add up"
    alone = _only(path)
    assert alone.ok
    assert _checks(alone) == {"sums": True, "answers": None}
    assert _found(alone, "answers") == "not recomputed: the images and their features stay with whoever asked"


def _changed(line: str, change: Callable[[dict[str, Any]], object]) -> str:
    content = json.loads(line)
    change(content)
    return json.dumps(content) + "\n"


def _add(content: dict[str, Any], name: str, key: str, value: float) -> None:
    content[name][key] += value


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: _add(c, "scores", next(iter(c["scores"])), 1e-6), "do not add up to its score"),
        (lambda c: _add(c["contributions"], next(iter(c["scores"])), "ada", 1e-6), "do not add up to its score"),
        (lambda c: _add(c, "evidence", next(iter(c["evidence"])), 1e-6), "evidence shares do not add up to one"),
        (lambda c: c["weights"].update(ada=1.1), "a weight or p-value lies outside 0 to 1"),
        (lambda c: c["weights"].update(ada=-0.1), "a weight or p-value lies outside 0 to 1"),
        (lambda c: c.update(abstained=True, label=c["label"] or "plax"), "the label is not the one with the largest"),
        (lambda c: c["contributions"].popitem(), "lacks"),
        (lambda c: c["weights"].update(dan=0.5), "has other sites than the release"),
        (lambda c: c.update(release="sha256:" + "0" * 64), "lines come from sha256:0000"),
        (lambda c: c.update(scores={}), "line 2"),
        (lambda c: c.update(more=1), "more: is not known here"),
        (lambda c: c.pop("weights"), "weights: is missing"),
    ],
)
def test_predictions_that_do_not(
    change: Callable[[dict[str, Any]], object], reason: str, tmp_path: Path, release: Path, lines: list[str]
) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text(lines[0] + _changed(lines[1], change) + lines[2])
    audit = _only(path, release)
    assert not audit.ok
    assert reason in " ".join(check.found for check in audit.checks if check.ok is False)


def test_labels_of_another_release_are_noticed(tmp_path: Path, release: Path, lines: list[str]) -> None:
    def rename(content: dict[str, Any]) -> None:
        for part in ("scores", "contributions", "probabilities"):
            content[part]["other"] = content[part].pop(min(content[part]))

    path = tmp_path / "predictions.jsonl"
    path.write_text(_changed(lines[0], rename))
    assert "has other labels than the release" in _only(path, release).checks[0].found


def test_many_problems_are_told_in_part(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text("{}\n" * 12)
    found = _only(path).checks[0].found
    assert found.count("line ") == 5
    assert found.endswith(", and 7 more")


def test_lines_of_two_releases_are_noticed(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text(lines[0] + _changed(lines[1], lambda c: c.update(release="sha256:" + "0" * 64)))
    assert _checks(_only(path)) == {"sums": True, "answers": None, "release": False}


def test_files_that_cannot_be_verified_are_one_line(tmp_path: Path, release: Path, make_sample: MakeSample) -> None:
    with pytest.raises(ConsiliumError, match=r"missing: cannot be read \(No such file or directory\)"):
        verify([tmp_path / "missing"], TRUST)
    with pytest.raises(ConsiliumError, match="cannot be read"):
        verify([tmp_path], TRUST)
    (tmp_path / "empty").touch()
    with pytest.raises(ContractError, match="is neither a parcel nor predictions: it is empty"):
        verify([tmp_path / "empty"], TRUST)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ConsiliumError, match="cannot be read"):
        verify([tmp_path / "binary"], TRUST)


def test_only_a_signed_release_counts_as_one(tmp_path: Path, built: Any, make_sample: MakeSample) -> None:
    forged = _write(tmp_path / "forged", _seal(built.manifest, built.tensors, STRANGER))
    with pytest.raises(ConsiliumError, match="hub: the signature does not verify"):
        open_release(forged, TRUST)
    assert open_release(forged, None).manifest == built.manifest
    other = _write(tmp_path / "other", _seal(*make_sample("statistics")))
    with pytest.raises(ContractError, match="is a 'statistics', not a release"):
        open_release(other, TRUST)


def test_an_answer_that_goes_another_way_than_its_release_is_noticed(
    tmp_path: Path, release: Path, lines: list[str]
) -> None:
    def likelier(content: dict[str, Any]) -> None:
        content["path"][-1]["probability"] = 0.5

    path = tmp_path / "predictions.jsonl"
    path.write_text(_changed(lines[0], likelier))
    found = _only(path, release).checks[0].found
    assert "the probabilities on the path are not those of its scores" in found
