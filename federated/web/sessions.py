"""Who has signed in: sessions that live in this process only, and end with it.

The cookie holds 256 random bits and nothing else, so that there is nothing in it to forge; SHA-256 of them is the key
here. Sign-out ends a session for whoever holds its cookie.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from federated.web.access import Access, Person, with_csrf

IDLE_SECONDS, WHOLE_SECONDS = 30 * 60, 8 * 3600
MAX_SESSIONS = 1000
BYTES = 32


@dataclass
class Session:
    """Of one person, in one browser."""

    credential: str
    csrf: str
    begun: float
    last: float


class Sessions:
    """All that have signed in and not out."""

    def __init__(self, access: Access, clock: Callable[[], float] = time.monotonic) -> None:
        self._access, self._clock, self._secret = access, clock, secrets.token_bytes(BYTES)
        self._open: OrderedDict[str, Session] = OrderedDict()

    @property
    def cookie(self) -> str:
        """The cookie's name, of this process alone: several may run on this machine, whose ports share cookies."""
        return f"consilium_{hashlib.sha256(b'name' + self._secret).hexdigest()[:10]}"

    def begin(self, person: Person) -> str:
        """Signs somebody in; what the cookie holds."""
        value, now = secrets.token_urlsafe(BYTES), self._clock()
        self._open[_key(value)] = Session(person.credential, secrets.token_urlsafe(BYTES), now, now)
        while len(self._open) > MAX_SESSIONS:
            self._open.popitem(last=False)
        return value

    def find(self, value: str) -> Person | None:
        """Whose cookie this is: nobody's once it has ended, or its token was taken back."""
        session, now = self._open.get(_key(value)), self._clock()
        if session is None:
            return None
        person = self._access.still(session.credential)
        if person is None or now - session.last > IDLE_SECONDS or now - session.begun > WHOLE_SECONDS:
            self.end(value)
            return None
        session.last = now
        return with_csrf(person, session.csrf)

    def end(self, value: str) -> None:
        """Signs out."""
        self._open.pop(_key(value), None)

    def of_certificate(self, person: Person) -> Person:
        """Who shows a certificate shows it unasked, so that their forms carry a mark of this process as well."""
        mark = hmac.new(self._secret, person.credential.encode(), hashlib.sha256).hexdigest()
        return with_csrf(person, mark)


def _key(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
