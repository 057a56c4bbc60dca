"""Expert networks at the coordinator: who gets which, what a consultation must be, a gate with whatever was asked."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from federated.contract import Tensors
from federated.envelope import Opened, open_parcel
from federated.fused_model import FusedModel
from federated.manifest import ConsultationManifest, ReleaseManifest, WeightsManifest, parse_manifest, unpack_tensors
from federated.panel import Asked, width_of
from server.event import run_event
from shared_models.expert_training import new_expert
from shared_models.registry import create_model
from shared_models.views import expert_digest
from tests.server.conftest import COUNTS, HELD, LABELS, Draft, Site, World, draw

NETWORK = {"classes": 2, "side": 16, "width": 4}
UNET = {"classes": 3, "side": 16, "width": 2, "levels": 2}
SIZES = (32, 2, 244)
OWNERS: dict[str, str] = {}  # of networks, by digest


@cache
def _state(name: str, version: int = 0) -> Tensors:
    return new_expert("small_resnet18", NETWORK, seed=[*HELD].index(name) + 10 * version).state()


def _segmenter(site: Site, version: int = 0, **changes: Any) -> Draft:
    """A network that speaks of as many structures as the site has labels, of a federation of segmentation."""
    torch.manual_seed([*HELD].index(site.name) + 10 * version)
    state = {name: tensor.numpy() for name, tensor in create_model("unet", **UNET).state_dict().items()}
    fields = {"task": "segmentation", "architecture": "unet", "config": UNET}
    return Draft(WeightsManifest, site.card("b0001") | fields, state, changes)


def _weights(site: Site, **changes: Any) -> Draft:
    fields = {"architecture": "small_resnet18", "config": NETWORK}
    tensors = _state(site.name, changes.pop("version", 0))
    return Draft(WeightsManifest, site.card("b0001") | fields, tensors, changes)


def _asked(digest: str, means: bool = True) -> Asked:
    return Asked(contribution=digest, features=SIZES[0], logits=SIZES[1], means=SIZES[2] if means else 0)


def said(panel: tuple[Asked, ...], labels: tuple[str, ...]) -> np.ndarray:
    """Features, logits and discrepancies show the label, more or less."""
    rng = np.random.default_rng(len(labels))
    wanted = np.array([[label == other for other in LABELS] for label in labels], dtype=float)
    parts = []
    for each in panel:
        rest = np.zeros((len(labels), each.width))
        rest[:, :3] = 3 * wanted
        own = HELD[OWNERS[each.contribution]]
        rest[:, SIZES[0] : SIZES[0] + 2] = 3 * wanted[:, [LABELS.index(label) for label in own]]
        if each.means:
            rest[:, -3:] = 3 * wanted
        parts.append(rest + 0.3 * rng.normal(size=rest.shape))
    return np.concatenate(parts, axis=1).astype(np.float32)


def _consultation(site: Site, *panel: Asked, **changes: Any) -> Draft:
    tensors: Tensors = {}
    for fold in ("train", "validation"):
        images = draw(site.name, "b0001", fold, COUNTS[fold])
        patients = list(dict.fromkeys(images.patients))
        tensors |= {
            f"{fold}.said": said(panel, images.labels),
            f"{fold}.label": np.array([HELD[site.name].index(label) for label in images.labels]),
            f"{fold}.weight": images.weights,
            f"{fold}.patient": np.array([patients.index(patient) for patient in images.patients]),
        }
    fields = {"panel": panel, "copies": 0, "folds": ("train", "validation")}
    return Draft(ConsultationManifest, site.card("b0001") | fields, tensors, changes)


def _arrive(world: World, name: str) -> str:
    """A site with statistics and a network; the digest of the network."""
    site = world.join(name)
    site.reports = False  # it cannot ask anybody
    site.put(site.statistics())
    digest = site.put(_weights(site))
    OWNERS[digest] = name
    return digest


def _experts(world: World, name: str) -> list[Opened]:
    """Those in line for a site."""
    member = world.members[name]
    opened = [open_parcel(parcel, member.trust, recipient=name) for parcel in world.coordinator.outgoing(name)]
    return [each for each in opened if each.manifest.kind == "expert"]


def _released(world: World) -> FusedModel:
    found = run_event(world.coordinator, world)
    assert found.trouble == ""
    assert found.release is not None
    artefacts = world.coordinator.artefacts
    manifest = parse_manifest(artefacts.get(found.release))
    assert isinstance(manifest, ReleaseManifest)
    return FusedModel.from_release(manifest, unpack_tensors(artefacts.get(manifest.tensors_digest), manifest))


def _accepted(world: World, draft: Draft, name: str) -> str:
    return world.coordinator.accept(world.members[name].seal(draft)).reason


def test_a_network_is_forwarded_to_every_other_site_as_it_came(make_world: Any) -> None:
    world = make_world(fusion="gated-experts")
    ada, ben = _arrive(world, "ada"), _arrive(world, "ben")
    run_event(world.coordinator, world)
    cem = world.join("cem")
    assert [each.manifest.site for each in _experts(world, "cem")] == ["ada", "ben"]
    first, second = (each.manifest for each in _experts(world, "cem"))
    assert (first.contribution, first.place, second.contribution, second.place) == (ada, 1, ben, 2)
    assert first.network == expert_digest("small_resnet18", NETWORK, _state("ada"))
    np.testing.assert_array_equal(_experts(world, "cem")[0].tensors["fc.weight"], _state("ada")["fc.weight"])
    assert cem.name not in {each.manifest.site for each in _experts(world, "cem")}


def test_nothing_is_forwarded_where_the_rule_asks_no_network(world: World) -> None:
    _arrive(world, "ada")
    run_event(world.coordinator, world)
    world.join("cem")
    assert _experts(world, "cem") == []


def test_experts_of_a_task_that_exchanges_them_go_to_all_others_whatever_the_rule(make_world: Any) -> None:
    world = make_world(task="segmentation")
    sent = {name: world.join(name).put(_segmenter(world.members[name])) for name in ("ada", "ben")}
    found = run_event(world.coordinator, world)
    assert [(each.kind, each.outcome) for each in found.accepted] == 2 * [("weights", "accepted")]
    assert (found.candidate, found.release, found.trouble) == (None, None, "")
    assert [each.parcels_sent for each in found.rounds[-1]] == [1, 1]
    status = world.coordinator.status()
    assert (status["candidate"], status["releases"], status["quarantine"]) == (None, [], [])
    kept = {each["name"]: [one["digest"] for one in each["contributions"]] for each in status["sites"]}
    assert kept == {name: [digest] for name, digest in sent.items()}
    world.join("cem")
    assert {each.manifest.contribution for each in _experts(world, "cem")} == set(sent.values())
    assert run_event(world.coordinator, world).accepted == ()


def test_who_keeps_a_network_that_is_withdrawn_is_told(make_world: Any) -> None:
    world = make_world(task="segmentation")
    ada = world.join("ada").put(_segmenter(world.members["ada"]))
    for name in ("ben", "cem"):
        world.join(name)
    world.offline.add("cem")
    run_event(world.coordinator, world)
    (line,) = world.coordinator.withdraw("ada", [ada]).residue
    assert line == "the network of ada was sent to ben, which keeps it until a newer one of batch b0001 replaces it"
    world.offline.clear()
    assert _experts(world, "cem") == []
    newer = world.members["ada"].put(_segmenter(world.members["ada"], version=1))
    run_event(world.coordinator, world)
    (again,) = _experts(world, world.join("dan").name)
    assert (again.manifest.contribution, again.manifest.replaces) == (newer, (ada,))


def test_a_network_of_other_structures_than_it_says_is_quarantined(make_world: Any) -> None:
    world = make_world(task="segmentation")
    ada = world.join("ada")
    three = _segmenter(ada, config=UNET | {"classes": 4})
    assert "tensor model.2" in _accepted(world, three, "ada")
    few: dict[str, Any] = {"labels": ("plax",), "patients": {"plax": 8}, "images": {"plax": 16}}
    assert "speaks of 2 labels, the manifest of 1" in _accepted(world, _segmenter(ada, **few), "ada")
    huge = _segmenter(ada, config=UNET | {"width": 10**6})
    assert "cannot be built (a U-Net of width 1000000" in _accepted(world, huge, "ada")


def test_a_network_that_does_not_classify_is_no_expert_to_be_asked(make_world: Any) -> None:
    world = make_world(fusion="gated-experts")
    ada = _arrive(world, "ada")
    other = world.members["ada"].put(_segmenter(world.members["ada"], task="classification", batch="b0002"))
    run_event(world.coordinator, world)
    OWNERS[other] = "ada"
    draft = _consultation(world.members["ada"], _asked(ada), _asked(other))
    assert "is no expert network that was taken in" in _accepted(world, draft, "ada")
    world.members["ada"].put(_consultation(world.members["ada"], _asked(ada)))
    panel = _released(world).manifest.panel
    assert panel is not None
    assert [each.contribution for each in panel.experts] == [ada]


def test_a_network_that_does_not_count_any_more_is_not_forwarded(make_world: Any) -> None:
    world = make_world(fusion="gated-experts")
    ada, ben = _arrive(world, "ada"), _arrive(world, "ben")
    run_event(world.coordinator, world)
    world.join("cem")
    world.coordinator.withdraw("ada", [ada])
    assert [(each.manifest.site, each.manifest.place) for each in _experts(world, "cem")] == [("ben", 2)]
    newer = world.members["ben"].put(_weights(world.members["ben"], version=1))
    world.offline.add("cem")
    run_event(world.coordinator, world)
    last = _experts(world, "cem")[-1].manifest
    assert (last.contribution, last.place) == (newer, 3)
    assert last.replaces == (ben,)


@pytest.mark.parametrize("rule", ["gated-experts", "gated-experts-discrepancy"])
def test_a_gate_learns_with_what_was_asked_and_says_what_was_not(make_world: Any, rule: str) -> None:
    world = make_world(fusion=rule)
    ada, ben = _arrive(world, "ada"), _arrive(world, "ben")
    world.members["ada"].put(_consultation(world.members["ada"], _asked(ada)))
    world.members["ben"].put(_consultation(world.members["ben"], _asked(ada), _asked(ben)))
    early = _released(world)
    panel = early.manifest.panel
    assert panel is not None
    assert [each.contribution for each in panel.experts] == [ada, ben]
    assert {each.means for each in panel.experts} == ({0} if rule == "gated-experts" else {SIZES[2]})
    assert [(each.site, each.expert) for each in panel.unasked] == [("ada", ben)]
    (told,) = world.coordinator.status()["releases"]
    assert (told["rule"], told["lacks"]) == (rule, ["what the expert of ben says at ada"])
    world.members["ada"].put(_consultation(world.members["ada"], _asked(ada), _asked(ben)))
    whole = _released(world)
    assert whole.manifest.panel is not None
    assert whole.manifest.panel.unasked == ()
    assert set(whole.manifest.panel.consultations) != set(panel.consultations)
    assert _right(whole, "ada") > 0.8
    assert whole.manifest.previous == early.digest


def _right(model: FusedModel, site: str) -> float:
    assert model.manifest.panel is not None
    held = draw(site, "b0009", "calibration", 20)
    features = np.concatenate([held.features, said(model.manifest.panel.experts, held.labels)], axis=1)
    answered = model.answer(features, "image").scores.argmax(axis=1)
    return float(np.mean([model.labels[one] == label for one, label in zip(answered, held.labels, strict=True)]))


def test_the_same_consultations_give_the_same_bytes(make_world: Any) -> None:
    found = []
    for _ in range(2):
        world = make_world(fusion="gated-experts")
        ada = _arrive(world, "ada")
        world.members["ada"].put(_consultation(world.members["ada"], _asked(ada, means=False)))
        found.append(_released(world).manifest.tensors_digest)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("rule", "means", "needs"),
    [("gated-experts", None, "consultations"), ("gated-experts-discrepancy", False, "neural mean discrepancies")],
)
def test_without_what_the_rule_needs_there_is_no_release(
    make_world: Any, rule: str, means: bool | None, needs: str
) -> None:
    world = make_world(fusion=rule)
    ada = _arrive(world, "ada")
    if means is not None:
        world.members["ada"].put(_consultation(world.members["ada"], _asked(ada, means=means)))
    assert f"rule '{rule}' needs {needs}, which no site has sent" in run_event(world.coordinator, world).trouble
    world.coordinator.withdraw("ada", [ada])
    assert f"rule '{rule}' needs weights of expert networks" in run_event(world.coordinator, world).trouble


def test_a_consultation_that_is_withdrawn_takes_its_release_back(make_world: Any) -> None:
    world = make_world(fusion="gated-experts")
    ada = _arrive(world, "ada")
    consulted = world.members["ada"].put(_consultation(world.members["ada"], _asked(ada)))
    _released(world)
    withdrawal = world.coordinator.withdraw("ada", [consulted])
    assert withdrawal.recalled == (1,)
    (line,) = withdrawal.residue
    assert "has a gate that learnt from this consultation; it is recalled, not unsent" in line


def test_what_is_wrong_with_a_consultation_is_quarantined(make_world: Any) -> None:
    world = make_world(fusion="gated-experts")
    ada = _arrive(world, "ada")
    run_event(world.coordinator, world)
    site, whole = world.members["ada"], _asked(ada)
    unknown, wide = whole.model_copy(update={"contribution": "sha256:" + "0" * 64}), _asked(ada)
    OWNERS[unknown.contribution] = "ada"
    wide = wide.model_copy(update={"features": 33})
    huge, many, heavy = (_consultation(site, whole) for _ in range(3))
    huge.tensors["train.said"][0, 0] = 1e9
    heavy.tensors["train.weight"] = heavy.tensors["train.weight"] * 100
    for name in ("said", "label", "weight", "patient"):
        many.tensors[f"train.{name}"] = np.concatenate([many.tensors[f"train.{name}"]] * 2)
    assert width_of([whole]) == 278
    for draft, reason in (
        (_consultation(site, unknown), "is no expert network that was taken in"),
        (_consultation(site, wide), "says something of another size"),
        (huge, "which no training gives"),
        (many, "rows of 8 patients, more than declared"),
        (heavy, "fit the patients declared"),
    ):
        assert reason in _accepted(world, draft, "ada")
    many.fields["copies"] = 1
    assert _accepted(world, many, "ada") == ""


def test_a_network_of_other_labels_than_its_logits_is_quarantined(world: World) -> None:
    ada = world.join("ada")
    assert (
        "speaks of 2 labels, the manifest of 1"
        in world.coordinator.accept(
            ada.seal(_weights(ada, labels=("plax",), patients={"plax": 8}, images={"plax": 16}))
        ).reason
    )


def test_a_label_that_no_network_knows_is_told(make_world: Any) -> None:
    world = make_world(fusion="gated-experts")
    ada = _arrive(world, "ada")
    run_event(world.coordinator, world)
    ben = world.join("ben")
    ben.put(ben.statistics())
    ben.put(_consultation(ben, _asked(ada)))
    world.members["ada"].put(_consultation(world.members["ada"], _asked(ada)))
    assert "no expert knows a2c, which rule 'gated-experts' needs" in run_event(world.coordinator, world).trouble
