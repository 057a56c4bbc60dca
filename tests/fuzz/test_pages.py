"""What a browser, or something else, sends to a house of pages: whatever it is gets a page, sealed, and no more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from federated.web.exchange import Refused
from federated.web.limits import MAX_VALUE, fields
from tests.federated.web.house import bearer, client, house, mark_of, signed_in, token
from tests.fuzz.mutation import fuzzed

if TYPE_CHECKING:
    from federated.web.gate import Gate

HOSTILE = st.sampled_from(
    (
        *("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//evil.example/", "/thing/..%2f..%2fkeys", "/thing/%00"),
        *("/thing/<script>alert(1)</script>", "/thing/%3Cscript%3E", "/thing/one/../../", "/\\evil", "/style.css/x"),
        *("/thing/" + "x" * 3000, "/thing/{{7*7}}", "/thing/%7B%7B7*7%7D%7D", "/?name=<img src=x onerror=alert(1)>"),
        *(
            "/?name={{house}}",
            "/?name=%ff%fe",
            "/?" + "a=b&" * 500,
            "/?name=" + "x" * 5000,
            "/%F0%9F%92%A5",
            "/login?to=//evil",
        ),
    )
)
PLAIN = st.characters(min_codepoint=32, max_codepoint=126)
PATHS = HOSTILE | st.text(PLAIN, max_size=30).map(lambda text: f"/{text}")
NAMES = (
    "host",
    "origin",
    "referer",
    "cookie",
    "authorization",
    "content-type",
    "content-length",
    "x-forwarded-for",
    "range",
)
HEADERS = st.dictionaries(
    st.sampled_from(NAMES), st.text(st.characters(max_codepoint=255, min_codepoint=32), max_size=40)
)
BODIES = (
    st.binary(max_size=200)
    | st.text(max_size=40).map(lambda text: f"csrf={text}&what=x".encode())
    | st.just(b"a=&" * 300)
)
CODES = {200, 303, 400, 401, 403, 404, 405, 408, 413, 422, 429, 503}


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Gate, TestClient, str]:
    folder = tmp_path_factory.mktemp("house")
    secret = token(folder, "approver")
    made = house(folder)
    made.asked._burst = 1e9
    return made, signed_in(made, secret), secret


def _sealed(answer: object, secret: str) -> None:
    status, headers, text = answer.status_code, answer.headers, answer.text  # type: ignore[attr-defined]
    assert status in CODES, text
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "<script>" not in text
    assert "onerror=alert(1)>" not in text
    assert "49" not in text.partition("<main")[2]
    assert "root:" not in text
    assert "Traceback" not in text
    assert secret not in text
    assert headers.get("location", "/").startswith("/")
    assert not headers.get("location", "/").startswith("//")


@given(path=PATHS, headers=HEADERS, known=st.booleans())
@fuzzed(150)
def test_any_path_and_header(
    gate: tuple[Gate, TestClient, str], path: str, headers: dict[str, str], known: bool
) -> None:
    made, browser, secret = gate
    made.wrong._left.clear()
    asking = browser if known else client(made)
    raw = {name: value.encode("latin-1") for name, value in headers.items() if value.strip() == value}
    _sealed(asking.get("http://localhost:8080" + path.replace("#", ""), headers=raw), secret)  # type: ignore[arg-type]


@given(body=BODIES, headers=HEADERS, place=st.sampled_from(["/login", "/logout", "/approve", "/", "/nowhere"]))
@fuzzed(150)
def test_any_form(gate: tuple[Gate, TestClient, str], body: bytes, headers: dict[str, str], place: str) -> None:
    """Nothing but a form that this house sent is acted on."""
    made, _, secret = gate
    made.wrong._left.clear()
    raw = {name: value.encode("latin-1") for name, value in headers.items() if value.strip() == value}
    raw.setdefault("content-type", b"application/x-www-form-urlencoded")
    raw.pop("content-length", None)
    answer = client(made).post(place, content=body, headers=raw)  # type: ignore[arg-type]
    _sealed(answer, secret)
    assert answer.status_code != 303
    assert "set-cookie" not in answer.headers


@given(to=st.text(max_size=40) | HOSTILE)
@fuzzed(60)
def test_a_form_leads_nowhere_else(gate: tuple[Gate, TestClient, str], to: str) -> None:
    made, browser, secret = gate
    answer = browser.post("/approve", data={"csrf": mark_of(browser), "to": to})
    _sealed(answer, secret)
    assert answer.status_code in {303, 400}
    told = client(made, **bearer(secret)).post("/approve", data={"what": to})
    _sealed(told, secret)


@given(body=st.binary(max_size=80) | st.text("a=&%;+\xe9", max_size=80).map(lambda text: text.encode("latin-1")))
@fuzzed(150)
def test_fields_of_anything(body: bytes) -> None:
    try:
        found = fields(body)
    except Refused:
        return
    assert all(len(value) <= MAX_VALUE and value.encode() is not None for value in found.values())


def test_what_was_sent_is_not_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    caplog.set_level("DEBUG", logger="consilium.web")
    secret = token(tmp_path)
    made = house(tmp_path)
    client(made, **bearer(secret)).get(f"/?token={secret}&name=Maria")
    client(made).post("/login", data={"token": secret})
    client(made, **bearer("consilium_wrong")).get("/")
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpx"))
    assert "GET / 200" in ours
    assert secret not in ours
    assert "Maria" not in ours
    assert "consilium_wrong" not in ours
