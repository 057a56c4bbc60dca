from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.toml_text import MAX_DOTS, MAX_TOML_BYTES, toml_as_json


def test_values_are_the_same_and_days_are_strings() -> None:
    found = json.loads(toml_as_json(b'name = "ada"\nuntil = 2026-12-31\n[[parties]]\nrevoked = true\nnumber = 3\n'))
    assert found == {"name": "ada", "until": "2026-12-31", "parties": [{"revoked": True, "number": 3}]}


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"x = " + b"[" * 5000, "nested too deeply"),
        (b"x = " + b"{a=" * 3000, "nested too deeply"),
        (b"x = " + b"1" * 5000, "4300 digits"),
        (b"x = 0x" + b"f" * 200_000, "4300 digits"),
        (b"a." * 20_000 + b"b = 1", f"more than {MAX_DOTS} dots"),
        (b"\xff\xfe", "can't decode"),
        (b"#" * (MAX_TOML_BYTES + 1), "at most"),
        (b"x = 2026-02-31", "."),
    ],
)
def test_what_is_made_to_break_the_parser_is_a_value_error_and_soon(data: bytes, what: str) -> None:
    begin = time.monotonic()
    with pytest.raises(ValueError, match=what):
        toml_as_json(data)
    assert time.monotonic() - begin < 5


@given(st.binary(max_size=60) | st.text('[]{}=."\n#a1-:T', max_size=60).map(str.encode))
def test_whatever_comes_is_json_or_a_value_error(data: bytes) -> None:
    try:
        text = toml_as_json(data)
    except ValueError:
        return
    assert isinstance(json.loads(text), dict)
