from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError

from federated.decision_summary import cells_of, check_summary, concepts_of, shapes_of
from federated.errors import ContractError
from federated.manifest import ReleaseManifest, SummaryManifest, Tensors, pack_tensors
from tests.decision_making import Tree, sums, told

if TYPE_CHECKING:
    from tests.federated.conftest import Federation

TREE = Tree([b"%d" % number for number in range(30)])


@pytest.fixture
def release(federation: Federation) -> ReleaseManifest:
    manifest = federation.release().manifest
    assert isinstance(manifest, ReleaseManifest)
    return manifest


def _summary(release: ReleaseManifest, tensors: Tensors, **changes: Any) -> SummaryManifest:
    sites = tuple(site.name for site in release.sites)
    _, specs, digest = pack_tensors(tensors)
    fields = told(TREE, labels=concepts_of(release), sites=sites) | changes
    return SummaryManifest(federation="test", site="ada", tensors=specs, tensors_digest=digest, **fields)


def _sums(release: ReleaseManifest, answered: tuple[int, ...] = (9, 9, 0, 0, 0)) -> Tensors:
    return sums(answered, 2, [site.name for site in release.sites])


def test_what_is_right_passes(release: ReleaseManifest) -> None:
    tensors = _sums(release)
    manifest = _summary(release, tensors)
    check_summary(manifest, tensors, release)
    assert {name: spec.shape for name, spec in manifest.tensors.items()} == {
        name: shape for name, (_, shape) in shapes_of(manifest).items()
    }


def _set(name: str, place: Any, value: float) -> Callable[[Tensors], object]:
    return lambda tensors: tensors[name].__setitem__(place, value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set("answered", 0, -1), "answered: counts less than nothing"),
        (_set("answered", 0, 10), "counts 21 decisions, 20 are declared"),
        (_set("abstained", 1, 5), "counts 25 decisions, 20 are declared"),
        (_set("qualified", 1, 21), "qualified: counts 21 of 20"),
        (_set("drift", 3, 7), "drift: counts 25 of 20"),
        (_set("drift", 3, 2**60), "drift: counts less than nothing, or more"),
        (_set("weights", (0, 0), 9.1), "weights: are not sums of weights"),
        (_set("weights", (0, 0), -0.1), "weights: are not sums of weights"),
        (_set("weights", (3, 0), 0.1), "weights: sums over no answer"),
        (_set("contributions", (0, 0), np.inf), "contributions: sums over no answer, or is no number"),
        (_set("evidence", (0, 0), 8.0), "evidence: shares do not add up"),
        (_set("flagged", 0, 31), "flagged: counts more flags than there are records"),
        (_set("wrong", 0, 1), "wrong: counts more wrong answers than flagged"),
        (_set("wrong_confident", 0, 1), "wrong: counts more wrong answers than flagged"),
    ],
)
def test_numbers_do_not_contradict_each_other(
    release: ReleaseManifest, change: Callable[[Tensors], object], said: str
) -> None:
    tensors = _sums(release)
    change(tensors)
    with pytest.raises(ContractError, match=said):
        check_summary(_summary(release, tensors), tensors, release)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": ("plax",)}, "labels: are not what its release may answer with"),
        ({"sites": ("ada",)}, "sites: are not those of its release"),
        ({"decisions": 19}, "counts 20 decisions, 19 are declared"),
        ({"first": 15}, "counts 20 decisions, 20 are declared"),
        ({"patients": 21}, "21 patients cannot be behind 20 decisions"),
        ({"patients": 0}, "0 patients cannot be behind 20 decisions"),
        ({"suppressed": ("answered.psax", "answered.psax")}, "names a cell twice"),
        ({"suppressed": ("answered.Jane",)}, "'answered.Jane' is no cell of it"),
        ({"suppressed": ("answered.plax",)}, "'answered.plax' is no cell of it, or is told all the same"),
    ],
)
def test_a_manifest_says_what_its_tensors_say(release: ReleaseManifest, changes: dict[str, Any], said: str) -> None:
    tensors = _sums(release)
    with pytest.raises(ContractError, match=said):
        check_summary(_summary(release, tensors, **changes), tensors, release)


def test_a_period_lies_in_the_tree(release: ReleaseManifest) -> None:
    for wrong in ({"last": 30}, {"first": 30}, {"since": 31, "proof": ()}):
        with pytest.raises(ValidationError, match="its records are not in the tree"):
            _summary(release, _sums(release), **wrong)


def test_an_answer_may_stop_above_the_labels(release: ReleaseManifest, nested: Federation) -> None:
    assert concepts_of(release) == release.labels
    coarse = nested.release().manifest
    assert isinstance(coarse, ReleaseManifest)
    assert concepts_of(coarse)[: len(coarse.labels)] == coarse.labels


def test_every_count_is_a_cell(release: ReleaseManifest) -> None:
    tensors = _sums(release)
    cells = cells_of(_summary(release, tensors))
    assert cells["answered.plax"] == ("answered", 0)
    assert cells["qualified.ben"] == ("qualified", 1)
    counted = [name for name, array in tensors.items() if array.dtype == np.int64]
    assert len(cells) == sum(tensors[name].size for name in counted)
