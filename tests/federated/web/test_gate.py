"""Nothing is shown to whoever is not known, and every answer bears the same headers."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from federated.web.access import revoke
from federated.web.door import Door
from federated.web.gate import BURST, TRIES, read_cookie
from federated.web.headers import HEADERS
from federated.web.limits import Buckets
from tests.federated.web.house import bearer, client, house, signed_in, token

PATHS = ("/", "/thing/one", "/secret", "/nothing", "/broken", "/access.toml", "/..%2f..%2fetc%2fpasswd", "/logout")


@pytest.mark.parametrize("path", PATHS)
def test_without_a_token_nothing_is_served_nor_told(path: str, tmp_path: Path) -> None:
    token(tmp_path)
    answer = client(house(tmp_path)).get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "hello" not in answer.text


@pytest.mark.parametrize(
    "header", ["Bearer wrong", "Bearer", "Basic YWRhOmFkYQ==", "Bearer é", "", "Bearer " + "x" * 9000]
)
def test_a_wrong_token_is_none(header: str, tmp_path: Path) -> None:
    token(tmp_path)
    answer = client(house(tmp_path)).get("/", headers={b"authorization": header.encode()})
    assert answer.status_code == 401


def test_a_program_shows_its_token(tmp_path: Path) -> None:
    value = token(tmp_path)
    gate = house(tmp_path)
    assert client(gate, **bearer(value)).get("/?name=you").text.count("hello you") == 1
    assert client(gate).get(f"/?token={value}").status_code == 401, "an address is no place for a token"
    revoke(tmp_path / "access.toml", "ada")
    assert client(gate, **bearer(value)).get("/").status_code == 401


def test_a_file_that_cannot_be_read_lets_nobody_in(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    value = token(tmp_path)
    gate = house(tmp_path)
    (tmp_path / "access.toml").chmod(0o644)
    with caplog.at_level(logging.INFO, "consilium.web"):
        answer = client(gate, **bearer(value)).get("/")
    assert answer.status_code == 503
    assert str(tmp_path) not in answer.text
    assert "chmod 600" in caplog.text


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.nip.example",
        "localhost@evil",
        "[::1",
        "[",
        "a]b",
        "x#",
        "?",
    ],
)
def test_another_host_name_is_refused_before_anything_else(host: str, tmp_path: Path) -> None:
    value = token(tmp_path)
    answer = client(house(tmp_path), **bearer(value)).get("/", headers={"host": host})
    assert answer.status_code == 400
    assert "hello" not in answer.text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_not_spoken(method: str, tmp_path: Path) -> None:
    assert client(house(tmp_path), **bearer(token(tmp_path))).request(method, "/").status_code == 405


def test_every_answer_bears_the_headers(tmp_path: Path) -> None:
    gate, value = house(tmp_path), token(tmp_path)
    known, unknown = client(gate, **bearer(value)), client(gate)
    answers = [known.get(path) for path in (*PATHS, "/style.css", "/login", "/file")]
    answers += [unknown.get("/"), unknown.get("/login"), unknown.post("/login", data={"token": "x"})]
    answers += [known.get("/", headers={"host": "evil"}), known.put("/"), known.post("/approve", content=b"x" * 10**6)]
    assert {answer.status_code for answer in answers} >= {200, 400, 401, 403, 404, 405, 500}
    for answer in answers:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert "server" not in answer.headers


def test_who_asks_too_often_waits(tmp_path: Path) -> None:
    gate = house(tmp_path)
    gate.asked = Buckets(3, 0.0)
    browser = client(gate)
    assert [browser.get("/style.css").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert BURST >= 100, "a person who clicks fast is not stopped"


def test_one_token_from_many_places_waits_too(tmp_path: Path) -> None:
    gate, value = house(tmp_path), token(tmp_path)
    gate.asked = Buckets(4, 0.0)
    gate.asked.take("ada:" + "0")
    statuses = [client(gate, **bearer(value)).get("/").status_code for _ in range(3)]
    assert statuses == [200, 200, 200]
    assert client(gate, **bearer(value)).get("/").status_code == 200
    assert client(gate, **bearer(value)).get("/").status_code == 429


def test_who_guesses_tokens_is_stopped(tmp_path: Path) -> None:
    gate, value = house(tmp_path), token(tmp_path)
    tried = [client(gate, **bearer(f"guess{n}")).get("/").status_code for n in range(int(TRIES) + 1)]
    assert tried == [401] * int(TRIES) + [429]
    assert client(gate, **bearer(value)).get("/").status_code == 200, "nobody locks others out who share an address"


def test_the_log_holds_no_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    value, gate = token(tmp_path), house(tmp_path)
    with caplog.at_level(logging.DEBUG, "consilium.web"):
        browser = signed_in(gate, value)
        browser.get("/thing/one?name=quiet")
        client(gate, **bearer(value)).get("/a%0Afake line")
        client(gate, **bearer("wrong-token")).get("/")
    assert "ada GET /thing/one 200" in caplog.text
    secrets = (value, "quiet", "wrong-token", *browser.cookies.values())
    assert not [secret for secret in secrets if secret in caplog.text]
    assert "\nfake" not in caplog.text
    assert "/a\\nfake line" in caplog.text


def test_on_this_machine_by_choice_everybody_reads_and_nobody_writes(tmp_path: Path) -> None:
    gate = house(tmp_path, loopback=True)
    assert client(gate).get("/").status_code == 200
    assert client(gate).get("/secret").status_code == 403
    assert client(gate).post("/approve").status_code == 403
    assert "viewer" in client(gate).get("/").text


def test_browsers_are_told_to_stay_with_tls(tmp_path: Path) -> None:
    gate = house(tmp_path, door=Door(names=("audit.example",)))
    answer = client(gate).get("/login", headers={"host": "audit.example"})
    assert "max-age" in answer.headers["strict-transport-security"]


@pytest.mark.parametrize("cookie", ["", "other=1", "name", "name=é", "name=" + "x" * 300, ";;;", "name=\x00"])
def test_what_is_no_cookie_of_ours(cookie: str) -> None:
    from starlette.datastructures import Headers

    assert read_cookie(Headers(raw=[(b"cookie", cookie.encode())]), "name") is None


@pytest.mark.parametrize("name", ["Forwarded", "Via", "X-Forwarded-For", "X-Real-IP"])
def test_who_comes_through_a_proxy_is_not_this_machine(name: str, tmp_path: Path) -> None:
    gate = house(tmp_path, loopback=True)
    assert client(gate).get("/").status_code == 200
    assert client(gate).get("/", headers={name: "192.0.2.7"}).status_code == 401
