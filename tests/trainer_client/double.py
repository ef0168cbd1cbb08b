"""A small HTTP server on the loopback that behaves as it is told, and counts what reaches it.

    with serving(fine) as double:
        RewardClient(Settings(url=double.url)).score(group(0.25)).rewards  # (0.25,)

Its rewards are the outcomes that the rollouts bring along, so that a test sees whose reward is whose.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Asked:
    """One request, with its place in the order of arrival."""

    place: int
    path: str
    headers: Mapping[str, str]
    raw: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def body(self):
        return json.loads(self.raw)


@dataclass(frozen=True)
class Says:
    """What goes back; None as a status closes without a word, `cut` sends half of it."""

    status: int | None = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


Behavior = Callable[[Asked], Awaitable[Says]]


def group(*outcomes, **fields):
    """A group whose rewards are these outcomes."""
    rollouts = [{"response": f"r{at}", "outcome": outcome} for at, outcome in enumerate(outcomes)]
    return {"rubric": {"entities": ["RedOne"]}, "rollouts": rollouts, **fields}


# --- behaviors --------------------------------------------------------------------------------------------


async def fine(asked: Asked) -> Says:
    return Says(body=json.dumps(reply(asked.body)).encode())


def refuses(status, kind=None, detail="no", *, errors=None, **headers) -> Behavior:
    problem = {"type": f"urn:cairn:problem:{kind}", "title": "t", "status": status, "detail": detail}
    if errors is not None:
        problem["errors"] = errors
    body = json.dumps(problem).encode() if kind else b"<html>nginx</html>"
    return always(Says(status, body, {name.replace("_", "-"): value for name, value in headers.items()}))


def always(says: Says) -> Behavior:
    async def behave(_: Asked) -> Says:
        return says

    return behave


def slow(seconds: float, then: Behavior = fine) -> Behavior:
    async def behave(asked: Asked) -> Says:
        await asyncio.sleep(seconds)
        return await then(asked)

    return behave


def first(*behaviors: Behavior, then: Behavior = fine) -> Behavior:
    """One after the other in the order of arrival; `then` for the rest."""

    async def behave(asked: Asked) -> Says:
        return await (behaviors[asked.place] if asked.place < len(behaviors) else then)(asked)

    return behave


def every(count: int, behavior: Behavior, then: Behavior = fine) -> Behavior:
    """Each request in so many goes wrong."""

    async def behave(asked: Asked) -> Says:
        return await (then if asked.place % count else behavior)(asked)

    return behave


silent = always(Says(None))


def reply(body):
    """A reply of `/score` whose rewards are the outcomes."""
    rollouts = [
        {
            "id": each.get("id", f"k{at}"),
            "status": "ok",
            "reward": each["outcome"],
            "outcome": {"value": each["outcome"], "status": "ok", "verifier": "trainer", "detail": None},
            "rubric": {"score": each["outcome"], "normalized": each["outcome"], "hits": 0, "total": 1},
            "criteria": [],
            "flags": [],
            "failure": None,
        }
        for at, each in enumerate(body["rollouts"])
    ]
    size = len(rollouts)
    stats = {"score_max": 1.0, "reward_mean": 0.5, "reward_std": None, "degenerate": False}
    return {
        "id": body.get("id"),
        "rollouts": rollouts,
        "group": {"size": size, "scored": size, **stats},
        "scheme": body.get("scheme", {"name": "longtrace"}),
        "profile": "strict",
        "degraded": [],
        "fingerprint": "f",
        "timings_ms": {"total": 1.0},
    }


# --- the server -------------------------------------------------------------------------------------------


class Double:
    """Serves one behavior, which may be changed; remembers what it was asked."""

    def __init__(self, behavior: Behavior, *, port: int = 0) -> None:
        self.behavior = behavior
        self.asked: list[Asked] = []
        self.connections = 0
        self.at_once = 0
        self.most_at_once = 0
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
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

    async def _answer(self, reader, writer) -> bool:
        """Answer one request; whether the connection goes on."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        raw = await reader.readexactly(int(headers["content-length"]))
        asked = Asked(len(self.asked), head[0].split(" ")[1], headers, raw)
        self.asked.append(asked)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            says = await self.behavior(asked)
        finally:
            self.at_once -= 1
        if says.status is None:
            return False
        fields = {"content-type": "application/json", "content-length": len(says.body), **says.headers}
        lines = [f"HTTP/1.1 {says.status} Whatever", *(f"{name}: {value}" for name, value in fields.items())]
        body = says.body[: len(says.body) // 2] if says.cut else says.body
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()
        return not says.cut


@contextmanager
def serving(behavior: Behavior = fine, *, port: int = 0) -> Iterator[Double]:
    """On a thread of its own, so that it answers while the test waits."""
    double, loop, started = Double(behavior, port=port), asyncio.new_event_loop(), threading.Event()
    stop = asyncio.Event()

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
