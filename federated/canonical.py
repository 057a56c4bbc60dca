"""Canonical JSON (RFC 8785) and digests."""

from __future__ import annotations

import hashlib
from json.encoder import encode_basestring as quoted
from typing import Any

import rfc8785

LARGEST = 2**53 - 1  # whole number that JSON holds exactly
WORDS = {None: "null", True: "true", False: "false"}


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value.

    Raises:
        ValueError: JSON has no such value, or would not hold it exactly.
    """
    try:
        return _text(value).encode()
    except UnicodeEncodeError as error:
        raise rfc8785.CanonicalizationError("text holds half of a character") from error


def _text(value: Any) -> str:
    """Most of what there is to write is text and objects; numbers with a point, and what is refused, the library's."""
    kind = type(value)
    if kind is str:
        return quoted(value)
    if kind is dict:
        return "{" + ",".join([f"{quoted(name)}:{_text(value[name])}" for name in _in_order(value)]) + "}"
    if kind is list or kind is tuple:
        return "[" + ",".join(map(_text, value)) + "]"
    if value is None or kind is bool:
        return WORDS[value]
    if kind is int and -LARGEST <= value <= LARGEST:
        return str(value)
    return rfc8785.dumps(value).decode()


def _in_order(names: dict[str, Any]) -> list[str]:
    """By UTF-16 code units (section 3.2.3), which is the order of ASCII as it stands."""
    try:
        plain = "".join(names).isascii()
    except TypeError as error:
        raise rfc8785.CanonicalizationError("object keys must be strings") from error
    return sorted(names) if plain else sorted(names, key=lambda name: name.encode("utf-16be"))


def digest(data: bytes) -> str:
    """``sha256:`` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()
