"""Who may see pages, and in which role: ``access.toml``, which holds digests of tokens and of certificates, no token.

A token is 256 random bits, told once; SHA-256 of it is all that is kept, which nobody can turn round. Whoever is taken
out of the file is out at the next request.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from federated.errors import ConsiliumError, cannot_read
from federated.faults import NAME, first_fault
from federated.files import write_whole
from federated.toml_text import toml_as_json

FILE = "access.toml"
TOKEN_PREFIX, TOKEN_BYTES = "consilium_", 32
MAX_TOKEN = 200  # characters
MAX_ENTRIES = 200
DIGEST = r"^[0-9a-f]{64}$"
DAY = r"^2\d{3}-\d{2}-\d{2}$"
By = Literal["session", "token", "certificate", "open"]


@dataclass(frozen=True)
class Person:
    """Who asks, in which role, known by what; `credential` names the line of the file, `csrf` goes into every form."""

    name: str
    role: str
    by: By
    credential: str
    csrf: str = ""


class Credential(BaseModel):
    """One line: SHA-256 of a token, or of a client certificate (DER); from `ends` on it counts no more."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[str, StringConstraints(pattern=NAME)]
    role: Annotated[str, StringConstraints(pattern=NAME)]
    ends: Annotated[str, StringConstraints(pattern=DAY)]
    token: Annotated[str, StringConstraints(pattern=DIGEST)] | None = None
    certificate: Annotated[str, StringConstraints(pattern=DIGEST)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Credential:
        if (self.token is None) == (self.certificate is None):
            raise ValueError("it is known by a token or by a certificate, one of both")
        return self

    @property
    def key(self) -> str:
        """What names it; another token under the same name is another one."""
        return f"{self.name}:{self.token or self.certificate}"


class AccessFile(BaseModel):
    """All that may see pages."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    people: tuple[Credential, ...] = Field(default=(), max_length=MAX_ENTRIES)


class Access:
    """Who may see the pages of one house.

    Args:
        path: ``access.toml``; nobody is let in while it is missing, but who is let in by `loopback`.
        roles: from the one that may least to the one that may most.
        loopback: everybody is let in, in the first role and to read only; for an address of this machine alone.
    """

    def __init__(self, path: Path, roles: Sequence[str], *, loopback: bool = False) -> None:
        self.path, self.roles, self.loopback = path, tuple(roles), loopback
        self._seen: tuple[int, int, int] | None = None
        self._file = AccessFile()

    def anybody(self) -> Person | None:
        """Whoever asks without a token, where that was chosen."""
        return Person("this machine", self.roles[0], "open", "open") if self.loopback else None

    def by_token(self, token: str) -> Person | None:
        """Whose token this is; every line is compared, each in constant time."""
        told = hashlib.sha256(token[:MAX_TOKEN].encode()).hexdigest()
        return self._person([one for one in self._people() if _same(one.token, told)], "token")

    def by_certificate(self, der_digest: str) -> Person | None:
        """Whose client certificate this is."""
        return self._person([one for one in self._people() if _same(one.certificate, der_digest)], "certificate")

    def still(self, credential: str) -> Person | None:
        """Who signed in by this line of the file, if it is there yet."""
        return self._person([one for one in self._people() if one.key == credential], "session")

    def may(self, person: Person, role: str) -> bool:
        """Whether a person's role is this one, or one that may more."""
        return self.roles.index(person.role) >= self.roles.index(role)

    def _person(self, found: Sequence[Credential], by: By) -> Person | None:
        if len(found) != 1 or found[0].ends <= today() or found[0].role not in self.roles:
            return None
        return Person(found[0].name, found[0].role, by, found[0].key)

    def _people(self) -> tuple[Credential, ...]:
        """Read again whenever the file has changed."""
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            self._seen, self._file = None, AccessFile()
            return ()
        now = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        if now != self._seen:
            self._file, self._seen = read_access(self.path), now
        return self._file.people


def _same(kept: str | None, told: str) -> bool:
    return hmac.compare_digest(kept or "", told)


def today() -> str:
    """The day, UTC."""
    return f"{datetime.now(UTC):%Y-%m-%d}"


def read_access(path: Path) -> AccessFile:
    """The file; where there is none, nobody.

    Raises:
        ConsiliumError: others can read it, or it is not what it should be.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise ConsiliumError("other users can read or change this file", where=str(path), cure=f"chmod 600 {path}")
        return AccessFile.model_validate_json(toml_as_json(path.read_bytes()))
    except FileNotFoundError:
        return AccessFile()
    except ValidationError as error:
        raise ConsiliumError(first_fault(error), where=str(path)) from error
    except (OSError, ValueError) as error:
        raise cannot_read(path, error) from error


def add_token(path: Path, name: str, role: str, *, days: int) -> str:
    """A new token, which is told here and never again.

    Raises:
        ConsiliumError: the name is taken or none, or the file cannot be written.
    """
    token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    _add(path, name, role, days, token=hashlib.sha256(token.encode()).hexdigest())
    return token


def add_certificate(path: Path, name: str, role: str, certificate: Path, *, days: int) -> str:
    """Lets the holder of a client certificate (PEM) in; the certificate's SHA-256.

    Raises:
        ConsiliumError: it is no certificate, the name is taken or none, or the file cannot be written.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        der = x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(Encoding.DER)
    except OSError as error:
        raise cannot_read(certificate, error) from error
    except ValueError as error:
        raise ConsiliumError("is not a certificate in PEM", where=str(certificate)) from error
    found = hashlib.sha256(der).hexdigest()
    _add(path, name, role, days, certificate=found)
    return found


def revoke(path: Path, name: str) -> None:
    """Whoever goes by this name is out at the next request.

    Raises:
        ConsiliumError: nobody does.
    """
    people = read_access(path).people
    kept = tuple(one for one in people if one.name != name)
    if kept == people:
        raise ConsiliumError(f"nobody is called '{name}' here", where=str(path))
    _write(path, kept)


def _add(path: Path, name: str, role: str, days: int, **known: str) -> None:
    people = read_access(path).people
    if any(one.name == name for one in people):
        raise ConsiliumError(f"'{name}' is here already", where=str(path), cure="revoke it first, or take another name")
    if len(people) >= MAX_ENTRIES:
        raise ConsiliumError(f"holds {MAX_ENTRIES} people, which is all it may", where=str(path))
    ends = f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"
    try:
        made = Credential.model_validate({"name": name, "role": role, "ends": ends, **known})
    except ValidationError as error:
        raise ConsiliumError(first_fault(error), where=str(path)) from error
    _write(path, (*people, made))


def _write(path: Path, people: Sequence[Credential]) -> None:
    content = {"people": [one.model_dump(exclude_none=True) for one in people]}
    write_whole(path, tomli_w.dumps(content).encode(), mode=0o600)


def with_csrf(person: Person, csrf: str) -> Person:
    """The person, with what their forms carry."""
    return replace(person, csrf=csrf)
