from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from federated.audit.difference import answers_on, difference, require_of, side_of
from federated.errors import ContractError
from federated.labelled_images import LabelledImages
from federated.manifest import Tensors, manifest_digest, unpack_tensors

SITES = ("ada", "ben", "cem")


def _side(built: Any, change: Tensors | None = None, plan: str | None = None, **fields: Any) -> Any:
    tensors = unpack_tensors(built.tensors, built.manifest) | (change or {})
    manifest = built.manifest.model_copy(update=fields)
    return side_of(manifest_digest(manifest), manifest, tensors, plan)


def test_an_arrival_changes_itself_and_no_expert_before(federation: Any) -> None:
    before, after = federation.release(SITES[:2]), federation.release(number=2)
    found = difference(_side(before), _side(after, plan="sha256:" + "0" * 64))
    assert found.numbers == (1, 2)
    assert {site.site: site.became for site in found.sites} == {"ada": "unchanged", "ben": "unchanged", "cem": "added"}
    assert found.labels_added == tuple(label for label in after.manifest.labels if label not in before.manifest.labels)
    assert {"sites-added", "labels-added"} <= set(found.changes)
    assert found.plans == (None, "sha256:" + "0" * 64)
    assert found.unexplained == []
    ada = found.sites[0]
    assert ada.before == ada.after
    assert (ada.added, ada.removed, ada.parts) == ((), (), ())


def test_a_departure_and_other_contributions_are_told(federation: Any) -> None:
    whole, fewer = federation.release(), federation.release(SITES[1:])
    sites = {site.site: site for site in difference(_side(whole), _side(fewer)).sites}
    assert sites["ada"].became == "removed"
    assert sites["ada"].removed == whole.manifest.sites[0].contributions
    more = tuple(
        site.model_copy(update={"contributions": (*site.contributions, "sha256:" + "f" * 64)})
        for site in whole.manifest.sites
    )
    found = difference(_side(whole), _side(whole, sites=more))
    assert {site.became for site in found.sites} == {"other contributions"}
    assert {site.added for site in found.sites} == {("sha256:" + "f" * 64,)}
    assert found.changes == ("contributions",)


@pytest.mark.parametrize(
    ("tensor", "part"), [("class_sums", "class sums"), ("weights", "weights"), ("gram.ada", "Gram matrix")]
)
def test_a_block_that_changed_without_a_reason_is_told(federation: Any, tensor: str, part: str) -> None:
    built = federation.release()
    changed = unpack_tensors(built.tensors, built.manifest)[tensor].copy()
    changed[(0,) * changed.ndim] += 1e-9
    found = difference(_side(built), _side(built, {tensor: changed}))
    assert found.unexplained == ["ada"]
    assert {site.site: site.parts for site in found.sites} == {"ada": (part,), "ben": (), "cem": ()}


def test_of_a_head_nothing_is_compared(federation: Any) -> None:
    built = federation.release()
    found = difference(_side(built), side_of(manifest_digest(built.manifest), built.manifest, None))
    assert {site.became for site in found.sites} == {"not comparable"}
    assert found.unexplained == []


def test_settings_that_differ_are_named(federation: Any) -> None:
    built = federation.release()
    other = built.manifest.hyperparameters.model_copy(update={"ridge": 7.0})
    found = difference(_side(built), _side(built, hyperparameters=other, alpha=0.125))
    before = built.manifest.hyperparameters.ridge
    assert found.settings == {"ridge": (f"{before:.6g}", "7"), "alpha": ("0.05", "0.125")}
    assert difference(_side(built), _side(built)).settings == {}


def test_answers_on_a_fixed_set_are_counted_image_by_image(federation: Any) -> None:
    fold = federation.folds["cem"]["test"]
    count = len(fold.labels)
    images = LabelledImages(
        fold.features, tuple(map(str, range(count))), ("cem",) * count, fold.patients, fold.labels, ()
    )
    before, after = models = [federation.model(federation.release(names)) for names in (SITES[:2], SITES)]
    found = answers_on(before, after, images)
    assert found.answers == {"image": count}
    decisions = [model.decide(fold.features, images.names, images.names) for model in models]
    answers = [[each.label for each in some if each.image is not None] for some in decisions]
    assert len(found.changed) == int(np.sum([one != other for one, other in zip(*answers, strict=True)])) > 0
    assert answers_on(before, before, images).changed == ()


def test_other_front_ends_cannot_be_compared(federation: Any) -> None:
    one, built = federation.model(federation.release()), federation.release()
    card = built.manifest.front_end.model_copy(update={"digest": "sha256:" + "e" * 64})
    other = federation.model(type(built)(built.manifest.model_copy(update={"front_end": card}), built.tensors))
    with pytest.raises(ContractError, match="the two releases have different front ends"):
        answers_on(one, other, LabelledImages(np.ones((1, 24)), ("a",), ("a",), ("a",), ("a4c",), ()))


def test_predictions_are_of_the_release_that_is_named(federation: Any) -> None:
    fold, built = federation.folds["ada"]["test"], federation.release()
    decisions = federation.model(built).decide(fold.features[:2], list("ab"), list("ab"))
    require_of(decisions, decisions[0].release, "a.jsonl")
    with pytest.raises(ContractError, match=r"a\.jsonl: answers by sha256:.*, not by sha256:0000"):
        require_of(decisions, "sha256:" + "0" * 64, "a.jsonl")
