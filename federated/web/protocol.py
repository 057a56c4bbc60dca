"""HTTP as it is spoken at the door: uvicorn's, with the client's certificate told and slow clients cut off."""

from __future__ import annotations

import asyncio
import hashlib

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

HEAD_SECONDS = 10.0  # for a request's first lines
MAX_CONNECTIONS = 200


class DoorProtocol(H11Protocol):
    """One connection. SHA-256 of a client certificate that was verified is told to the pages as ``certificate``."""

    head_seconds = HEAD_SECONDS
    _late: asyncio.TimerHandle | None = None

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
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Takes what came; a request's first lines have to be whole in time, also on a connection that was kept."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is before and self.cycle_is_over():
            self._wait()
        else:
            self._stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop()
        super().connection_lost(exc)

    def cycle_is_over(self) -> bool:
        """Whether nothing is being answered."""
        cycle: RequestResponseCycle | None = self.cycle  # None until the first request, which its type does not say
        return cycle is None or cycle.response_complete

    def _wait(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self.head_seconds, self.transport.abort)

    def _stop(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
