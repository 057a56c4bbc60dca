"""Parcels: the magic line and its lengths, the envelope around a statement, the statement that a liar signs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.canonical import canonical, digest
from federated.envelope import LENGTHS, MAGIC, PREDICATE_TYPE, Parcel, open_parcel, parse_parcel, read_passage
from federated.manifest import manifest_bytes
from federated.signing import parse_document, sign_document
from federated.statements import PAYLOAD_TYPE
from tests.fuzz.mutation import CHANGES, EDITS, Change, Edit, Samples, changed, edited, fuzzed, survived
from tests.fuzz.parties import DPO, TRUST, key_of, passage_of, statement_of

KINDS = ("statistics", "adoption", "recall", "decision")


@pytest.fixture(scope="session")
def samples(make_sample: Callable[..., tuple[Any, bytes]]) -> Samples:
    """A sound parcel of each kind."""
    made = Samples()
    for kind in KINDS:
        manifest, tensors = make_sample(kind)
        body = manifest_bytes(manifest)
        payload = canonical(statement_of(kind, digest(body), PREDICATE_TYPE, passage_of(kind)))
        made[kind] = Parcel(sign_document(payload, PAYLOAD_TYPE, [key_of(kind), DPO]), body, tensors)
    return made


def _recipient(kind: str) -> str:
    return str(passage_of(kind)["recipient"])


def _read(data: bytes, kind: str) -> None:
    """As a receiver does; what is taken for a parcel is its bytes, and what opens is what was sealed."""
    parcel = survived(lambda: parse_parcel(data))
    if parcel is not None:
        assert parcel.to_bytes() == data
        survived(lambda: read_passage(parcel))
        survived(lambda: open_parcel(parcel, TRUST, recipient=_recipient(kind)))


def test_the_samples_are_sound(samples: Samples) -> None:
    for kind, parcel in samples.items():
        assert open_parcel(parcel, TRUST, recipient=_recipient(kind)).digest == parcel.digest


@given(kind=st.sampled_from(KINDS), changes=CHANGES)
@fuzzed(150)
def test_changed_bytes(samples: Samples, kind: str, changes: list[Change]) -> None:
    _read(changed(samples[kind].to_bytes(), changes), kind)


@given(lengths=st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 4000), min_size=3, max_size=3), rest=st.binary())
@fuzzed(60)
def test_lengths_that_say_something_else(samples: Samples, lengths: list[int], rest: bytes) -> None:
    whole = samples["adoption"].to_bytes()
    _read(MAGIC + LENGTHS.pack(*lengths) + whole[len(MAGIC) + LENGTHS.size :] + rest, "adoption")


@given(kind=st.sampled_from(KINDS), edits=EDITS)
@fuzzed(200)
def test_an_envelope_of_another_form(samples: Samples, kind: str, edits: list[Edit]) -> None:
    parcel = samples[kind]
    data = edited(json.loads(parcel.envelope), edits)
    found = survived(lambda: parse_document(data))
    if found is not None:
        assert canonical(found.to_dict()) == data
    _read(Parcel(data, parcel.manifest, parcel.tensors).to_bytes(), kind)


@given(kind=st.sampled_from(KINDS), edits=EDITS)
@fuzzed(300)
def test_a_statement_of_another_form_that_its_sender_signed(samples: Samples, kind: str, edits: list[Edit]) -> None:
    """Only what an honest sender could have written is opened, so that no text of anybody's gets into the log."""
    parcel = samples[kind]
    statement = statement_of(kind, parcel.digest, PREDICATE_TYPE, passage_of(kind))
    envelope = sign_document(edited(statement, edits), PAYLOAD_TYPE, [key_of(kind), DPO])
    opened = survived(
        lambda: open_parcel(Parcel(envelope, parcel.manifest, parcel.tensors), TRUST, recipient=_recipient(kind))
    )
    if opened is not None:
        said = statement_of(kind, parcel.digest, PREDICATE_TYPE, opened.passage.model_dump(mode="json"))
        assert json.loads(parse_document(envelope).payload) == said
