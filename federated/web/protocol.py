"""HTTP as it is spoken at the door: uvicorn's, with the client's certificate told and slow clients cut off."""

from __future__ import annotations

import asyncio
import hashlib

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

HEAD_SECONDS = 10.0  # for a request's first lines
WHOLE_SECONDS = 60.0  # from then on until the answer has been taken away
MAX_CONNECTIONS = 200


class DoorProtocol(H11Protocol):
    """One connection. SHA-256 of a client certificate that was verified is told to the pages as ``certificate``."""

    head_seconds, whole_seconds = HEAD_SECONDS, WHOLE_SECONDS
    _late: asyncio.TimerHandle | None = None
    _for_head = True  # what is waited for: a request's first lines, or the end of an answer

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for a request; too many connections are not taken."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
            return
        secured = transport.get_extra_info("ssl_object")
        shown = secured.getpeercert(binary_form=True) if secured else None
        if shown:
            self.app_state = {**self.app_state, "certificate": hashlib.sha256(shown).hexdigest()}
        self._wait(for_head=True)

    def data_received(self, data: bytes) -> None:
        """Takes what came; first lines have to be whole in time, and answers taken away, on a kept connection too."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._wait(for_head=False)
        elif self.cycle_is_over() and not self._for_head:
            self._wait(for_head=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop()
        super().connection_lost(exc)

    def cycle_is_over(self) -> bool:
        """Whether nothing is being answered."""
        cycle: RequestResponseCycle | None = self.cycle  # None until the first request, which its type does not say
        return cycle is None or cycle.response_complete

    def _wait(self, *, for_head: bool) -> None:
        self._stop()
        self._for_head = for_head
        seconds = self.head_seconds if for_head else self.whole_seconds
        self._late = self.loop.call_later(seconds, self.transport.abort)

    def _stop(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
