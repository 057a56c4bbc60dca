from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from federated.canonical import canonical, digest
from federated.errors import ContractError
from federated.keys import public_hex, verifier
from federated.log.entries import PREDICATE_TYPE, SAYS, Entry, KeyCard, checked, read_entry, sign_entry
from federated.log.tiles import MAX_ENTRY_BYTES
from federated.signing import verified_by
from federated.statements import sign_statement

KEY = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
RELEASE = digest(b"a release")
ENTRY = Entry(
    federation="heart", at="2026-11-21T06:00:00Z", event="release", subject=RELEASE, concerns=RELEASE, number=3
)
ENROLMENT = Entry(
    federation="heart",
    at="2026-11-21T06:00:00Z",
    event="enrol",
    site="ada",
    keys=(KeyCard(public=public_hex(KEY), role="site"),),
)


@pytest.mark.parametrize("entry", [ENTRY, ENROLMENT])
def test_what_is_signed_is_read(entry: Entry) -> None:
    found = read_entry(sign_entry(entry, KEY))
    assert found.predicate == entry
    key = verifier(public_hex(KEY), where="test")
    assert verified_by(found.envelope, [key]) == {key.keyid}


def test_a_statement_is_about_what_happened() -> None:
    assert (read_entry(sign_entry(ENTRY, KEY)).name, read_entry(sign_entry(ENTRY, KEY)).digest) == ("release", RELEASE)
    alone = digest(canonical(ENROLMENT.model_dump(mode="json")))
    assert read_entry(sign_entry(ENROLMENT, KEY)).digest == alone


@pytest.mark.parametrize(("name", "about"), [("roll back", RELEASE), ("release", digest(b"another"))])
def test_a_statement_about_something_else_is_refused(name: str, about: str) -> None:
    data = sign_statement(name, about, PREDICATE_TYPE, ENTRY, [KEY])
    with pytest.raises(ContractError, match="about something else"):
        read_entry(data)


def test_there_is_no_room_for_anybodys_words() -> None:
    """Everything that is text has the form of a name, of a digest, of a key or of a time, or is of a short list."""
    said = {"subject", "concerns", "site", "kind", "at", "event", "federation", "choice", "plan"}
    for field in said:
        with pytest.raises(ValidationError):
            Entry.model_validate(ENTRY.model_dump() | {field: "Maria Schmidt, born 1961"})
    rest = set(Entry.model_fields) - said
    assert rest == {
        "version",
        "number",
        "keys",
        "ended",
        "envelope",
        "approvals",
    }  # the last two hold what others signed


@pytest.mark.parametrize("event", SAYS)
def test_an_entry_says_what_its_event_says_and_no_more(event: str) -> None:
    """Nothing can be said to have come from a hospital without the hospital's envelope."""
    full = {
        "site": "ada",
        "kind": "statistics",
        "subject": RELEASE,
        "concerns": RELEASE,
        "number": 1,
        "choice": "adopted",
        "keys": ({"public": public_hex(KEY), "role": "site"},),
        "ended": (public_hex(KEY),),
        "envelope": "{}",
        "plan": RELEASE,
        "approvals": ("{}",),
    }
    must, may = SAYS[event]
    common = {"federation": "heart", "at": "2026-11-21T06:00:00Z", "event": event}
    checked({name: full[name] for name in must} | common, "heart")
    for name in must:
        with pytest.raises(ContractError, match=f"lacks {name}"):
            checked({other: full[other] for other in must if other != name} | common, "heart")
    for name in set(full) - must - may:
        with pytest.raises(ContractError, match=f"has no {name}"):
            checked({other: full[other] for other in {*must, name}} | common, "heart")
    assert ("envelope" in must) == (event in ("accepted", "rejected"))


def test_an_entry_of_no_plan_reads_as_it_did_before_there_were_any() -> None:
    assert {"plan", "approvals"}.isdisjoint(ENTRY.model_dump(mode="json"))


def test_an_entry_has_to_fit_the_log() -> None:
    long = ENTRY.model_copy(update={"envelope": '"' * MAX_ENTRY_BYTES})
    with pytest.raises(ContractError, match="at most 65535 are logged"):
        sign_entry(long, KEY)


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.text(max_size=5), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_whatever_comes_is_an_entry_or_refused(data: bytes) -> None:
    with pytest.raises(ContractError):
        read_entry(data)
