"""Names that a person at the site may read again, and nobody else: keyed digests to find them by, sealed text to show.

File names, folder names and reasons may hold a patient's name. On disk they are there only as HMAC-SHA256 and as
AES-SIV (RFC 5297), which gives equal bytes for equal text, so that taking the same in twice writes the same.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from federated.errors import ConsiliumError

KEY_DIGITS = 32


class Seal:
    """Keys from a site's secret."""

    def __init__(self, secret: bytes) -> None:
        self._finding = hmac.digest(secret, b"names: to find by", "sha256")
        self._sealing = AESSIV(hmac.digest(secret, b"names: to seal with", "sha512"))

    def key(self, *words: str) -> str:
        """32 hexadecimal digits that stand for the words, the same each time and without meaning elsewhere."""
        said = "\0".join(words).encode(errors="surrogateescape")
        return hmac.new(self._finding, said, hashlib.sha256).hexdigest()[:KEY_DIGITS]

    def close(self, text: str) -> bytes:
        """The text, sealed."""
        return self._sealing.encrypt(b"\0" + text.encode(errors="surrogateescape"), None)  # it takes no empty text

    def open(self, data: bytes) -> str:
        """The text again.

        Raises:
            ConsiliumError: it was sealed with another secret, or changed.
        """
        try:
            return self._sealing.decrypt(data, None).removeprefix(b"\0").decode(errors="surrogateescape")
        except InvalidTag as error:
            raise ConsiliumError(
                "was sealed with another secret",
                where="a name in the catalogue",
                cure="restore keys/secret of this home",
            ) from error


def token(secret: bytes, word: str) -> str:
    """64 hexadecimal digits that remain for a pseudonym or digest when its patient is forgotten; one way, by HMAC."""
    return hmac.new(secret, f"forgotten\0{word}".encode(), hashlib.sha256).hexdigest()


def pseudonym(secret: bytes, kind: str, word: str) -> str:
    """64 hexadecimal digits for a patient: HMAC-SHA256 of the id, or of the clip or file that stands for one.

    Args:
        secret: of the site.
        kind: ``patient``, ``clip`` or ``file``: what the word is.
        word: the hospital's own.
    """
    return hmac.new(secret, f"{kind}\0{word}".encode(errors="surrogateescape"), hashlib.sha256).hexdigest()
