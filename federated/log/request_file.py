"""What a witness is asked and told, as a file: for a site that the coordinator reaches by stick.

Its answer is the last checkpoint that it signed, as the signed note that it keeps, whatever that is: one that goes on
from less than was asked for says where the next proof has to start.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationError

from federated.canonical import canonical
from federated.contract import Frozen, Name
from federated.errors import ContractError
from federated.faults import first_fault
from federated.log.tiles import MAX_ENTRY_BYTES
from federated.log.witness import MAX_REQUEST_BYTES

SUFFIX, SIGNED_SUFFIX = ".witness", ".witnessed"
WHERE = "request to a witness"
MAX_TOLD = 1000  # entries in one request
MAX_FILE_BYTES = 2**26


class RequestFile(Frozen):
    """A checkpoint to be cosigned by a site, with entries about it.

    Attributes:
        site: which is asked.
        request: a `federated.log.witness.Request`.
        told: entries about its parcels and keys, each a `federated.log.told.Told`.
    """

    version: Literal[1] = 1
    site: Name
    request: str = Field(max_length=MAX_REQUEST_BYTES)
    told: tuple[str, ...] = Field(max_length=MAX_TOLD)

    def to_bytes(self) -> bytes:
        """As it is carried."""
        return canonical(self.model_dump(mode="json"))


def parse_request_file(data: bytes) -> RequestFile:
    """A request, with nothing verified but its form.

    Raises:
        ContractError: it has another form.
    """
    if len(data) > MAX_FILE_BYTES:
        raise ContractError(f"{len(data)} bytes, at most {MAX_FILE_BYTES} are taken", where=WHERE)
    try:
        found = RequestFile.model_validate_json(data)
    except ValidationError as error:
        raise ContractError(first_fault(error), where=WHERE) from error
    if found.to_bytes() != data:
        raise ContractError("is not in canonical form (RFC 8785)", where=WHERE)
    if any(len(each) > 4 * MAX_ENTRY_BYTES for each in found.told):
        raise ContractError("tells of an entry that is too long", where=WHERE)
    return found
