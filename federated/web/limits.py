"""What is cut off before a page is asked: too many requests, bodies too long or too slow."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import parse_qsl

from starlette.types import Receive

from federated.web.exchange import Refused

MAX_BODY = 64 * 2**10  # bytes of a form
BODY_SECONDS = 10.0
MAX_FIELDS, MAX_VALUE = 200, 20_000
MAX_CLIENTS = 10_000


class Buckets:
    """So many at once, and so many a second after that, for each of those who ask.

    Args:
        burst: at once.
        rate: a second, on average.
        clock: seconds.
    """

    def __init__(self, burst: float, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._rate, self._clock = burst, rate, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str) -> bool:
        """One more; whether there was one left."""
        left = self.left(who)
        if left < 1:
            return False
        self._left[who] = (left - 1, self._clock())
        self._left.move_to_end(who)
        while len(self._left) > MAX_CLIENTS:
            self._left.popitem(last=False)
        return True

    def left(self, who: str) -> float:
        """How many may come at once now."""
        kept, when = self._left.get(who, (self._burst, self._clock()))
        return min(self._burst, kept + (self._clock() - when) * self._rate)


async def read_body(receive: Receive, length: str | None, *, seconds: float = BODY_SECONDS) -> bytes:
    """A body, whole.

    Raises:
        Refused: it is too long (413), comes too slowly (408), or whoever sent it has gone (400).
    """
    if length is not None and (not length.isascii() or not length.isdigit() or int(length[:12]) > MAX_BODY):
        raise Refused(413, "This is more than a form may hold.")
    try:
        async with asyncio.timeout(seconds):
            return await _all(receive)
    except TimeoutError as error:
        raise Refused(408, "The form came too slowly.") from error


async def _all(receive: Receive) -> bytes:
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(400, "The connection ended.")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY:
            raise Refused(413, "This is more than a form may hold.")
    return bytes(body)


def fields(body: bytes) -> dict[str, str]:
    """Fields of a form or of an address; of what is said twice the first counts.

    Raises:
        Refused: they are no text, too many or too long (400).
    """
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise Refused(400, "This is not what a form holds.") from error
    if any(len(name) > 100 or len(value) > MAX_VALUE for name, value in pairs):
        raise Refused(400, "A field is too long.")
    return dict(reversed(pairs))
