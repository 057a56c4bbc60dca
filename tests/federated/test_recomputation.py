from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from federated.envelope import Opened
from federated.errors import ContractError
from federated.fused_model import FusedModel
from federated.manifest import Tensors, own_gram_name, pack_tensors, unpack_tensors
from federated.recomputation import recompute_solutions, recompute_sums
from federated.statistics import Statistics, merge, pack_symmetric

MakeSample = Callable[..., tuple[Any, bytes]]
SAME = "class sums, weights and Gram matrix are those of its contributions"


def _statistics(name: str, block: Statistics, make_sample: MakeSample, level: int = 2) -> Opened:
    tensors = {"train.class_sums": block.class_sums, "train.weights": block.weights}
    if level == 2:
        assert block.gram is not None
        tensors["train.gram"] = pack_symmetric(block.gram)
    return _opened(make_sample, "statistics", name, tensors, block, level=level)


def _opened(
    make_sample: MakeSample, kind: str, name: str, tensors: Tensors, block: Statistics, **changes: Any
) -> Opened:
    counts = dict.fromkeys(block.labels, 1)
    fields = {"labels": block.labels, "patients": counts, "images": counts, "features": block.features}
    manifest, _ = make_sample(kind, tensors, site=name, folds=("train",), **fields, **changes)
    passage: Any = None
    return Opened(passage, manifest, tensors, "sha256:" + name.encode().hex(), frozenset())


def _changed(federation: Any, built: Any, **changes: Any) -> FusedModel:
    tensors = unpack_tensors(built.tensors, built.manifest) | changes
    _, specs, digest = pack_tensors(tensors)
    manifest = built.manifest.model_copy(update={"tensors": specs, "tensors_digest": digest})
    return FusedModel.from_release(manifest, tensors)


@pytest.fixture(scope="module")
def model(federation: Any) -> FusedModel:
    return federation.model(federation.release())


def _halves(federation: Any, name: str) -> list[Statistics]:
    """Of two batches that add up to what the site contributed."""
    block = federation.input(name).train
    return [
        Statistics(block.labels, block.gram * part, block.class_sums * part, block.weights * part)
        for part in (0.25, 0.75)
    ]


def test_sums_are_those_of_all_batches(federation: Any, model: FusedModel, make_sample: MakeSample) -> None:
    for site in model.manifest.sites:
        parts = [_statistics(site.name, half, make_sample) for half in _halves(federation, site.name)]
        assert recompute_sums(model, site, parts) == SAME
        with pytest.raises(ContractError, match="class sums: not what is recomputed"):
            recompute_sums(model, site, parts[:1])


def test_features_give_the_same_sums(federation: Any, model: FusedModel, make_sample: MakeSample) -> None:
    fold, block = federation.folds["ada"]["train"], federation.input("ada").train
    labels = np.array([block.labels.index(label) for label in fold.labels])
    tensors = {"train.features": fold.features, "train.label": labels, "train.weight": fold.weights}
    tensors["train.patient"] = np.arange(len(labels))
    part = _opened(make_sample, "features", "ada", tensors, block)
    assert recompute_sums(model, model.manifest.sites[0], [part]) == SAME
    wrong = _opened(make_sample, "features", "ada", tensors | {"train.label": labels + 3}, block)
    with pytest.raises(ContractError, match="a label that its contribution does not name"):
        recompute_sums(model, model.manifest.sites[0], [wrong])


@pytest.mark.parametrize(("name", "what"), [("class_sums", "class sums"), ("weights", "weights"), ("gram.ada", "Gram")])
def test_sums_that_were_changed_are_noticed(
    name: str, what: str, federation: Any, model: FusedModel, make_sample: MakeSample
) -> None:
    part = _statistics("ada", federation.input("ada").train, make_sample)
    changed = model.tensors[name].copy()
    changed.flat[0] += 1e-6 * np.abs(changed).max()
    other = _changed(federation, federation.release(), **{name: changed})
    with pytest.raises(ContractError, match=f"{what}.*: not what is recomputed"):
        recompute_sums(other, model.manifest.sites[0], [part])


def test_class_sums_alone_are_compared_where_they_alone_are_there(
    make_federation: Any, model: FusedModel, make_sample: MakeSample
) -> None:
    federation = make_federation(gram_to_sites=False)
    kept, block = federation.model(federation.release()), federation.input("ada").train
    told = "class sums and weights are those of its contributions; Gram matrix not compared: "
    sent, held_back = (_statistics("ada", block, make_sample, level=level) for level in (2, 1))
    assert recompute_sums(kept, kept.manifest.sites[0], [sent]) == told + "the release carries none"
    assert recompute_sums(kept, kept.manifest.sites[0], [held_back]) == told + "none was sent"
    with pytest.raises(ContractError, match="a Gram matrix is released that its contributions do not hold"):
        recompute_sums(model, model.manifest.sites[0], [held_back])


def test_a_contribution_of_other_features_or_labels_is_not_what_was_summed(
    model: FusedModel, federation: Any, make_sample: MakeSample
) -> None:
    small = Statistics(("plax",), np.eye(3), np.ones((3, 1)), np.ones(1))
    with pytest.raises(ContractError, match=r"class sums: \(24, 5\) in the release, \(3, 5\) recomputed"):
        recompute_sums(model, model.manifest.sites[0], [_statistics("ada", small, make_sample)])
    foreign = merge([federation.input("ada").train, Statistics(("x",), None, np.ones((24, 1)), np.ones(1))])
    with pytest.raises(ContractError, match=r"labels \['x'\] have no column"):
        recompute_sums(model, model.manifest.sites[0], [_statistics("ada", foreign, make_sample, level=1)])


@pytest.mark.parametrize("mode", ["shared", "isolated"])
def test_solutions_follow_from_the_released_matrices(make_federation: Any, mode: str) -> None:
    federation = make_federation(mode=mode)
    model = federation.model(federation.release())
    systems = len(model.manifest.systems)
    told = f"{systems} systems solved again from the released Gram matrices: the same solutions"
    assert recompute_solutions(model) == told


def test_solutions_that_were_changed_are_noticed(federation: Any, model: FusedModel) -> None:
    built, solution = federation.release(), model.tensors["solution.000"]
    largest = np.abs(solution).max()
    with pytest.raises(ContractError, match="system 0: not what is recomputed"):
        recompute_solutions(_changed(federation, built, **{"solution.000": solution + 1e-6 * largest}))
    moved = solution.copy()  # from one site's part to another's: the sum stays
    moved[0] += 1e-6 * largest
    moved[-1] -= 1e-6 * largest
    with pytest.raises(ContractError, match="system 0: not what is recomputed"):
        recompute_solutions(_changed(federation, built, **{"solution.000": moved}))
    with pytest.raises(ContractError, match=r"tensor solution.000 is \(2, 1, 1\), needed is \(2, 24, 1\)"):
        recompute_solutions(_changed(federation, built, **{"solution.000": solution[:, :1]}))


def test_a_system_of_other_sites_is_not_the_fused_one(federation: Any, model: FusedModel) -> None:
    built = federation.release()
    systems = [system.model_copy(update={"outside": ()}) for system in built.manifest.systems]
    other = built.manifest.model_copy(update={"systems": tuple(systems)})
    with pytest.raises(ContractError, match=r"system \d: not what is recomputed"):
        recompute_solutions(FusedModel.from_release(other, model.tensors))
    nobody = [
        system.model_copy(update={"inside": tuple(f"not-{name}" for name in system.inside)})
        for system in built.manifest.systems
    ]
    strange = built.manifest.model_copy(update={"systems": tuple(nobody)})
    with pytest.raises(ContractError, match="its systems cannot be solved"):
        recompute_solutions(FusedModel.from_release(strange, model.tensors))


def _coarse(name: str, block: Statistics, make_sample: MakeSample) -> Opened:
    tensors = {"train.class_sums": block.class_sums, "train.weights": block.weights}
    for number, gram in enumerate((block.gram, *block.own_grams.values())):
        assert gram is not None
        tensors["train.gram" if number == 0 else own_gram_name("train", number - 1)] = pack_symmetric(gram)
    return _opened(make_sample, "statistics", name, tensors, block, level=2, coarse=tuple(block.own_grams))


def test_coarse_labels_are_recomputed_too(nested: Any, make_sample: MakeSample) -> None:
    built = nested.release()
    model, block = nested.model(built), nested.input("cem").train
    site = next(site for site in model.manifest.sites if site.name == "cem")
    assert recompute_sums(model, site, [_coarse("cem", block, make_sample)]) == SAME
    assert "the same solutions" in recompute_solutions(model)
    own = model.tensors["coarse.000.cem"].copy()
    own[0] += 1e-6 * np.abs(own).max()
    other = _changed(nested, built, **{"coarse.000.cem": own})
    with pytest.raises(ContractError, match="Gram matrix of 'psax' alone: not what is recomputed"):
        recompute_sums(other, site, [_coarse("cem", block, make_sample)])
    with pytest.raises(ContractError, match=r"system \d: not what is recomputed"):
        recompute_solutions(other)


def test_what_a_contribution_does_not_send_apart_is_made_up_alike(nested: Any, make_sample: MakeSample) -> None:
    model, block = nested.model(nested.release()), nested.input("cem").train
    site = next(site for site in model.manifest.sites if site.name == "cem")
    batches = [_statistics("cem", block.keeping(()), make_sample), _coarse("cem2", block, make_sample)]
    with pytest.raises(ContractError, match="others than its contributions hold"):
        recompute_sums(model, site, batches[:1])
    twice = nested.input("cem")
    twice = replace(twice, train=merge([block.keeping(()), block]))
    both = nested.model(nested.candidate_of([*nested.inputs(("ada", "ben", "dan")), twice]))
    assert recompute_sums(both, site, batches) == SAME


def test_a_release_that_leaves_out_what_was_sent_apart_is_noticed(nested: Any, make_sample: MakeSample) -> None:
    block, others = nested.input("cem"), nested.inputs(("ada", "ben", "dan"))
    kept = nested.model(nested.candidate_of([*others, replace(block, train=block.train.keeping(()))]))
    assert "the same solutions" in recompute_solutions(kept)
    site = next(site for site in kept.manifest.sites if site.name == "cem")
    with pytest.raises(ContractError, match="others than its contributions hold"):
        recompute_sums(kept, site, [_coarse("cem", block.train, make_sample)])


def test_a_system_that_leaves_nothing_out_is_not_the_fused_one(nested: Any) -> None:
    built = nested.release()
    systems = tuple(system.model_copy(update={"silent": ()}) for system in built.manifest.systems)
    other = built.manifest.model_copy(update={"systems": systems})
    with pytest.raises(ContractError, match=r"system \d: not what is recomputed"):
        recompute_solutions(FusedModel.from_release(other, nested.model(built).tensors))
