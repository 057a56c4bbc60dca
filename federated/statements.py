"""In-toto statements: a typed predicate about one thing, which is named by its digest, in a signed envelope.

https://in-toto.io/Statement/v1
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, ValidationError
from securesystemslib.dsse import Envelope as Dsse

from federated.canonical import canonical
from federated.errors import ContractError
from federated.faults import first_fault
from federated.signing import parse_document, sign_document

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
Predicate = TypeVar("Predicate", bound=BaseModel)


@dataclass(frozen=True)
class Statement(Generic[Predicate]):
    """What an envelope says, with nothing verified but its form.

    Attributes:
        envelope: whose signatures are still to be looked at.
        name, digest: of the one thing that it is about.
        predicate: what is said of it.
    """

    envelope: Dsse
    name: str
    digest: str
    predicate: Predicate


def sign_statement(
    name: str, digest: str, predicate_type: str, predicate: BaseModel, keys: Iterable[Ed25519PrivateKey]
) -> bytes:
    """The envelope's bytes, signed by every key given."""
    payload = _payload(name, digest, predicate_type, canonical(predicate.model_dump(mode="json")))
    return sign_document(payload, PAYLOAD_TYPE, keys)


def read_statement(
    data: bytes, predicate_type: str, model: type[Predicate], *, where: str = "envelope"
) -> Statement[Predicate]:
    """A statement of one type, which holds nothing beside subject and predicate.

    Raises:
        ContractError: it is none, of another type or version, or its predicate is not what the model says.
    """
    envelope = parse_document(data)
    try:
        statement = json.loads(envelope.payload)
        subject = statement["subject"]
        name, digest = str(subject[0].get("name", "")), "sha256:" + subject[0]["digest"]["sha256"]
        known = (statement["_type"], statement["predicateType"], len(subject))
        said = canonical(statement["predicate"])
        predicate = model.model_validate_json(said)
        same = _payload(name, digest, known[1], said) == envelope.payload
    except ValidationError as error:
        raise ContractError(first_fault(error), where=where) from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ContractError("is not an in-toto statement", where=where) from error
    if known != (STATEMENT_TYPE, predicate_type, 1) or envelope.payload_type != PAYLOAD_TYPE or not same:
        raise ContractError("is a statement of another type or version", where=where)
    return Statement(envelope, name, digest, predicate)


def _payload(name: str, digest: str, predicate_type: Any, predicate: bytes) -> bytes:
    """The statement in canonical form, its names in order, around a predicate that is in that form already."""
    subject = [{"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}]
    return b'{"_type":%b,"predicate":%b,"predicateType":%b,"subject":%b}' % (
        canonical(STATEMENT_TYPE),
        predicate,
        canonical(predicate_type),
        canonical(subject),
    )
