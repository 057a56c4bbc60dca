"""A file that only a passphrase opens: scrypt (RFC 7914) makes the key, AES-256-GCM seals the file piece by piece.

The nonce of a piece holds its number and whether it is the last (STREAM; Hoang, Reyhanitabar, Rogaway and Vizár, 2015),
so that pieces cannot be changed, swapped, dropped or cut off unseen, and none is used before it is proven.
"""

from __future__ import annotations

import secrets
import unicodedata
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from federated.errors import ConsiliumError

MAGIC = b"consilium encrypted 1\n"
SALT_BYTES, PREFIX_BYTES, KEY_BYTES, TAG_BYTES = 16, 7, 32, 16
PIECE_BYTES = 2**20
SCRYPT = {"n": 2**17, "r": 8, "p": 1}  # 128 MiB and a good part of a second a guess
SHORTEST = 12  # letters of a passphrase


class EncryptedWriter:
    """Takes bytes, and writes them encrypted; without `finish` the file is never accepted.

    Raises:
        ConsiliumError: the passphrase is too short.
    """

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        if len(passphrase) < SHORTEST:
            raise ConsiliumError(
                f"has {len(passphrase)} letters", where="the passphrase", cure=f"choose one of at least {SHORTEST}"
            )
        salt, prefix = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(PREFIX_BYTES)
        self._file, self._pieces = file, _Pieces(passphrase, salt, prefix)
        self._waiting = bytearray()
        file.write(MAGIC + salt + prefix)

    def write(self, data: bytes) -> int:
        """All of the data."""
        self._waiting += data
        while len(self._waiting) > PIECE_BYTES:
            self._file.write(self._pieces.seal(bytes(self._waiting[:PIECE_BYTES]), last=False))
            del self._waiting[:PIECE_BYTES]
        return len(data)

    def finish(self) -> None:
        """The last piece."""
        self._file.write(self._pieces.seal(bytes(self._waiting), last=True))
        self._waiting.clear()


class EncryptedReader:
    """Reads what an `EncryptedWriter` wrote, after `MAGIC`.

    Raises:
        ConsiliumError: when reading: the passphrase is another, or the file is damaged.
    """

    def __init__(self, file: BinaryIO, passphrase: str, where: str) -> None:
        self._file, self._where = file, where
        start, self._following = file.read(SALT_BYTES + PREFIX_BYTES), self._next()
        if len(self._following) < TAG_BYTES:
            raise ConsiliumError("is cut short", where=where)
        self._pieces = _Pieces(passphrase, start[:SALT_BYTES], start[SALT_BYTES:])
        self._ready = bytearray()

    def read(self, size: int) -> bytes:
        """Up to so many bytes; fewer only at the end."""
        while len(self._ready) < size and self._following:
            piece, self._following = self._following, self._next()
            self._ready += self._opened(piece)
        data = bytes(self._ready[:size])
        del self._ready[:size]
        return data

    def _next(self) -> bytes:
        return self._file.read(PIECE_BYTES + TAG_BYTES)

    def _opened(self, piece: bytes) -> bytes:
        first = self._pieces.number == 0
        try:
            return self._pieces.open(piece, last=not self._following)
        except InvalidTag as error:
            what = "the passphrase is another, or the file is damaged" if first else "is damaged or cut short"
            raise ConsiliumError(what, where=self._where) from error


class _Pieces:
    """The cipher, and the number of the next piece."""

    def __init__(self, passphrase: str, salt: bytes, prefix: bytes) -> None:
        words = unicodedata.normalize("NFC", passphrase).encode()
        self._cipher = AESGCM(Scrypt(salt=salt, length=KEY_BYTES, **SCRYPT).derive(words))
        self._prefix, self.number = prefix, 0

    def seal(self, data: bytes, *, last: bool) -> bytes:
        return self._cipher.encrypt(self._nonce(last), data, MAGIC)

    def open(self, data: bytes, *, last: bool) -> bytes:
        return self._cipher.decrypt(self._nonce(last), data, MAGIC)

    def _nonce(self, last: bool) -> bytes:
        nonce = self._prefix + self.number.to_bytes(4) + bytes([last])
        self.number += 1
        return nonce
