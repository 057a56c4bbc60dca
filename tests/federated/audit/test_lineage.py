from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federated.audit.verification import verify
from federated.envelope import Parcel
from federated.manifest import ExpertCard, manifest_digest
from federated.statistics import pack_symmetric
from tests.audit_files import HUB, TRUST, audited, found_by, seal_as, verdicts, written

MakeSample = Callable[..., tuple[Any, bytes]]


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
    part = seal_as(*make_sample(kind, **(front_end | changes)))
    release = seal_as(_naming(built, part.digest), built.tensors)
    audits = verify([written(tmp_path / "part", part), written(tmp_path / "release", release)], TRUST)
    assert audits[0].ok
    assert verdicts(audits[1])["lineage"] == ok
    if ok:
        assert found_by(audits[1], "lineage") == "1 of 3 contributions among the files"
        assert found_by(audits[1], "site ada") == "class sums: (24, 5) in the release, (3, 5) recomputed"


@pytest.mark.parametrize(("kind", "ok"), [("weights", True), ("statistics", False)])
def test_an_expert_that_a_release_names_came_as_weights(
    kind: str, ok: bool, tmp_path: Path, make_sample: MakeSample, built: Any
) -> None:
    sent = seal_as(*make_sample(kind))
    card = ExpertCard(site="ada", contribution=sent.digest, architecture="linear_head", labels=("a4c",))
    release = seal_as(built.manifest.model_copy(update={"experts": (card,)}), built.tensors)
    audits = verify([written(tmp_path / "part", sent), written(tmp_path / "release", release)], TRUST)
    assert verdicts(audits[1])["lineage"] is ok


STATE = {"weight": np.ones((2, 3), np.float32), "bias": np.ones(2, np.float32)}


def _forwarded(make_sample: MakeSample, contribution: str, **changes: Any) -> Parcel:
    fields = {"site": "ada", "contribution": contribution, "architecture": "linear_head", "place": 1}
    made = make_sample("expert", changes.pop("tensors", STATE), **(fields | EXPERT_CONFIG | changes))
    return seal_as(*made, HUB, sender="hub", recipient="ben")


EXPERT_CONFIG = {"config": {"features": 3, "classes": 2}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "the one that 'ada' sent"),
        ({"tensors": {"weight": 2 * STATE["weight"], "bias": STATE["bias"]}}, "is another network than 'ada' sent as"),
        ({"labels": ("a4c", "a2c")}, "is another labels than 'ada' sent as"),
        ({"site": "ben"}, "is another site than 'ada' sent as"),
    ],
)
def test_a_network_that_is_swapped_under_an_old_digest_is_named(
    tmp_path: Path, make_sample: MakeSample, changes: dict[str, Any], said: str
) -> None:
    sent = seal_as(*make_sample("weights", STATE))
    passed_on = _forwarded(make_sample, sent.digest, **changes)
    audits = verify([written(tmp_path / "sent", sent), written(tmp_path / "passed on", passed_on)], TRUST)
    assert said in found_by(audits[1], "network")
    assert verdicts(audits[1])["network"] is (not changes)


def _contribution(federation: Any, site: str, make_sample: MakeSample, scale: float = 1.0) -> Parcel:
    block = federation.input(site).train
    tensors = {"train.class_sums": block.class_sums * scale, "train.weights": block.weights}
    tensors["train.gram"] = pack_symmetric(block.gram)
    fields = {"labels": block.labels, "patients": dict.fromkeys(block.labels, 9), "features": block.features}
    card = federation.candidate().manifest.front_end.digest
    fields |= {"images": fields["patients"], "folds": ("train",), "front_end": card}
    manifest, data = make_sample("statistics", tensors, site=site, **fields)
    return seal_as(manifest, data, sender="ada")


def test_a_release_is_recomputed_from_what_it_names(
    make_federation: Any, tmp_path: Path, make_sample: MakeSample
) -> None:
    for gram_to_sites in (True, False):
        federation = make_federation(gram_to_sites=gram_to_sites)
        built = federation.release()
        parts = [_contribution(federation, "ada", make_sample, scale) for scale in (1.0, 1.001)]
        releases = [seal_as(_naming(built, part.digest), built.tensors) for part in parts]
        for part, release, same in zip(parts, releases, (True, False), strict=True):
            audits = verify([written(tmp_path / "part", part), written(tmp_path / "release", release)], TRUST)
            assert verdicts(audits[0]) == dict.fromkeys(("signature", "contents", "number"), True)
            seen = {
                name: ok for name, ok in verdicts(audits[1]).items() if name in ("site ada", "site ben", "solutions")
            }
            assert seen == {"site ada": same, "site ben": None, "solutions": gram_to_sites or None}
            assert audits[1].ok is same
    assert found_by(audits[1], "solutions") == "not recomputed: the release carries no Gram matrix of ada, ben, cem"


def _averaged(make_sample: MakeSample, factor: float) -> tuple[Parcel, Parcel]:
    """An update, and a global model that names it and is `factor` times its state."""
    state = {"bias": np.array([0.25, -2.0], np.float32), "seen": np.array(7)}
    update, data = make_sample("update", state, round=2)
    entered = ({"site": "ada", "update": manifest_digest(update), "images": update.examples},)
    plan = make_sample("average")[0].plan.model_copy(update={"least": 1})
    scaled = {"bias": np.float32(factor) * state["bias"], "seen": state["seen"]}
    average, more = make_sample("average", scaled, plan=plan, previous=update.average, updates=entered)
    return seal_as(update, data), seal_as(average, more)


def test_a_global_model_is_recomputed_from_the_updates_it_names(tmp_path: Path, make_sample: MakeSample) -> None:
    for factor, same in ((1.0, True), (1.001, False)):
        files = [written(tmp_path / f"{number}", one) for number, one in enumerate(_averaged(make_sample, factor))]
        assert verdicts(verify(files, TRUST)[1])["mean"] is same
    assert found_by(verify(files, TRUST)[1], "mean") == "tensor bias: is not the mean of the updates"
    assert found_by(audited(files[1]), "mean") == "not recomputed: 1 of its 1 updates are not among the files"


def test_a_contribution_counts_once(federation: Any, built: Any, tmp_path: Path) -> None:
    one = built.manifest.sites[0].contributions[0]
    for twice in (_naming(built, one, one), _naming(built, built.manifest.sites[1].contributions[0])):
        audit = audited(written(tmp_path / "release", seal_as(twice, built.tensors)))
        assert verdicts(audit)["lineage"] is False
        assert found_by(audit, "lineage") == "a contribution is counted twice"


def test_a_release_comes_from_its_candidate(federation: Any, built: Any, tmp_path: Path) -> None:
    candidate = federation.candidate()
    first = seal_as(candidate.manifest, candidate.tensors)
    second = seal_as(built.manifest, built.tensors, sequence=2, previous=first.digest)
    audits = verify([written(tmp_path / "candidate", first), written(tmp_path / "release", second)], TRUST)
    assert all(audit.ok for audit in audits)
    assert built.manifest.candidate == first.digest


def test_a_candidate_that_came_later_is_not_the_releases(federation: Any, built: Any, tmp_path: Path) -> None:
    candidate = federation.candidate()
    later = seal_as(candidate.manifest.model_copy(update={"number": 5}), candidate.tensors)
    named = built.manifest.model_copy(update={"candidate": later.digest})
    release = seal_as(named, built.tensors, sequence=2, previous=later.digest)
    audits = verify([written(tmp_path / "candidate", later), written(tmp_path / "release", release)], TRUST)
    assert verdicts(audits[1])["lineage"] is False
