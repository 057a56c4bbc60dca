"""What a passphrase opens comes out as it went in; anything changed, swapped or cut off does not."""

from __future__ import annotations

import io

import pytest
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from federated.errors import ConsiliumError
from site_agent.backup import encrypted_file
from site_agent.backup.encrypted_file import MAGIC, PIECE_BYTES, SCRYPT, TAG_BYTES, EncryptedReader, EncryptedWriter

PASSPHRASE = "correct horse battery"
START = len(MAGIC) + 16 + 7
SEALED = PIECE_BYTES + TAG_BYTES


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCRYPT, "n", 2)


def _sealed(data: bytes) -> bytes:
    file = io.BytesIO()
    writer = EncryptedWriter(file, PASSPHRASE)
    writer.write(data)
    writer.finish()
    return file.getvalue()


def _opened(sealed: bytes, passphrase: str = PASSPHRASE) -> bytes:
    assert sealed.startswith(MAGIC)
    reader = EncryptedReader(io.BytesIO(sealed[len(MAGIC) :]), passphrase, "a file")
    return b"".join(iter(lambda: reader.read(300_000), b""))


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES])
def test_it_comes_out_as_it_went_in(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    sealed = _sealed(data)
    assert _opened(sealed) == data
    pieces = max(1, -(-size // PIECE_BYTES))
    assert len(sealed) == START + size + pieces * TAG_BYTES


def test_nothing_of_it_can_be_read() -> None:
    secret = b"Mueller^Anna"
    first, second = _sealed(secret * 1000), _sealed(secret * 1000)
    assert secret not in first
    assert first[START:] != second[START:]


@pytest.mark.parametrize("place", [len(MAGIC), START - 1, START, START + SEALED, -1])
def test_a_changed_bit_is_found(place: int) -> None:
    sealed = bytearray(_sealed(b"x" * (PIECE_BYTES + 9)))
    sealed[place] ^= 1
    with pytest.raises(ConsiliumError, match=r"^a file: .*damaged"):
        _opened(bytes(sealed))


def test_pieces_cannot_be_swapped_dropped_or_cut_off() -> None:
    sealed = _sealed(b"".join(bytes([value]) * PIECE_BYTES for value in (1, 2, 3)))
    start, one, two, three = sealed[:START], *(sealed[START + SEALED * place :][:SEALED] for place in range(3))
    assert start + one + two + three == sealed
    for forged in (two + one + three, one + three, one + two, one, one + two + three + three, one[:-1]):
        with pytest.raises(ConsiliumError, match="damaged"):
            _opened(start + forged)
    for end in (START - 3, START, START + TAG_BYTES - 1):
        with pytest.raises(ConsiliumError, match="cut short"):
            _opened(sealed[:end])


def test_another_passphrase_opens_nothing() -> None:
    with pytest.raises(ConsiliumError, match="the passphrase is another"):
        _opened(_sealed(b"x"), "correct horse batterz")


def test_a_letter_may_be_composed_in_two_ways() -> None:
    file = io.BytesIO()
    writer = EncryptedWriter(file, "gr\u00fcne Wiese 12")
    writer.finish()
    assert _opened(file.getvalue(), "gru\u0308ne Wiese 12") == b""


def test_a_short_passphrase_is_refused() -> None:
    with pytest.raises(ConsiliumError, match="has 5 letters; choose one of at least 12"):
        EncryptedWriter(io.BytesIO(), "short")


def test_a_guess_is_dear(monkeypatch: pytest.MonkeyPatch) -> None:
    """What RFC 7914 says of scrypt's memory: 128 N r bytes."""
    monkeypatch.undo()
    assert encrypted_file.SCRYPT == {"n": 2**17, "r": 8, "p": 1}
    assert 128 * SCRYPT["n"] * SCRYPT["r"] == 128 * 2**20


def test_the_key_is_that_of_the_rfc() -> None:
    """RFC 7914, 12: P="password", S="NaCl", N=1024, r=8, p=16."""
    key = Scrypt(salt=b"NaCl", length=64, n=1024, r=8, p=16).derive(b"password")
    assert key.hex().startswith("fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162")
