from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from federated.decision import Decision
from federated.errors import ConsiliumError
from federated.faults import first_fault
from federated.keys import PublicHex
from federated.manifest import Digest, Hyperparameters, Label, Name
from federated.vocabulary import Vocabulary, plain_vocabulary


def _fault(kind: Any, value: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    return first_fault(caught.value)


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (
            Name,
            "Bad Name",
            "'Bad Name' is no name: use at most 63 of a-z, 0-9, '.', '_' and '-', a letter or digit first",
        ),
        (Label, "a b", "'a b' is no label: use at most 64 of letters, digits, '.', '_', '+' and '-'"),
        (Label, "a\nb\x1b[0m", "'a?b?[0m' is no label: "),
        (Digest, "md5:1", "'md5:1' is no digest: 'sha256:' and 64 hexadecimal digits"),
        (PublicHex, "xyz", "'xyz' is no public key: 64 hexadecimal digits"),
        (dict[Label, int], {"a b": 1}, "a b: 'a b' is no label: "),
        (Name, "x" * 500, "'" + "x" * 70 + "' is no name: "),
        (Hyperparameters, {"ridge": 1.0, "scatter": 1.0}, "outside: is missing"),
        (Hyperparameters, {"ridge": 0.0, "scatter": 1.0, "outside": 1.0}, "ridge: should be greater than 0"),
        (Hyperparameters, {"ridge": 1.0, "scatter": 1.0, "outside": 1.0, "more": 1}, "more: is not known here"),
        (Vocabulary, plain_vocabulary("v", ["a"]).model_dump() | {"concepts": ()}, "concepts: "),
    ],
)
def test_a_fault_is_told_in_words(kind: Any, value: Any, said: str) -> None:
    assert _fault(kind, value).startswith(said)


def test_what_a_rule_of_ours_says_is_told_as_it_is() -> None:
    with pytest.raises((ValidationError, ConsiliumError)) as caught:
        plain_vocabulary("v", ["a", "a"])
    assert isinstance(caught.value, ValidationError)
    assert first_fault(caught.value) == "a code occurs twice"


@pytest.mark.parametrize("line", ["hello", "", "{"])
def test_what_is_no_json_is_said_to_be_none(line: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Decision.model_validate_json(line)
    assert first_fault(caught.value).startswith("is not JSON (")


def test_another_form_is_still_words() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Name).validate_json(json.dumps("É"))
    assert "pattern" not in first_fault(caught.value)
