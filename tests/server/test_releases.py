from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from federated.deciding import check_way
from federated.errors import ConsiliumError
from federated.fused_model import FusedModel
from federated.manifest import ReleaseManifest, parse_manifest, unpack_tensors
from federated.statistics import Array
from federated.vocabulary import plain_vocabulary, write_vocabulary
from server.event import run_event

if TYPE_CHECKING:
    from tests.server.conftest import Site, World


def _manifest(world: World, digest: str | None) -> ReleaseManifest:
    assert digest is not None
    manifest = parse_manifest(world.coordinator.artefacts.get(digest))
    assert isinstance(manifest, ReleaseManifest)
    return manifest


def _fusion(world: World, digest: str | None) -> dict[str, Any]:
    manifest = _manifest(world, digest)
    return unpack_tensors(world.coordinator.artefacts.get(manifest.tensors_digest), manifest)


def _arrive(world: World, *names: str) -> list[Site]:
    sites = [world.join(name) for name in names]
    for site in sites:
        site.put(site.statistics())
    return sites


def test_nothing_to_fuse_is_no_candidate(world: World) -> None:
    ada = world.join("ada")
    assert world.coordinator.propose() is None
    assert world.coordinator.release() is None
    world.coordinator.accept(ada.seal(ada.weights()))
    assert world.coordinator.propose() is None


def test_a_candidate_is_the_same_until_something_changes(world: World) -> None:
    (ada,) = _arrive(world, "ada")
    world.coordinator.accept_all(ada.outbox.values())
    first = world.coordinator.propose()
    assert first is not None
    assert world.coordinator.propose() == first
    assert world.coordinator.release() is not None
    assert world.coordinator.propose() is None
    assert world.coordinator.release() is None
    ada.put(ada.statistics("b0002"))
    world.coordinator.accept_all(ada.outbox.values())
    assert world.coordinator.propose() not in (None, first)


def test_any_order_of_arrival_gives_the_same_fusion_to_the_bit(make_world: Callable[..., World]) -> None:
    """Three sites at once, and one after another in two orders: the last releases carry the same bytes."""
    found = []
    for order in ([("ada", "ben", "cem")], [("cem",), ("ada",), ("ben",)], [("ben",), ("cem", "ada")]):
        world = make_world()
        for names in order:
            _arrive(world, *names)
            release = run_event(world.coordinator, world).release
        found.append(_manifest(world, release))
    assert {manifest.tensors_digest for manifest in found} == {found[0].tensors_digest}
    assert {manifest.hyperparameters for manifest in found} == {found[0].hyperparameters}
    assert [manifest.number for manifest in found] == [1, 3, 2]


def test_an_arrival_then_its_withdrawal_restores_the_fusion(world: World) -> None:
    _arrive(world, "ada")
    before = run_event(world.coordinator, world).release
    _arrive(world, "ben")
    assert run_event(world.coordinator, world).number == 2
    world.coordinator.withdraw("ben")
    after = run_event(world.coordinator, world).release
    one, two = _fusion(world, before), _fusion(world, after)
    assert set(one) == set(two)
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert [site.name for site in _manifest(world, after).sites] == ["ada"]


def test_a_site_without_a_report_uses_the_pooled_calibration(world: World) -> None:
    _arrive(world, "ada", "ben")
    world.members["ben"].reports = False
    manifest = _manifest(world, run_event(world.coordinator, world).release)
    assert {site.name: (site.calibration, site.report is None) for site in manifest.sites} == {
        "ada": ("own", False),
        "ben": ("pooled", True),
    }


def test_a_late_report_makes_a_release_of_the_same_candidate(world: World) -> None:
    ada, ben = _arrive(world, "ada", "ben")
    ben.reports = False
    first = run_event(world.coordinator, world).release
    ben.reports = True
    candidate = _manifest(world, first).candidate
    ben.put(_report(world, ben, candidate))
    summary = run_event(world.coordinator, world)
    assert summary.candidate is None
    assert summary.number == 2
    one, two = _manifest(world, first), _manifest(world, summary.release)
    assert two.candidate == candidate
    assert two.previous == first
    assert [site.calibration for site in one.sites] == ["own", "pooled"]
    assert [site.calibration for site in two.sites] == ["own", "own"]
    assert [each.digest for each in ada.releases] == [first, summary.release]


def _report(world: World, site: Site, candidate: str | None) -> Any:
    assert candidate is not None
    manifest = parse_manifest(world.coordinator.artefacts.get(candidate))
    tensors = unpack_tensors(world.coordinator.artefacts.get(manifest.tensors_digest), manifest)
    return site.report(type("Opened", (), {"manifest": manifest, "tensors": tensors})())


def test_an_update_adds_to_its_site(world: World) -> None:
    (ada,) = _arrive(world, "ada")
    one = _fusion(world, run_event(world.coordinator, world).release)
    ada.put(ada.statistics("b0002"))
    manifest = _manifest(world, second := run_event(world.coordinator, world).release)
    assert len(manifest.sites[0].contributions) == 2
    assert manifest.sites[0].patients == {"plax": 16, "a4c": 16}
    assert _fusion(world, second)["weights"].sum() == pytest.approx(2 * one["weights"].sum())


def test_features_count_once_beside_statistics(world: World) -> None:
    (ada,) = _arrive(world, "ada")
    first = run_event(world.coordinator, world).release
    features = ada.put(ada.features())
    assert run_event(world.coordinator, world).release is None
    world.coordinator.withdraw("ada", _manifest(world, first).sites[0].contributions)
    second = _manifest(world, run_event(world.coordinator, world).release)
    assert second.sites[0].contributions == (features,)
    assert second.sites[0].gram == "kept"


def test_an_expert_is_named_and_withdrawn_with_what_remains(world: World) -> None:
    (ada,) = _arrive(world, "ada")
    expert = ada.put(ada.weights())
    release = run_event(world.coordinator, world).release
    (card,) = _manifest(world, release).experts
    assert (card.contribution, card.architecture, card.labels) == (expert, "linear_head", ("plax", "a4c"))
    done = world.coordinator.withdraw("ada", [expert])
    assert done.recalled == (1,)
    assert done.residue == ("release 1, sent to ada, names this expert; it is recalled, not unsent",)
    assert _manifest(world, run_event(world.coordinator, world).release).experts == ()


def test_withdrawal_recalls_what_was_sent_and_can_never_be_undone(world: World) -> None:
    ada, ben = _arrive(world, "ada", "ben")
    run_event(world.coordinator, world)
    mine = _manifest(world, ada.releases[0].digest).sites[0].contributions
    data = ada.put(ada.withdrawal(*mine))
    summary = run_event(world.coordinator, world)
    assert data in ada.sent
    assert summary.number == 2
    assert [site.name for site in _manifest(world, summary.release).sites] == ["ben"]
    for site in (ada, ben):
        (recall,) = site.recalls
        assert recall.manifest.release == site.releases[0].digest
        assert recall.manifest.fallback is None
        assert [each.manifest.number for each in site.releases] == [1, 2]
    with pytest.raises(ConsiliumError, match="release 1: was withdrawn and cannot come back"):
        world.coordinator.rollback(1)
    with pytest.raises(ConsiliumError, match="was withdrawn before"):
        world.coordinator.withdraw("ada", mine)
    with pytest.raises(ConsiliumError, match="ada: has no contribution to withdraw"):
        world.coordinator.withdraw("ada")


def test_a_candidate_that_holds_a_withdrawn_contribution_is_never_released(world: World) -> None:
    ada, ben = _arrive(world, "ada", "ben")
    world.coordinator.accept_all([*ada.outbox.values(), *ben.outbox.values()])
    assert world.coordinator.propose() is not None
    assert world.coordinator.withdraw("ada").recalled == ()
    assert world.coordinator.release() is None
    candidate = world.coordinator.propose()
    assert [site.name for site in _manifest(world, candidate).sites] == ["ben"]
    assert world.coordinator.release() is not None


def test_when_all_is_withdrawn_nothing_stands(world: World) -> None:
    (ada,) = _arrive(world, "ada")
    run_event(world.coordinator, world)
    world.coordinator.withdraw("ada")
    summary = run_event(world.coordinator, world)
    assert (summary.candidate, summary.release, summary.trouble) == (None, None, "")
    assert len(ada.recalls) == 1
    assert world.coordinator.status()["releases"][0]["state"] == "withdrawn"


def test_a_recall_falls_back_to_the_newest_that_stands(world: World) -> None:
    (ada,) = _arrive(world, "ada")
    numbers = [run_event(world.coordinator, world).number]
    for batch in ("b0002", "b0003"):
        ada.put(ada.statistics(batch))
        numbers.append(run_event(world.coordinator, world).number)
    assert numbers == [1, 2, 3]
    recall = world.coordinator.recall(3, "wrong labels")
    assert world.coordinator.recall(3, "again") == recall
    world.coordinator.recall(1, "old")
    assert run_event(world.coordinator, world).release is None
    assert [(each.manifest.release, each.manifest.fallback) for each in ada.recalls] == [
        (ada.releases[2].digest, ada.releases[1].digest),
        (ada.releases[0].digest, ada.releases[1].digest),
    ]
    assert ada.recalls[0].manifest.reason == "wrong labels"
    with pytest.raises(ConsiliumError, match="release 3: was recalled and cannot come back"):
        world.coordinator.rollback(3)
    with pytest.raises(ConsiliumError, match="release 9: was never made"):
        world.coordinator.recall(9, "")


def test_a_recall_that_nobody_got_is_sent_to_nobody(world: World) -> None:
    (ada,) = _arrive(world, "ada")
    world.coordinator.accept_all(ada.outbox.values())
    world.coordinator.propose()
    world.coordinator.release()
    world.coordinator.recall(1, "too early")
    run_event(world.coordinator, world)
    assert (ada.releases, ada.recalls) == ([], [])


def test_a_rollback_is_a_new_number_on_the_same_bytes(world: World) -> None:
    (ada,) = _arrive(world, "ada")
    first = run_event(world.coordinator, world).release
    ada.put(ada.statistics("b0002"))
    second = run_event(world.coordinator, world).release
    third = world.coordinator.rollback(1)
    assert world.coordinator.rollback(1) == third
    assert world.coordinator.rollback(3) == third
    one, three = _manifest(world, first), _manifest(world, third)
    assert three == one.model_copy(update={"number": 3, "previous": second})
    run_event(world.coordinator, world)
    assert [each.digest for each in ada.releases] == [first, second, third]
    assert run_event(world.coordinator, world).release is None
    assert world.coordinator.status()["releases"][2]["brings_back"] == 1
    ada.put(ada.statistics("b0003"))
    assert run_event(world.coordinator, world).number == 4


def test_a_late_report_does_not_undo_a_rollback(world: World) -> None:
    ada, ben = _arrive(world, "ada", "ben")
    run_event(world.coordinator, world)
    ada.put(ada.statistics("b0002"))
    ben.reports = False
    second = run_event(world.coordinator, world).release
    world.coordinator.rollback(1)
    ben.put(_report(world, ben, _manifest(world, second).candidate))
    assert run_event(world.coordinator, world).number is None
    assert world.coordinator.release() is None


def test_a_vocabulary_may_only_grow(world: World) -> None:
    _arrive(world, "ada")
    run_event(world.coordinator, world)
    path = world.coordinator.home.path / "vocabulary.toml"
    write_vocabulary(plain_vocabulary("views", ["a4c", "plax", "a2c"]), path)
    with pytest.raises(ConsiliumError, match="does not extend the vocabulary"):
        world.coordinator.propose()
    write_vocabulary(plain_vocabulary("views", ["plax", "a4c", "a2c", "sub"]), path)
    assert _manifest(world, run_event(world.coordinator, world).release).vocabulary.codes[-1] == "sub"


def test_without_a_gram_matrix_nothing_can_be_fused_and_that_is_said(world: World) -> None:
    ada = world.join("ada")
    ada.put(ada.statistics(level=1))
    summary = run_event(world.coordinator, world)
    assert summary.release is None
    assert "no site shares a Gram matrix" in summary.trouble
    _arrive(world, "ben")
    manifest = _manifest(world, run_event(world.coordinator, world).release)
    assert {site.name: site.gram for site in manifest.sites} == {"ada": "imputed", "ben": "released"}


def test_in_isolated_mode_an_arrival_leaves_other_columns_alone(make_world: Callable[..., World]) -> None:
    """The sites' labels overlap in one; the newcomer brings one label that nobody had, and shares none with ada's."""
    world = make_world(mode="isolated")
    _arrive(world, "ada")
    first = run_event(world.coordinator, world).release
    _arrive(world, "ben")
    second = run_event(world.coordinator, world).release
    one, two = _manifest(world, first), _manifest(world, second)
    assert two.hyperparameters == one.hyperparameters
    assert two.temperature == one.temperature
    assert one.hyperparameters.mode == "isolated"
    assert one.temperature != 1.0
    from federated.fused_model import FusedModel

    models = [FusedModel.from_release(_manifest(world, each), _fusion(world, each)) for each in (first, second)]
    features = np.random.default_rng(0).normal(size=(5, 9))
    before, after = (model.full_scores(features) for model in models)
    columns = [model.labels.index("plax") for model in models]
    assert np.array_equal(before[:, columns[0]], after[:, columns[1]])
    shared = [model.labels.index("a4c") for model in models]
    assert not np.array_equal(before[:, shared[0]], after[:, shared[1]])


def test_coarse_labels_pass_from_contribution_to_release(nested_world: World) -> None:
    ada, ben, cem = (nested_world.join(name) for name in ("ada", "ben", "cem"))
    for site, draft in ((ada, ada.statistics(coarse=("a4c",))), (ben, ben.statistics()), (cem, cem.features())):
        site.put(draft)
    release = run_event(nested_world.coordinator, nested_world).release
    manifest = _manifest(nested_world, release)
    assert {site.name: site.coarse for site in manifest.sites} == {"ada": ("a4c",), "ben": (), "cem": ()}
    systems = {label: system for system in manifest.systems for label in system.labels}
    assert (systems["a4c"].inside, systems["a4c"].silent) == (("ada", "ben", "cem"), ())
    assert (systems["a2c"].inside, systems["a2c"].silent) == (("ben", "cem"), (("ada", "a4c"), ("ben", "a4c")))


def test_an_answer_does_not_go_down_to_the_only_concept_below(nested_world: World) -> None:
    """Nothing tells what nobody has labelled."""
    ben = nested_world.join("ben")
    ben.put(ben.statistics(coarse=("a4c",)))
    release = run_event(nested_world.coordinator, nested_world).release
    manifest, tensors = _manifest(nested_world, release), _fusion(nested_world, release)
    model = FusedModel.from_release(manifest, tensors)
    lines = model.decide(_features(tensors), ["one.png", "two.png"], ["one", "two"])
    assert [(line.label, line.best) for line in lines if not line.abstained] == [("a4c", "a2c")] * len(lines)
    for line in lines:
        check_way(line, manifest, tensors)


def _features(tensors: dict[str, Any]) -> Array:
    """The mean image of each label of the first site."""
    held = tensors["weights"][0] > 0
    return np.asarray((tensors["class_sums"][0][:, held] / tensors["weights"][0][held]).T)


def test_the_arrival_of_a_coarse_site_then_its_withdrawal_restores_the_fusion(nested_world: World) -> None:
    _arrive(nested_world, "cem")
    before = run_event(nested_world.coordinator, nested_world).release
    ada = nested_world.join("ada")
    ada.put(ada.statistics(coarse=("a4c",)))
    during = _fusion(nested_world, run_event(nested_world.coordinator, nested_world).release)
    assert "coarse.000.ada" in during
    nested_world.coordinator.withdraw("ada")
    after = run_event(nested_world.coordinator, nested_world).release
    one, two = _fusion(nested_world, before), _fusion(nested_world, after)
    assert set(one) == set(two)
    assert all(np.array_equal(one[name], two[name]) for name in one)
