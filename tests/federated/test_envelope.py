from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as Dsse

from federated.canonical import canonical
from federated.envelope import (
    EVERYONE,
    LENGTHS,
    MAGIC,
    MAX_ENVELOPE_BYTES,
    MAX_PARCEL_BYTES,
    PREDICATE_TYPE,
    Ledger,
    Parcel,
    Passage,
    check_envelope,
    check_sequence,
    open_contents,
    open_parcel,
    parse_parcel,
    read_passage,
    seal,
)
from federated.errors import ContractError, SequenceError, SignatureError
from federated.keys import Party, TrustFile, fingerprint, public_hex
from federated.manifest import COORDINATOR_KINDS, SITE_KINDS, pack_tensors
from federated.signing import sign_document
from federated.statements import PAYLOAD_TYPE, sign_statement

Key = Ed25519PrivateKey
MakeSample = Callable[..., tuple[Any, bytes]]
ADA, ADA_OLD, BEN, HUB, APPROVER, STRANGER = (Key.from_private_bytes(bytes([n]) * 32) for n in range(1, 7))
TRUST = TrustFile(
    federation="test",
    parties=(
        Party(name="ada", role="site", public=public_hex(ADA_OLD), revoked=True),
        Party(name="ada", role="site", public=public_hex(ADA)),
        Party(name="ben", role="site", public=public_hex(BEN)),
        Party(name="hub", role="coordinator", public=public_hex(HUB)),
        Party(name="approver", role="approver", public=public_hex(APPROVER), site="ada"),
    ),
)


def _id(key: Key) -> str:
    return fingerprint(bytes.fromhex(public_hex(key)))


def _passage(kind: str, /, **changes: Any) -> Passage:
    from_site = kind in SITE_KINDS
    fields = {
        "federation": "test",
        "sender": "ada" if from_site else "hub",
        "recipient": "hub" if from_site else "ada",
        "sequence": 1,
        "previous": None,
        "kind": kind,
        "policy": "sha256:" + "d" * 64,
        "filters": {"cell": "5 <= 6"},
        "approval": "standing",
        "issued": "2020-01-01T00:00:00Z",
    }
    return Passage.model_validate(fields | changes)


@pytest.fixture
def sealed(make_sample: MakeSample) -> Callable[..., Parcel]:
    def make(sample: str = "statistics", /, keys: list[Key] | None = None, **changes: Any) -> Parcel:
        manifest, data = make_sample(sample)
        default = [ADA if sample in SITE_KINDS else HUB]
        return seal(manifest, data, _passage(sample, **changes), default if keys is None else keys)

    return make


def _open(parcel: Parcel, recipient: str = "hub") -> Any:
    return open_parcel(parcel, TRUST, recipient=recipient)


@pytest.mark.parametrize("kind", [*SITE_KINDS, *COORDINATOR_KINDS])
def test_every_kind_arrives_as_it_left(kind: str, sealed: Callable[..., Parcel], make_sample: MakeSample) -> None:
    parcel = sealed(kind)
    received = parse_parcel(parcel.to_bytes())
    assert received == parcel
    opened = _open(received, recipient="hub" if kind in SITE_KINDS else "ada")
    manifest, data = make_sample(kind)
    assert (opened.manifest, opened.passage, opened.digest) == (manifest, _passage(kind), parcel.digest)
    assert pack_tensors(opened.tensors)[0] == data
    assert opened.signers == {_id(ADA if kind in SITE_KINDS else HUB)}


def test_an_envelope_names_its_kind_and_nothing_else(sealed: Callable[..., Parcel]) -> None:
    """The log keeps every word of it, so that its sender has no room for words of his own."""
    parcel = sealed()
    envelope = sign_statement("Maria Schmidt", parcel.digest, PREDICATE_TYPE, _passage("statistics"), [ADA])
    with pytest.raises(ContractError, match="names something else than its kind"):
        _open(replace(parcel, envelope=envelope))


def test_the_envelope_is_an_in_toto_statement_in_dsse(sealed: Callable[..., Parcel]) -> None:
    parcel = sealed()
    envelope = json.loads(parcel.envelope)
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    statement = json.loads(Dsse.from_dict(envelope).payload)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [{"name": "statistics", "digest": {"sha256": parcel.digest.removeprefix("sha256:")}}]
    assert statement["predicateType"] == "urn:consilium:passage:v1"


def test_the_digest_knows_neither_time_nor_signature(sealed: Callable[..., Parcel]) -> None:
    one, two = sealed(), sealed(issued="2021-01-01T00:00:00Z", sequence=5, previous="sha256:" + "e" * 64, keys=[BEN])
    assert one.digest == two.digest
    assert one.envelope != two.envelope


def _sampled(length: int) -> list[int]:
    return [*range(0, length, 13), length - 1]


@pytest.mark.parametrize("approval", ["standing", "each"])
def test_no_byte_of_a_parcel_can_change_unnoticed(approval: str, sealed: Callable[..., Parcel]) -> None:
    keys = [ADA, APPROVER] if approval == "each" else [ADA]
    data = sealed(approval=approval, keys=keys).to_bytes()
    assert _open(parse_parcel(data)).passage.approval == approval
    for place in _sampled(len(data)):
        changed = data[:place] + bytes([data[place] ^ (1 << place % 8)]) + data[place + 1 :]
        with pytest.raises((ContractError, SignatureError, SequenceError)):
            _open(parse_parcel(changed))


@given(st.binary(max_size=300))
def test_other_bytes_are_no_parcel(data: bytes) -> None:
    for candidate in (data, MAGIC + data, MAGIC + LENGTHS.pack(0, len(data), 0) + data):
        with pytest.raises(ContractError):
            read_passage(parse_parcel(candidate))


def test_a_parcel_cut_short_or_too_long(sealed: Callable[..., Parcel]) -> None:
    data = sealed().to_bytes()
    for length in (0, 5, len(MAGIC), len(MAGIC) + LENGTHS.size - 1, len(data) - 1):
        with pytest.raises(ContractError):
            parse_parcel(data[:length])
    with pytest.raises(ContractError, match="is cut short or too long; ask for it again"):
        parse_parcel(data + b"x")


def test_an_oversize_parcel_or_envelope_is_not_taken_apart() -> None:
    class Long(bytes):
        def __len__(self) -> int:
            return MAX_PARCEL_BYTES + 1

    with pytest.raises(ContractError, match=f"{MAX_PARCEL_BYTES + 1} bytes, at most {MAX_PARCEL_BYTES}"):
        parse_parcel(Long(MAGIC))
    long = MAGIC + LENGTHS.pack(MAX_ENVELOPE_BYTES + 1, 0, 0) + b"x" * (MAX_ENVELOPE_BYTES + 1)
    with pytest.raises(ContractError, match="is cut short or too long"):
        parse_parcel(long)


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"keys": [STRANGER]}, SignatureError, "ada: the signature does not verify"),
        ({"keys": [BEN]}, SignatureError, "ada: the signature does not verify"),
        ({"keys": [ADA_OLD]}, SignatureError, "ada: the signature does not verify"),
        ({"keys": [APPROVER]}, SignatureError, "ada: the signature does not verify"),
        ({"keys": []}, SignatureError, "ada: the signature does not verify"),
        ({"sender": "cem", "keys": [STRANGER]}, SignatureError, "cem: no key of this site counts: it is not enrolled"),
        ({"sender": "ben", "keys": [BEN]}, ContractError, "ben: speaks for site 'ada'"),
        ({"federation": "other"}, SequenceError, "ada: is for federation 'other', this is 'test'"),
        ({"recipient": "ben"}, SequenceError, "ada: is addressed to 'ben', this is 'hub'"),
        ({"kind": "features"}, ContractError, "envelope: says something else than its manifest"),
        ({"kind": "release", "sender": "hub", "keys": [HUB]}, ContractError, "something else than its manifest"),
        ({"kind": "release"}, SignatureError, "ada: no key of this coordinator counts: it is not enrolled"),
        ({"approval": "each"}, SignatureError, "ada: says an approver signed, but no known approver did"),
        ({"approval": "each", "keys": [ADA, BEN]}, SignatureError, "no known approver did"),
    ],
)
def test_wrong_senders_and_addresses_are_refused(
    changes: dict[str, Any], error: type[Exception], reason: str, sealed: Callable[..., Parcel]
) -> None:
    with pytest.raises(error, match=reason):
        _open(sealed(**changes))


def test_a_revoked_key_counts_no_more(sealed: Callable[..., Parcel]) -> None:
    parties = tuple(party.model_copy(update={"revoked": True}) for party in TRUST.parties)
    revoked = TRUST.model_copy(update={"parties": parties})
    with pytest.raises(SignatureError, match="ada: no key of this site counts: its key was revoked"):
        open_parcel(sealed(), revoked, recipient="hub")


def test_a_revoked_approver_counts_no_more(sealed: Callable[..., Parcel]) -> None:
    parcel = sealed(approval="each", keys=[ADA, APPROVER])
    _open(parcel)
    parties = tuple(party.model_copy(update={"revoked": party.role == "approver"}) for party in TRUST.parties)
    with pytest.raises(SignatureError, match="no known approver did"):
        open_parcel(parcel, TRUST.model_copy(update={"parties": parties}), recipient="hub")


def test_what_an_approver_approved_before_being_replaced_is_taken(sealed: Callable[..., Parcel]) -> None:
    parcel = sealed(approval="each", keys=[ADA, APPROVER])
    parties = [party.model_copy(update={"revoked": party.role == "approver"}) for party in TRUST.parties]
    next_one = Party(name="approver", role="approver", public=public_hex(STRANGER), site="ada")
    replaced = TRUST.model_copy(update={"parties": (*parties, next_one)})
    assert open_parcel(parcel, replaced, recipient="hub").signers >= {_id(APPROVER)}


def test_a_rotated_key_counts_beside_none_of_the_old(sealed: Callable[..., Parcel]) -> None:
    assert _open(sealed(keys=[ADA])).signers == {_id(ADA)}
    assert _open(sealed(keys=[ADA_OLD, ADA])).signers == {_id(ADA)}


def test_a_parcel_for_everyone_is_for_anyone(sealed: Callable[..., Parcel]) -> None:
    parcel = sealed("release", recipient=EVERYONE)
    for recipient in ("ada", "ben"):
        assert _open(parcel, recipient).passage.recipient == EVERYONE


def test_a_manifest_or_tensors_of_another_parcel_are_noticed(
    sealed: Callable[..., Parcel], make_sample: MakeSample
) -> None:
    parcel, other = sealed(), sealed("features")
    with pytest.raises(ContractError, match="was signed for another manifest; ask for the parcel again"):
        _open(replace(parcel, manifest=other.manifest))
    with pytest.raises(ContractError, match="the tensors are not the ones the manifest names"):
        _open(replace(parcel, tensors=other.tensors))


def test_a_manifest_in_another_form_is_refused_even_if_signed(make_sample: MakeSample) -> None:
    manifest, data = make_sample("statistics")
    parcel = seal(manifest, data, _passage("statistics"), [ADA])
    spaced = parcel.manifest.replace(b'"version":1', b'"version": 1')
    statement = json.loads(Dsse.from_dict(json.loads(parcel.envelope)).payload)
    statement["subject"][0]["digest"]["sha256"] = replace(parcel, manifest=spaced).digest.removeprefix("sha256:")
    envelope = sign_document(canonical(statement), PAYLOAD_TYPE, [ADA])
    with pytest.raises(ContractError, match="is not in canonical form"):
        _open(Parcel(envelope, spaced, data))


def test_wrong_shapes_are_refused_even_if_signed(make_sample: MakeSample) -> None:
    tensors = {"train.class_sums": np.ones((3, 2))}
    manifest, data = make_sample("statistics", tensors)
    with pytest.raises(ContractError, match="a 'statistics' of this level and these folds has other tensors"):
        _open(seal(manifest, data, _passage("statistics"), [ADA]))


def test_signature_and_address_are_known_before_the_contents(make_sample: MakeSample) -> None:
    """A receiver uses the number up for wrong contents, but only from a right sender."""
    manifest, _ = make_sample("statistics")
    bad = seal(manifest, b"no tensors", _passage("statistics"), [ADA])
    passage, signers = check_envelope(bad, TRUST, recipient="hub")
    assert (passage.sequence, set(signers)) == (1, {_id(ADA)})
    with pytest.raises(ContractError, match="the tensors are not the ones"):
        open_contents(bad, passage, signers)


def _statement(**changes: Any) -> dict[str, Any]:
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "x", "digest": {"sha256": Parcel(b"", b"x", b"").digest.removeprefix("sha256:")}}],
        "predicateType": "urn:consilium:passage:v1",
        "predicate": _passage("statistics").model_dump(mode="json"),
    }
    return statement | changes


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "is not an in-toto statement"),
        (b"[]", "is not an in-toto statement"),
        (b"null", "is not an in-toto statement"),
        (b"[" * 100_000, "is not an in-toto statement"),
        (canonical(_statement(subject=[])), "is not an in-toto statement"),
        (canonical(_statement(subject="x")), "is not an in-toto statement"),
        (canonical(_statement(subject=_statement()["subject"] * 2)), "another type or version"),
        (
            canonical(_statement(subject=[{"name": "statistics", "digest": {"sha256": "0" * 64}}])),
            "for another manifest",
        ),
        (canonical(_statement(_type="https://in-toto.io/Statement/v0.1")), "another type or version"),
        (canonical(_statement(predicateType="urn:consilium:passage:v2")), "another type or version"),
        (json.dumps(_statement()).encode(), "another type or version"),
        (canonical(_statement(predicate={})), "envelope: federation: "),
        (canonical(_statement(predicate=_statement()["predicate"] | {"sequence": 0})), "envelope: sequence: "),
        (canonical(_statement(predicate=_statement()["predicate"] | {"sequence": "1"})), "envelope: sequence: "),
        (canonical(_statement(predicate=_statement()["predicate"] | {"more": 1})), "envelope: more: "),
        (canonical(_statement(predicate=_statement()["predicate"] | {"issued": "now"})), "envelope: issued: "),
    ],
)
def test_other_statements_are_refused(payload: bytes, reason: str) -> None:
    envelope = sign_document(payload, PAYLOAD_TYPE, [ADA])
    with pytest.raises(ContractError, match=reason):
        read_passage(Parcel(envelope, b"x", b""))


def test_a_statement_of_another_payload_type_is_refused() -> None:
    envelope = sign_document(canonical(_statement()), "application/json", [ADA])
    with pytest.raises(ContractError, match="another type or version"):
        read_passage(Parcel(envelope, b"x", b""))


def _digest(number: int) -> str:
    return f"sha256:{number:064x}"


def _next(ledger: Ledger, number: int) -> Passage:
    return _passage("statistics", sequence=ledger.sequence + 1, previous=ledger.last, policy=_digest(number))


@given(st.lists(st.booleans(), max_size=12))
def test_numbers_follow_each_other_whether_taken_or_refused(taken: list[bool]) -> None:
    ledger = Ledger()
    for number, accepted in enumerate(taken, 1):
        passage, name = _next(ledger, number), _digest(number)
        assert check_sequence(ledger, passage, name) == "new"
        ledger = ledger.accepting(passage, name) if accepted else ledger.refusing(passage, name)
    assert ledger.sequence == len(taken)
    assert ledger.last == (_digest(len(taken)) if taken else None)
    assert len(ledger.current) == sum(taken)
    for number, accepted in enumerate(taken, 1):
        if accepted:
            assert check_sequence(ledger, _passage("statistics", sequence=number), _digest(number)) == "same"
        else:
            with pytest.raises(SequenceError, match="was refused before; see the quarantine"):
                check_sequence(ledger, _passage("statistics", sequence=number), _digest(number))


@pytest.mark.parametrize(
    ("sequence", "previous"), [(1, None), (2, _digest(1)), (3, None), (3, _digest(1)), (4, _digest(2)), (9, _digest(2))]
)
def test_out_of_sequence_is_refused(sequence: int, previous: str | None) -> None:
    ledger = Ledger(sequence=2, last=_digest(2), current=frozenset({_digest(1), _digest(2)}))
    passage = _passage("statistics", sequence=sequence, previous=previous)
    with pytest.raises(SequenceError, match=f"is number {sequence}, number 3 is next; send the missing parcels first"):
        check_sequence(ledger, passage, _digest(3))
    assert check_sequence(ledger, _next(ledger, 3), _digest(3)) == "new"


@pytest.mark.parametrize(
    ("state", "reason"),
    [("withdrawn", "was withdrawn and cannot come back"), ("superseded", "was superseded"), ("refused", "was refused")],
)
def test_what_is_gone_does_not_come_back(state: str, reason: str) -> None:
    """Neither under its old number nor, freshly sealed, under the next."""
    ledger = Ledger.model_validate({"sequence": 2, "last": _digest(2), state: frozenset({_digest(1)})})
    for passage in (_passage("statistics"), _next(ledger, 3)):
        with pytest.raises(SequenceError, match=reason):
            check_sequence(ledger, passage, _digest(1))
