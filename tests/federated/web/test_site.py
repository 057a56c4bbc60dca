"""Pages of a house: roles, forms and their marks, what goes wrong is said in a line and shows nothing inside."""

from __future__ import annotations

from pathlib import Path

import pytest

from federated.web.access import Access, revoke
from federated.web.door import Door
from federated.web.exchange import Route
from federated.web.gate import TRIES
from federated.web.limits import MAX_BODY
from federated.web.site import site
from tests.federated.web.house import ROLES, bearer, client, house, mark_of, signed_in, token

FORM = {"content-type": "application/x-www-form-urlencoded"}


def test_the_wrong_role_is_refused(tmp_path: Path) -> None:
    gate, viewer, approver = house(tmp_path), token(tmp_path), token(tmp_path, "approver", "ben")
    assert client(gate, **bearer(viewer)).get("/secret").status_code == 403
    assert client(gate, **bearer(viewer)).post("/approve", data={"a": "1"}).status_code == 403
    assert client(gate, **bearer(approver)).get("/secret").status_code == 200
    assert client(gate, **bearer(approver)).post("/approve", data={"a": "1"}).status_code == 303


def test_a_role_that_nobody_can_have_is_a_mistake(tmp_path: Path) -> None:
    route = Route("/", "emperor", lambda _: pytest.fail("never asked"))
    with pytest.raises(ValueError, match="no such role: emperor"):
        site("house", [route], Access(tmp_path / "access.toml", ROLES), door=Door())


def test_signing_in_gives_a_cookie_that_no_page_reads(tmp_path: Path) -> None:
    gate, value = house(tmp_path), token(tmp_path)
    answer = client(gate).post("/login", data={"token": f" {value} ", "to": "/thing/one"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/thing/one")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert "secure" not in cookie, "on this machine browsers come by http"
    assert value.lower() not in cookie


def test_behind_tls_the_cookie_travels_by_tls_only(tmp_path: Path) -> None:
    gate, value = house(tmp_path, door=Door(names=("audit.example",))), token(tmp_path)
    answer = client(gate).post("/login", data={"token": value}, headers={"host": "audit.example"})
    assert "; secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize(
    "to", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1", "/\r\nx:1"]
)
def test_signing_in_leads_nowhere_else(to: str, tmp_path: Path) -> None:
    gate, value = house(tmp_path), token(tmp_path)
    assert client(gate).post("/login", data={"token": value, "to": to}).headers["location"] == "/"
    moved = client(gate, **bearer(token(tmp_path, "approver", "ben"))).post("/approve", data={"to": to})
    assert moved.headers["location"] == "/"


def test_a_wrong_token_is_asked_for_again_and_not_for_ever(tmp_path: Path) -> None:
    gate, value = house(tmp_path), token(tmp_path)
    answer = client(gate).post("/login", data={"token": "<b>", "to": "/thing/one"})
    assert answer.status_code == 401
    assert 'value="/thing/one"' in answer.text
    assert 'role="alert"' in answer.text
    found = [client(gate).post("/login", data={"token": "guess"}).status_code for _ in range(int(TRIES))]
    assert found == [401] * (int(TRIES) - 1) + [429]
    assert client(gate).post("/login", data={"token": value}).status_code == 303


def test_signing_out_ends_the_session_for_whoever_kept_the_cookie(tmp_path: Path) -> None:
    gate, value = house(tmp_path), token(tmp_path)
    browser = signed_in(gate, value)
    kept = dict(browser.cookies)
    assert browser.post("/logout", data={"csrf": "forged"}).status_code == 403
    assert browser.post("/logout", data={"csrf": mark_of(browser)}).headers["location"] == "/login"
    thief = client(gate)
    thief.cookies.update(kept)
    assert thief.get("/").status_code == 401


def test_signing_in_anew_ends_the_old_session(tmp_path: Path) -> None:
    gate, value = house(tmp_path), token(tmp_path)
    browser = signed_in(gate, value)
    old = dict(browser.cookies)
    browser.post("/login", data={"token": value})
    thief = client(gate)
    thief.cookies.update(old)
    assert thief.get("/").status_code == 401
    assert browser.get("/").status_code == 200


def test_a_session_ends_with_its_token(tmp_path: Path) -> None:
    browser = signed_in(house(tmp_path), token(tmp_path))
    assert browser.get("/").status_code == 200
    revoke(tmp_path / "access.toml", "ada")
    assert browser.get("/").status_code == 401


@pytest.mark.parametrize("mark", [None, "", "forged", "é"])
def test_a_form_without_its_mark_is_refused(mark: str | None, tmp_path: Path) -> None:
    browser = signed_in(house(tmp_path), token(tmp_path, "approver"))
    data = {"x": "1"} if mark is None else {"csrf": mark}
    assert browser.post("/approve", data=data).status_code == 403


def test_a_mark_counts_for_its_own_session_only(tmp_path: Path) -> None:
    gate, value = house(tmp_path), token(tmp_path, "approver")
    one, other = signed_in(gate, value), signed_in(gate, value)
    assert one.post("/approve", data={"csrf": mark_of(other)}).status_code == 403
    assert one.post("/approve", data={"csrf": mark_of(one)}).status_code == 303


@pytest.mark.parametrize("said", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}])
def test_a_form_of_another_site_is_refused_even_with_a_mark(said: dict[str, str], tmp_path: Path) -> None:
    gate, value = house(tmp_path), token(tmp_path, "approver")
    browser = signed_in(gate, value)
    assert browser.post("/approve", data={"csrf": mark_of(browser)}, headers=said).status_code == 403
    assert client(gate).post("/login", data={"token": value}, headers=said).status_code == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "multipart/form-data; boundary=x", ""])
def test_what_is_no_form_is_not_read(kind: str, tmp_path: Path) -> None:
    caller = client(house(tmp_path), **bearer(token(tmp_path, "approver")))
    assert caller.post("/approve", content=b"a=1", headers={"content-type": kind}).status_code == 400


def test_too_much_is_not_read(tmp_path: Path) -> None:
    caller = client(house(tmp_path), **bearer(token(tmp_path, "approver")))
    answer = caller.post("/approve", content=b"a=" + b"x" * MAX_BODY, headers=FORM)
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "path", ["/thing/..%2f..%2faccess.toml", "/thing/../../access.toml", "/thing/%00", "/thing/one/"]
)
def test_there_is_no_way_to_files(path: str, tmp_path: Path) -> None:
    answer = client(house(tmp_path), **bearer(token(tmp_path))).get(path)
    assert answer.status_code == 404
    assert "people" not in answer.text


def test_markup_from_an_address_is_shown_as_text(tmp_path: Path) -> None:
    answer = client(house(tmp_path), **bearer(token(tmp_path))).get("/?name=<script>alert(1)</script>")
    assert "hello &lt;script&gt;" in answer.text
    assert "<script" not in answer.text


def test_an_address_that_is_too_long_or_no_text(tmp_path: Path) -> None:
    caller = client(house(tmp_path), **bearer(token(tmp_path)))
    assert caller.get("/?name=" + "x" * 5000).status_code == 400
    assert caller.get("/?name=%ff").status_code == 400


def test_a_mistake_is_said_in_one_line(tmp_path: Path) -> None:
    caller = client(house(tmp_path), **bearer(token(tmp_path, "approver")))
    answer = caller.post("/approve", data={"what": "wrong"})
    assert answer.status_code == 400
    assert "&lt;draft&gt;: is not there; look again" in answer.text


def test_a_fault_of_ours_shows_nothing_inside(tmp_path: Path) -> None:
    answer = client(house(tmp_path), **bearer(token(tmp_path))).get("/broken")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "its log tells where" in answer.text


def test_a_file_is_kept_under_a_plain_name(tmp_path: Path) -> None:
    answer = client(house(tmp_path), **bearer(token(tmp_path))).get("/file")
    assert answer.content == b"a,b\n"
    assert answer.headers["content-disposition"] == 'attachment; filename="table.csv"'


def test_what_is_not_there_and_what_is_asked_for_wrongly(tmp_path: Path) -> None:
    caller = client(house(tmp_path), **bearer(token(tmp_path)))
    assert caller.get("/nothing").status_code == 404
    assert caller.get("/thing/two").status_code == 404
    assert caller.get("/approve").status_code == 405
    assert caller.post("/").status_code == 405


def test_who_only_reads_is_told_where_they_are(tmp_path: Path) -> None:
    shown = client(house(tmp_path), **bearer(token(tmp_path))).get("/").text
    assert "A &lt;house&gt;" in shown
    assert "ada · viewer" in shown
    assert '<a href="/" aria-current="page">First</a>' in shown
