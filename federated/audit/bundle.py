"""A whole record in one file or one folder, for whoever audits it: log, parcels, plans, keys, predictions.

``bundle.json`` names every other member with its digest and size, in canonical JSON. Nobody signs it, for every member
is signed by itself, or is named by its digest in something that is. A parcel that may not be handed to auditors whole
lies under ``heads/`` without its tensors. ``keys.toml`` is what the coordinator knows; an auditor takes the hospitals'
own instead.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Literal

from pydantic import ValidationError

from federated.audit.archive import Store, open_store
from federated.audit.contents import CONTENTS, HEADS, KEYS, LOG, PARCELS, WHY, Why, limit_of, read_contents
from federated.canonical import digest
from federated.decision import Decision, parse_decision
from federated.envelope import (
    LENGTHS,
    MAGIC,
    MAX_ENVELOPE_BYTES,
    Opened,
    Parcel,
    Passage,
    check_envelope,
    open_contents,
    parse_parcel,
    read_passage,
)
from federated.errors import ConsiliumError, ContractError
from federated.faults import first_fault
from federated.keys import TrustFile
from federated.log.entries import Entry
from federated.log.journal import CHECKPOINT
from federated.manifest import MAX_MANIFEST_BYTES, parse_manifest
from federated.toml_text import toml_as_json

DIGITS_OF_A_DIGEST = 8  # from which on decimal digits may be a digest's


@dataclass(frozen=True)
class Head:
    """A parcel as far as its manifest, with nothing verified but its form.

    Attributes:
        digest: of the manifest, which is what the parcel is called everywhere.
        member: its name in the bundle.
        envelope: its bytes.
        why: why the bundle holds no more than this; None where it holds the whole parcel.
    """

    digest: str
    member: str
    envelope: bytes
    passage: Passage
    manifest: Any
    why: Why | None


class Bundle:
    """A record; what is read of it is held against its digest each time, and memory stays that of one parcel.

    Attributes:
        path: of its file or folder.
        contents: what it says that it holds.
    """

    def __init__(self, store: Store) -> None:
        """Reads ``bundle.json``.

        Raises:
            ConsiliumError: it does not tell what is there.
        """
        self._store, self.path = store, store.path
        self.contents = read_contents(store)
        self.head = lru_cache(1024)(self._head)

    @property
    def federation(self) -> str:
        """Whose record it says it is."""
        return self.contents.federation

    @cached_property
    def keys(self) -> TrustFile | None:
        """Keys as the coordinator has them, which nobody should trust; None where the bundle brings none.

        Raises:
            ContractError: they are none.
        """
        return parse_keys(self.read(KEYS), where=self.where(KEYS)) if KEYS in self.contents.members else None

    def where(self, name: str) -> str:
        """A member, as a person finds it."""
        return f"{self.path}: {name}"

    def names(self, below: str) -> list[str]:
        """Members below a folder, sorted."""
        return sorted(name for name in self.contents.members if name.startswith(f"{below}/"))

    def read(self, name: str) -> bytes:
        """A member.

        Raises:
            ConsiliumError: it is not there, cannot be read, or is not what ``bundle.json`` names.
        """
        said = self.contents.members.get(name)
        if said is None:
            raise ConsiliumError("is not in the bundle", where=self.where(name))
        data = self._store.read(name)
        if digest(data) != said.digest:
            raise ContractError("is not what bundle.json names: it was changed", where=self.where(name))
        return data

    def log_folder(self) -> Inside | None:
        """The log, to be read as its folder is; None where the bundle has none."""
        return Inside(self, LOG) if f"{LOG}/{CHECKPOINT}" in self.contents.members else None

    def entries(self) -> Iterator[Entry]:
        """All entries of the log, of which nothing is verified but the form.

        Raises:
            ConsiliumError: it is damaged.
        """
        from federated.log.verification import entries_of

        folder = self.log_folder()
        if folder is not None:
            yield from entries_of(folder, self.federation)

    @cached_property
    def _digests(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, member in sorted(self.contents.members.items(), key=lambda item: item[0].rpartition("/")[2]):
            if member.kind is not None:
                found.setdefault(member.kind, []).append(_digest_in(name))
        return found

    def kinds(self) -> dict[str, int]:
        """How many parcels of each kind are here, whole or as heads."""
        return {kind: len(found) for kind, found in sorted(self._digests.items())}

    def digests(self, *kinds: str) -> list[str]:
        """Parcels of these kinds, whole or as heads, by digest; of all kinds where none is named."""
        return [each for kind in kinds or sorted(self._digests) for each in self._digests.get(kind, [])]

    def member_of(self, name: str) -> str | None:
        """The member that holds a parcel, whole or its head, by the parcel's digest."""
        places = (f"{folder}/{name.removeprefix('sha256:')}.parcel" for folder in (PARCELS, HEADS))
        return next((place for place in places if place in self.contents.members), None)

    def _head(self, name: str) -> Head:
        """A parcel by its digest, as far as its manifest.

        Raises:
            ConsiliumError: it is not there, or is none.
        """
        member = self.member_of(name)
        if member is None:
            raise ConsiliumError("is not in the bundle", where=self.where(name))
        try:
            parcel = self._front(member)
            passage, manifest = read_passage(parcel), parse_manifest(parcel.manifest)
            if parcel.digest != name or manifest.kind != self.contents.members[member].kind:
                raise ContractError("is another parcel than its name says")
        except ContractError as error:
            raise ContractError(str(error), where=self.where(member)) from error
        return Head(name, member, parcel.envelope, passage, manifest, self.contents.members[member].why)

    def _front(self, member: str) -> Parcel:
        """A parcel without its tensors, of which nothing is read."""
        head = len(MAGIC) + LENGTHS.size
        first = self._store.read(member, 0, head)
        if len(first) < head or not first.startswith(MAGIC):
            raise ContractError("is not a Consilium parcel")
        envelope, manifest, _ = LENGTHS.unpack(first[len(MAGIC) :])
        if envelope > MAX_ENVELOPE_BYTES or manifest > MAX_MANIFEST_BYTES:
            raise ContractError("is too long")
        rest = self._store.read(member, head, envelope + manifest)
        return Parcel(rest[:envelope], rest[envelope:], b"")

    def heads(self, *kinds: str) -> Iterator[Head]:
        """Parcels of these kinds as far as their manifests, in the order of their digests.

        Raises:
            ConsiliumError: one of them is none.
        """
        return (self.head(name) for name in self.digests(*kinds))

    def parcel(self, name: str) -> Parcel:
        """A whole parcel by its digest.

        Raises:
            ConsiliumError: it is not there, or only its head is, or it was changed.
        """
        member = self.member_of(name)
        if member is None:
            raise ConsiliumError("is not in the bundle", where=self.where(name))
        why = self.contents.members[member].why
        if why is not None:
            raise ConsiliumError(f"only its head is in the bundle: {WHY[why]}", where=self.where(member))
        return parse_parcel(self.read(member))

    def opened(self, name: str, trust: TrustFile | None = None) -> Opened:
        """A whole parcel by its digest, with its tensors; without keys, its signature stays unchecked.

        Raises:
            ConsiliumError: it is not there, only its head is, it is none, or is not signed by whom the keys name.
        """
        parcel = self.parcel(name)
        passage, signers = read_passage(parcel), frozenset[str]()
        if trust is not None:
            passage, signers = check_envelope(parcel, trust, recipient=passage.recipient)
        return open_contents(parcel, passage, signers)

    def parcels(self, *kinds: str) -> Iterator[Opened]:
        """Whole parcels of these kinds, one after the other, with signatures unchecked; heads are left out.

        Raises:
            ConsiliumError: one of them is none.
        """
        whole = (name for name in self.digests(*kinds) if str(self.member_of(name)).startswith(PARCELS))
        return (self.opened(name) for name in whole)

    @cached_property
    def _releases(self) -> tuple[Head, ...]:
        return tuple(sorted(self.heads("release"), key=lambda head: (int(head.manifest.number), head.digest)))

    def releases(self) -> tuple[Head, ...]:
        """Releases by number.

        Raises:
            ConsiliumError: one of them is none.
        """
        return self._releases

    def release(self, which: str) -> Head:
        """The release of a number, or whose digest begins so (with ``sha256:`` or without).

        A few decimal digits are a number, though a digest may begin with them.

        Raises:
            ConsiliumError: there is none, or there are several.
        """
        digits = which.removeprefix("sha256:")
        by_digest = [head for head in self.releases() if head.digest.removeprefix("sha256:").startswith(digits)]
        found = [head for head in self.releases() if str(head.manifest.number) == which]
        found = found or ([] if which.isdecimal() and len(which) < DIGITS_OF_A_DIGEST else by_digest)
        if len(found) != 1:
            known = ", ".join(str(head.manifest.number) for head in self.releases()) or "none"
            what = f"no release '{which}'" if not found else f"several releases '{which}'"
            raise ConsiliumError(f"holds {what}", where=str(self.path), cure=f"releases there are: {known}")
        return found[0]

    def summaries(self) -> Iterator[Opened]:
        """What sites said of their decisions, with signatures unchecked.

        Raises:
            ConsiliumError: one of them is none.
        """
        return self.parcels("summary")

    def decisions(self, name: str) -> Iterator[Decision]:
        """Predictions of a member below ``predictions/``.

        Raises:
            ConsiliumError: the member is none, or was changed.
        """
        try:
            lines = self.read(name).decode().splitlines()
        except UnicodeDecodeError as error:
            raise ContractError("is not text", where=self.where(name)) from error
        for number, line in enumerate(lines, 1):
            yield parse_decision(line, where=f"{self.where(name)} line {number}")


@dataclass(frozen=True)
class Inside:
    """A place in a bundle, which is read as a file or a folder is (`federated.files.Place`)."""

    bundle: Bundle
    name: str

    def __truediv__(self, name: str, /) -> Inside:
        """What lies below."""
        return Inside(self.bundle, f"{self.name}/{name}")

    def __str__(self) -> str:
        return self.bundle.where(self.name)

    def open(self, _: Literal["rb"], /) -> BinaryIO:
        """The member's bytes.

        Raises:
            FileNotFoundError: there is no such member.
            ConsiliumError: it was changed.
        """
        if self.name not in self.bundle.contents.members:
            raise FileNotFoundError(self.name)
        return io.BytesIO(self.bundle.read(self.name))


def open_bundle(path: Path) -> Bundle:
    """A bundle from a file or a folder; of its members nothing is read yet.

    Raises:
        ConsiliumError: it cannot be read, is none, or holds something else than it says.
    """
    return Bundle(open_store(path, limit_of))


def is_bundle(path: Path) -> bool:
    """Whether a file or folder is meant as a bundle."""
    if path.is_dir():
        return (path / CONTENTS).is_file()
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\3\4"
    except OSError:
        return False


def parse_keys(data: bytes, *, where: str) -> TrustFile:
    """A trust file from bytes.

    Raises:
        ContractError: it is none.
    """
    try:
        return TrustFile.model_validate_json(toml_as_json(data))
    except ValidationError as error:
        raise ContractError(first_fault(error), where=where) from error
    except ValueError as error:
        raise ContractError(f"is no trust file ({error})", where=where) from error


def _digest_in(name: str) -> str:
    return f"sha256:{name.rpartition('/')[2].removesuffix('.parcel')}"
