from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.canonical import canonical, digest
from federated.contract import Frozen
from federated.errors import ContractError
from federated.keys import verifier
from federated.signing import sign_document, verified_by
from federated.statements import PAYLOAD_TYPE, STATEMENT_TYPE, read_statement, sign_statement

KEY = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
TYPE = "urn:example:weather:v1"
THING = digest(b"a thing")


class Weather(Frozen):
    rain: bool


def _statement(**changes: Any) -> bytes:
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": "thing", "digest": {"sha256": THING.removeprefix("sha256:")}}],
        "predicateType": TYPE,
        "predicate": {"rain": True},
    }
    return sign_document(canonical(statement | changes), PAYLOAD_TYPE, [KEY])


def test_what_is_signed_is_read() -> None:
    data = sign_statement("thing", THING, TYPE, Weather(rain=True), [KEY])
    found = read_statement(data, TYPE, Weather)
    assert (found.name, found.digest, found.predicate) == ("thing", THING, Weather(rain=True))
    assert data == _statement()
    key = verifier(KEY.public_key().public_bytes_raw().hex(), where="test")
    assert verified_by(found.envelope, [key]) == {key.keyid}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"_type": "https://in-toto.io/Statement/v0.1"}, "another type or version"),
        ({"predicateType": "urn:example:weather:v2"}, "another type or version"),
        ({"subject": []}, "is not an in-toto statement"),
        ({"subject": [{"name": "thing"}]}, "is not an in-toto statement"),
        ({"subject": [{"name": "thing", "digest": {"sha256": "0"}}] * 2}, "another type or version"),
        ({"subject": [{"digest": {"sha256": "0"}}]}, "another type or version"),
        ({"subject": [{"name": 7, "digest": {"sha256": "0"}}]}, "another type or version"),
        ({"subject": [{"name": "a", "digest": {"sha256": "0", "md5": "1"}}]}, "another type or version"),
        ({"subject": [{"name": "a", "digest": {"sha256": "0"}, "uri": "Maria Schmidt"}]}, "another type or version"),
        ({"note": "Maria Schmidt"}, "another type or version"),
        ({"predicate": {}}, "letter: rain: is missing"),
        ({"predicate": {"rain": "yes"}}, "letter: rain: should be"),
        ({"predicate": {"rain": True, "snow": False}}, "letter: snow: is not known"),
    ],
)
def test_what_says_something_else_is_refused(changes: dict[str, Any], what: str) -> None:
    with pytest.raises(ContractError, match=what):
        read_statement(_statement(**changes), TYPE, Weather, where="letter")


def test_another_payload_type_or_form_is_refused() -> None:
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"digest": {"sha256": "0" * 64}}],
        "predicateType": TYPE,
        "predicate": {"rain": True},
    }
    for payload, kind in ((canonical(statement), "application/json"), (json.dumps(statement).encode(), PAYLOAD_TYPE)):
        with pytest.raises(ContractError, match="another type or version"):
            read_statement(sign_document(payload, kind, [KEY]), TYPE, Weather)
