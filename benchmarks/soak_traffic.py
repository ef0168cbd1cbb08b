"""A process of a soak's clients: most ask as a trainer does, some by hand, and some behave badly.

    with Traffic(cores=[2, 3], url="http://127.0.0.1:8000", expected=told, plan=Plan(...)) as traffic:
        begun, ended = traffic.news()

Arrivals are a Poisson process that waits for nobody. A third of the groups has been asked before, so that a
cache has something to say; the others are new.
"""

from __future__ import annotations

import asyncio
import gc
import os
import queue
import random
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing import get_context
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import uvloop
from load_generator import Mix, due_times, paced
from load_lines import Answer, Broken, Lines
from load_mix import Rollout, Told, held, nonce, told

from rubric.wire import RolloutOut, ScoreRequest
from trainer_client import AsyncRewardClient, Settings

_PATIENCE_S = 60.0
_LATE_S = 5.0
_REPEATED = 8
"""Different words of the groups that are asked again and again."""
_NUMBERS = 10**9
_NONSENSE = [[b"[" * 50_000], [b'{"rollouts": NaN}'], [b"\xff"], [b""]]


class Way(StrEnum):
    """How a request comes."""

    TRAINER = "trainer's client"
    BY_HAND = "by hand, once"
    HANGS_UP = "hangs up"
    DRIPS = "drips"
    NONSENSE = "nonsense"


_SHARES = {Way.TRAINER: 0.80, Way.BY_HAND: 0.14, Way.HANGS_UP: 0.03, Way.NONSENSE: 0.03}


class Ended(NamedTuple):
    """How one request ended: `found` is a `Held`, or what else became of it; `details` are types."""

    way: Way
    found: str
    details: tuple[str, ...]
    sent: float
    done: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked, how often and for how long."""

    mix: Mix
    rate: float
    seconds: float
    seed: int
    repeated_share: float = 0.33
    drips_every_s: float = 5.0


class Traffic:
    """Processes of clients, one per core; each has its share of the rate."""

    def __init__(self, cores: Sequence[int], *, url: str, expected: list[Told], plan: Plan) -> None:
        spawn = get_context("spawn")
        self._news = spawn.Queue()
        self._processes = [
            spawn.Process(
                target=_run, args=(core, place, len(cores), url, expected, plan, self._news), daemon=True
            )
            for place, core in enumerate(cores)
        ]

    def __enter__(self) -> Self:
        for each in self._processes:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._processes:
            each.terminate()
            each.join()

    def news(self) -> tuple[int, list[Ended]]:
        """How many requests were begun since this was last asked, and those that have ended."""
        begun, found = 0, list[Ended]()
        while True:
            try:
                more, fresh = self._news.get_nowait()
            except queue.Empty:
                return begun, found
            begun += more
            found += fresh

    def over(self) -> bool:
        return not any(each.is_alive() for each in self._processes) and self._news.empty()

    def exit_codes(self) -> list[int | None]:
        return [each.exitcode for each in self._processes]


# --- in a process of clients ------------------------------------------------------------------------------


def _run(core: int, place: int, of: int, url: str, expected: list[Told], plan: Plan, news: Any) -> None:
    os.sched_setaffinity(0, {core})
    clients = _Clients(place, url, expected, plan)
    gc.freeze()
    uvloop.run(clients.run(plan.rate / of, news))


class _Clients:
    """All clients of one process."""

    def __init__(self, place: int, url: str, expected: list[Told], plan: Plan) -> None:
        self._plan = plan
        self._mix = plan.mix.templates()
        self._expected = expected
        self._chance = random.Random(plan.seed * 1000 + place)
        self._number = (place + 1) * _NUMBERS
        self._url = url
        self._address = urlsplit(url)
        self._begun = 0
        self._fresh: list[Ended] = []

    async def run(self, rate: float, news: Any) -> None:
        settings = Settings(
            url=self._url, timeout_s=_PATIENCE_S, attempt_timeout_s=20.0, concurrency=24, failed_share=1.0
        )
        telling = asyncio.create_task(self._tell(news))
        async with AsyncRewardClient(settings) as client:
            begin = time.monotonic() + 0.5
            due = due_times(rate, seconds=self._plan.seconds, seed=self._chance.randrange(1 << 30))
            drips = due_times(
                1 / self._plan.drips_every_s,
                seconds=self._plan.seconds,
                seed=self._chance.randrange(1 << 30),
            )
            await asyncio.gather(
                paced(due.tolist(), lambda *_: self._one(client), begin=begin),
                paced(drips.tolist(), lambda *_: self._ended(Way.DRIPS, self._drip()), begin=begin),
            )
        telling.cancel()
        news.put((self._begun, self._fresh))

    async def _tell(self, news: Any) -> None:
        while True:
            await asyncio.sleep(0.5)
            begun, self._begun = self._begun, 0
            fresh, self._fresh = self._fresh, []
            news.put((begun, fresh))

    async def _one(self, client: AsyncRewardClient) -> None:
        way = self._chance.choices(list(_SHARES), weights=list(_SHARES.values()))[0]
        at = self._chance.randrange(len(self._mix))
        body = self._mix[at].body(nonce(self._word()))
        match way:
            case Way.TRAINER:
                work = self._as_trainer(client, at, body)
            case Way.BY_HAND:
                work = self._by_hand(at, body)
            case Way.HANGS_UP:
                work = self._hang_up(body)
            case _:
                work = self._nonsense(body)
        await self._ended(way, work)

    async def _ended(self, way: Way, work: Coroutine[Any, Any, tuple[str, tuple[str, ...]]]) -> None:
        self._begun += 1
        sent = time.monotonic()
        try:
            found, details = await work
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
            found, details = "raised", (type(error).__name__,)
        self._fresh.append(Ended(way, found, details, sent, time.monotonic()))

    def _word(self) -> int:
        if self._chance.random() < self._plan.repeated_share:
            return self._chance.randrange(_REPEATED)
        self._number += 1
        return self._number

    async def _as_trainer(
        self, client: AsyncRewardClient, at: int, body: list[bytes]
    ) -> tuple[str, tuple[str, ...]]:
        """With cairn's own client, which tries again. An end after its time is a lost reply."""
        request = ScoreRequest.model_validate_json(b"".join(body))
        begun = time.monotonic()
        scored = await client.score(request)
        if time.monotonic() - begun > _PATIENCE_S + _LATE_S:
            return "late", ()
        return _judged(tuple(map(_rollout, scored.rollouts)), self._expected[at])

    async def _by_hand(self, at: int, body: list[bytes]) -> tuple[str, tuple[str, ...]]:
        """One attempt on a connection of its own."""
        answer = await self._answer(body)
        if answer.status != 200:
            return _named(answer), ()
        return _judged(told(answer.body), self._expected[at])

    async def _nonsense(self, body: list[bytes]) -> tuple[str, tuple[str, ...]]:
        """What no server should score."""
        bad = self._chance.choice([body[:-1], [*body, b"}"], *_NONSENSE])
        answer = await self._answer(bad)
        return ("told so" if answer.status in {400, 422} else _named(answer)), ()

    async def _hang_up(self, body: list[bytes]) -> tuple[str, tuple[str, ...]]:
        """All of it, or half, and then nobody is there any more."""
        sent = body if self._chance.random() < 0.5 else body[: len(body) // 2 + 1]
        length = sum(map(len, body))
        wait = self._chance.expovariate(10)
        _, writer = await asyncio.open_connection(self._address.hostname, self._address.port)
        try:
            writer.writelines([_head(length), *sent])
            await asyncio.sleep(wait)
        finally:
            writer.transport.abort()
        return "gone", ()

    async def _drip(self) -> tuple[str, tuple[str, ...]]:
        """A head, or a body, of which a byte comes now and then; until the server has had enough."""
        slow_head = self._chance.random() < 0.5
        reader, writer = await asyncio.open_connection(self._address.hostname, self._address.port)
        begun = time.monotonic()
        try:
            if not slow_head:
                writer.write(_head(100_000))
            answered = asyncio.ensure_future(reader.readline())
            for byte in _head(100_000) if slow_head else b" " * 100_000:
                writer.write(bytes([byte]))
                done, _ = await asyncio.wait([answered], timeout=0.5)
                if done:
                    return "cut off", (answered.result()[9:12].decode() or "closed",)
                if time.monotonic() - begun > _PATIENCE_S + _LATE_S:
                    return "never cut", ("head" if slow_head else "body",)
        except ConnectionError:
            return "cut off", ("reset",)
        finally:
            answered.cancel()
            writer.transport.abort()
        return "never cut", ()

    async def _answer(self, body: list[bytes]) -> Answer:
        lines = Lines(self._address.hostname or "", self._address.port or 80, most=1, timeout_s=_PATIENCE_S)
        try:
            return await lines.ask(body)
        finally:
            lines.close()


def _head(length: int) -> bytes:
    return (
        f"POST /score HTTP/1.1\r\nhost: cairn\r\ncontent-type: application/json\r\n"
        f"content-length: {length}\r\n\r\n"
    ).encode()


def _judged(found: Told, to: Told) -> tuple[str, tuple[str, ...]]:
    kind = held(found, to=to)
    return kind.value, tuple({each.failure for each in found if each.failure})


def _rollout(each: RolloutOut) -> Rollout:
    return Rollout(
        each.reward,
        each.outcome.value if each.outcome else None,
        each.rubric.score if each.rubric else None,
        each.failure.type if each.failure else None,
    )


def _named(answer: Answer) -> str:
    return Broken(answer.status).name.lower() if answer.status < 0 else str(answer.status)
