"""The worker processes of the text stages, which hold the interpreter lock and so need interpreters.

    workers = Processes(4); await workers.start(); await workers.run(function, argument)

A worker is a process and a socket: work goes in pickled, one piece at a time, results come back. Whoever
waits gets a result or an exception. A worker that dies takes only its own piece of work along, and is
replaced; one that never ends its piece is killed. Waiting work is bounded by the permits of the routes.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any, BinaryIO, Protocol, TypeVar, TypeVarTuple

from rubric.errors import CairnError

_R = TypeVar("_R")
_A = TypeVarTuple("_A")


class WorkerLost(CairnError):
    """A worker died of this piece of work, or beside it. Asking again can help."""


class WorkerFault(CairnError):
    """An unforeseen error in a worker; its type and place are told, for its message may hold a text."""


class Workers(Protocol):
    """Runs functions of a module, with values that can be pickled, somewhere else than in the event loop."""

    count: int

    @property
    def busy(self) -> int: ...

    async def start(self) -> None: ...

    async def run(self, function: Callable[[*_A], _R], *args: *_A) -> _R: ...

    async def close(self) -> None: ...


class InThread:
    """No processes: work runs in a thread of this one, a piece at a time."""

    count = 1

    def __init__(self, *, prepare: Callable[[], None]) -> None:
        self._prepare = prepare
        self._turn = asyncio.Lock()

    @property
    def busy(self) -> int:
        """How many have work."""
        return int(self._turn.locked())

    async def start(self) -> None:
        await asyncio.to_thread(self._prepare)

    async def run(self, function: Callable[[*_A], _R], *args: *_A) -> _R:
        async with self._turn:
            return await asyncio.to_thread(function, *args)

    async def close(self) -> None:
        """A thread that still works ends with its piece."""


class Processes:
    """So many worker processes, each prepared before its first work.

    They end with this process, even when it is killed. Nobody waits for a piece any more that takes longer
    than `longest_s`: its worker is given up. `forked_from` names a module that is imported once, before all
    of them are forked: what it loads is shared, and there at once where a worker is replaced.
    """

    def __init__(
        self, count: int, *, prepare: Callable[[], None], longest_s: float, forked_from: str = ""
    ) -> None:
        self.count = count
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([forked_from] if forked_from else [])
        self._workers = [_Worker(context, prepare, longest_s) for _ in range(count)]
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        self._calls: set[asyncio.Task[bytes]] = set()

    @property
    def busy(self) -> int:
        """How many have work."""
        return self.count - self._idle.qsize()

    async def start(self) -> None:
        """Start them all; each has loaded what it needs when this returns."""
        await asyncio.gather(*(worker.start() for worker in self._workers))
        for worker in self._workers:
            self._idle.put_nowait(worker)

    async def run(self, function: Callable[[*_A], _R], *args: *_A) -> _R:
        """The function's result or `CairnError`. Raises `WorkerLost`, `WorkerFault`.

        Cancelled work is dropped while it waits; what a worker has begun it ends.
        """
        worker = await self._idle.get()
        call = asyncio.create_task(self._call(worker, pickle.dumps((function, args), 5)))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        done, value = pickle.loads(await asyncio.shield(call))  # noqa: S301 (from our own worker)
        if not done:
            raise value
        result: _R = value
        return result

    async def close(self) -> None:
        """End them when they have ended their work."""
        await asyncio.gather(*(worker.close() for worker in self._workers))

    def kill(self) -> None:
        """End them now, from outside the event loop."""
        for worker in self._workers:
            worker.kill()

    async def _call(self, worker: _Worker, work: bytes) -> bytes:
        try:
            return await worker.call(work)
        except WorkerLost as lost:
            return pickle.dumps((False, lost), 5)
        finally:
            self._idle.put_nowait(worker)


# --- one worker, seen from the server ----------------------------------------------------------------------

_LENGTH_BYTES = 8
_READY = b"ready"
_SECONDS_TO_END = 5.0


class _Worker:
    """A place for one worker process, which is filled again when the process dies."""

    def __init__(self, context: ForkServerContext, prepare: Callable[[], None], longest_s: float) -> None:
        self._context = context
        self._prepare = prepare
        self._longest_s = longest_s
        self._process: ForkServerProcess | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = self._context.Process(target=_work, args=(theirs, self._prepare), daemon=True)
            await asyncio.to_thread(self._process.start)
        self._streams = await asyncio.open_connection(sock=ours)
        if await self._receive() != _READY:
            raise WorkerLost("a worker process did not start")

    async def call(self, work: bytes) -> bytes:
        try:
            if self._streams is None:
                await self.start()
            async with asyncio.timeout(self._longest_s):
                return await self._exchange(work)
        except (asyncio.IncompleteReadError, OSError) as error:  # a timeout is one, too
            await asyncio.to_thread(self.kill)
            await self.close()
            raise WorkerLost("a worker process died, or never ended") from error

    async def close(self) -> None:
        """The worker ends when its socket does."""
        if self._streams:
            self._streams[1].close()
            with suppress(OSError):
                await self._streams[1].wait_closed()
        if self._process and self._process.pid:  # else it could not even be started
            await asyncio.to_thread(self._process.join, _SECONDS_TO_END)
            self.kill()
        self._streams = self._process = None

    def kill(self) -> None:
        if self._process and self._process.pid and self._process.is_alive():
            self._process.kill()
            self._process.join()

    async def _exchange(self, work: bytes) -> bytes:
        assert self._streams  # noqa: S101 (for the type checker: `call` has started it)
        writer = self._streams[1]
        writer.write(len(work).to_bytes(_LENGTH_BYTES))
        writer.write(work)
        await writer.drain()
        return await self._receive()

    async def _receive(self) -> bytes:
        assert self._streams  # noqa: S101 (for the type checker: `start` has made them)
        reader = self._streams[0]
        return await reader.readexactly(int.from_bytes(await reader.readexactly(_LENGTH_BYTES)))


# --- one worker, seen from inside -------------------------------------------------------------------------


def _work(ours: socket.socket, prepare: Callable[[], None]) -> None:
    """Work until the server's end of the socket is closed, by the server or by its death."""
    for ignored in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group: the server ends its workers
        signal.signal(ignored, signal.SIG_IGN)
    prepare()
    with suppress(OSError), ours, ours.makefile("rb") as inbox, ours.makefile("wb") as outbox:
        _send(outbox, _READY)
        while length := inbox.read(_LENGTH_BYTES):
            work = inbox.read(int.from_bytes(length))
            _send(outbox, pickle.dumps(_done(work), 5))


def _send(outbox: BinaryIO, message: bytes) -> None:
    outbox.write(len(message).to_bytes(_LENGTH_BYTES))
    outbox.write(message)
    outbox.flush()


def _done(work: bytes) -> tuple[bool, Any]:
    """Whether it went well, and the result or the error."""
    function, args = pickle.loads(work)  # noqa: S301 (from our own server)
    try:
        return True, function(*args)
    except CairnError as error:
        return False, error
    except Exception as error:  # noqa: BLE001 (a worker outlives its work)
        return False, WorkerFault(f"{type(error).__name__} at {_place(error)}")


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace else "unknown"


# --- how work is cut --------------------------------------------------------------------------------------

_LEAST, _MOST = 64_000, 512_000
"""Characters of a piece: below the first the way costs more than the work, above the second others wait."""


def cut(sizes: Sequence[int], *, workers: int) -> list[range]:
    """Neighbors that go to a worker together: enough pieces for all workers if the texts are long."""
    total = sum(sizes)
    pieces = min(len(sizes), max(min(workers, total // _LEAST), -(-total // _MOST), 1))
    cuts: list[range] = []
    start = seen = 0
    for index, size in enumerate(sizes):
        seen += size
        if seen * pieces >= total * (len(cuts) + 1):
            cuts.append(range(start, index + 1))
            start = index + 1
    if start < len(sizes):
        cuts.append(range(start, len(sizes)))
    return cuts
