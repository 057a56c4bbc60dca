"""Releases by rules that need experts: heads that sites sent, a gate trained on their features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from federated.errors import ConsiliumError
from federated.fused_model import FusedModel
from federated.fusion.rules import RULES
from federated.manifest import ReleaseManifest, RuleName, parse_manifest, unpack_tensors
from server.contributions import Stored
from server.event import run_event
from server.experts import heads_in, trained_gate
from tests.server.conftest import CARD, COUNTS, HELD, Draft, draw

if TYPE_CHECKING:
    from tests.server.conftest import Site, World


def _expert(site: Site) -> Draft:
    """The least-squares fit of the site's own labels, as its network."""
    train = draw(site.name, "b0001", "train", COUNTS["train"])
    wanted = np.array([[label == own for own in HELD[site.name]] for label in train.labels], dtype=np.float64)
    weight = 5 * np.linalg.lstsq(train.features, wanted, rcond=None)[0].T
    draft = site.weights()
    draft.tensors["weight"] = weight.astype(np.float32)
    return draft


def _arrive(world: World, *names: str, experts: tuple[str, ...] = ("ada", "ben", "cem")) -> None:
    for name in names:
        site = world.join(name)
        site.put(site.features())
        if name in experts:
            site.put(_expert(site))


def _released(world: World) -> FusedModel:
    found = run_event(world.coordinator, world)
    assert found.trouble == ""
    assert found.release is not None
    artefacts = world.coordinator.artefacts
    manifest = parse_manifest(artefacts.get(found.release))
    assert isinstance(manifest, ReleaseManifest)
    return FusedModel.from_release(manifest, unpack_tensors(artefacts.get(manifest.tensors_digest), manifest))


def _right(model: FusedModel, site: str) -> float:
    held_back = draw(site, "b0009", "calibration", 20)
    answered = model.answer(held_back.features, "image").scores.argmax(axis=1)
    return float(
        np.mean([model.labels[column] == label for column, label in zip(answered, held_back.labels, strict=True)])
    )


@pytest.mark.parametrize("rule", [name for name, rule in RULES.items() if rule.of_experts and not rule.networks])
def test_sites_are_fused_by_their_experts(make_world: Any, rule: RuleName) -> None:
    world = make_world(fusion=rule)
    _arrive(world, "ada", "ben", "cem")
    model = _released(world)
    assert (model.manifest.rule, model.manifest.lacking) == (rule, ())
    assert min(_right(model, site) for site in HELD) > 0.6


def test_a_gate_is_trained_to_the_same_bytes_every_time(make_world: Any) -> None:
    manifests = []
    for _ in range(2):
        world = make_world(fusion="gated")
        _arrive(world, "ada", "ben")
        manifests.append(_released(world).manifest.tensors_digest)
    assert manifests[0] == manifests[1]


def test_a_site_whose_expert_is_not_there_yet_is_named(make_world: Any) -> None:
    world = make_world(fusion="gated")
    _arrive(world, "ada", "ben", "cem", experts=("ada", "ben"))
    model = _released(world)
    assert model.manifest.lacking == ("cem",)
    cem = world.members["cem"]
    cem.put(_expert(cem))
    caught_up = _released(world)
    assert caught_up.manifest.lacking == ()
    assert caught_up.manifest.number > model.manifest.number


def test_no_release_is_made_where_the_rule_lacks_its_kind(make_world: Any) -> None:
    world = make_world(fusion="gated")
    ada = world.join("ada")
    ada.put(ada.statistics())
    ada.put(_expert(ada))
    found = run_event(world.coordinator, world)
    assert found.release is None
    assert "rule 'gated' needs features, which no site has sent" in found.trouble


def test_another_rule_is_another_candidate(make_world: Any) -> None:
    world = make_world()
    _arrive(world, "ada", "ben")
    first = _released(world)
    world.coordinator.home.choose_fusion("discriminant")
    world.restart()
    second = _released(world)
    assert (first.manifest.rule, second.manifest.rule) == ("closed-form", "discriminant")
    assert second.manifest.previous == first.digest


def _stored(draft: Draft, digest: str) -> Stored:
    manifest, tensors = draft.opened()
    return Stored(digest, manifest, tensors)


def test_only_linear_heads_of_this_front_end_are_taken(world: World) -> None:
    ada, ben = world.join("ada"), world.join("ben")
    other = _expert(ben)
    other.fields["front_end"] = f"sha256:{1:064d}"
    sent = [_stored(_expert(ada), f"sha256:{2:064d}"), _stored(other, f"sha256:{3:064d}")]
    (head,) = heads_in(sent, CARD.digest)
    assert head.card.site == "ada"
    assert head.weight.shape == (2, CARD.features)


def test_images_that_no_expert_has_a_label_for_are_left_out(world: World) -> None:
    ada, ben = world.join("ada"), world.join("ben")
    heads = heads_in([_stored(_expert(ada), f"sha256:{2:064d}")], CARD.digest)
    both = [_stored(site.features(), f"sha256:{n:064d}") for n, site in enumerate((ada, ben), start=3)]
    one = trained_gate("gated", heads, both, {})
    known = both[1].manifest.labels.index("a4c")
    rows = {fold: both[1].tensors[f"{fold}.label"] == known for fold in ("train", "validation")}
    parts = {
        f"{fold}.{part}": both[1].tensors[f"{fold}.{part}"][rows[fold]]
        for fold in rows
        for part in ("features", "label", "weight")
    }
    same = trained_gate("gated", heads, [both[0], Stored(both[1].digest, both[1].manifest, parts)], {})
    assert all((one[name] == same[name]).all() for name in one)


def test_without_an_expert_there_is_no_gate(world: World) -> None:
    ada = world.join("ada")
    with pytest.raises(ConsiliumError, match="rule 'gated' needs weights, which no site has sent"):
        trained_gate("gated", [], [_stored(ada.features(), f"sha256:{3:064d}")], {})
