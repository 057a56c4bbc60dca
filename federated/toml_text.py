"""TOML from outside as JSON text, which typed models read strictly: whatever the bytes, only a ValueError comes out."""

from __future__ import annotations

import json
import tomllib

MAX_TOML_BYTES = 4 * 2**20
MAX_DOTS = 64  # in a line; the parser's time grows with the square of the parts of a dotted key


def toml_as_json(data: bytes) -> str:
    """The same values as JSON text; a day or a time becomes a string.

    Raises:
        ValueError: too long, not TOML in UTF-8, nested too deeply, or with numbers of absurd length.
    """
    if len(data) > MAX_TOML_BYTES:
        raise ValueError(f"{len(data)} bytes, at most {MAX_TOML_BYTES} are taken")
    text = data.decode()
    if any(line.count(".") > MAX_DOTS for line in text.splitlines()):
        raise ValueError(f"a line has more than {MAX_DOTS} dots")
    try:
        return json.dumps(tomllib.loads(text), default=str)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
