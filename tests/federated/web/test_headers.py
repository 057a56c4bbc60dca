"""Headers: for whom a request asks, and where a form was sent from."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from federated.web.headers import comes_from_here, host_is, raw

HOSTS = frozenset({"127.0.0.1", "localhost", "::1", "audit.example"})


@pytest.mark.parametrize("value", ["127.0.0.1", "localhost:8080", "LOCALHOST", "[::1]:80", "audit.example:443"])
def test_our_names(value: str) -> None:
    assert host_is(value, HOSTS)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "evil.example",
        "localhost.evil.example",
        "evil.example@localhost",
        "localhost/evil",
        "localhost#",
        "localhost, evil",
        "[::1",
        "x" * 300,
        "0.0.0.0",
        "localhost ",
    ],
)
def test_names_of_others(value: str | None) -> None:
    assert not host_is(value, HOSTS)


@pytest.mark.parametrize(
    ("said", "here"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "http://localhost:8080"}, True),
        ({"origin": "http://localhost:9090"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
    ],
)
def test_where_a_form_comes_from(said: dict[str, str], here: bool) -> None:
    assert comes_from_here(Headers({"host": "localhost:8080", **said})) is here


def test_browsers_stay_with_tls_where_it_is_spoken() -> None:
    names = [dict(raw(secure=secure)).keys() for secure in (False, True)]
    assert names[1] - names[0] == {b"strict-transport-security"}
    assert b"content-security-policy" in names[0]
