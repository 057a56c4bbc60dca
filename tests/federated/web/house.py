"""A small house to knock at."""

from __future__ import annotations

from pathlib import Path

from starlette.testclient import TestClient

from federated.errors import ConsiliumError
from federated.web.access import Access, add_token
from federated.web.door import Door
from federated.web.exchange import Answer, Attachment, Missing, Moved, Rendered, Route, Seen
from federated.web.gate import Gate
from federated.web.site import site

ROLES = ("viewer", "approver")
HOME = "http://localhost:8080"


def _first(seen: Seen) -> Answer:
    return Rendered("message.html", {"heading": "First", "said": f"hello {seen.query.get('name', '')}"})


def _thing(seen: Seen) -> Answer:
    if seen.path["name"] != "one":
        raise Missing("There is no such thing.")
    return Rendered("message.html", {"heading": "Thing", "said": seen.path["name"]})


def _approve(seen: Seen) -> Answer:
    if seen.form.get("what") == "wrong":
        raise ConsiliumError("is not there", where="<draft>", cure="look again")
    return Moved(seen.form.get("to", "/"))


def _broken(_: Seen) -> Answer:
    raise RuntimeError("a secret inside")


def _file(_: Seen) -> Answer:
    return Attachment(b"a,b\n", "text/csv", 'ta"ble\r\n.csv')


ROUTES = (
    Route("/", "viewer", _first),
    Route("/thing/{name}", "viewer", _thing),
    Route("/approve", "approver", _approve, ("POST",)),
    Route("/secret", "approver", _first),
    Route("/broken", "viewer", _broken),
    Route("/file", "viewer", _file),
)


def house(folder: Path, *, loopback: bool = False, door: Door | None = None) -> Gate:
    """Its pages."""
    access = Access(folder / "access.toml", ROLES, loopback=loopback)
    return site("A <house>", ROUTES, access, door=door or Door(), nav=[("/", "First")])


def token(folder: Path, role: str = "viewer", name: str = "ada", days: int = 9) -> str:
    """A token of somebody."""
    return add_token(folder / "access.toml", name, role, days=days)


def client(gate: Gate, **headers: str) -> TestClient:
    """A browser that follows no redirect."""
    return TestClient(gate, base_url=HOME, follow_redirects=False, raise_server_exceptions=False, headers=headers)


def bearer(value: str) -> dict[str, str]:
    """How a program shows its token."""
    return {"authorization": f"Bearer {value}"}


def signed_in(gate: Gate, value: str) -> TestClient:
    """A browser that has signed in."""
    browser = client(gate)
    answer = browser.post("/login", data={"token": value})
    assert answer.status_code == 303, answer.text
    return browser


def mark_of(browser: TestClient) -> str:
    """What the forms of this browser carry."""
    shown = browser.get("/").text
    return shown.partition('name="csrf" value="')[2].partition('"')[0]
