"""What may be done to sound bytes before they come: bytes changed, JSON values swapped, doubled, nested or made huge.

`CONSILIUM_FUZZ=50` runs every test of this folder with fifty times as many examples, which are other ones each time.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar

import rfc8785
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from federated.errors import LONGEST_LINE, ConsiliumError

FACTOR = int(os.environ.get("CONSILIUM_FUZZ", "1"))
SECONDS = 5.0  # for one thing, on a machine that others use too
HEAD = 300  # bytes in which most lengths and headers lie
DEEP = 3000
Parsed = TypeVar("Parsed")


class Samples(dict[str, Any]):
    """Sound samples by kind, which a failing test does not print."""

    def __repr__(self) -> str:
        return "Samples()"


def fuzzed(examples: int) -> settings:
    """So many examples, the same ones each time; more and others where a person asks for a long run."""
    return settings(
        max_examples=examples * FACTOR,
        deadline=None,
        derandomize=FACTOR == 1,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def survived(parse: Callable[[], Parsed]) -> Parsed | None:
    """What reading gave, or None where it was refused: in time, with one line for a person, and with nothing else."""
    begin = time.monotonic()
    try:
        return parse()
    except ConsiliumError as error:
        line = str(error)
        assert line
        assert line.isprintable()
        assert len(line) <= LONGEST_LINE
        return None
    finally:
        assert time.monotonic() - begin < SECONDS


@dataclass(frozen=True)
class Change:
    """Bytes at a place, taken out, put in or written over."""

    place: float
    near: bool
    data: bytes
    removed: int

    def of(self, content: bytes) -> bytes:
        place = int(self.place * (min(HEAD, len(content)) if self.near else len(content)))
        return content[:place] + self.data + content[place + self.removed :]


CHANGES = st.lists(
    st.builds(
        Change,
        place=st.floats(0, 1),
        near=st.booleans(),
        data=st.one_of(
            st.binary(max_size=8),
            st.sampled_from([b"\xff" * 8, b"\0" * 8, b"\n\n", b"\x7f" + b"\xff" * 7, b"1e999", b'"', b"\xed\xa0\x80"]),
        ),
        removed=st.integers(0, 8),
    ),
    min_size=1,
    max_size=4,
)


def changed(content: bytes, changes: list[Change]) -> bytes:
    """All changes, one after another."""
    for change in changes:
        content = change.of(content)
    return content


@dataclass(frozen=True)
class Raw:
    """JSON text as it stands, whatever it is."""

    text: str


@dataclass(frozen=True)
class Twice:
    """A key that comes twice, with two values."""

    first: Any
    second: Any


HOSTILE = (
    "null", "true", "false", "0", "-0", "-1", "1.0", "1e2", "0.1", "1e400", "NaN", "-Infinity", "9007199254740993",
    "18446744073709551616", "1" * 400, "1" * 5000, '""', '"a"', '"\\u0000"', '"\\ud800"', '"\\udfff\\ud800"',
    '"\u2028"', '"\x1b[31m"', '"../../etc/passwd"', '"sha256:' + "0" * 64 + '"', '"sha256:' + "0" * 64 + '\\n"',
    '"' + "x" * 5000 + '"', "[]", "{}", "[[]]", "[null]", '{"":{}}', "[" * DEEP + "]" * DEEP,
    '{"a":' * DEEP + "1" + "}" * DEEP, "[" * DEEP, "[" + "0," * 3000 + "0]", '"<script>alert(1)</script>"',
    '"\'; DROP TABLE parcels; --"', "", "01", "+1", "{", "'a'",
)  # fmt: skip


@dataclass(frozen=True)
class Edit:
    """One value of a JSON document: replaced, dropped, doubled, moved to another place, or joined by an unknown one."""

    place: float
    other: float
    how: str
    token: str

    def of(self, document: Any) -> Any:
        document = deepcopy(document)
        places = [place for place in _places(document) if isinstance(place[0], dict | list)]
        if not places:
            return Raw(self.token)
        holder, key = places[min(int(self.place * len(places)), len(places) - 1)]
        source, name = places[min(int(self.other * len(places)), len(places) - 1)]
        if self.how == "drop":
            del holder[key]
        elif self.how == "twice" and isinstance(holder, dict):
            holder[key] = Twice(holder[key], Raw(self.token))
        elif self.how == "move":
            holder[key] = deepcopy(source[name])
        elif self.how == "more" and isinstance(holder, dict):
            holder["more" if self.place < 0.9 else "Maria Schmidt"] = Raw(self.token)
        elif self.how == "grow" and isinstance(holder, list):
            holder.extend([holder[key]] * 300)
        else:
            holder[key] = Raw(self.token)
        return document


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every holder and key of a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from _places(item)


EDITS = st.lists(
    st.builds(
        Edit,
        place=st.floats(0, 1),
        other=st.floats(0, 1),
        how=st.sampled_from(["replace", "replace", "replace", "drop", "twice", "move", "more", "grow"]),
        token=st.one_of(st.sampled_from(HOSTILE), st.text(max_size=6).map(json.dumps), st.integers().map(str)),
    ),
    min_size=1,
    max_size=3,
)


def edited(document: Any, edits: list[Edit]) -> bytes:
    """The document's JSON after all edits, as canonical as they leave it."""
    for edit in edits:
        document = edit.of(document) if not isinstance(document, Raw) else document
    return encode(document).encode(errors="surrogatepass")


def encode(value: Any) -> str:
    """Sorted keys and no spaces, as RFC 8785 has it, for what that knows."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, Twice):
        return encode(value.first)
    if isinstance(value, dict):
        return "{" + ",".join(_pair(key, value[key]) for key in sorted(value, key=str)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(encode(each) for each in value) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)
    return rfc8785.dumps(value).decode()


def _pair(key: str, value: Any) -> str:
    name = json.dumps(key, ensure_ascii=False)
    if isinstance(value, Twice):
        return f"{name}:{encode(value.first)},{name}:{encode(value.second)}"
    return f"{name}:{encode(value)}"
