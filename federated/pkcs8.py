"""Private keys in files that a passphrase opens: encrypted PKCS#8 in PEM (RFC 5958, 8018), as openssl writes and reads.

The library writes such files with 2,048 rounds of PBKDF2, which who steals one repeats millions of times a second. Here
scrypt (RFC 7914) stands in that place, with as much memory as openssl takes without being told otherwise.
"""

from __future__ import annotations

import base64
import secrets
import textwrap
import unicodedata

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7

SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**14, 8, 5  # 16 MiB and a tenth of a second a guess
SALT_BYTES, BLOCK_BYTES, KEY_BYTES = 16, 16, 32
BEGIN, END = "-----BEGIN ENCRYPTED PRIVATE KEY-----", "-----END ENCRYPTED PRIVATE KEY-----"
INTEGER, OCTETS, IDENTIFIER, SEQUENCE = 0x02, 0x04, 0x06, 0x30  # tags of DER
PBES2 = bytes.fromhex("2a864886f70d01050d")  # 1.2.840.113549.1.5.13
SCRYPT = bytes.fromhex("2b06010401da47040b")  # 1.3.6.1.4.1.11591.4.11
AES_256_CBC = bytes.fromhex("60864801650304012a")  # 2.16.840.1.101.3.4.1.42


def plain_pem(key: Ed25519PrivateKey) -> bytes:
    """The key as whoever reads the file can use it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def encrypted_pem(key: Ed25519PrivateKey, passphrase: str) -> bytes:
    """The key as only the passphrase opens it."""
    salt, start = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(BLOCK_BYTES)
    plain = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    sealed = _sealed(plain, _derived(passphrase, salt), start)
    cost = (_number(SCRYPT_N), _number(SCRYPT_R), _number(SCRYPT_P), _number(KEY_BYTES))
    derivation = _der(SEQUENCE, _der(IDENTIFIER, SCRYPT), _der(SEQUENCE, _der(OCTETS, salt), *cost))
    cipher = _der(SEQUENCE, _der(IDENTIFIER, AES_256_CBC), _der(OCTETS, start))
    scheme = _der(SEQUENCE, _der(IDENTIFIER, PBES2), _der(SEQUENCE, derivation, cipher))
    text = base64.b64encode(_der(SEQUENCE, scheme, _der(OCTETS, sealed))).decode()
    return "\n".join([BEGIN, *textwrap.wrap(text, 64), END, ""]).encode()


def is_encrypted(pem: bytes) -> bool:
    """Whether a file of a private key needs a passphrase."""
    return BEGIN.encode() in pem


def passphrase_bytes(passphrase: str) -> bytes:
    """As it goes into the derivation: in one form, however the keyboard composes its letters (NFC)."""
    return unicodedata.normalize("NFC", passphrase).encode()


def _derived(passphrase: str, salt: bytes) -> bytes:
    derivation = Scrypt(salt=salt, length=KEY_BYTES, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P)
    return derivation.derive(passphrase_bytes(passphrase))


def _sealed(plain: bytes, key: bytes, start: bytes) -> bytes:
    padder, encryptor = PKCS7(8 * BLOCK_BYTES).padder(), Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
    return encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()


def _der(tag: int, *parts: bytes) -> bytes:
    """One value of DER, with at most 255 bytes in it."""
    body = b"".join(parts)
    length = bytes([len(body)]) if len(body) < 0x80 else bytes([0x81, len(body)])
    return bytes([tag]) + length + body


def _number(value: int) -> bytes:
    return _der(INTEGER, value.to_bytes(value.bit_length() // 8 + 1))
