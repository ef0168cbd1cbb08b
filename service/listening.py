"""Connections that are given no more time than they need: uvicorn's protocol, with an eye on the clock.

    uvicorn.Config(app, http=patient_for(header_s=10, most_connections=1000))

uvicorn gives an idle connection some seconds between two requests, and any time to one whose first request
never ends. Who sends a letter a minute would hold a socket for ever.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle


def patient_for(*, header_s: float, most_connections: int) -> type[asyncio.Protocol]:
    """A protocol that closes a connection whose headers take longer, and one that is too many."""
    return type("Limited", (_Limited,), {"header_s": header_s, "most_connections": most_connections})


class _Limited(HttpToolsProtocol):
    header_s: float
    most_connections: int
    _waiting: asyncio.TimerHandle | None = None
    _begun = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            transport.write(_TOO_MANY)
            transport.close()
            return
        self._wait_for_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._waiting is None and not self._under_way:  # a new request, or the rest of a refused one
            self._wait_for_headers()

    def on_message_begin(self) -> None:
        self._begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._stop_waiting()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    @property
    def _under_way(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _wait_for_headers(self) -> None:
        self._waiting = self.loop.call_later(self.header_s, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        self._begun = False

    def _too_slow(self) -> None:
        """Tell whoever has begun a request; an idle connection just ends."""
        self._waiting = None
        if self._begun and not self.transport.is_closing():
            self.transport.write(_TOO_SLOW)
        self.transport.close()


_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"
)
