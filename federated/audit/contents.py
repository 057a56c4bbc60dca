"""What a bundle may hold, and what it says that it holds: ``bundle.json``."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import ValidationError

from federated.audit.archive import MAX_FOLDER_MEMBERS, Store
from federated.canonical import canonical
from federated.contract import Count, Digest, Frozen, Name
from federated.envelope import MAX_ENVELOPE_BYTES, MAX_PARCEL_BYTES
from federated.errors import ContractError
from federated.faults import first_fault
from federated.log.journal import CHECKPOINT, WITNESSED
from federated.log.notes import MAX_NOTE_BYTES
from federated.log.tiles import MAX_BUNDLE_BYTES
from federated.manifest import MAX_MANIFEST_BYTES
from federated.toml_text import MAX_TOML_BYTES

CONTENTS, KEYS, LOG, PARCELS, HEADS = "bundle.json", "keys.toml", "log", "parcels", "heads"
PLANS, ASSESSMENTS, DRAWS, PREDICTIONS = "plans", "assessments", "draws", "predictions"
MAX_PREDICTIONS_BYTES = 2**28
HEX = r"[0-9a-f]{64}"
TILE = r"x?\d{3}"
LIMITS = tuple(
    (re.compile(form), limit)
    for form, limit in (
        (re.escape(CONTENTS), 400 * MAX_FOLDER_MEMBERS),
        (re.escape(KEYS), MAX_TOML_BYTES),
        (rf"{LOG}/({CHECKPOINT}|{WITNESSED})", MAX_NOTE_BYTES),
        (rf"{LOG}/tile/entries(/{TILE}){{1,3}}(\.p/\d{{1,3}})?", MAX_BUNDLE_BYTES),
        (rf"{LOG}/tile/\d(/{TILE}){{1,3}}(\.p/\d{{1,3}})?", 2**13),
        (rf"{PARCELS}/{HEX}\.parcel", MAX_PARCEL_BYTES),
        (rf"{HEADS}/{HEX}\.parcel", MAX_ENVELOPE_BYTES + MAX_MANIFEST_BYTES + 2**10),
        (rf"{PLANS}/{HEX}\.toml", MAX_TOML_BYTES),
        (rf"{ASSESSMENTS}/{HEX}\.json", MAX_MANIFEST_BYTES),
        (rf"{DRAWS}/{HEX}\.json", 2**12),
        (rf"{PREDICTIONS}/[a-z0-9][a-z0-9_.-]{{0,62}}\.jsonl", MAX_PREDICTIONS_BYTES),
    )
)
Why = Literal["gram", "coordinator", "withdrawn", "release", "size"]
WHY: dict[Why, str] = {
    "gram": "the site lets no auditor have its Gram matrix",
    "coordinator": "the site sent it to the coordinator alone",
    "withdrawn": "it was taken back, or holds what was",
    "release": "what it holds lies whole in its release",
    "size": "the states of rounds are left out unless asked for",
}
"""Why of a parcel only the head is there."""


class Member(Frozen):
    """What ``bundle.json`` says of a member; of a parcel also its kind, and of a head why it is no more."""

    digest: Digest
    bytes: Count
    kind: Name | None = None
    why: Why | None = None


class Contents(Frozen):
    """``bundle.json``."""

    version: Literal[1] = 1
    federation: Name
    members: dict[str, Member]

    def to_bytes(self) -> bytes:
        """Canonical."""
        return canonical(self.model_dump(mode="json", exclude_none=True))


def limit_of(name: str) -> int | None:
    """The most bytes of a member of this name; None where no member has it."""
    return next((limit for form, limit in LIMITS if form.fullmatch(name)), None)


def read_contents(store: Store) -> Contents:
    """What a bundle says that it holds, which is what is there, by name and size.

    Raises:
        ConsiliumError: it says nothing, or something else.
    """
    where = f"{store.path}: {CONTENTS}"
    if CONTENTS not in store.sizes:
        raise ContractError("is no bundle: it does not say what it holds", where=where)
    data = store.read(CONTENTS)
    try:
        contents = Contents.model_validate_json(data)
    except ValidationError as error:
        raise ContractError(first_fault(error), where=where) from error
    if contents.to_bytes() != data:
        raise ContractError("is not in canonical form (RFC 8785)", where=where)
    _require_same(store, contents)
    return contents


def _require_same(store: Store, contents: Contents) -> None:
    """Whether members are those named, no more and no fewer, of these sizes and in their places."""
    sizes = {name: size for name, size in store.sizes.items() if name != CONTENTS}
    for name in sorted(set(sizes) ^ set(contents.members)):
        what = "is not named in bundle.json" if name in sizes else "is missing"
        raise ContractError(what, where=f"{store.path}: {name}")
    heads = set[str]()
    for name, member in contents.members.items():
        folder, _, rest = name.partition("/")
        if sizes[name] != member.bytes:
            raise ContractError(f"has {sizes[name]} bytes, not {member.bytes}", where=f"{store.path}: {name}")
        if (member.kind is not None) != (folder in (PARCELS, HEADS)) or (member.why is not None) != (folder == HEADS):
            raise ContractError("is not named as what it is", where=f"{store.path}: {name}")
        if folder in (PARCELS, HEADS) and rest in heads:
            raise ContractError("is here twice", where=f"{store.path}: {name}")
        heads |= {rest} if folder in (PARCELS, HEADS) else set()
        if folder in (PLANS, ASSESSMENTS, DRAWS) and not rest.startswith(member.digest.removeprefix("sha256:")):
            raise ContractError("is not what its name says", where=f"{store.path}: {name}")
