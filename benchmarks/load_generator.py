"""Processes that make load: closed, each line asking again when it is answered, or open, by the clock alone.

    with Generators([2, 3], url="http://127.0.0.1:8000", mix=Mix(128)) as generators:
        generators.learn()
        replies = generators.open_loop(200.0, seconds=40.0, seed=1)

In the open loop requests come by a Poisson process that is drawn beforehand and waits for nobody. Latency is
counted from when a request was due, not from when it got away, so that a generator or a server that stalls
cannot hide what it did to those who would have come meanwhile.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Self, TypeAlias
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import uvloop
from load_lines import Lines
from load_mix import Held, Template, Told, held, nonce, templates, told

Replies: TypeAlias = npt.NDArray[np.void]
"""One row per request, with the fields of `REPLY`."""

REPLY = np.dtype(
    [
        ("due", "f8"),  # all times in seconds of the monotonic clock, which every process shares
        ("sent", "f8"),
        ("done", "f8"),
        ("status", "i4"),  # or a `Broken`
        ("template", "i4"),
        ("right", "?"),  # the rewards are those of the fault-free run
        ("early", "?"),  # answered before all of it was sent
    ]
)
_MOST_LINES = 4000
_NUMBERS = 10**9
"""Requests of one process before its words come again."""
_LEARNED = 12 * _NUMBERS
"""The numbers of the words that nobody sends later."""
_HEAD_START_S = 0.5
_AT_ONCE = 32
_REST_S = 0.05
"""Of a line that was refused, where its next request would follow at once."""


@dataclass(frozen=True, slots=True)
class Mix:
    """What `templates` is told, so that every process makes the same."""

    count: int
    seed: int = 1
    most_kb: float = 1000.0
    judged_share: float = 0.0

    def templates(self) -> list[Template]:
        return templates(self.count, seed=self.seed, most_kb=self.most_kb, judged_share=self.judged_share)


def due_times(rate: float, *, seconds: float, seed: int) -> npt.NDArray[np.float64]:
    """When the requests of a Poisson process are due, in seconds from its start."""
    chance = np.random.default_rng(seed)
    times = np.cumsum(chance.exponential(1 / rate, size=int(rate * seconds * 1.5) + 100))
    return times[times < seconds]


async def paced(
    due: Sequence[float], start: Callable[[int, float], Awaitable[object]], *, begin: float
) -> None:
    """Start one thing at each time after `begin`, whatever became of those before, and wait for them all.

    What is late starts at once; `start` is told its number and when it was due.
    """
    tasks = []
    for number, after in enumerate(due):
        wait = begin + after - time.monotonic()
        if wait > 0 or number % _AT_ONCE == 0:  # one start for each round of the loop would come ever later
            await asyncio.sleep(max(0.0, wait))
        tasks.append(asyncio.ensure_future(start(number, begin + after)))
    await asyncio.gather(*tasks)


async def learned(lines: Lines, mix: Sequence[Template]) -> list[Told]:
    """What a server says of each template that has nothing else to do.

    Raises where one is not scored, or is scored otherwise with another word in it.
    """
    found = []
    for at, template in enumerate(mix):
        answers = [await lines.ask(template.body(nonce(_LEARNED + 2 * at + turn))) for turn in range(2)]
        if any(answer.status != 200 for answer in answers):
            raise RuntimeError(f"template {at}: {[answer.status for answer in answers]}")
        first, second = (told(answer.body) for answer in answers)
        if first != second or any(each.failure for each in first):
            raise RuntimeError(f"template {at} is nothing to hold others to: {first} and {second}")
        found.append(first)
    return found


class Generators:
    """One process per core; each makes the same mix, and its share of the load."""

    def __init__(self, cores: Sequence[int], *, url: str, mix: Mix) -> None:
        self._expected: list[Told] = []
        spawn = get_context("spawn")
        self._processes = [
            ProcessPoolExecutor(1, spawn, _begin, (core, place, url, mix)) for place, core in enumerate(cores)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._processes:
            each.shutdown(cancel_futures=True)

    def learn(self) -> list[Told]:
        """The replies to every template, asked for one after the other: what all later ones are held to."""
        self._expected = self._processes[0].submit(_learn).result()
        return self._expected

    def closed_loop(self, lines: int, *, seconds: float) -> Replies:
        """So many lines of each process ask again whenever they are answered."""
        return self._run(_closed, [(lines, seconds)] * len(self._processes))

    def open_loop(self, rate: float, *, seconds: float, seed: int) -> Replies:
        """Requests a second of all together; the sum of Poisson processes is one."""
        share = rate / len(self._processes)
        places = range(len(self._processes))
        return self._run(_open, [(share, seconds, seed * len(places) + place) for place in places])

    def pids(self) -> list[int]:
        return [each.submit(os.getpid).result() for each in self._processes]

    def _run(self, function: Callable[..., Replies], arguments: Sequence[tuple[Any, ...]]) -> Replies:
        begin = time.monotonic() + _HEAD_START_S
        futures = [
            process.submit(function, begin, self._expected, *each)
            for process, each in zip(self._processes, arguments, strict=True)
        ]
        return np.concatenate([future.result() for future in futures])


# --- in a generator ---------------------------------------------------------------------------------------


class _Load:
    """One process's mix, and the numbers that it has used."""

    def __init__(self, place: int, url: str, mix: Mix) -> None:
        self.mix = mix.templates()
        self._number = place * _NUMBERS
        self._address = urlsplit(url)
        self._rows: list[tuple[Any, ...]] = []
        self._expected: list[Told] = []

    def run(self, work: Callable[[Lines], Awaitable[object]], expected: list[Told]) -> Replies:
        self._rows, self._expected = [], expected
        uvloop.run(self._with_lines(work))
        return np.array(self._rows, REPLY)

    async def ask(self, lines: Lines, template: int, due: float) -> int:
        """One request, what became of it is kept; its status."""
        sent = time.monotonic()
        answer = await lines.ask(self._body(template))
        done = time.monotonic()
        right = answer.status == 200 and held(told(answer.body), to=self._expected[template]) is Held.RIGHT
        self._rows.append((due, sent, done, answer.status, template, right, answer.early))
        return answer.status

    async def _with_lines(self, work: Callable[[Lines], Awaitable[object]]) -> None:
        lines = self._lines()
        try:
            await work(lines)
        finally:
            lines.close()

    def _lines(self) -> Lines:
        return Lines(self._address.hostname or "", self._address.port or 80, most=_MOST_LINES)

    def _body(self, template: int) -> list[bytes]:
        self._number += 1
        return self.mix[template].body(nonce(self._number))


_LOADS: list[_Load] = []
"""The one of this process."""


def _begin(core: int, place: int, url: str, mix: Mix) -> None:
    os.sched_setaffinity(0, {core})
    _LOADS.append(_Load(place, url, mix))
    gc.freeze()


def _learn() -> list[Told]:
    load = _LOADS[0]
    found: list[Told] = []

    async def work(lines: Lines) -> None:
        found.extend(await learned(lines, load.mix))

    load.run(work, [])
    return found


def _closed(begin: float, expected: list[Told], count: int, seconds: float) -> Replies:
    load = _LOADS[0]

    async def work(lines: Lines) -> None:
        await asyncio.gather(*(one(lines, at) for at in range(count)))

    async def one(lines: Lines, seed: int) -> None:
        chance = random.Random(seed)
        await asyncio.sleep(begin - time.monotonic())
        while (now := time.monotonic()) < begin + seconds:
            if await load.ask(lines, chance.randrange(len(load.mix)), now) != 200:
                await asyncio.sleep(_REST_S)

    return load.run(work, expected)


def _open(begin: float, expected: list[Told], rate: float, seconds: float, seed: int) -> Replies:
    load = _LOADS[0]
    due = due_times(rate, seconds=seconds, seed=seed)
    chosen = np.random.default_rng(seed + 1_000_000).integers(len(load.mix), size=len(due))

    async def work(lines: Lines) -> None:
        await paced(due.tolist(), lambda at, when: load.ask(lines, int(chosen[at]), when), begin=begin)

    return load.run(work, expected)
