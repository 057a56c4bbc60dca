from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from federated.errors import ContractError, DisclosureError
from federated.manifest import SITE_KINDS, RecallManifest, pack_tensors, unpack_tensors
from federated.vocabulary import plain_vocabulary
from site_agent.drafts import Draft, _understated, check_draft

MakeDraft = Callable[..., Draft]
VOCABULARY = plain_vocabulary("views", ["a4c", "plax"])


def _check(draft: Draft) -> None:
    check_draft(draft, federation="test", site="ada", vocabulary=VOCABULARY)


def _refusal(draft: Draft) -> str:
    with pytest.raises(DisclosureError) as refusal:
        _check(draft)
    assert refusal.value.filter_name == "facts"
    return refusal.value.what


def _with_facts(draft: Draft, **changes: Any) -> Draft:
    return replace(draft, facts=replace(draft.facts, **changes))


def _without(draft: Draft, fold: str, label: str) -> Draft:
    cells = {cell: patients for cell, patients in draft.facts.cells.items() if cell != (fold, label)}
    return _with_facts(draft, cells=cells)


def _with_tensor(draft: Draft, name: str, value: Any) -> Draft:
    tensors = unpack_tensors(draft.tensors, draft.manifest) | {name: value}
    data, specs, digest = pack_tensors(tensors)
    manifest = draft.manifest.model_copy(update={"tensors": specs, "tensors_digest": digest})
    return Draft(manifest, data, replace(draft.facts, size=len(data)))


@pytest.mark.parametrize("kind", SITE_KINDS)
def test_facts_that_cover_the_draft_pass(kind: str, make_draft: MakeDraft) -> None:
    _check(make_draft(kind))


@pytest.mark.parametrize("kind", SITE_KINDS)
def test_facts_about_something_else_do_not(kind: str, make_draft: MakeDraft) -> None:
    draft = make_draft(kind)
    for changes in ({"kind": "other"}, {"size": draft.facts.size - 1}, {"level": 0}):
        assert _refusal(_with_facts(draft, **changes)) == "the facts are about another kind, size or level"


@pytest.mark.parametrize("kind", ["statistics", "features"])
@pytest.mark.parametrize("fold", ["train", "validation"])
@pytest.mark.parametrize("label", ["a4c", "plax"])
def test_patients_that_are_in_the_sums_are_in_the_facts(
    kind: str, fold: str, label: str, make_draft: MakeDraft
) -> None:
    draft = make_draft(kind, patients={}, batch_patients=0)
    _check(draft)
    uncovered = _with_facts(draft, cells={**draft.facts.cells, (fold, label): frozenset()})
    assert f"label '{label}' of fold '{fold}' is in it, the facts hold no patient" in _all_refusals(uncovered)


def _all_refusals(draft: Draft) -> list[str]:
    return _understated(draft.manifest, unpack_tensors(draft.tensors, draft.manifest), draft)


def test_class_sums_without_weight_count_too(make_draft: MakeDraft) -> None:
    draft = _with_tensor(make_draft("statistics"), "train.weights", np.zeros(2))
    assert _refusal(_without(draft, "train", "plax")).startswith("the manifest counts more patients with 'plax'")
    assert "label 'plax' of fold 'train' is in it, the facts hold no patient" in _all_refusals(
        _without(draft, "train", "plax")
    )


def test_the_manifest_counts_no_more_patients_than_the_facts(make_draft: MakeDraft) -> None:
    assert _refusal(make_draft("statistics", patients={"a4c": 21, "plax": 20})) == (
        "the manifest counts more patients with 'a4c' than the facts"
    )
    assert _refusal(make_draft("statistics", batch_patients=41)) == "the manifest counts more patients than the facts"
    _check(make_draft("statistics", patients={"a4c": 3}, batch_patients=3))


def test_a_gram_matrix_that_the_facts_do_not_tell_of(make_draft: MakeDraft) -> None:
    assert _refusal(_with_facts(make_draft("statistics"), features=None)) == (
        "a matrix over 3 features is in it, the facts say None"
    )
    assert _refusal(_with_facts(make_draft("report"), features=1)) == (
        "a matrix over 2 features is in it, the facts say 1"
    )
    _check(make_draft("statistics", level=1))


def test_rows_number_no_more_patients_than_the_facts(make_draft: MakeDraft) -> None:
    draft = make_draft("features", patients={}, batch_patients=0)
    fewer = _with_facts(draft, cells={cell: frozenset({"p1"}) for cell in draft.facts.cells})
    assert "fold 'train' numbers more patients than the facts hold" in _all_refusals(fewer)


@pytest.mark.parametrize("index", [-1, 2])
def test_rows_point_to_labels_that_are_there(index: int, make_draft: MakeDraft) -> None:
    draft = make_draft("features")
    labels = unpack_tensors(draft.tensors, draft.manifest)["train.label"].copy()
    labels[3] = index
    with pytest.raises(ContractError, match=r"train\.label: an index points to no label"):
        _check(_with_tensor(draft, "train.label", labels))


def test_a_report_counts_no_more_patients_than_the_facts(make_draft: MakeDraft) -> None:
    for fold in ("validation", "calibration"):
        found = _refusal(make_draft("report", **{f"{fold}_patients": 21}))
        assert found == f"the manifest counts more patients in '{fold}' than the facts"
    assert _refusal(_without(make_draft("report"), "train", "a4c")) == (
        "label 'a4c' of fold 'train' is in it, the facts hold no patient"
    )


def test_a_summary_counts_no_more_patients_than_the_facts(make_draft: MakeDraft) -> None:
    assert _refusal(make_draft("summary", patients=41)) == "the manifest counts more patients than the facts"


def test_tensors_beside_the_declared_ones_stay(make_draft: MakeDraft) -> None:
    draft = make_draft("statistics", level=1)
    with pytest.raises(ContractError, match=r"train\.gram: a 'statistics' of this level and these folds has other"):
        _check(_with_tensor(draft, "train.gram", np.ones(6)))
    with pytest.raises(ContractError, match=r"train\.names"):
        _check(_with_tensor(draft, "train.names", np.ones(6, np.uint8)))


def test_what_is_a_coordinators_is_no_draft(make_draft: MakeDraft) -> None:
    fields = make_draft("adoption").manifest.model_dump(include={"federation", "tensors", "tensors_digest"})
    recall = RecallManifest(**fields, release="sha256:" + "1" * 64, fallback=None)
    with pytest.raises(DisclosureError, match="refused by address: a 'recall' of another site"):
        _check(replace(make_draft("adoption"), manifest=recall))


def test_a_matrix_of_one_label_is_told_in_the_facts(make_draft: MakeDraft) -> None:
    draft = make_draft("statistics")
    gram = np.ones(6)
    tensors = unpack_tensors(draft.tensors, draft.manifest)
    tensors |= {f"{fold}.gram.000": gram for fold in ("train", "validation")}
    data, specs, digest = pack_tensors(tensors)
    manifest = draft.manifest.model_copy(update={"coarse": ("plax",), "tensors": specs, "tensors_digest": digest})
    coarse = replace(draft, manifest=manifest, tensors=data, facts=replace(draft.facts, size=len(data)))
    assert "label 'plax' has a matrix of its own" in _all_refusals(coarse)
    _check(_with_facts(coarse, coarse=("plax",)))


def test_steps_count_no_more_patients_than_the_facts(make_draft: MakeDraft) -> None:
    draft = make_draft("report")
    counts = np.zeros((1, 201), np.int64)
    counts[0, 0] = 7
    tensors = unpack_tensors(draft.tensors, draft.manifest) | {"steps.image": counts, "steps.clip": counts}
    data, specs, digest = pack_tensors(tensors)
    manifest = draft.manifest.model_copy(update={"steps": ("a4c",), "tensors": specs, "tensors_digest": digest})
    made = replace(draft, manifest=manifest, tensors=data, facts=replace(draft.facts, size=len(data)))
    told = {number: frozenset(f"p{patient}" for patient in range(number)) for number in (6, 7)}
    few, enough = (_with_facts(made, cells={**draft.facts.cells, ("steps", "a4c"): told[number]}) for number in (6, 7))
    assert "more patients are counted below 'a4c' than the facts hold" in _all_refusals(few)
    _check(enough)
