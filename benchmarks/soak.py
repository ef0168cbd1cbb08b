"""Half an hour at 80 % of the capacity with faults thrown at random: is any reward wrong, or any reply lost?

    python benchmarks/soak.py --minutes 30

A server with a Redis and a judge is asked by trainers' clients, by hand, and by clients that hang up, drip or
send nonsense, while Redis, the line to it, the judge, the worker processes and the server itself get into
trouble (`soak_faults.py`). Rewards are held, bit for bit, to those of the same groups before the first fault.
The cache is small, so that verdicts that are remembered do not look like a leak.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import Annotated, Any

import typer
import uvloop
from load_figures import figures_of
from load_generator import Generators, Mix
from load_memory import Look, Watch
from load_mix import Held, Told
from measure import write
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from soak_faults import Thrown, World, throw
from soak_judge import judging
from soak_plot import draw
from soak_report import Report, report_of, say, show
from soak_server import Server
from soak_traffic import Ended, Plan, Traffic, Way

from tests.faults.proxy import proxied
from tests.service.store.server import binaries, serving

_SHARE = 0.8
_STEPS = 120
"""Of the picture."""
_LAST_S = 90.0
"""For requests that are under way when the time is over."""
_SETTINGS = {
    "cache_bytes": 1 << 20,
    "judge_model": "double",
    "judge_timeout_s": 3,
    "judge_deadline_s": 8,
    "redis_ttl_s": 600,
}


def main(
    minutes: Annotated[float, typer.Option(help="Of load with faults.")] = 30.0,
    seed: Annotated[int, typer.Option(help="Of the groups, the arrivals and the faults.")] = 1,
    most_kb: Annotated[float, typer.Option(help="Longest rollout, in 1,000 characters.")] = 60.0,
    groups: Annotated[int, typer.Option(help="Different groups.")] = 64,
    probe_s: Annotated[float, typer.Option(help="Seconds of the search for the capacity.")] = 10.0,
) -> None:
    """Learn, load, throw, report. Exit code 1: a reward was wrong, a reply lost, or an end unforeseen."""
    mix = Mix(groups, seed=seed, most_kb=most_kb, judged_share=0.1)
    with ExitStack() as stack:
        world, cores = _built(stack)
        expected, capacity = _learned(world.server, cores, mix=mix, seconds=probe_s)
        plan = Plan(mix, rate=_SHARE * capacity, seconds=minutes * 60, seed=seed)
        traffic = Traffic(cores, url=world.server.url, expected=expected, plan=plan)
        soak = _Soak(world, plan)
        with Watch(lambda: world.server.pid) as watch, traffic:
            uvloop.run(soak.run(traffic))
        report = soak.report(watch.seen, minutes=minutes)
        logged = dict(world.server.events())
    show(report)
    results = _results(report, soak, watch.seen, minutes=minutes) | {
        "seed": seed,
        "most_kb": most_kb,
        "capacity_requests_per_second": capacity,
        "offered_requests_per_second": plan.rate,
        "struck_on_the_line_to_redis": world.proxy.struck,
        "logged": logged,
    }
    print("unusual events of the server's log:", logged or "none")
    print("written:", write("soak", results))
    print("drawn:", draw(results))
    sys.exit(bool(report.wrong or report.lost or report.unforeseen or set(report.exit_codes) - {"0"}))


def _built(stack: ExitStack) -> tuple[World, list[int]]:
    """Everything running, and the cores of those who ask; on these is all but the server."""
    mine = sorted(os.sched_getaffinity(0))
    half = max(1, len(mine) // 2)
    served, rest = mine[:half], mine[half:] or mine
    os.sched_setaffinity(0, rest)
    stack.callback(os.sched_setaffinity, 0, mine)
    redis = stack.enter_context(
        serving(binaries()["valkey"], "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
    )
    judge = stack.enter_context(judging())
    proxy = stack.enter_context(proxied(redis.port))
    settings = {**_SETTINGS, "redis_url": f"redis://127.0.0.1:{proxy.port}", "judge_url": judge.url}
    server = stack.enter_context(Server(served, settings=settings))
    return World(server, redis, proxy, judge), rest


def _learned(server: Server, cores: Sequence[int], *, mix: Mix, seconds: float) -> tuple[list[Told], float]:
    """The right replies, and how many requests a second get one when nothing is wrong."""
    with Generators(cores, url=server.url, mix=mix) as generators:
        expected = generators.learn()
        replies = generators.closed_loop(max(1, 12 // len(cores)), seconds=seconds)
    first = float(replies["due"].min())
    figures = figures_of(replies, mix=mix.templates(), begin=first + seconds / 5, end=first + seconds)
    return expected, figures.good_requests


class _Soak:
    """What happens while the time runs."""

    def __init__(self, world: World, plan: Plan) -> None:
        self.begun_at = 0.0
        self.begun = 0
        self.server_cores = world.server.cores
        self.ended: list[Ended] = []
        self.thrown: list[Thrown] = []
        self._kinds: Counter[str] = Counter()
        self._world = world
        self._plan = plan

    async def run(self, traffic: Traffic) -> None:
        """Until all who ask are done, or have had time enough."""
        self.begun_at = time.monotonic()
        seconds = self._plan.seconds
        faults = asyncio.create_task(
            throw(self._world, seconds=seconds, seed=self._plan.seed, tell=self.thrown.append)
        )
        with _bar(seconds) as advance:
            while not traffic.over() and time.monotonic() < self.begun_at + seconds + _LAST_S:
                await asyncio.sleep(0.5)
                self._hear(traffic)
                advance(time.monotonic() - self.begun_at, self._story())
                if faults.done():
                    faults.result()
        self._hear(traffic)
        await faults

    def report(self, seen: Sequence[Look], *, minutes: float) -> Report:
        return report_of(
            self.ended,
            begun=self.begun,
            thrown=self.thrown,
            stops=self._world.server.ends,
            seen=seen,
            minutes=minutes,
        )

    def _hear(self, traffic: Traffic) -> None:
        begun, ended = traffic.news()
        self.begun += begun
        self.ended += ended
        self._kinds.update(each.found for each in ended)

    def _story(self) -> str:
        failed, wrong = self._kinds[Held.FAILED], self._kinds[Held.WRONG]
        return f"{self.begun:,} asked, {failed:,} failed, {wrong} wrong, {len(self.thrown)} faults"


@contextmanager
def _bar(seconds: float) -> Iterator[Callable[[float, str], None]]:
    """A line that moves; told how many seconds have passed, and what there is to say."""
    columns = TextColumn("soak"), BarColumn(), TimeRemainingColumn(), TextColumn("{task.fields[story]}")
    with Progress(*columns) as progress:
        task = progress.add_task("soak", total=seconds, story="")
        yield lambda passed, story: progress.update(task, completed=min(passed, seconds), story=story)


def _results(report: Report, soak: _Soak, seen: Sequence[Look], *, minutes: float) -> dict[str, Any]:
    """What is kept, and what the picture needs; times in minutes from the beginning."""

    def at(when: float) -> float:
        return round((when - soak.begun_at) / 60, 3)

    looks = seen[:: max(1, len(seen) // _STEPS)]
    ends: dict[str, list[float]] = {}
    for each in soak.ended:
        if each.way in {Way.TRAINER, Way.BY_HAND} and each.found != Held.RIGHT:
            ends.setdefault(each.details[0] if each.details else each.found, []).append(at(each.done))
    return {
        "minutes": minutes,
        "server_cores": soak.server_cores,
        **asdict(report),
        "memory_says": f"memory of all processes: {say(report.slope)}",
        "memory": [(at(each.at), round(each.server_mb, 1), round(each.all_mb, 1)) for each in looks],
        "faults_thrown": [(each.lane, each.kind, at(each.begin), at(each.end)) for each in soak.thrown],
        "not_right": {kind: _by_step(times, minutes) for kind, times in sorted(ends.items())},
    }


def _by_step(times: Sequence[float], minutes: float) -> list[int]:
    """How many in each 120th of the time, and after it."""
    counts = Counter(min(_STEPS, int(each / minutes * _STEPS)) for each in times)
    return [counts[step] for step in range(_STEPS + 1)]


if __name__ == "__main__":
    typer.run(main)
