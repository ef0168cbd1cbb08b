"""What do single calls cost beside groups, and what becomes of 1,000 calls when the service is away for 30 s?

    taskset -c 0,1 python benchmarks/bench_client.py     (the service it starts has the same two cores)

The same rollouts are sent as groups of eight, one by one, and one by one with `CAIRN_COALESCE`, in turns;
each text is new, so that no cache helps. In the outage the service is killed and started again, or it hangs;
every call knows its right reward, and the service's own metrics say how often it was asked.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from typing import Annotated, Any, Self

import httpx
import typer
from measure import write
from rich.console import Console
from rich.progress import track
from rich.table import Table

from trainer_client import AsyncRewardClient, Settings

NAMES = [
    "Lady Gaga",
    "The Fame",
    "Just Dance",
    "RedOne",
    "Poker Face",
    "Bad Romance",
    "Akon",
    "Interscope Records",
]
WORDS = ["".join(random.Random(seed).choices("aeioulnrstkm", k=2 + seed % 9)) for seed in range(500)]
GROUP = 8


def main(
    rollouts: Annotated[int, typer.Option(help="Rollouts of a round.")] = 4096,
    rounds: Annotated[int, typer.Option(help="Rounds of each way, after one to warm up.")] = 3,
    kb: Annotated[str, typer.Option(help="Lengths of a response, in 1,000 characters.")] = "4,32,128",
    calls: Annotated[
        int, typer.Option(help="Calls of which the outage stands in the middle; 0 for none.")
    ] = 1000,
    away: Annotated[float, typer.Option(help="Seconds of the outage.")] = 30.0,
    workers: Annotated[int, typer.Option(help="Worker processes of the service.")] = 2,
) -> None:
    """Measure both, print tables, keep the results."""
    with Service(workers) as service:
        lengths = [int(each) for each in kb.split(",")]
        speeds = {f"{each} KB": _throughput(service.url, each * 1000, rollouts, rounds) for each in lengths}
    _print_speeds(speeds, rollouts)
    outages = []
    for how in ("killed", "hangs") if calls else ():
        for patience in (120.0, 10.0):
            with Service(workers) as service:
                outages.append(asyncio.run(_outage(service, how, calls=calls, away=away, patience=patience)))
    _print_outages(outages)
    results = {
        "rollouts": rollouts,
        "workers": workers,
        "rollouts_per_second": {length: _medians(rates) for length, rates in speeds.items()},
        "share_of_groups": {length: _shares(rates) for length, rates in speeds.items()},
    }
    print("written:", write("client", results | {"outages": [asdict(each) for each in outages]}))


# --- single calls and groups ------------------------------------------------------------------------------


def _throughput(url: str, length: int, rollouts: int, rounds: int) -> dict[str, list[float]]:
    """Rollouts a second of each way, turn by turn."""
    ways = {
        "groups": (Settings(url=url), GROUP),
        "single": (Settings(url=url), 1),
        "single, coalesced": (Settings(url=url, coalesce=GROUP), 1),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for turn in track(range(rounds + 1), f"{length // 1000} KB", transient=True):
        for name, (settings, size) in ways.items():
            bodies = [
                _body(f"{name}/{turn}", range(at, at + size), length) for at in range(0, rollouts, size)
            ]
            rate = rollouts / asyncio.run(_timed(settings, bodies))
            rates[name].extend([rate] if turn else [])
    return rates


def _medians(rates: dict[str, list[float]]) -> dict[str, float]:
    return {name: statistics.median(each) for name, each in rates.items()}


def _shares(rates: dict[str, list[float]]) -> dict[str, float]:
    """Of the throughput of groups in the same turn: a noisy minute hits both."""
    pairs = {
        name: zip(each, rates["groups"], strict=True) for name, each in rates.items() if name != "groups"
    }
    return {name: statistics.median(mine / theirs for mine, theirs in each) for name, each in pairs.items()}


async def _timed(settings: Settings, bodies: list[dict[str, Any]]) -> float:
    async with AsyncRewardClient(settings) as client:
        start = time.perf_counter()
        found = await asyncio.gather(*(client.score(body) for body in bodies))
        taken = time.perf_counter() - start
    wrong = sum(each.rewards != _rewards(body) for each, body in zip(found, bodies, strict=True))
    if wrong:
        raise SystemExit(f"{wrong} calls did not get their rewards")
    return taken


def _body(run: str, places: range, length: int) -> dict[str, Any]:
    """Rollouts that name none to all of the entities, and are right; the scheme needs no group."""
    group = places.start // GROUP
    return {
        "id": f"group {group}",
        "question": f"Who made it, in round {run}, group {group}?",
        "rubric": {"entities": NAMES},
        "rollouts": [
            {"response": _response(f"{run}/{at}", at % (len(NAMES) + 1), length), "outcome": 1.0}
            for at in places
        ],
        "scheme": {"name": "longtrace", "normalize": "none"},
        "explain": False,
    }


def _response(run: str, named: int, length: int) -> str:
    """New text with so many names, spread over it; only its beginning is made anew each time."""
    return f"Run {run}: {_text(named, length)}"


@cache
def _text(named: int, length: int) -> str:
    chance = random.Random(named)
    share = max(1, length // (6 * (named + 1)))
    parts = [" ".join(chance.choices(WORDS, k=share)) for _ in range(named + 1)]
    pairs = zip(parts, [*NAMES[:named], "so"], strict=True)
    return ". ".join(text for pair in pairs for text in pair)


def _rewards(body: dict[str, Any]) -> tuple[float, ...]:
    named = [sum(name in each["response"] for name in NAMES) for each in body["rollouts"]]
    return tuple(0.7 * 1.0 + 0.3 * (each / len(NAMES)) for each in named)


# --- an outage --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outage:
    """What became of the calls around an outage."""

    how: str
    patience_s: float
    calls: int
    right: int
    failed: dict[str, int]
    wrong: int
    late: int
    longest_s: float
    counted: int

    @property
    def ratio(self) -> float:
        return self.counted / self.calls


async def _outage(service: Service, how: str, *, calls: int, away: float, patience: float) -> Outage:
    """Calls come evenly, for twice as long as the service is away in their middle."""
    settings = Settings(url=service.url, timeout_s=patience, failed_share=1.0)
    every = 2 * away / calls
    async with AsyncRewardClient(settings) as client:
        tasks = []
        ends = asyncio.create_task(_away(service, how, begin=away / 2, away=away))
        for at in range(calls):
            tasks.append(asyncio.create_task(_call(client, at, how)))
            await asyncio.sleep(every)
        found = await asyncio.gather(*tasks)
        before = await ends
    reasons = Counter(reason for _, reason, _ in found if reason not in {"right", "wrong"})
    return Outage(
        how,
        patience,
        calls,
        right=sum(reason == "right" for _, reason, _ in found),
        failed=dict(reasons),
        wrong=sum(reason == "wrong" for _, reason, _ in found),
        late=sum(taken > patience + 1.0 for _, _, taken in found),
        longest_s=max(taken for _, _, taken in found),
        counted=before + service.asked(),
    )


async def _call(client: AsyncRewardClient, at: int, how: str) -> tuple[int, str, float]:
    body = _body(f"{how}/{client.settings.timeout_s}", range(at, at + 1), 4000)
    start = time.perf_counter()
    found = await client.score(body)
    taken = time.perf_counter() - start
    failure = found.failures[0]
    if failure is not None:
        return at, failure.type, taken
    return at, "right" if found.rewards == _rewards(body) else "wrong", taken


async def _away(service: Service, how: str, *, begin: float, away: float) -> int:
    """The requests that were counted by a service that is no more."""
    await asyncio.sleep(begin)
    if how == "hangs":
        service.hang()
        await asyncio.sleep(away)
        service.go_on()
        return 0
    counted = service.asked()
    service.stop(signal.SIGKILL)
    await asyncio.sleep(away)
    await asyncio.to_thread(service.start)
    return counted


class Service:
    """`cairn serve` in a process of its own, on the same port each time."""

    def __init__(self, workers: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._workers = workers
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGTERM)

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "service.cli",
            "serve",
            "--host",
            "127.0.0.1",
            "--port",
            str(self._port),
        ]
        environment = os.environ | {"CAIRN_WORKERS": str(self._workers)}  # noqa: TID251 - handed on
        self._process = subprocess.Popen(  # noqa: S603 - our own words
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while not self._ready():
            if self._process.poll() is not None:
                raise SystemExit("the service did not start")
            time.sleep(0.05)

    def stop(self, sign: signal.Signals) -> None:
        self._process.send_signal(sign)
        self._process.wait()

    def hang(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def asked(self) -> int:
        """Requests to `/score` that this process has counted, whatever it answered."""
        lines = httpx.get(f"{self.url}/metrics").text.splitlines()
        counts = [line for line in lines if line.startswith("cairn_requests_total{") and '"/score"' in line]
        return sum(int(float(line.rpartition(" ")[2])) for line in counts)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2.0).is_success
        except httpx.TransportError:
            return False


# --- tables -----------------------------------------------------------------------------------------------


def _print_speeds(speeds: dict[str, dict[str, list[float]]], rollouts: int) -> None:
    table = Table(title=f"{rollouts} rollouts, rollouts a second")
    names = list(next(iter(speeds.values())))
    for column in ("response", *names, *(f"{name} / groups" for name in names[1:])):
        table.add_column(column, justify="right")
    for length, rates in speeds.items():
        shares = [f"{share:.2f}" for share in _shares(rates).values()]
        table.add_row(length, *(f"{rate:,.0f}" for rate in _medians(rates).values()), *shares)
    Console().print(table)


def _print_outages(outages: list[Outage]) -> None:
    if not outages:
        return
    table = Table(title="Calls around an outage")
    cells: dict[str, Callable[[Outage], object]] = {
        "the service": lambda each: each.how,
        "deadline": lambda each: f"{each.patience_s:g} s",
        "right": lambda each: each.right,
        "typed failures": lambda each: ", ".join(f"{n} {kind}" for kind, n in each.failed.items()) or 0,
        "wrong": lambda each: each.wrong,
        "late": lambda each: each.late,
        "longest": lambda each: f"{each.longest_s:.1f} s",
        "asked / calls": lambda each: f"{each.ratio:.3f}",
    }
    for name in cells:
        table.add_column(name, justify="right")
    for each in outages:
        table.add_row(*(str(cell(each)) for cell in cells.values()))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
