"""Vectors for everybody from one device: whatever waits when the device is free goes into its next step.

    embedded = await batcher.embed(["New York City", "NYC"])
    embedded.vectors, embedded.failures

No step waits for company. Equal texts are computed once, and remembered. Whoever gives up, cancelled or timed
out, leaves, and what nobody waits for never reaches the device. Everyone who stays gets an answer.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from rubric.embedder import Vectors
from rubric.errors import CannotScore
from service.embedding.backend import Backend
from service.errors import Refused
from service.lanes import Key, Lanes, Outcome, Piece, Ticket


@dataclass(frozen=True, slots=True)
class Embedded:
    """A row per text; rows of texts that failed are NaN, and `failures` says why, by place."""

    vectors: Vectors
    failures: Mapping[int, CannotScore]


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of the device, for whoever measures. `halved` counts how often memory ran out, `broken` the
    texts that met an error of the device.
    """

    texts: int
    tokens: int
    failed: int
    broken: int
    halved: int
    seconds: float


_STEPS_WAITING = 128


class Batcher:
    """Belongs to one event loop; the device, to one thread.

    `step_tokens` 0 is the device's own choice; `queue_tokens` 0, as many steps as a request can wait for.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        step_tokens: int = 0,
        queue_tokens: int = 0,
        remembered_bytes: int = 64 * 1024 * 1024,
        watch: Callable[[Step], None] = lambda _: None,
        waited: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._backend = backend
        self._most = self._limit = step_tokens or backend.step_tokens
        self._lanes = Lanes(queue_tokens or _STEPS_WAITING * self._most)
        self._remembered = _Remembered(remembered_bytes, dimensions=backend.dimensions)
        self._watch = watch
        self._waited = waited
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="device")
        self._waiting: dict[Ticket, asyncio.Future[None]] = {}
        self._step: asyncio.Future[_Done] | None = None
        self._closed = False

    @property
    def waiting_tokens(self) -> int:
        """Of everything that waits for the device."""
        return self._lanes.tokens

    @property
    def dimensions(self) -> int:
        """Of a vector."""
        return self._backend.dimensions

    @property
    def band(self) -> float:
        """How far a similarity can be off that was not computed alone."""
        return self._backend.band

    async def embed(self, texts: Sequence[str], *, alone: bool = False) -> Embedded:
        """Vectors of texts, together with everybody else's; `alone`, each by itself in full precision.

        Raises `Refused` when the queue is full or the server stops.
        """
        if self._closed:
            raise _draining()
        keys = [Key(one, alone) for one in self._backend.prepare(texts)]
        outcomes = self._remembered.among(keys)
        if missing := dict.fromkeys(key for key in keys if key not in outcomes):
            outcomes |= await self._wait(missing)
        return _embedded([outcomes[key] for key in keys], dimensions=self._backend.dimensions)

    async def close(self) -> None:
        """Answer whoever waits, let the device finish its step, and close it."""
        self._closed = True
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(_draining())
        if self._step:
            await asyncio.wait([self._step])
        await asyncio.to_thread(self._thread.shutdown)
        self._backend.close()

    async def _wait(self, keys: Iterable[Key]) -> dict[Key, Outcome]:
        loop = asyncio.get_running_loop()
        ticket, since = self._lanes.enter(keys), loop.time()
        self._waiting[ticket] = loop.create_future()
        loop.call_soon(self._begin)  # after all that arrives in this turn of the loop
        try:
            await self._waiting[ticket]
            self._waited(loop.time() - since)
        finally:
            del self._waiting[ticket]
            self._lanes.leave(ticket)
        return ticket.outcomes

    def _begin(self) -> None:
        """Give the device what waits, if it is free."""
        if self._step or self._closed:
            return
        if pieces := self._lanes.take(self._limit):
            loop = asyncio.get_running_loop()
            self._step = loop.run_in_executor(self._thread, _compute, self._backend, pieces)
            self._step.add_done_callback(partial(self._end, pieces))

    def _end(self, pieces: list[Piece], step: asyncio.Future[_Done]) -> None:
        """The next step begins before the answers to this one are handed out."""
        done = step.result()
        self._step = None
        self._limit = _next_limit(self._limit, done.fitted, self._most, halved=done.halved > 0)
        self._begin()
        for piece, outcome in zip(pieces, done.outcomes, strict=True):
            self._remembered.keep(piece.key, outcome)
            for ticket in self._lanes.settle(piece, outcome):
                if (future := self._waiting.get(ticket)) and not future.done():
                    future.set_result(None)
        failures = [outcome.detail for outcome in done.outcomes if isinstance(outcome, CannotScore)]
        broken = sum(detail.startswith(_BROKEN) for detail in failures)
        tokens = sum(piece.cost for piece in pieces)
        self._watch(Step(len(pieces), tokens, len(failures), broken, done.halved, done.seconds))


def _draining() -> Refused:
    return Refused("draining", "the server is stopping; another one may answer", retry_after=1)


def _embedded(outcomes: list[Outcome], *, dimensions: int) -> Embedded:
    failures = {at: each for at, each in enumerate(outcomes) if isinstance(each, CannotScore)}
    vectors = np.full((len(outcomes), dimensions), np.nan, dtype=np.float32)
    for at, outcome in enumerate(outcomes):
        if not isinstance(outcome, CannotScore):
            vectors[at] = outcome
    return Embedded(vectors, failures)


def _next_limit(limit: int, fitted: int, most: int, *, halved: bool) -> int:
    """Tokens of the next step: after a lack of memory no more than went well, then slowly up again."""
    return max(1, min(limit, fitted)) if halved else min(most, limit + limit // 8 + 1)


class _Remembered:
    """The vectors that were used last, within so many bytes."""

    def __init__(self, most_bytes: int, *, dimensions: int) -> None:
        self._most = most_bytes
        self._row_bytes = dimensions * np.dtype(np.float32).itemsize
        self._size = 0
        self._vectors: OrderedDict[Key, Vectors] = OrderedDict()

    def among(self, keys: Iterable[Key]) -> dict[Key, Outcome]:
        """Those of the keys that are remembered."""
        found: dict[Key, Outcome] = {}
        for key in keys:
            vector = self._vectors.get(key)
            if vector is not None:
                found[key] = vector
                self._vectors.move_to_end(key)
        return found

    def keep(self, key: Key, outcome: Outcome) -> None:
        if isinstance(outcome, CannotScore) or key in self._vectors:
            return
        self._vectors[key] = outcome.copy()  # a view would hold the whole step's vectors
        self._size += self._cost(key)
        while self._size > self._most:
            key, _ = self._vectors.popitem(last=False)
            self._size -= self._cost(key)

    def _cost(self, key: Key) -> int:
        return _ENTRY_BYTES + len(key.input) + self._row_bytes


_ENTRY_BYTES = 400
"""What a vector costs besides its numbers: the key, four objects and a place in the table."""

# --- in the thread of the device --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Done:
    """An outcome per piece; `fitted` is the cost of the largest part that the device had memory for."""

    outcomes: list[Outcome]
    fitted: int
    halved: int
    seconds: float


def _compute(backend: Backend, pieces: Sequence[Piece]) -> _Done:
    """An outcome for every piece, whatever happens. Where memory runs out, halves are tried."""
    started = time.perf_counter()
    outcomes: dict[Piece, Outcome] = {}
    todo = _by_mode(pieces)
    halved = fitted = 0
    while todo:
        part = todo.pop()
        found = _attempt(backend, part)
        if found is None and len(part) > 1:
            todo += [part[: len(part) // 2], part[len(part) // 2 :]]
            halved += 1
            continue
        fitted = fitted if found is None else max(fitted, sum(piece.cost for piece in part))
        outcomes.update(zip(part, found or [_failed(_NO_MEMORY)], strict=True))
    return _Done([outcomes[piece] for piece in pieces], fitted, halved, time.perf_counter() - started)


def _by_mode(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Those that go together, and each that goes alone."""
    together = [piece for piece in pieces if not piece.key.alone]
    return [*([piece] for piece in pieces if piece.key.alone), *([together] if together else [])]


def _attempt(backend: Backend, part: Sequence[Piece]) -> list[Outcome] | None:
    """An outcome for each, or None where the device has no memory for so many.

    Halves are tried only after this has returned: an error under way keeps what it holds of that memory.
    """
    try:
        vectors = _vectors(backend, part)
        lost = set(np.argwhere(~np.isfinite(vectors))[:, 0].tolist())
    except MemoryError:
        return None
    except Exception as error:  # noqa: BLE001 - a device's fault is told to those who wait for it
        return [_failed(f"{_BROKEN}: {type(error).__name__}")] * len(part)
    return [_failed(_NO_NUMBER) if row in lost else vector for row, vector in enumerate(vectors)]


def _vectors(backend: Backend, part: Sequence[Piece]) -> Vectors:
    inputs = [piece.key.input for piece in part]
    vectors = backend.encode_alone(*inputs)[None] if part[0].key.alone else backend.encode(inputs)
    if vectors.shape != (len(part), backend.dimensions):
        raise ValueError(f"a device gave {vectors.shape} numbers for {len(part)} texts")
    return vectors


def _failed(detail: str) -> CannotScore:
    return CannotScore("embedding_failed", detail, retryable=True)


_BROKEN = "the embedding model failed"
_NO_MEMORY = "the device has no memory for a text by itself"
_NO_NUMBER = "the embedding model gave no number for a text"
