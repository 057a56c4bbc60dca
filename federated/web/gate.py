"""The gate before all pages: host, rate and identity are looked at before a page is asked, and every answer is sealed.

Whatever is answered, also that there is no such page, bears the same headers; and whoever is not known learns nothing
of what there is.
"""

from __future__ import annotations

import logging
import time
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from federated.errors import ConsiliumError, one_line
from federated.web.access import MAX_TOKEN, Access, Person
from federated.web.door import Door
from federated.web.exchange import Refused
from federated.web.headers import host_is, raw
from federated.web.limits import Buckets
from federated.web.sessions import Sessions

LOG = logging.getLogger("consilium.web")
FREE = ("/login", "/style.css")  # what is shown to everybody
BURST, RATE = 200.0, 20.0  # requests at once, and a second after that
TRIES, TRIES_RATE = 10.0, 1 / 12  # wrong tokens
METHODS = ("GET", "HEAD", "POST")
FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-real-ip")  # what proxies add


class Gate:
    """The pages behind their gate, as a server runs them."""

    def __init__(self, pages: ASGIApp, access: Access, sessions: Sessions, door: Door) -> None:
        self._pages, self._access, self._sessions, self._door = pages, access, sessions, door
        self.asked, self.wrong = Buckets(BURST, RATE), Buckets(TRIES, TRIES_RATE)
        self._headers = raw(secure=door.secure)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; anything but HTTP is not spoken."""
        if scope["type"] != "http":
            return
        begun, status = time.perf_counter(), 500

        async def sealed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", []), *self._headers]}
            await send(message)

        scope["state"] = {**scope.get("state", {}), **self._found(scope)}
        try:
            await self._pages(scope, receive, sealed)
        finally:
            _log(scope, status, time.perf_counter() - begun)

    def _found(self, scope: Scope) -> dict[str, Person | Refused | None]:
        """Who asks, or why nothing is answered."""
        try:
            return {"who": self._let_in(scope), "refused": None}
        except Refused as refused:
            return {"who": None, "refused": refused}

    def _let_in(self, scope: Scope) -> Person | None:
        headers, client = Headers(scope=scope), client_of(scope)
        if not host_is(headers.get("host"), self._door.hosts):
            raise Refused(400, "This is not the name of this house.")
        if scope["method"] not in METHODS:
            raise Refused(405, "Pages are asked for by GET, forms are sent by POST.")
        if not self.asked.take(client):
            raise Refused(429, "Too many requests; wait a little.")
        try:
            who = self._who(scope, headers, client)
        except ConsiliumError as error:
            LOG.error("%s", error)
            raise Refused(
                503, "Who may see these pages cannot be read; whoever keeps them finds the reason."
            ) from error
        if who is None and scope["path"] not in FREE:
            raise Refused(401, "Who are you? These pages are shown to those who were given a token.")
        if who is not None and who.by != "open" and not self.asked.take(who.credential):
            raise Refused(429, "Too many requests; wait a little.")
        return who

    def _who(self, scope: Scope, headers: Headers, client: str) -> Person | None:
        certificate = scope.get("state", {}).get("certificate")
        if certificate and (person := self._access.by_certificate(certificate)):
            return self._sessions.of_certificate(person)
        if "authorization" in headers:
            return self._by_token(headers["authorization"], client)
        cookie = read_cookie(headers, self._sessions.cookie)
        elsewhere = any(name in headers for name in FORWARDED)  # whoever comes through a proxy is not this machine
        return (self._sessions.find(cookie) if cookie else None) or (None if elsewhere else self._access.anybody())

    def _by_token(self, header: str, client: str) -> Person | None:
        scheme, _, token = header.partition(" ")
        person = self._access.by_token(token.strip()) if scheme.lower() == "bearer" and token.isascii() else None
        if person is None:
            self.count_wrong(client)
            raise Refused(401, "Nobody here has this token.")
        return person

    def count_wrong(self, client: str) -> None:
        """One more wrong token; a right one is taken all the same, so that nobody locks others out.

        Raises:
            Refused: there were too many (429).
        """
        if not self.wrong.take(client):
            raise Refused(429, "Too many wrong tokens; wait some minutes.")


def client_of(scope: Scope) -> str:
    """The address that asks."""
    client = scope.get("client")
    return client[0] if client else "nobody"


def read_cookie(headers: Headers, name: str) -> str | None:
    """A cookie's value, if it may be one of ours."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return found.value if found is not None and found.value.isascii() and len(found.value) <= MAX_TOKEN else None


def _log(scope: Scope, status: int, seconds: float) -> None:
    """One line: no header, no query, no body, so that no secret gets into it."""
    who = scope["state"].get("who")
    path, ms = one_line(scope["path"])[:200], 1000 * seconds
    LOG.info("%s %s %s %s %d %.0f ms", client_of(scope), who.name if who else "-", scope["method"], path, status, ms)
