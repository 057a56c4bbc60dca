from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from federated.decision_record import (
    Record,
    answer_digest,
    check_included,
    check_names,
    check_opened,
    decisions_origin,
    features_digest,
    parse_record,
)
from federated.errors import ContractError
from federated.log.checkpoints import origin_of
from tests.decision_making import LABELS, SITES, Tree, a_flag, a_record, an_answer, rows


def test_a_leaf_is_read_as_it_was_written() -> None:
    for record in (a_record(3), a_flag(4, 3)):
        assert parse_record(record.to_bytes()) == record
    assert b"null" not in a_flag(4, 3).to_bytes()


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b"[" * 10_000, b" " * 70_000, a_record(3).to_bytes() + b" ", b'{"number":1e400}']
)
def test_other_bytes_are_no_leaf(data: bytes) -> None:
    with pytest.raises(ContractError, match="decision record"):
        parse_record(data)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"answer": None}, "a decision lacks 'answer'"),
        ({"truth": "a4c"}, "a decision has no 'truth'"),
        ({"at": "yesterday"}, "at"),
        ({"rows": 0}, "rows"),
        ({"patient": "Jane Doe"}, "patient"),
    ],
)
def test_a_decision_says_what_it_says(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        a_record(3, **changes)


def test_a_flag_is_about_what_was_before() -> None:
    assert a_flag(4, 3).of == 3
    with pytest.raises(ValidationError, match="a flag is about an earlier record"):
        a_flag(4, 4)
    with pytest.raises(ValidationError, match="a flag lacks 'why'"):
        a_flag(4, 3, why=None)
    with pytest.raises(ValidationError, match="why"):
        a_flag(4, 3, why="he said so")


def test_features_are_named_by_their_shape_and_bits() -> None:
    features = np.array([[1.0, 2.0], [3.0, 4.0]])
    named = features_digest(features)
    assert named == "sha256:e9e87babb0497e5265fe3f9d98f869f019684056042e2c0f21ceb1d3f296709a"
    assert features_digest(np.asfortranarray(features)) == named
    assert features_digest(features.astype(">f8")) == named
    others = (features.T, features.reshape(1, 4), features.reshape(4, 1), np.nextafter(features, 9.0))
    assert named not in {features_digest(other) for other in others}


def test_what_is_opened_is_what_was_logged() -> None:
    answer, features = an_answer(), rows(7)
    record = a_record(7, answer, features)
    assert record.answer == answer_digest(answer)
    check_opened(record, answer, features)
    check_opened(a_flag(8, 7), None, None)
    for wrong, said in (
        ((record, an_answer(clip="2" * 32), features), "the answer is not the one"),
        ((record, answer, features + 1e-15 * features), "the features are not those"),
        ((record, answer, features[0]), "the features are not those"),
        ((record, None, features), "are not shown"),
        ((record, answer, None), "are not shown"),
        ((a_flag(8, 7), answer, None), "neither an answer nor features"),
        ((a_record(7, answer, features, release="sha256:" + "3" * 64), answer, features), "the answer is not the one"),
        ((a_record(7, answer, rows(7, count=2)), answer, rows(7, count=2)), "by one row of features, not by 2"),
    ):
        with pytest.raises(ContractError, match=said):
            check_opened(*wrong)
    clip = an_answer(None)
    check_opened(a_record(7, clip, rows(7, count=2)), clip, rows(7, count=2))


@pytest.fixture
def records() -> list[Record]:
    return [a_record(number) for number in range(11)]


def test_a_record_is_in_its_tree_under_its_number(records: list[Record]) -> None:
    tree = Tree([record.to_bytes() for record in records])
    for record in records:
        check_included(record, tree.size, tree.root, tree.inclusion(record.number))


def test_what_was_edited_or_moved_is_not(records: list[Record]) -> None:
    tree = Tree([record.to_bytes() for record in records])
    proof = tree.inclusion(3)
    edited = records[3].model_copy(update={"patient": "f" * 64})
    moved = records[4].model_copy(update={"number": 3})
    for wrong in (edited, moved):
        with pytest.raises(ContractError, match="record 3: is not in the log under this number"):
            check_included(wrong, tree.size, tree.root, proof)
    with pytest.raises(ContractError, match="record 3: is not in the log"):
        check_included(records[3], tree.size, Tree([b"another"] * 11).root, proof)
    for size, path in ((12, proof[:-1]), (3, proof), (tree.size, ())):
        with pytest.raises(ContractError, match="record 3: is not shown to be in the log"):
            check_included(records[3], size, tree.root, path)


@pytest.mark.parametrize("name", ["scores", "probabilities", "contributions", "weights", "qualified"])
def test_an_answer_speaks_of_its_releases_labels_and_sites(name: str) -> None:
    answer = an_answer()
    check_names(answer, LABELS, SITES)
    without = dict(list(getattr(answer, name).items())[1:])
    for other in (without, getattr(answer, name) | {"cem": next(iter(getattr(answer, name).values()))}):
        with pytest.raises(ContractError, match=f"{name}: are not of its release's"):
            check_names(answer.model_copy(update={name: other}), LABELS, SITES)
    parts = answer.contributions | {"a4c": {"ada": 1.0}}
    with pytest.raises(ContractError, match="contributions to 'a4c'"):
        check_names(answer.model_copy(update={"contributions": parts}), LABELS, SITES)


def test_a_decision_log_has_a_name_of_its_own() -> None:
    assert decisions_origin(origin_of("test"), "ada") == "consilium/test/ada/decisions"
