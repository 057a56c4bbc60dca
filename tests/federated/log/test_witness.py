from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from federated.errors import ContractError, SignatureError
from federated.log.journal import Journal
from federated.log.notes import COSIGNATURE, ED25519, MAX_NOTE_BYTES, Note, NoteKey, cosigned_at, is_signed
from federated.log.witness import (
    FORK,
    SEEN,
    UNPROVED,
    ForkError,
    OtherSizeError,
    Request,
    Witness,
    cosigners,
    parse_request,
)

ORIGIN, ADA = "consilium/heart", "consilium/heart/ada"
KEY, ADAS, BENS = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2, 3))
LOG = NoteKey(ORIGIN, KEY.public_key().public_bytes_raw(), ED25519)
ADAS_KEY = NoteKey(ADA, ADAS.public_key().public_bytes_raw(), COSIGNATURE)
NOW = 1_700_000_000


def _grown(folder: Path, *words: str) -> Journal:
    journal = Journal(folder, ORIGIN)
    journal.append([word.encode() for word in words], KEY)
    return journal


def _asked(journal: Journal, old: int) -> bytes:
    assert journal.note is not None
    return Request(old, tuple(journal.consistency(old)), journal.note).to_bytes()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return _grown(tmp_path / "log", "one", "two", "three")


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path / "witness", LOG)


def test_the_first_checkpoint_is_taken_and_what_follows_is_proved(journal: Journal, witness: Witness) -> None:
    first = witness.cosign(_asked(journal, 0), ADA, ADAS, NOW)
    assert cosigned_at(first, ADAS_KEY) == NOW
    assert is_signed(first, LOG)
    journal.append([b"four", b"five"], KEY)
    second = witness.cosign(_asked(journal, 3), ADA, ADAS, NOW + 1)
    assert cosigned_at(second, ADAS_KEY) == NOW + 1
    assert witness.size == 5


def test_it_remembers(journal: Journal, witness: Witness, tmp_path: Path) -> None:
    witness.cosign(_asked(journal, 0), ADA, ADAS, NOW)
    again = Witness(tmp_path / "witness", LOG)
    assert (again.size, again.seen) == (3, witness.seen)


def test_the_same_checkpoint_is_signed_again(journal: Journal, witness: Witness) -> None:
    witness.cosign(_asked(journal, 0), ADA, ADAS, NOW)
    assert cosigned_at(witness.cosign(_asked(journal, 3), ADA, ADAS, NOW + 9), ADAS_KEY) == NOW + 9


def test_what_others_signed_does_not_pass_through(journal: Journal, witness: Witness) -> None:
    assert journal.note is not None
    from federated.log.notes import cosign

    journal.cosigned(cosign(journal.note, "consilium/heart/ben", BENS, 1))
    signed = witness.cosign(_asked(journal, 0), ADA, ADAS, NOW)
    assert [line.name for line in signed.lines] == [ORIGIN, ADA]


def test_a_proof_from_another_size_is_told_from_where(journal: Journal, witness: Witness) -> None:
    witness.cosign(_asked(journal, 0), ADA, ADAS, NOW)
    journal.append([b"four"], KEY)
    with pytest.raises(OtherSizeError, match="3 entries") as refused:
        witness.cosign(_asked(journal, 0), ADA, ADAS, NOW)
    assert refused.value.size == 3


def test_an_older_checkpoint_is_not_signed_again(journal: Journal, witness: Witness) -> None:
    older = _asked(journal, 0)
    journal.append([b"four"], KEY)
    witness.cosign(_asked(journal, 0), ADA, ADAS, NOW)
    with pytest.raises(OtherSizeError):
        witness.cosign(older, ADA, ADAS, NOW)


def test_two_histories_of_one_size_are_a_fork_and_are_kept(journal: Journal, witness: Witness, tmp_path: Path) -> None:
    witness.cosign(_asked(journal, 0), ADA, ADAS, NOW)
    seen = (tmp_path / "witness" / SEEN).read_bytes()
    other = _grown(tmp_path / "other", "one", "2", "three")
    with pytest.raises(ForkError, match="two histories of 3 entries"):
        witness.cosign(_asked(other, 3), ADA, ADAS, NOW)
    assert other.note is not None
    assert (tmp_path / "witness" / f"{FORK}-3").read_bytes() == other.note.to_bytes()
    assert (tmp_path / "witness" / SEEN).read_bytes() == seen


def test_a_longer_history_that_does_not_go_on_is_not_signed(journal: Journal, witness: Witness, tmp_path: Path) -> None:
    """An entry was edited, then the log grew."""
    witness.cosign(_asked(journal, 0), ADA, ADAS, NOW)
    other = _grown(tmp_path / "other", "one", "2", "three", "four")
    with pytest.raises(ContractError, match="not shown to go on from the 3 seen"):
        witness.cosign(_asked(other, 3), ADA, ADAS, NOW)
    assert (tmp_path / "witness" / f"{UNPROVED}-4").exists()
    assert witness.size == 3


def test_a_checkpoint_that_the_log_did_not_sign_is_refused(tmp_path: Path, witness: Witness) -> None:
    journal = Journal(tmp_path / "log", ORIGIN)
    journal.append([b"one"], BENS)
    with pytest.raises(SignatureError, match="not signed by 'consilium/heart'"):
        witness.cosign(_asked(journal, 0), ADA, ADAS, NOW)
    assert witness.seen is None


def test_a_checkpoint_of_another_log_is_refused(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "witness", NoteKey("consilium/lung", LOG.public, ED25519))
    with pytest.raises(SignatureError):
        witness.cosign(_asked(_grown(tmp_path / "log", "one"), 0), ADA, ADAS, NOW)


def test_who_signed_is_who_signed(journal: Journal, witness: Witness) -> None:
    ben = NoteKey("consilium/heart/ben", BENS.public_key().public_bytes_raw(), COSIGNATURE)
    note = witness.cosign(_asked(journal, 0), ADA, ADAS, NOW)
    assert cosigners(note, [ADAS_KEY, ben]) == {ADA: NOW}
    stolen = NoteKey(ADA, ben.public, COSIGNATURE)
    assert cosigners(note, [stolen]) == {}, "a line of another key under the same name counts for nothing"


def test_a_request_is_read_as_it_was_written(journal: Journal) -> None:
    data = _asked(journal, 2)
    assert data.startswith(b"old 2\n")
    assert parse_request(data).to_bytes() == data


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "begin with"),
        (b"old 1\n", "begin with"),
        (b"new 1\n\ntext", "begin with"),
        (b"old 01\n\ntext", "begin with"),
        (b"old 99999999999999999999\n\ntext", "begin with"),
        (b"old 1\n????\n\ntext", "no request"),
        (b"old 1\nAAAA\n\ntext", "proof that is none"),
        (b"old 1\n" + b"%s\n" % (b"A" * 43 + b"=") * 64 + b"\ntext", "proof that is none"),
        (b"old 1\n\ntext", "no signatures"),
        (b"old 1\n" + b"A" * 42 + b"B=\n\ntext\n\n\xe2\x80\x94 a AAAAAAA=\n", "not canonical"),
        (b"x" * (2 * MAX_NOTE_BYTES), "at most"),
    ],
)
def test_what_is_no_request_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(ContractError, match=what):
        parse_request(data)


@given(st.binary(max_size=200))
def test_whatever_comes_is_a_request_or_refused(data: bytes) -> None:
    try:
        request = parse_request(b"old 1\n\n" + data)
    except ContractError:
        return
    assert isinstance(request.note, Note)
