from __future__ import annotations

import pytest

from federated.canonical import canonical
from federated.errors import ContractError
from federated.log.request_file import MAX_FILE_BYTES, MAX_TOLD, RequestFile, parse_request_file
from federated.log.tiles import MAX_ENTRY_BYTES

ASKED = RequestFile(site="ada", request="old 0\n\ntext\n\n\u2014 name AAAAAAAA\n", told=("{}", "{}"))


def test_what_was_written_is_read() -> None:
    assert parse_request_file(ASKED.to_bytes()) == ASKED


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 2}, "version"),
        ({"site": "../ada"}, "site"),
        ({"told": ["{}"] * (MAX_TOLD + 1)}, "told"),
        ({"told": ["x" * (4 * MAX_ENTRY_BYTES + 1)]}, "too long"),
        ({"more": 1}, "more"),
    ],
)
def test_another_form_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ContractError, match=said):
        parse_request_file(canonical(ASKED.model_dump(mode="json") | changes))


def test_what_is_not_canonical_or_too_long_is_refused() -> None:
    with pytest.raises(ContractError, match="canonical"):
        parse_request_file(ASKED.to_bytes() + b" ")
    with pytest.raises(ContractError, match="at most"):
        parse_request_file(bytes(MAX_FILE_BYTES + 1))
