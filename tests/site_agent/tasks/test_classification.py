"""Drafts of a batch: what each kind holds, what is left out, and that the same batch gives the same bytes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tomli_w

from federated.disclosure import Limits
from federated.errors import DisclosureError
from federated.manifest import ConsultationManifest, unpack_tensors
from federated.statistics import from_features, unpack_symmetric
from site_agent.catalogue import Catalogue
from site_agent.drafts import Draft, check_draft
from site_agent.egress import Gate
from site_agent.expert_settings import ExpertSettings
from site_agent.features import features_of
from site_agent.home import SiteHome
from site_agent.panel import panel_of
from site_agent.policy import Policy
from site_agent.tasks import TASKS, task_of
from site_agent.tasks.classification import KINDS, apart, draft

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation

PATIENTS = {"dark": 12, "light": 8, "striped": 2}
ALONE = [kind for kind in KINDS if kind != "consultation"]  # those that need no network


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    return federation.hospital("ada", PATIENTS, *KINDS, "report")


def _draft(federation: Federation, home: SiteHome, kind: str, **changes: Any) -> Draft:
    made = draft(home, kind, "b0001", federation.allow(home, *KINDS, **changes))
    check_draft(made, federation="shades", site="ada", vocabulary=home.vocabulary)
    return made


def _training(home: SiteHome, label: str) -> int:
    cases = Catalogue(home.catalogue_path).cases(fold="train")
    return len({case.patient for case in cases if case.label == label})


def test_statistics_are_the_sums_of_weighted_features(federation: Federation, ada: SiteHome) -> None:
    made = _draft(federation, ada, "statistics")
    tensors = unpack_tensors(made.tensors, made.manifest)
    cases = Catalogue(ada.catalogue_path).cases(fold="train")
    counts = {label: _training(ada, label) for label in PATIENTS}
    patients = sum(counts.values())
    weights = np.array([patients / (3 * counts[case.label]) / 2 for case in cases])  # two images a patient
    sums = from_features(features_of(ada, cases), [case.label for case in cases], weights, tuple(PATIENTS))
    assert sums.gram is not None
    np.testing.assert_allclose(unpack_symmetric(tensors["train.gram"], 500), sums.gram, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(tensors["train.class_sums"], sums.class_sums, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(tensors["train.weights"], np.full(3, patients / 3), rtol=1e-12)


def test_counts_are_of_training_patients(federation: Federation, ada: SiteHome) -> None:
    manifest: Any = _draft(federation, ada, "statistics").manifest
    assert manifest.labels == ("dark", "light", "striped")
    assert manifest.patients == {label: _training(ada, label) for label in PATIENTS}
    assert manifest.images == {label: 2 * count for label, count in manifest.patients.items()}
    sent = {case.patient for fold in ("train", "validation") for case in Catalogue(ada.catalogue_path).cases(fold=fold)}
    assert manifest.batch_patients == len(sent)


@pytest.mark.parametrize("kind", ALONE)
def test_a_batch_gives_the_same_bytes_again(federation: Federation, ada: SiteHome, kind: str) -> None:
    first, again = (_draft(federation, ada, kind) for _ in range(2))
    assert first.digest == again.digest
    assert first.tensors == again.tensors


def test_level_1_holds_no_gram_and_lets_none_go_on(federation: Federation, ada: SiteHome) -> None:
    made = _draft(federation, ada, "statistics", statistics={"level_to_coordinator": 1, "level_to_sites": 2})
    manifest: Any = made.manifest
    assert (manifest.level, manifest.level_to_sites) == (1, 1)
    assert not [name for name in manifest.tensors if "gram" in name]
    assert made.facts.level == 1


@pytest.mark.parametrize("level", ["level_to_coordinator", "level_to_sites"])
def test_level_0_is_refused_with_its_cure(federation: Federation, ada: SiteHome, level: str) -> None:
    with pytest.raises(DisclosureError, match=r"level 0 statistics cannot be fused.*set level_to_coordinator"):
        _draft(federation, ada, "statistics", statistics={level: 0})


def test_a_label_of_too_few_patients_leaves_in_no_kind(federation: Federation, ada: SiteHome) -> None:
    limits = {kind: {"limits": Limits(cell=2, batch=1, difference=1, gram_share=1e9, dominance=1.0)} for kind in KINDS}
    for kind in ALONE:
        made = _draft(federation, ada, kind, **limits)
        assert getattr(made.manifest, "labels", ()) == ("dark", "light")
        assert {label for _, label in made.facts.cells} == {"dark", "light"}


def test_one_kinds_stricter_minimum_holds_for_all(federation: Federation, ada: SiteHome) -> None:
    strict = {"limits": Limits(cell=2, batch=1, difference=1, gram_share=1e9)}
    made = _draft(federation, ada, "statistics", features=strict)
    assert getattr(made.manifest, "labels", ()) == ("dark", "light")


def test_features_reproduce_the_statistics_and_hide_order_and_names(federation: Federation, ada: SiteHome) -> None:
    sums, rows = (_draft(federation, ada, kind) for kind in ("statistics", "features"))
    sent, summed = unpack_tensors(rows.tensors, rows.manifest), unpack_tensors(sums.tensors, sums.manifest)
    labels = [("dark", "light", "striped")[index] for index in sent["train.label"]]
    again = from_features(sent["train.features"], labels, sent["train.weight"], ("dark", "light", "striped"))
    np.testing.assert_allclose(again.class_sums, summed["train.class_sums"], rtol=1e-9, atol=1e-9)
    in_order = features_of(ada, Catalogue(ada.catalogue_path).cases(fold="train"))
    assert not np.array_equal(sent["train.features"], in_order)
    assert sorted(set(sent["train.patient"])) == list(range(len(set(sent["train.patient"]))))
    assert not any(case.patient in rows.manifest.model_dump_json() for case in Catalogue(ada.catalogue_path).cases())


def test_weights_are_a_head_that_knows_its_training_images(federation: Federation, ada: SiteHome) -> None:
    from shared_models.registry import create_model

    made = _draft(federation, ada, "weights")
    manifest: Any = made.manifest
    tensors = unpack_tensors(made.tensors, manifest)
    state = create_model(manifest.architecture, **manifest.config).state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == {k: v.shape for k, v in tensors.items()}
    cases = Catalogue(ada.catalogue_path).cases(fold="train")
    scores = features_of(ada, cases) @ tensors["weight"].T + tensors["bias"]
    right = [manifest.labels[index] == case.label for index, case in zip(scores.argmax(axis=1), cases, strict=True)]
    assert np.mean(right) > 0.95
    assert {fold for fold, _ in made.facts.cells} == {"train"}


def test_facts_name_the_patients_and_the_manifest_does_not(federation: Federation, ada: SiteHome) -> None:
    made = _draft(federation, ada, "statistics")
    cases = Catalogue(ada.catalogue_path).cases(fold="train")
    dark = frozenset(case.patient for case in cases if case.label == "dark")
    assert made.facts.cells["train", "dark"] == dark
    assert made.facts.largest_share == pytest.approx(1 / min(_training(ada, label) for label in PATIENTS))
    assert made.facts.features == 500


def test_an_unknown_task_is_told(ada: SiteHome) -> None:
    assert task_of(ada) is TASKS["classification"]
    ada.config = ada.config.model_copy(update={"task": "knitting"})
    with pytest.raises(Exception, match=r"there is no task 'knitting'.*knows: classification"):
        task_of(ada)


def test_a_label_with_others_below_it_has_a_gram_matrix_of_its_own(nested: Federation) -> None:
    home = nested.hospital("ada", PATIENTS, *KINDS)
    made = _draft(nested, home, "statistics")
    manifest: Any = made.manifest
    assert (manifest.coarse, made.facts.coarse) == (("light",), ("light",))
    tensors = unpack_tensors(made.tensors, manifest)
    cases = [case for case in Catalogue(home.catalogue_path).cases(fold="train") if case.label == "light"]
    weight = tensors["train.weights"][list(manifest.labels).index("light")] / len(cases)
    rows = features_of(home, cases)
    own = unpack_symmetric(tensors["train.gram.000"], 500)
    np.testing.assert_allclose(own, weight * rows.T @ rows, rtol=1e-9, atol=1e-9)
    assert tensors["validation.gram.000"].shape == tensors["train.gram.000"].shape


def test_without_a_gram_matrix_there_is_none_of_a_single_label(nested: Federation) -> None:
    home = nested.hospital("ada", PATIENTS, *KINDS)
    made = _draft(nested, home, "statistics", statistics={"level_to_coordinator": 1})
    assert getattr(made.manifest, "coarse", None) == ()
    assert made.facts.coarse == ()


def test_a_matrix_of_too_few_patients_is_not_set_apart(nested: Federation) -> None:
    """The label goes along with the others, and the coordinator makes its matrix up."""
    home = nested.hospital("ada", PATIENTS, *KINDS)
    validation = Catalogue(home.catalogue_path).cases(fold="validation")
    patients = len({case.patient for case in validation if case.label == "light"})
    assert 0 < patients < min(_training(home, "light"), len({case.patient for case in validation}) - patients)
    for least, coarse in ((patients, ("light",)), (patients + 1, ())):
        limits = Limits(cell=1, batch=1, difference=1, gram_share=500 / least, dominance=1.0)
        made = draft(home, "statistics", "b0001", _allowed(nested, home, limits))
        assert getattr(made.manifest, "coarse", None) == coarse
        assert "light" in getattr(made.manifest, "labels", ())


def _allowed(federation: Federation, home: SiteHome, limits: Limits) -> Policy:
    return federation.allow(home, *KINDS, statistics={"limits": limits})


def test_what_is_left_of_a_fold_needs_patients_enough_too() -> None:
    cells = {("train", "coarse"): 30, ("train", "fine"): 10, ("validation", "coarse"): 20}
    folds: dict[str, list[Any]] = {"train": [], "validation": []}
    for (fold, label), count in cells.items():
        folds[fold] += [SimpleNamespace(fold=fold, label=label, patient=f"{label}-{n}") for n in range(count)]
    limits = Limits(cell=5, batch=5, gram_share=0.5)
    assert apart(folds, ("coarse",), 5, limits) == ("coarse",)  # ten patients each
    assert apart(folds, ("coarse",), 6, limits) == ()  # twelve, and only ten are left
    assert apart({"train": folds["train"][:30]}, ("coarse",), 6, limits) == ("coarse",)  # nothing is left
    assert apart(folds, (), 1, limits) == ()
    assert apart(folds, ("coarse",), 1, Limits(cell=11, batch=5, gram_share=0.5)) == ()


TINY = ExpertSettings(architecture="small_resnet18", side=16, width=4, epochs=1, copies=2)


def with_network(home: SiteHome, **changes: Any) -> SiteHome:
    """The same home, which trains a tiny network."""
    expert = TINY.model_copy(update=changes)
    config = home.config.model_copy(update={"expert": expert})
    (home.path / "config.toml").write_text(tomli_w.dumps(config.model_dump(mode="json")))
    return SiteHome(home.path)


def test_a_consultation_is_what_every_expert_says_of_images_and_of_their_copies(
    federation: Federation, ada: SiteHome
) -> None:
    home = with_network(ada)
    with pytest.raises(DisclosureError, match=r"no expert network is here to be asked; name one under \[expert\]"):
        _draft(federation, home, "consultation")
    Gate(home).submit(_draft(federation, home, "weights"))
    (expert,) = panel_of(home)
    made, features = _draft(federation, home, "consultation"), _draft(federation, home, "features")
    tensors, plain = unpack_tensors(made.tensors, made.manifest), unpack_tensors(features.tensors, features.manifest)
    assert isinstance(made.manifest, ConsultationManifest)
    assert made.manifest.panel == (expert.asked.model_copy(update={"means": 0}),)
    assert (expert.asked.features, expert.asked.logits, expert.asked.means) == (32, 3, 244)
    for name in ("label", "weight", "patient"):
        np.testing.assert_array_equal(tensors[f"train.{name}"], np.tile(plain[f"train.{name}"], 3))
        np.testing.assert_array_equal(tensors[f"validation.{name}"], plain[f"validation.{name}"])
    rows = len(plain["train.label"])
    plainly, first, second = (tensors["train.said"][start : start + rows] for start in (0, rows, 2 * rows))
    assert not np.allclose(plainly, first)
    assert not np.allclose(first, second)
    head = expert.network.network.get_classifier()
    linear = plainly[:, :32] @ head.weight.numpy().T + head.bias.numpy()
    np.testing.assert_allclose(plainly[:, 32:], linear, atol=1e-4)
    assert made.digest == _draft(federation, home, "consultation").digest


def test_discrepancies_leave_only_where_the_site_says_so(federation: Federation, ada: SiteHome) -> None:
    home = with_network(ada, neural_means=True, copies=0)
    Gate(home).submit(_draft(federation, home, "weights"))
    manifest: Any = _draft(federation, home, "consultation").manifest
    assert manifest.tensors["train.said"].shape[1] == 32 + 3 + 244
