"""What is cut off: too many, too long, too slow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.web.exchange import Refused
from federated.web.limits import MAX_BODY, MAX_CLIENTS, MAX_FIELDS, MAX_VALUE, Buckets, fields, read_body


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_so_many_at_once_and_so_many_a_second() -> None:
    clock = Clock()
    buckets = Buckets(3, 0.5, clock)
    assert [buckets.take("ada") for _ in range(4)] == [True, True, True, False]
    assert buckets.take("ben"), "everybody has their own"
    clock.now = 2.0
    assert [buckets.take("ada") for _ in range(2)] == [True, False]
    clock.now = 1000.0
    assert buckets.left("ada") == 3


def test_those_who_ask_are_not_remembered_for_ever() -> None:
    buckets = Buckets(1, 0.0, Clock())
    for number in range(MAX_CLIENTS + 1):
        assert buckets.take(str(number))
    assert buckets.left("0") == 1
    assert buckets.left(str(MAX_CLIENTS)) == 0


def _read(parts: Sequence[bytes], *, length: str | None = None, pause: float = 0.0, gone: bool = False) -> bytes:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": part, "more_body": place + 1 < len(parts)} for place, part in enumerate(parts)
    ]
    if gone:
        messages[-1] = {"type": "http.disconnect"}

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause)
        return messages.pop(0)

    return asyncio.run(read_body(receive, length, seconds=0.2))


def test_a_body_in_parts_is_one() -> None:
    assert _read([b"a=", b"1"]) == b"a=1"


@pytest.mark.parametrize("length", [str(MAX_BODY + 1), "9" * 40, "-1", "many", "²"])
def test_a_body_that_says_it_is_too_long_is_not_read(length: str) -> None:
    with pytest.raises(Refused) as refused:
        _read([], length=length)
    assert refused.value.status == 413


def test_a_body_that_is_too_long_is_cut_off() -> None:
    assert len(_read([bytes(MAX_BODY)])) == MAX_BODY
    with pytest.raises(Refused) as refused:
        _read([bytes(MAX_BODY), b"1", b"2"], length="3")
    assert refused.value.status == 413


def test_a_body_that_comes_too_slowly_is_cut_off() -> None:
    with pytest.raises(Refused) as refused:
        _read([b"a"] * 100, pause=0.05)
    assert refused.value.status == 408


def test_who_goes_is_not_waited_for() -> None:
    with pytest.raises(Refused) as refused:
        _read([b"a", b""], gone=True)
    assert refused.value.status == 400


def test_of_a_field_that_is_said_twice_the_first_counts() -> None:
    assert fields(b"a=1&b=%C3%A9+x&a=2&c=") == {"a": "1", "b": "é x", "c": ""}
    assert fields(b"") == {}


@pytest.mark.parametrize(
    "body",
    [
        b"a=%ff",
        "é=1".encode(),
        b"&".join([b"a=1"] * (MAX_FIELDS + 1)),
        b"a=" + b"x" * (MAX_VALUE + 1),
        b"x" * 101 + b"=1",
    ],
)
def test_what_no_form_holds(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        fields(body)
    assert refused.value.status == 400


@given(st.binary(max_size=300))
def test_any_bytes_are_fields_or_refused(body: bytes) -> None:
    try:
        found = fields(body)
    except Refused:
        return
    assert all(isinstance(value, str) for value in found.values())
