"""Does a stop lose an accepted request, and does the death of a worker change a reward? 50 times each.

    python benchmarks/bench_stops.py                    (some six minutes)

Twelve lines ask without a pause, half of them with a connection of their own for each request, while the
server is told to stop, or a worker process at work is killed with signal 9.

A request counts as accepted if the server's log has an event for it, or if all of it was on its way to the
server before SIGTERM was sent; each of those must be answered, with the status of the log. What is sent
afterwards may find nobody who listens, or a line that is closed while it rests: HTTP/1.1 cannot tell the two
apart, the client asks again elsewhere, and here it is counted as turned away.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
import uvloop
from load_generator import learned
from load_lines import Lines
from load_mix import Held, Template, Told, held, nonce, templates, told
from measure import write
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.service.serving import Running, metric, running

_OK, _DRAINING = 200, 503
_ASKING = 12
_SETTINGS: Mapping[str, Any] = {"workers": 2, "cache_bytes": 1 << 20}


@dataclass(frozen=True, slots=True)
class Reply:
    """One request: its id, when it was sent, its status or how it broke, and what its rewards are."""

    id: str
    sent: float
    status: int
    held: Held | None
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stop:
    """One SIGTERM under load."""

    accepted: int
    under_way: int
    under_way_right: int
    lost: int
    wrong: int
    failed: int
    statuses: dict[str, int]
    turned_away: int
    exit_code: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Deaths:
    """All the workers that were killed in one run."""

    killed: int
    died_at_work: int
    requests: int
    right: int
    failed: dict[str, int]
    wrong: int
    unanswered: int
    statuses: dict[str, int]


def main(
    times: Annotated[int, typer.Option(help="Stops, and deaths of a worker.")] = 50,
    most_kb: Annotated[float, typer.Option(help="Longest rollout, in 1,000 characters.")] = 300.0,
    seed: Annotated[int, typer.Option(help="Of the mix, and of the moments.")] = 1,
) -> None:
    """Stop, kill, print, keep the results."""
    mix = templates(32, seed=seed, most_kb=most_kb)
    chance = random.Random(seed)
    with running(**_SETTINGS) as server:
        expected = uvloop.run(_learned(server.url, mix))
        killing = _Asking(server.url, mix, expected)
        deaths = uvloop.run(_kill(server, killing, times=times, chance=chance))
    stops = []
    for turn in track(range(times), "stops", transient=True):
        with running(**_SETTINGS) as server:
            asking = _Asking(server.url, mix, expected, first=(turn + 1) * 1_000_000)
            stops.append(uvloop.run(_stop(server, asking, after_s=chance.uniform(0.3, 1.3))))
    results = {"most_kb": most_kb, "asking": _ASKING, **_summary(stops, deaths)}
    _print(results)
    print("written:", write("stops", results | {"stops": [asdict(each) for each in stops]}))


# --- asking -----------------------------------------------------------------------------------------------


class _Asking:
    """Lines that ask without a pause, and what became of each request."""

    def __init__(self, url: str, mix: list[Template], expected: list[Told], *, first: int = 0) -> None:
        self.replies: list[Reply] = []
        self.under_way: dict[str, float] = {}
        self.enough = False
        self._address = urlsplit(url)
        self._mix = mix
        self._expected = expected
        self._number = first

    async def run(self) -> None:
        """Until it is enough, or nobody listens any more."""
        shared = self._lines()
        await asyncio.gather(*(self._ask(shared if at % 2 else None, at) for at in range(_ASKING)))
        shared.close()

    async def _ask(self, shared: Lines | None, seed: int) -> None:
        chance = random.Random(seed)
        while not self.enough:
            lines = shared or self._lines()
            reply = await self._one(lines, chance.randrange(len(self._mix)))
            self.replies.append(reply)
            if lines is not shared:
                lines.close()
            if reply.status < 0:
                return

    async def _one(self, lines: Lines, template: int) -> Reply:
        self._number += 1
        name = f"n{self._number}"
        self.under_way[name] = sent = time.monotonic()
        answer = await lines.ask(self._mix[template].body(nonce(self._number)), request_id=name)
        del self.under_way[name]
        if answer.status != _OK:
            return Reply(name, sent, answer.status, None)
        found = told(answer.body)
        failures = tuple(each.failure for each in found if each.failure)
        return Reply(name, sent, answer.status, held(found, to=self._expected[template]), failures)

    def _lines(self) -> Lines:
        return Lines(self._address.hostname or "", self._address.port or 80, most=_ASKING)


async def _learned(url: str, mix: list[Template]) -> list[Told]:
    address = urlsplit(url)
    lines = Lines(address.hostname or "", address.port or 80, most=1)
    try:
        return await learned(lines, mix)
    finally:
        lines.close()


# --- a stop -----------------------------------------------------------------------------------------------


async def _stop(server: Running, asking: _Asking, *, after_s: float) -> Stop:
    load = asyncio.create_task(asking.run())
    await asyncio.sleep(after_s)
    server.process.send_signal(signal.SIGTERM)
    signaled = time.monotonic()
    under_way = set(asking.under_way)
    code = await asyncio.to_thread(server.process.wait, 90)
    seconds = time.monotonic() - signaled
    await load
    return stop_of(
        asking.replies,
        server.events(),
        signaled=signaled,
        under_way=under_way,
        exit_code=code,
        seconds=seconds,
    )


def stop_of(
    replies: Sequence[Reply],
    events: Iterable[Mapping[str, object]],
    *,
    signaled: float,
    under_way: set[str],
    exit_code: int,
    seconds: float,
) -> Stop:
    """What the log and those who asked have to say of one stop."""
    logged = {str(each["request_id"]): each["status"] for each in events if _scored(each)}
    received = {each.id: each.status for each in replies if each.status > 0}
    accepted = logged.keys() | {each.id for each in replies if each.sent < signaled}
    return Stop(
        accepted=len(accepted),
        under_way=len(under_way),
        under_way_right=sum(each.id in under_way and each.held is Held.RIGHT for each in replies),
        lost=sum(each not in received or received[each] != logged.get(each) for each in accepted),
        wrong=sum(each.held is Held.WRONG for each in replies),
        failed=sum(each.held is Held.FAILED for each in replies),
        statuses=_counted(received.values()),
        turned_away=sum(each.status < 0 and each.id not in accepted for each in replies),
        exit_code=exit_code,
        seconds=seconds,
    )


def _scored(event: Mapping[str, object]) -> bool:
    return event.get("event") == "request" and event.get("route") == "/score"


# --- a death ----------------------------------------------------------------------------------------------


async def _kill(server: Running, asking: _Asking, *, times: int, chance: random.Random) -> Deaths:
    load = asyncio.create_task(asking.run())
    for _ in range(times):
        await asyncio.sleep(chance.uniform(0.2, 0.8))
        os.kill(await _at_work(server, chance), signal.SIGKILL)
    await asyncio.sleep(1.0)
    asking.enough = True
    await load
    with server.client() as client:
        died = metric(client, "cairn_workers_lost_total")
    kinds = Counter(each.held for each in asking.replies)
    return Deaths(
        killed=times,
        died_at_work=int(died),
        requests=len(asking.replies),
        right=kinds[Held.RIGHT],
        failed=_counted(failure for each in asking.replies for failure in each.failures),
        wrong=kinds[Held.WRONG],
        unanswered=sum(each.status < 0 for each in asking.replies),
        statuses=_counted(each.status for each in asking.replies),
    )


async def _at_work(server: Running, chance: random.Random) -> int:
    """A worker process that computes just now."""
    while True:
        workers = [each for each in server.workers() if _state(each) == "R"]
        if workers:
            return chance.choice(workers)
        await asyncio.sleep(0.001)


def _state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


# --- results ----------------------------------------------------------------------------------------------


def _summary(stops: list[Stop], deaths: Deaths) -> dict[str, Any]:
    return {
        "sigterm": {
            "times": len(stops),
            "accepted": sum(each.accepted for each in stops),
            "under_way": sum(each.under_way for each in stops),
            "under_way_right": sum(each.under_way_right for each in stops),
            "lost": sum(each.lost for each in stops),
            "wrong": sum(each.wrong for each in stops),
            "failed": sum(each.failed for each in stops),
            "statuses": dict(sum((Counter(each.statuses) for each in stops), Counter())),
            "turned_away": sum(each.turned_away for each in stops),
            "exit_codes": _counted(each.exit_code for each in stops),
            "longest_s": max(each.seconds for each in stops),
        },
        "kill_9": asdict(deaths),
    }


def _counted(values: Iterable[object]) -> dict[str, int]:
    return {str(each): count for each, count in sorted(Counter(values).items(), key=str)}


def _print(results: Mapping[str, Any]) -> None:
    shown: dict[str, Callable[[Any], str]] = {"sigterm": _said, "kill_9": _said}
    for name, say in shown.items():
        table = Table(title=f"{name}: {results['asking']} lines that ask without a pause")
        table.add_column("what")
        table.add_column("count", justify="right")
        for what, value in results[name].items():
            table.add_row(what.replace("_", " "), say(value))
        Console().print(table)


def _said(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} x {name}" for name, count in value.items()) or "0"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    typer.run(main)
