from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from federated.canonical import digest
from federated.errors import ContractError
from federated.manifest import (
    MODEL_KINDS,
    NUMBER_KINDS,
    DecisionManifest,
    SummaryManifest,
    SyntheticManifest,
    Tensors,
    parse_manifest,
    unpack_tensors,
)
from federated.statistics import from_features, pack_symmetric, unpack_symmetric
from federated.vocabulary import Concept, Vocabulary, plain_vocabulary
from server.acceptance import expectations
from server.checks import CHECKS, Expectations, _check_gram, _check_sums, check_content
from server.contributions import blocks_of
from server.event import run_event
from server.registry import ReleaseRow
from server.spectrum import Spectrum, mean_square
from tests import decision_making as making

if TYPE_CHECKING:
    from tests.server.conftest import Draft, Site, World

LABELS = ("plax", "a4c")
VIEWS = plain_vocabulary("views", ["plax", "a4c", "a2c"])
NESTED = Vocabulary(
    name="views",
    concepts=(*VIEWS.concepts[:2], Concept(code="a2c", scheme="local", meaning="a2c", parents=("a4c",))),
)
Change = Callable[[Tensors], object]


@pytest.fixture
def ada(world: World) -> Site:
    return world.join("ada")


def _expected(world: World, site: str = "ada") -> Expectations:
    """What the coordinator expects; nothing of it needs the database any more."""
    coordinator = world.coordinator
    with coordinator.registry.transaction() as session:
        found = expectations(session, coordinator.artefacts, coordinator.home, site)
        releases = {row.digest: found.release(row.digest) for row in session.scalars(select(ReleaseRow))}
    return replace(found, counterpart=lambda *_: None, release=releases.get, summaries=lambda: iter(()))


def _check(draft: Draft, expected: Expectations) -> None:
    check_content(*draft.opened(), expected)


def _refused(draft: Draft, expected: Expectations, said: str) -> None:
    with pytest.raises(ContractError, match=said) as error:
        _check(draft, expected)
    assert "\n" not in str(error.value)


def test_every_kind_that_a_site_sends_is_checked() -> None:
    assert set(CHECKS) == {*MODEL_KINDS, *NUMBER_KINDS, "update", "adoption", "withdrawal"}


@pytest.mark.parametrize("kind", ["statistics", "features", "weights"])
def test_what_is_right_passes(world: World, ada: Site, kind: str) -> None:
    _check(getattr(ada, kind)(), _expected(world))


def test_class_sums_alone_pass(world: World, ada: Site) -> None:
    _check(ada.statistics(level=1), _expected(world))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"front_end": digest(b"another")}, "another front end"),
        ({"task": "segmentation"}, "task 'segmentation'"),
        ({"labels": ("plax", "subcostal"), "patients": {}, "images": {}}, "'subcostal' is not in the vocabulary"),
        ({"features": 8}, "8 features, the front end has 9"),
        ({"patients": {"plax": 8}}, "different labels"),
        ({"patients": {"plax": 30, "a4c": 8}}, "label plax: 30 patients with 16 images"),
        ({"batch_patients": 5}, "in a batch of 5"),
        ({"patients": {"plax": 4, "a4c": 4}}, "at most 8 fit the patients declared"),
        ({"level": 1, "level_to_sites": 2}, "lets sites have more"),
    ],
)
def test_what_a_manifest_may_not_say(world: World, ada: Site, changes: dict[str, Any], said: str) -> None:
    _refused(ada.statistics(**changes), _expected(world), said)


def _scaled(name: str, factor: float) -> Change:
    return lambda tensors: tensors.__setitem__(name, tensors[name] * factor)


def _set(name: str, place: Any, value: float) -> Change:
    return lambda tensors: tensors[name].__setitem__(place, value)


def _without_a_direction(tensors: Tensors) -> None:
    """A Gram matrix with one eigenvalue turned negative, the constant feature left alone."""
    gram = unpack_symmetric(tensors["train.gram"], 9)
    values, vectors = np.linalg.eigh(gram[:-1, :-1])
    gram[:-1, :-1] -= 1.01 * values[0] * np.outer(vectors[:, 0], vectors[:, 0])
    tensors["train.gram"] = pack_symmetric(gram)


def _no_weight(tensors: Tensors) -> None:
    tensors["train.weights"][1] = 0.0
    tensors["train.class_sums"][-1, 1] = 0.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set("train.gram", 3, np.nan), "train.gram: holds NaN"),
        (_set("validation.class_sums", (0, 0), np.inf), "validation.class_sums: holds NaN or infinity"),
        (_scaled("train.gram", 1.001), "does not agree with the class sums"),
        (_set("train.weights", 0, 7.9), "does not sum to the weights"),
        (_set("train.weights", 0, -1.0), "is negative"),
        (_no_weight, "a class that has no weight"),
        (_without_a_direction, "not positive semi-definite"),
        (_set("train.gram", 0, 0.0), "not positive semi-definite"),
        (_set("train.gram", 0, 1e9), "not plausible"),
        (_set("train.class_sums", (0, 0), 900.0), "does not agree with the class sums"),
    ],
)
def test_what_sums_cannot_be(world: World, ada: Site, change: Change, said: str) -> None:
    draft = ada.statistics()
    change(draft.tensors)
    _refused(draft, _expected(world), said)


@given(data=st.data())
def test_sums_over_any_images_pass_and_less_scatter_than_the_means_imply_does_not(data: Any) -> None:
    """Few images, repeated images, unequal weights: a Gram matrix is one; shrinking it under its class means is not."""
    count, features = data.draw(st.integers(1, 12)), data.draw(st.integers(2, 6))
    seed = data.draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    rows = np.append(rng.normal(size=(count, features - 1)) * 10.0 ** rng.integers(-3, 4), np.ones((count, 1)), axis=1)
    block = from_features(rows, rng.choice(["a", "b"], count).tolist(), rng.random(count) + 1e-3, ("a", "b"))
    assert block.gram is not None
    _check_sums(block, "train")
    _check_gram(block.gram, block, "train")
    shrunk = block.gram.copy()
    shrunk[:-1, :-1] *= 0.5
    means = (block.class_sums[:-1, block.weights > 0] / block.weights[block.weights > 0]) @ block.class_sums[
        :-1, block.weights > 0
    ].T
    if np.linalg.eigvalsh(shrunk[:-1, :-1] - means)[0] < -1e-6 * np.trace(block.gram):
        with pytest.raises(ContractError, match="positive semi-definite"):
            _check_gram(shrunk, block, "train")


def test_a_spectrum_far_from_other_sites_is_not_plausible(world: World, ada: Site) -> None:
    found = mean_square(blocks_of(*ada.statistics().opened(), VIEWS)["train"])
    others = {factor: Spectrum(found * factor, None, None) for factor in (9, 1 / 9, 11, 1 / 11)}
    expected = _expected(world)
    _check(ada.statistics(), replace(expected, spectra={"ben": others[9], "cem": others[1 / 9]}))
    _refused(ada.statistics(), replace(expected, spectra={"ben": others[11]}), "other sites have")
    _refused(ada.statistics(), replace(expected, spectra={"ben": others[1 / 11]}), "other sites have")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set("train.label", 0, 2), "outside the labels"),
        (_set("train.label", 0, -1), "outside the labels"),
        (_set("train.patient", 0, 40), "numbered from 0"),
        (_set("train.patient", 0, 2**62), "numbered from 0"),  # before anything of that size is made
        (_set("train.features", (0, -1), 1.5), "not the constant 1"),
        (_set("train.features", (0, 0), 1e6), "far too long"),
        (_set("train.weight", 0, -0.5), "negative"),
        (_set("train.features", (0, 0), np.nan), "holds NaN"),
        (_scaled("train.weight", 3.0), "fit the patients declared"),
    ],
)
def test_what_features_cannot_be(world: World, ada: Site, change: Change, said: str) -> None:
    draft = ada.features()
    change(draft.tensors)
    _refused(draft, _expected(world), said)


def test_features_are_no_more_than_was_declared(world: World, ada: Site) -> None:
    few = ada.features(images={"plax": 10, "a4c": 16})
    _refused(few, _expected(world), "label plax: 16 rows of 8 patients, more than declared")
    empty = ada.features()
    for name in ("features", "label", "weight", "patient"):
        empty.tensors[f"validation.{name}"] = empty.tensors[f"validation.{name}"][:0]
    _refused(empty, _expected(world), "validation: has no rows")


def test_two_accounts_of_a_batch_have_to_agree(world: World, ada: Site) -> None:
    expected = _expected(world)
    own, other = (blocks_of(*ada.statistics(batch).opened(), VIEWS) for batch in ("b0001", "b0002"))
    _check(ada.features(), replace(expected, counterpart=lambda *_: own))
    _refused(ada.features(), replace(expected, counterpart=lambda *_: other), "does not agree with the statistics")
    _refused(ada.statistics(), replace(expected, counterpart=lambda *_: other), "does not agree with the features")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"architecture": "unheard-of"}, "architecture unheard-of: cannot be built"),
        ({"config": {"features": 9, "depth": 3}}, "cannot be built"),
        ({"config": {"features": 8, "labels": 2}}, "does not fit the features"),
        ({"config": {"features": 9, "labels": 3}}, "tensor bias: is .* the network has"),
    ],
)
def test_a_network_is_the_one_it_says(world: World, ada: Site, changes: dict[str, Any], said: str) -> None:
    _refused(ada.weights(**changes), _expected(world), said)


def test_a_network_has_all_its_tensors_and_no_others(world: World, ada: Site) -> None:
    expected = _expected(world)
    for change in (lambda t: t.pop("bias"), lambda t: t.__setitem__("more", np.zeros(1, np.float32))):
        draft = ada.weights()
        change(draft.tensors)
        _refused(draft, expected, "tensor ")
    draft = ada.weights()
    draft.tensors["bias"] = draft.tensors["bias"].astype(np.float64)
    _refused(draft, expected, "tensor bias: is .*float64")


def _expert(ada: Site, **config: Any) -> Draft:
    """A network of width 4, whatever its configuration says."""
    from shared_models.views import ExpertNetwork

    expert = ExpertNetwork("small_resnet18", {"classes": 2, "side": 8, "width": 4})
    draft = ada.weights(architecture=expert.architecture, config=expert.config | config)
    draft.tensors.clear()
    draft.tensors.update(expert.state())
    return draft


def test_an_expert_network_enters_as_weights(world: World, ada: Site) -> None:
    expected = _expected(world)
    _check(_expert(ada), expected)
    _refused(_expert(ada, width=6), expected, "tensor bn1.bias: is .*4.* the network has .*6")
    _refused(_expert(ada, classes=3), expected, "tensor fc.bias")
    for absurd in ({"width": 10**9}, {"classes": 10**9}, {"side": 10**9}, {"side": "a"}):
        _refused(_expert(ada, **absurd), expected, "architecture small_resnet18: cannot be built")


def _synthetic(ada: Site, images: Any, label: Any) -> tuple[SyntheticManifest, Tensors]:
    tensors: Tensors = {"images": np.asarray(images, np.uint8), "label": np.asarray(label, np.int64)}
    fields = ada.card("b0001") | {"generator": "phantom", "privacy_filter": "none", "threshold": 0.5}
    draft = type(ada.statistics())(SyntheticManifest, fields, tensors, {})
    return draft.opened()


def test_synthetic_samples(world: World, ada: Site) -> None:
    expected = _expected(world)
    check_content(*_synthetic(ada, np.zeros((3, 8, 8)), [0, 1, 1]), expected)
    for images, label, said in (
        (np.zeros((3, 8, 8)), [0, 1, 2], "outside the labels"),
        (np.zeros((1, 8, 2000)), [0], "at most 1024 pixels"),
        (np.zeros((0, 8, 8)), [], "at most 1024 pixels"),
    ):
        with pytest.raises(ContractError, match=said):
            check_content(*_synthetic(ada, images, label), expected)


def test_reports_are_on_the_newest_candidate_and_by_its_sites(world: World, ada: Site) -> None:
    ada.put(ada.statistics())
    run_event(world.coordinator, world)
    report = next(each for each in world.coordinator.artefacts.folder.rglob("*") if _is_report(each))
    manifest = parse_manifest(report.read_bytes())
    tensors = unpack_tensors(world.coordinator.artefacts.get(manifest.tensors_digest), manifest)
    expected = _expected(world)
    assert expected.candidate is not None
    check_content(manifest, tensors, expected)
    stranger = manifest.model_copy(update={"site": "ben"})
    older = replace(expected, candidate=(digest(b"newer"), expected.candidate[1]))
    for wrong, held_against, said in (
        (manifest, older, "another candidate"),
        (manifest, replace(expected, candidate=None), "another candidate"),
        (stranger, expected, "has no part"),
    ):
        with pytest.raises(ContractError, match=said):
            check_content(wrong, tensors, held_against)
    broken = tensors | {"calibration.clip": tensors["calibration.clip"] - 1}
    with pytest.raises(ContractError, match="negative"):
        check_content(manifest, broken, expected)


def _is_report(path: Any) -> bool:
    return path.is_file() and b'"kind":"report"' in path.read_bytes()[:4096]


def test_what_is_said_about_releases_and_contributions(world: World, ada: Site) -> None:
    first = ada.put(ada.statistics())
    release = run_event(world.coordinator, world).release
    assert release is not None
    expected = _expected(world)
    common = {"federation": "test", "site": "ada", "release": release}
    make = type(ada.statistics())
    answer = making.an_answer(None, LABELS, ("ada",), release)
    leaf = making.a_record(0, answer, making.rows(0, 9, 2))
    tree = making.Tree([leaf.to_bytes(), *(b"%d" % number for number in range(1, 20))])
    summary = common | making.told(tree, release=release, labels=LABELS, sites=("ada",))
    counts = making.sums(sites=("ada",))
    decision, features = common | making.shown(tree, leaf, answer), {"features": making.rows(0, 9, 2)}
    _check(make(SummaryManifest, summary, counts, {}), expected)
    _check(make(DecisionManifest, decision, features, {}), expected)
    _check(ada.withdrawal(first), expected)
    _check(ada.adoption(release), expected)
    more = counts | {"abstained": np.array([3, 0])}
    _refused(make(SummaryManifest, summary, more, {}), expected, "counts 21 decisions, 20 are declared")
    grown = replace(expected, summaries=lambda: iter([make(SummaryManifest, summary, counts, {}).opened()[0]]))
    _refused(make(SummaryManifest, summary, counts, {}), grown, "those up to 19 were counted")
    narrow: Tensors = {"features": making.rows(0, 8, 2)}
    _refused(make(DecisionManifest, decision, narrow, {}), expected, "9")
    drawn = make(DecisionManifest, decision | {"draw": digest(b"")}, features, {})
    _refused(drawn, expected, "no summary of this site names")
    _check(drawn, grown)
    _refused(ada.adoption(digest(b"")), expected, "never made")
    _refused(ada.withdrawal(first, digest(b"")), expected, "no contribution of this site")


@pytest.fixture
def coarse(nested_world: World) -> Site:
    """A site whose a4c says nothing of the a2c within it."""
    return nested_world.join("ada")


def test_a_coarse_label_may_have_a_gram_matrix_of_its_own(nested_world: World, coarse: Site) -> None:
    _check(coarse.statistics(coarse=("a4c",)), _expected(nested_world))
    _check(coarse.statistics(), _expected(nested_world))
    _check(coarse.features(), _expected(nested_world))


def _more_than_the_whole(tensors: Tensors) -> None:
    """Its own scatter, a hundred times; the constant feature left alone."""
    gram = unpack_symmetric(tensors["train.gram.000"], 9)
    mean = gram[-1] / gram[-1, -1]
    means = gram[-1, -1] * np.outer(mean, mean)
    tensors["train.gram.000"] = pack_symmetric(means + 100 * (gram - means))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_scaled("train.gram.000", 1.001), r"label a4c in train\.gram: its constant feature does not agree"),
        (_scaled("train.gram.000", 0.0), r"label a4c in train\.gram: its constant feature does not agree"),
        (_set("validation.gram.000", 0, -1.0), r"label a4c in validation\.gram: is not a Gram matrix"),
        (_more_than_the_whole, r"other labels in train\.gram: is not a Gram matrix"),
        (_set("train.gram.000", 0, np.nan), r"train\.gram\.000: holds NaN"),
    ],
)
def test_what_the_gram_matrix_of_one_label_cannot_be(
    nested_world: World, coarse: Site, change: Change, said: str
) -> None:
    draft = coarse.statistics(coarse=("a4c",))
    change(draft.tensors)
    _refused(draft, _expected(nested_world), said)


def test_images_of_no_label_are_none(nested_world: World, coarse: Site) -> None:
    draft = coarse.statistics(coarse=("a4c",))
    for name in ("class_sums", "weights"):
        draft.tensors[f"train.{name}"][..., 1] = 0.0
    block = blocks_of(*draft.opened(), NESTED)["train"]
    with pytest.raises(ContractError, match=r"label a4c in train\.gram: holds images of no label"):
        _check_gram(block.own_grams["a4c"], block.known(("a4c",)), "label a4c in train", block)


def test_a_label_that_is_silent_on_nothing_has_no_matrix_of_its_own(world: World, ada: Site) -> None:
    _refused(ada.statistics(coarse=("a4c",)), _expected(world), "'a4c' has a Gram matrix of its own and nothing below")


def test_features_of_a_batch_agree_with_its_matrices_apart(nested_world: World, coarse: Site) -> None:
    sums, rows = coarse.statistics(coarse=("a4c",)), coarse.features()
    expected = replace(_expected(nested_world), counterpart=lambda *_: blocks_of(*sums.opened(), NESTED))
    _check(rows, expected)
    sums.tensors["train.gram.000"][0] *= 1.01
    _refused(rows, expected, "does not agree with the statistics")
