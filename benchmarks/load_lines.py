"""Keep-alive connections of raw HTTP/1.1: what a generator of load needs, and nothing that takes its time.

    lines = Lines("127.0.0.1", 8000, most=1000)
    answer = await lines.ask([b"{...", b"}"])

A client library would be the bottleneck at several times the load that its server bears. As curl does, a
request whose answer comes before all of it was sent is not sent further: its connection is closed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import cast

import httptools

_IDLE_S = 4.0
"""An idle connection is given up before the server does it; uvicorn's time is 5 s."""


_SERVER_SHARE = 0.9
"""The server is told a little less time than there is, so that its own answer comes before the end."""


class Broken(IntEnum):
    """Why no status came; below zero, so that it stands where a status would."""

    UNREACHABLE = -1
    CUT = -2
    LATE = -3
    UNSENT = -4
    """More connections than the generator may open would have been needed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`early`: before all of the request was sent."""

    status: int
    body: bytes = b""
    early: bool = False


class Lines:
    """A pool from which each request takes the warmest idle connection, or a new one."""

    def __init__(self, host: str, port: int, *, most: int, timeout_s: float = 30.0) -> None:
        self.open = 0
        self._host, self._port, self._most, self._timeout_s = host, port, most, timeout_s
        self._head = (
            f"POST /score HTTP/1.1\r\nhost: {host}:{port}\r\ncontent-type: application/json\r\n"
            f"x-request-timeout-ms: {timeout_s * _SERVER_SHARE * 1e3:.0f}\r\n"
        ).encode()
        self._idle: list[_Line] = []

    async def ask(self, body: Sequence[bytes], *, request_id: str = "") -> Answer:
        """The answer to one body. Raises nothing: a line that breaks is an answer too."""
        try:
            line = await self._line()
        except OSError:
            return Answer(Broken.UNREACHABLE)
        if line is None:
            return Answer(Broken.UNSENT)
        named = f"x-request-id: {request_id}\r\n" if request_id else ""
        head = b"%bcontent-length: %d\r\n%b\r\n" % (self._head, sum(map(len, body)), named.encode())
        answer = await line.ask([head, *body], timeout_s=self._timeout_s)
        if line.usable:
            self._idle.append(line)
        else:
            line.abort()
        return answer

    def close(self) -> None:
        while self._idle:
            self._idle.pop().abort()

    async def _line(self) -> _Line | None:
        while self._idle:
            line = self._idle.pop()
            if line.usable and time.monotonic() - line.rested_at < _IDLE_S:
                return line
            line.abort()
        if self.open >= self._most:
            return None
        self.open += 1
        try:
            made = await asyncio.get_running_loop().create_connection(
                lambda: _Line(self), self._host, self._port
            )
        except OSError:
            self.open -= 1
            raise
        return made[1]


class _Line(asyncio.Protocol):
    """One connection: a request at a time."""

    def __init__(self, pool: Lines) -> None:
        self.rested_at = 0.0
        self.usable = False
        self._pool = pool
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._chunks: list[bytes] = []
        self._waiter: asyncio.Future[Answer] | None = None

    async def ask(self, message: list[bytes], *, timeout_s: float) -> Answer:
        loop = asyncio.get_running_loop()
        if self._transport.is_closing():
            return Answer(Broken.CUT)
        self._waiter = loop.create_future()
        self._chunks = []
        timer = loop.call_later(timeout_s, self._end, Answer(Broken.LATE))
        try:
            self._transport.writelines(message)
            return await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def abort(self) -> None:
        self.usable = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by name

    def connection_lost(self, _: Exception | None) -> None:
        self._pool.open -= 1
        self._end(Answer(Broken.CUT))

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end(Answer(Broken.CUT))

    def on_body(self, chunk: bytes) -> None:
        self._chunks.append(chunk)

    def on_message_complete(self) -> None:
        early = self._transport.get_write_buffer_size() > 0
        answer = Answer(self._parser.get_status_code(), b"".join(self._chunks), early)
        self._end(answer, usable=self._parser.should_keep_alive() and not early)

    def _end(self, answer: Answer, *, usable: bool = False) -> None:
        self.usable = usable
        self.rested_at = time.monotonic()
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(answer)
