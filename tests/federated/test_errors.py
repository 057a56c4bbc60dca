from __future__ import annotations

import pytest

from federated import errors
from federated.errors import ConsiliumError, DisclosureError


def test_message_says_what_where_and_what_to_do() -> None:
    assert str(ConsiliumError("is empty", where="index.csv", cure="add rows")) == "index.csv: is empty; add rows"
    assert str(ConsiliumError("is empty", where="index.csv")) == "index.csv: is empty"
    assert str(ConsiliumError("is empty", cure="add rows")) == "is empty; add rows"
    assert str(ConsiliumError("is empty")) == "is empty"


def test_refusal_names_the_filter_and_the_cure() -> None:
    error = DisclosureError("3 patients, at least 5", filter_name="cell", where="batch b0001", cure="wait for 2 more")
    assert error.filter_name == "cell"
    assert str(error) == "refused by cell: batch b0001: 3 patients, at least 5; wait for 2 more"


@pytest.mark.parametrize("name", ["ContractError", "SignatureError", "SequenceError", "DisclosureError", "DataError"])
def test_one_tree(name: str) -> None:
    assert issubclass(getattr(errors, name), ConsiliumError)


def test_a_message_is_no_longer_than_a_person_reads() -> None:
    told = str(ConsiliumError("x" * 10_000, where="index.csv"))
    assert len(told) == errors.LONGEST_LINE
    assert told.startswith("index.csv: xxx")
    assert told.endswith("x…")


def test_a_message_is_one_line_whatever_it_quotes() -> None:
    error = ConsiliumError("is\nempty", where="a\r\x1b[31m\udcfc\u2028.png", cure="Müller\tsays")
    assert str(error) == "a\\r\\x1b[31m\\udcfc\\u2028.png: is\\nempty; Müller\\tsays"
    assert str(error).encode()
