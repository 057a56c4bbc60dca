from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from federated.errors import ContractError
from federated.statistics import Statistics, from_features, merge, pack_symmetric, unpack_symmetric

ORDER = ("a", "b", "c")
values = st.floats(-10, 10, width=32)


@st.composite
def rows(draw: st.DrawFn, features: int = 3) -> tuple[Any, list[str], Any]:
    count = draw(st.integers(0, 8))
    return (
        draw(arrays(np.float64, (count, features), elements=values)),
        draw(st.lists(st.sampled_from(ORDER), min_size=count, max_size=count)),
        draw(arrays(np.float64, count, elements=st.floats(0, 3, width=32))),
    )


def _same(one: Statistics, two: Statistics) -> None:
    assert one.labels == two.labels
    assert one.gram is not None
    assert two.gram is not None
    for name in ("gram", "class_sums", "weights"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=1e-9, atol=1e-9)


def test_golden_numbers() -> None:
    """G = sum w h h^T, B = sum w h y^T, n_c = sum w (method page, section 1), by hand."""
    found = from_features(np.array([[1.0, 2.0], [3.0, 1.0]]), ["b", "a"], np.array([0.5, 2.0]), ("a", "b"))
    assert found.gram is not None
    np.testing.assert_array_equal(found.gram, [[18.5, 7.0], [7.0, 4.0]])
    np.testing.assert_array_equal(found.class_sums, [[6.0, 0.5], [2.0, 1.0]])
    np.testing.assert_array_equal(found.weights, [2.0, 0.5])


@given(rows())
def test_gram_is_symmetric_and_positive_semidefinite(block: tuple[Any, list[str], Any]) -> None:
    gram = from_features(*block, ORDER).gram
    assert gram is not None
    np.testing.assert_array_equal(gram, gram.T)
    assert np.linalg.eigvalsh(gram)[0] >= -1e-9 * max(1.0, np.trace(gram))


@given(rows(), st.randoms())
def test_the_order_of_rows_does_not_matter(block: tuple[Any, list[str], Any], random: Any) -> None:
    features, labels, weights = block
    order = list(range(len(labels)))
    random.shuffle(order)
    shuffled = (features[order], [labels[index] for index in order], weights[order])
    _same(from_features(*block, ORDER), from_features(*shuffled, ORDER))


@given(st.lists(rows(), min_size=3, max_size=3))
def test_blocks_add_in_any_order_and_come_apart_again(blocks: list[tuple[Any, list[str], Any]]) -> None:
    one, two, three = (from_features(*block, ORDER) for block in blocks)
    _same(merge([one, two, three]), merge([three, merge([two, one])]))
    whole = merge([one, two])
    assert whole.gram is not None
    assert two.gram is not None
    less = Statistics(ORDER, whole.gram - two.gram, whole.class_sums - two.class_sums, whole.weights - two.weights)
    _same(less, one)
    joined = tuple(np.concatenate([blocks[0][part], blocks[1][part]]) for part in (0, 2))
    _same(whole, from_features(joined[0], blocks[0][1] + blocks[1][1], joined[1], ORDER))


@given(rows())
def test_with_a_constant_last_feature_the_sums_tell_the_weights(block: tuple[Any, list[str], Any]) -> None:
    features, labels, weights = block
    found = from_features(np.hstack([features, np.ones((len(labels), 1))]), labels, weights, ORDER)
    assert found.gram is not None
    np.testing.assert_allclose(found.class_sums[-1], found.weights, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.gram[-1], found.class_sums.sum(axis=1), rtol=1e-9, atol=1e-9)


@given(rows())
def test_more_labels_are_empty_columns(block: tuple[Any, list[str], Any]) -> None:
    found = from_features(*block, ORDER)
    wide = found.spread(("x", "c", "b", "a"))
    np.testing.assert_array_equal(wide.class_sums[:, 1:], found.class_sums[:, ::-1])
    np.testing.assert_array_equal(wide.class_sums[:, 0], 0)
    np.testing.assert_array_equal(wide.weights, [0, *found.weights[::-1]])
    assert wide.gram is found.gram


def test_a_label_is_never_lost() -> None:
    with pytest.raises(ContractError, match=r"labels \['c'\] have no column"):
        from_features(np.ones((1, 2)), ["c"], np.ones(1), ORDER).spread(("a", "b"))


def test_labels_of_a_sum_are_the_union_in_order_of_appearance() -> None:
    one = from_features(np.ones((1, 2)), ["b"], np.ones(1), ("b", "a"))
    two = from_features(np.ones((1, 2)), ["c"], np.ones(1), ("c", "a"))
    assert merge([one, two]).labels == ("b", "a", "c")


def test_a_sum_has_a_gram_only_where_every_block_has_one() -> None:
    block = from_features(np.ones((1, 2)), ["a"], np.ones(1), ORDER)
    level_one = block.without_gram()
    assert level_one.gram is None
    assert level_one.class_sums is block.class_sums
    assert merge([block, level_one]).gram is None
    assert merge([block, block]).gram is not None


def test_a_sum_of_one_block_is_that_block() -> None:
    block = from_features(np.ones((2, 2)), ["a", "b"], np.ones(2), ORDER)
    _same(merge([block]), block)


def test_blocks_of_other_widths_do_not_add() -> None:
    one = from_features(np.ones((1, 2)), ["a"], np.ones(1), ORDER)
    two = from_features(np.ones((1, 3)), ["a"], np.ones(1), ORDER)
    with pytest.raises(ContractError, match="2 and 3 features do not add"):
        merge([one, two])


def test_nothing_has_no_sum() -> None:
    with pytest.raises(ContractError, match="there is nothing to add"):
        merge([])


def test_an_unknown_label_is_refused() -> None:
    with pytest.raises(ContractError, match=r"labels \['x'\] have no column"):
        from_features(np.ones((1, 2)), ["x"], np.ones(1), ORDER)


@given(st.integers(1, 8).flatmap(lambda size: arrays(np.float64, (size, size), elements=values)))
def test_packing_keeps_a_symmetric_matrix(matrix: Any) -> None:
    symmetric = matrix + matrix.T
    packed = pack_symmetric(symmetric)
    size = matrix.shape[0]
    assert packed.shape == (size * (size + 1) // 2,)
    np.testing.assert_array_equal(unpack_symmetric(packed, size), symmetric)


def test_packed_order_is_row_by_row() -> None:
    np.testing.assert_array_equal(pack_symmetric(np.array([[1.0, 2.0], [2.0, 3.0]])), [1, 2, 3])


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_packed_matrix_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ContractError, match=r"has \(6,\) values"):
        unpack_symmetric(np.ones(6), size)


def test_a_label_without_an_image_needs_no_column() -> None:
    block = from_features(np.ones((1, 2)), ["a"], np.ones(1), ("a", "b"))
    assert block.spread(("a",)).labels == ("a",)
    with pytest.raises(ContractError, match="no column"):
        block.spread(("b",))


def test_known_columns_keep_the_whole_gram() -> None:
    block = from_features(np.eye(2), ["a", "b"], np.ones(2), ("a", "b"))
    assert block.known(("b", "c")).labels == ("b",)
    assert block.known(("b",)).gram is block.gram


def _apart(seed: int = 0, images: int = 30) -> tuple[Statistics, Statistics]:
    """A block with a Gram matrix of its own for one label, and the block of that label's images alone."""
    rng = np.random.default_rng(seed)
    rows, weights = np.append(rng.normal(size=(images, 3)), np.ones((images, 1)), axis=1), rng.random(images)
    labels = np.array(["a", "b", "c"])[np.arange(images) % 3]
    alone = labels == "b"
    order = ("a", "b", "c")
    return (
        from_features(rows, labels, weights, order, ("b",)),
        from_features(rows[alone], labels[alone], weights[alone], order),
    )


def test_a_label_of_its_own_has_the_gram_matrix_of_its_images_alone() -> None:
    block, alone = _apart()
    assert alone.gram is not None
    assert block.gram is not None
    np.testing.assert_allclose(block.gram_of("b"), alone.gram, rtol=1e-12, atol=1e-12)
    left = block.gram_without(("b",))
    assert left is not None
    np.testing.assert_allclose(left + alone.gram, block.gram, rtol=1e-12, atol=1e-12)
    assert block.gram_without(()) is block.gram
    assert block.without_gram().own_grams == {}
    assert block.without_gram().gram_without(("b",)) is None


def test_own_gram_matrices_go_with_their_labels() -> None:
    block, _ = _apart()
    assert set(block.spread(("c", "b", "a")).own_grams) == set(block.known(("b",)).own_grams) == {"b"}
    assert block.known(("a",)).own_grams == block.keeping(("a",)).own_grams == {}


def test_a_gram_matrix_that_is_made_up_keeps_means_and_weights_and_stays_within_the_whole() -> None:
    block, alone = _apart()
    assert block.gram is not None
    made_up = block.keeping(()).gram_of("b")
    np.testing.assert_allclose(made_up[-1], alone.class_sums[:, 1], rtol=1e-12)  # the constant's row: sums and weight
    assert np.linalg.eigvalsh(block.gram - made_up)[0] > -1e-12
    assert np.linalg.eigvalsh(made_up)[0] > -1e-12
    parts = sum(block.keeping(()).gram_of(label) for label in ("a", "b", "c"))
    np.testing.assert_allclose(parts, block.gram, rtol=1e-12, atol=1e-12)
    assert not block.gram_of("nobody's").any()


def test_what_is_made_up_beside_what_was_sent_leaves_no_less_than_nothing() -> None:
    """However much more the images sent apart differ from one another than the others do."""
    rng = np.random.default_rng(3)
    labels = np.array(["a", "b", "c"])[np.arange(60) % 3]
    rows = rng.normal(size=(60, 4)) * np.where(labels == "b", 10.0, 0.1)[:, None]
    block = from_features(rows, labels, np.ones(60), ("a", "b", "c"), ("b",))
    left = block.gram_without(("a", "b"))
    assert left is not None
    assert np.linalg.eigvalsh(left)[0] > -1e-9
    np.testing.assert_allclose(left, block.gram_of("c"), atol=1e-9)


def test_own_gram_matrices_have_the_order_of_the_columns() -> None:
    rows, order = np.eye(2), ("a", "b")
    block = merge(
        [from_features(rows[:1], ["b"], np.ones(1), ("b",), "b"), from_features(rows, order, np.ones(2), order, order)]
    )
    assert list(block.own_grams) == ["b", "a"]
    assert list(block.spread(order).own_grams) == ["a", "b"]


def test_what_one_batch_has_apart_is_made_up_for_another_before_they_are_summed() -> None:
    (one, _), (two, _) = _apart(1), _apart(2)
    plain = two.keeping(())
    merged = merge([one, plain])
    np.testing.assert_allclose(merged.gram_of("b"), one.gram_of("b") + plain.gram_of("b"), rtol=1e-12)
    np.testing.assert_allclose(merge([one, two]).own_grams["b"], one.own_grams["b"] + two.own_grams["b"], rtol=1e-12)
    other = from_features(np.ones((1, 4)), ["z"], np.ones(1), ("z",))
    np.testing.assert_allclose(merge([one, other]).own_grams["b"], one.own_grams["b"])
    assert merge([one, two.without_gram()]).own_grams == {}
