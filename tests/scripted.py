"""A real HTTP server on the loopback that behaves as it is told, and remembers what it was asked.

A behavior is an async function from what was asked to a reply. Doubles of a judge and of the service have
behaviors of their own.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True)
class Asked:
    """One request: its place in the order of arrival, what it asks for, and when it came."""

    place: int
    path: str
    headers: Mapping[str, str]
    raw: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def body(self) -> Mapping[str, object]:
        return json.loads(self.raw)

    @property
    def prompt(self) -> str:
        """Of a chat completion."""
        return self.body["messages"][0]["content"]


@dataclass(frozen=True)
class Reply:
    """What goes back; `cut` sends half of it and closes, `None` as a status closes without a word."""

    status: int | None = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


Behavior = Callable[[Asked], Awaitable[Reply]]


def always(reply: Reply) -> Behavior:
    async def behave(_: Asked) -> Reply:
        return reply

    return behave


def slow(seconds: float, then: Behavior) -> Behavior:
    async def behave(asked: Asked) -> Reply:
        await asyncio.sleep(seconds)
        return await then(asked)

    return behave


def first(*behaviors: Behavior, then: Behavior) -> Behavior:
    """One after the other, in the order of arrival; `then` for the rest."""

    async def behave(asked: Asked) -> Reply:
        return await (behaviors[asked.place] if asked.place < len(behaviors) else then)(asked)

    return behave


class Double:
    """Serves one behavior, which may be changed."""

    path = ""

    def __init__(
        self, behavior: Behavior, *, port: int = 0, keep: bool = True, tls: ssl.SSLContext | None = None
    ) -> None:
        self.behavior = behavior
        self.asked: list[Asked] = []
        self.connections = 0
        self.at_once = 0
        self.most_at_once = 0
        self.port = port
        self._keep = keep
        self._tls = tls
        self._places = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self.loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, ssl=self._tls, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]
        host = f"https://localhost:{self.port}" if self._tls else f"http://127.0.0.1:{self.port}"
        self.url = host + self.path
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self.hang_up()

    async def hang_up(self) -> None:
        """Close every connection; new ones are welcome."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._tasks.add(task := asyncio.current_task())
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while await self._answer(reader, writer):
                    pass
        except asyncio.CancelledError:
            pass  # asyncio would report it of a handler that it started itself
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection goes on."""
        line, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in rest)}
        raw = await reader.readexactly(int(headers["content-length"]))
        asked = Asked(next(self._places), line.split(" ")[1], headers, raw)
        if self._keep:
            self.asked.append(asked)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            reply = await self.behavior(asked)
        finally:
            self.at_once -= 1
        if reply.status is None:
            return False
        fields = {"content-type": "application/json", "content-length": len(reply.body), **reply.headers}
        lines = [f"HTTP/1.1 {reply.status} Whatever", *(f"{name}: {value}" for name, value in fields.items())]
        body = reply.body[: len(reply.body) // 2] if reply.cut else reply.body
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()
        return not reply.cut


@contextmanager
def in_thread(double: Double) -> Iterator[Double]:
    """On a thread of its own, so that it answers while the test waits."""
    loop, started, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with double:
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        assert started.wait(10)
        yield double
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
