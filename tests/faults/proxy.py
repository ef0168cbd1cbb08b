"""A network between a client and a server on the loopback, which goes wrong when a test says so.

    with proxied(redis.port) as proxy:
        ... a client of 127.0.0.1:proxy.port ...
        proxy.fault = Corrupt(every=64)
        ...
        proxy.fault = None

It runs in a thread with a loop of its own. A fault is in force when the assignment returns, for connections
that are open as for new ones; what it did is not undone, but for bytes that were held up and then go on.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tests.service.store.server import free_port


@dataclass(frozen=True, slots=True)
class Slow:
    """Every piece of a question and of an answer is late by so much."""

    seconds: float = 0.1


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nobody listens, and who is connected is thrown out."""


@dataclass(frozen=True, slots=True)
class BlackHole:
    """Connections are made and kept, and no byte arrives."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The question arrives, and the answer is a reset."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ends after so many bytes of answers."""

    after: int = 20


@dataclass(frozen=True, slots=True)
class Corrupt:
    """One bit in so many bytes is wrong: of answers, or of questions."""

    every: int = 64
    questions: bool = False


Fault = Slow | Refuse | BlackHole | Reset | Cut | Corrupt

EVERY: tuple[Fault, ...] = (
    Slow(),
    Refuse(),
    BlackHole(),
    Reset(),
    Cut(),
    Corrupt(),
    Corrupt(questions=True),
)
"""One of each kind, for who throws them at random."""


@contextmanager
def proxied(upstream: int) -> Iterator[Proxy]:
    """A proxy before this port of the loopback, with a port of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    proxy = Proxy(loop, upstream)
    try:
        yield proxy
    finally:
        proxy.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Proxy:
    """Passes bytes on, as its fault lets it. `struck` counts pieces and connections that a fault has met."""

    def __init__(self, loop: asyncio.AbstractEventLoop, upstream: int) -> None:
        self.port = free_port()
        self.struck = 0
        self._loop = loop
        self._upstream = upstream
        self._fault: Fault | None = None
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._wait(self._listen())

    @property
    def fault(self) -> Fault | None:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        self._wait(self._turn(fault))

    def close(self) -> None:
        self._wait(self._turn(Refuse()))

    def _wait(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _turn(self, fault: Fault | None) -> None:
        self._fault = fault
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        if isinstance(fault, Refuse):
            await self._leave()
        elif self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def _leave(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        links = list(self._links)
        self.struck += len(links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link
        self._links.add(link)
        try:
            with suppress(OSError, asyncio.CancelledError):
                if not isinstance(self._fault, Refuse):
                    await self._connect(reader, writer)
        finally:
            _end(writer)
            self._links.discard(link)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Two pumps, until one of them ends; then both connections do."""
        answers, upstream = await asyncio.open_connection("127.0.0.1", self._upstream)
        pumps = [
            asyncio.create_task(self._pump(reader, upstream, _Stream(answers=False))),
            asyncio.create_task(self._pump(answers, writer, _Stream(answers=True))),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            _end(upstream)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: _Stream
    ) -> None:
        while piece := await reader.read(65536):
            writer.write(await self._passed(piece, stream))
            await writer.drain()
            if stream.ended:
                writer.close()
                return

    async def _passed(self, piece: bytes, stream: _Stream) -> bytes:
        """What goes on of a piece, when it may."""
        while isinstance(self._fault, BlackHole):
            self.struck += 1
            await self._changed.wait()
        fault = self._fault
        before = stream.pass_on(len(piece), under=fault)
        sent = piece
        if isinstance(fault, Slow):
            self.struck += 1
            await asyncio.sleep(fault.seconds)
        elif isinstance(fault, Reset) and stream.answers:
            self.struck += 1
            raise ConnectionResetError
        elif isinstance(fault, Cut) and stream.answers:
            sent = piece[: max(0, fault.after - before)]
            stream.ended = len(sent) < len(piece)
        elif isinstance(fault, Corrupt) and stream.answers is not fault.questions:
            sent = _with_wrong_bits(piece, first=~before % fault.every, every=fault.every)
        self.struck += sent != piece
        return sent


@dataclass(slots=True)
class _Stream:
    """One direction of a connection."""

    answers: bool
    ended: bool = False
    _passed: int = 0
    _under: Fault | None = None

    def pass_on(self, size: int, *, under: Fault | None) -> int:
        """How many bytes have passed under this fault before."""
        if under is not self._under:
            self._under, self._passed = under, 0
        before = self._passed
        self._passed += size
        return before


def _with_wrong_bits(piece: bytes, *, first: int, every: int) -> bytes:
    """A different bit each time."""
    wrong = bytearray(piece)
    for turn, at in enumerate(range(first, len(piece), every)):
        wrong[at] ^= 1 << turn % 8
    return bytes(wrong)


def _end(writer: asyncio.StreamWriter) -> None:
    """With a reset, where it has not been closed yet."""
    if not writer.transport.is_closing():
        line = writer.get_extra_info("socket")
        with suppress(OSError):
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
