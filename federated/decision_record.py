"""What a site's decision log holds of one answer, and of what became known of it: a leaf of that log's tree.

A leaf is canonical JSON and may be shown whole by an approved parcel. So it names nobody: patients, images and people
stand in it as keyed digests that the site alone can read again, and the answer and the features as digests, beside
which they are shown when a decision is opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, StringConstraints, ValidationError, model_validator

from federated.canonical import canonical, digest
from federated.contract import Count, Digest, Frozen, Label
from federated.decision import Decision
from federated.errors import ContractError
from federated.faults import first_fault
from federated.log.merkle import LONGEST_PROOF, leaf_hash, root_from_inclusion
from federated.log.tiles import MAX_ENTRY_BYTES
from federated.statistics import Array

WHERE = "decision record"
TIME = r"^2\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$"
Time = Annotated[str, StringConstraints(pattern=TIME)]
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Proof = Annotated[tuple[Hash, ...], Field(max_length=LONGEST_PROOF)]
Why = Literal["reference-standard", "second-reading", "follow-up", "image-quality", "other"]
"""From where the truth is known, or why an answer was not followed; no words of anybody."""

SAYS: dict[str, frozenset[str]] = {
    "decision": frozenset({"began", "answer", "features", "rows"}),
    "flag": frozenset({"of", "truth", "overruled", "why", "by"}),
}


class Record(Frozen):
    """One leaf.

    Attributes:
        number: its place in the log, from 0.
        at: UTC, when the answer was given, which is the end of the use, or when the flag was set.
        event: decision, or flag: the truth about an earlier decision.
        release: that answered.
        patient: keyed.
        began: UTC, when the use began.
        answer: digest of the decision, in which image and clip are keyed names.
        features: digest of what was answered (`features_digest`), one row an image, those of a clip in their order.
        rows: of the features.
        of: number of the decision that is flagged.
        truth: what the images show, by the vocabulary.
        overruled: whether somebody decided otherwise than was answered.
        why: from where it is known.
        by: who flagged, keyed.
    """

    version: Literal[1] = 1
    number: Count
    at: Time
    event: Literal["decision", "flag"]
    release: Digest
    patient: Hash
    began: Time | None = None
    answer: Digest | None = None
    features: Digest | None = None
    rows: Annotated[int, Field(ge=1, le=10**6)] | None = None
    of: Count | None = None
    truth: Label | None = None
    overruled: bool | None = None
    why: Why | None = None
    by: Hash | None = None

    @model_validator(mode="after")
    def _says_what_its_event_says(self) -> Record:
        said = {name for names in SAYS.values() for name in names if getattr(self, name) is not None}
        if said != SAYS[self.event]:
            wrong = min(said ^ SAYS[self.event])
            raise ValueError(f"a {self.event} {'has no' if wrong in said else 'lacks'} '{wrong}'")
        if self.of is not None and self.of >= self.number:
            raise ValueError("a flag is about an earlier record")
        return self

    def to_bytes(self) -> bytes:
        """The leaf."""
        return canonical(self.model_dump(mode="json", exclude_none=True))


def parse_record(data: bytes) -> Record:
    """A leaf, with nothing verified but its form.

    Raises:
        ContractError: it has another form, or is not canonical.
    """
    if len(data) > MAX_ENTRY_BYTES:
        raise ContractError(f"{len(data)} bytes are too many", where=WHERE)
    try:
        record = Record.model_validate_json(data)
    except ValidationError as error:
        raise ContractError(first_fault(error), where=WHERE) from error
    if record.to_bytes() != data:
        raise ContractError("is not in canonical form (RFC 8785)", where=WHERE)
    return record


def decisions_origin(federation_origin: str, site: str) -> str:
    """The name of a site's decision log.

    Args:
        federation_origin: of the federation's log (`federated.log.checkpoints.origin_of`).
        site: whose.
    """
    return f"{federation_origin}/{site}/decisions"


def answer_digest(decision: Decision) -> str:
    """Digest of a decision's canonical JSON."""
    return digest(canonical(decision.model_dump(mode="json")))


def features_digest(features: Array) -> str:
    """Digest of (n, M) features: their shape, then float64 row by row, least significant byte first."""
    rows, width = features.shape
    return digest(f"consilium features 1\n{rows} {width}\n".encode() + np.ascontiguousarray(features, "<f8").tobytes())


def check_opened(record: Record, decision: Decision | None, features: Array | None) -> None:
    """Whether an answer and features are those that a record names.

    Raises:
        ContractError: they are not; it says which.
    """
    where = f"record {record.number}"
    if record.event == "flag":
        if decision is not None or features is not None:
            raise ContractError("a flag has neither an answer nor features", where=where)
        return
    if decision is None or features is None:
        raise ContractError("its answer or its features are not shown", where=where)
    if answer_digest(decision) != record.answer or decision.release != record.release:
        raise ContractError("the answer is not the one that was logged", where=where)
    if features.ndim != 2 or len(features) != record.rows or features_digest(features) != record.features:
        raise ContractError("the features are not those that were logged", where=where)
    if decision.image is not None and record.rows != 1:
        raise ContractError(f"an image is answered by one row of features, not by {record.rows}", where=where)


def check_included(record: Record, size: int, root: str, proof: Sequence[str]) -> None:
    """Whether a record is in a tree, at its own number.

    Raises:
        ContractError: it is not, as far as the proof shows.
    """
    where = f"record {record.number}"
    try:
        path = [bytes.fromhex(each) for each in proof]
        found = root_from_inclusion(leaf_hash(record.to_bytes()), record.number, size, path)
    except ContractError as error:
        raise ContractError(f"is not shown to be in the log: {error}", where=where) from error
    if found != bytes.fromhex(root):
        raise ContractError("is not in the log under this number: it was changed, or is another one", where=where)


def check_names(decision: Decision, labels: Sequence[str], sites: Sequence[str]) -> None:
    """Whether an answer speaks of a release's labels and sites, all of them and no others.

    Raises:
        ContractError: it does not.
    """
    named: list[tuple[str, Iterable[str], Sequence[str]]] = [
        ("scores", decision.scores, labels),
        ("probabilities", decision.probabilities, labels),
        ("contributions", decision.contributions, labels),
        ("weights", decision.weights, sites),
        ("qualified", decision.qualified, sites),
        *((f"contributions to '{label}'", parts, sites) for label, parts in decision.contributions.items()),
    ]
    for name, found, expected in named:
        if set(found) != set(expected):
            raise ContractError("are not of its release's labels and sites", where=name)
