from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.manifest import Fold, Tensors, manifest_bytes
from federated.statistics import Statistics
from federated.vocabulary import plain_vocabulary
from server.artefacts import Artefacts
from server.contributions import Stored, blocks_of, expert_cards, load, reproduces, site_inputs

if TYPE_CHECKING:
    from tests.server.conftest import Draft, World

VIEWS = plain_vocabulary("views", ["plax", "a4c", "a2c"])


def _stored(draft: Draft) -> Stored:
    manifest, tensors = draft.opened()
    return Stored("sha256:" + f"{abs(hash(manifest_bytes(manifest))):064x}", manifest, tensors)


def test_features_give_the_statistics_that_the_site_would_have_sent(world: World) -> None:
    ada = world.join("ada")
    sums, rows = (blocks_of(*one.opened(), VIEWS) for one in (ada.statistics(), ada.features()))
    assert reproduces(sums, rows, tolerance=1e-12)
    assert set(sums) == {"train", "validation"}


def test_one_input_a_site_whatever_the_order(world: World) -> None:
    ada, ben = world.join("ada"), world.join("ben")
    drafts = [ada.statistics("b0001"), ada.statistics("b0002"), ben.features("b0001")]
    orders = [site_inputs(order, VIEWS) for order in permutations([_stored(draft) for draft in drafts])]
    first = orders[0]
    assert [each.name for each in first] == ["ada", "ben"]
    assert first[0].patients == {"plax": 16, "a4c": 16}
    assert first[0].contributions == tuple(sorted(first[0].contributions))
    assert [each.gram_to_sites for each in first] == [True, False]
    for other in orders[1:]:
        for one, two in zip(first, other, strict=True):
            assert one.contributions == two.contributions
            assert one.train.gram is not None
            assert two.train.gram is not None
            assert np.array_equal(one.train.gram, two.train.gram)
            assert np.array_equal(one.train.class_sums, two.train.class_sums)


def test_a_site_adds_up_over_its_batches(world: World) -> None:
    ada = world.join("ada")
    both = site_inputs([_stored(ada.statistics("b0001")), _stored(ada.statistics("b0002"))], VIEWS)[0]
    alone = [blocks_of(*ada.statistics(batch).opened(), VIEWS)["train"] for batch in ("b0001", "b0002")]
    np.testing.assert_allclose(both.train.class_sums, alone[0].class_sums + alone[1].class_sums, rtol=1e-15)


@pytest.mark.parametrize("levels", [(2, 1), (1, 1)])
def test_other_sites_get_no_more_than_was_allowed(world: World, levels: tuple[int, int]) -> None:
    ada = world.join("ada")
    (found,) = site_inputs([_stored(ada.statistics(level=levels[0], to_sites=levels[1]))], VIEWS)
    assert not found.gram_to_sites
    assert (found.train.gram is None) == (levels[0] == 1)


def test_a_site_without_training_images_is_left_out(world: World) -> None:
    draft = world.join("ada").statistics()
    draft.tensors = {name: array for name, array in draft.tensors.items() if name.startswith("validation")}
    draft.fields["folds"] = ("validation",)
    assert site_inputs([_stored(draft)], VIEWS) == []


FOLDS: tuple[Fold, ...] = ("train", "validation")


@given(fold=st.sampled_from(FOLDS), name=st.sampled_from(["class_sums", "weights", "gram"]))
def test_accounts_that_differ_in_one_place_do_not_agree(fold: Fold, name: str) -> None:
    rng = np.random.default_rng(0)
    tensors: Tensors = {"class_sums": rng.random((4, 2)), "weights": rng.random(2), "gram": rng.random((4, 4))}
    one = {each: Statistics(("a", "b"), tensors["gram"], tensors["class_sums"], tensors["weights"]) for each in FOLDS}
    moved = tensors | {name: tensors[name] * np.where(tensors[name] == tensors[name].max(), 1 + 1e-5, 1)}
    other = one | {fold: Statistics(("a", "b"), moved["gram"], moved["class_sums"], moved["weights"])}
    assert reproduces(one, one)
    assert not reproduces(one, other)
    assert reproduces(one, other, tolerance=1e-4)


def test_accounts_of_other_labels_or_folds_do_not_agree() -> None:
    block = Statistics(("a", "b"), None, np.ones((4, 2)), np.ones(2))
    assert not reproduces({"train": block}, {"train": block, "validation": block})
    assert not reproduces({"train": block}, {"train": Statistics(("a", "c"), None, np.ones((4, 2)), np.ones(2))})


def test_experts_are_named_in_digest_order(world: World) -> None:
    stored = [_stored(world.join(name).weights()) for name in ("cem", "ada", "ben")]
    cards = expert_cards(stored)
    assert [card.contribution for card in cards] == sorted(item.digest for item in stored)
    assert {card.site: card.labels for card in cards}["ada"] == ("plax", "a4c")


def test_what_was_kept_is_read_back(world: World) -> None:
    artefacts = Artefacts(world.folder / "kept")
    manifest, data = world.join("ada").statistics().built()
    artefacts.put(data)
    found = load(artefacts, artefacts.put(manifest_bytes(manifest)))
    assert found.manifest == manifest
    assert set(found.tensors) == set(manifest.tensors)
