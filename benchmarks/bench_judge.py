"""How near to the ideal does the judge's client come, with 1,000 rollouts at once and room for 64?

The endpoint is a double in a process of its own that answers every request after the same latency. The ideal
wall time is rollouts / limit x latency. A round follows the other, so that memory that grows would show.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from measure import write
from rich.console import Console
from rich.table import Table

from service.judge.client import Judge
from service.judge.options import JudgeOptions

ROOT = Path(__file__).parents[1]
WORDS = ["".join(random.Random(seed).choices("aeioulnrstkm", k=2 + seed % 9)) for seed in range(500)]


def main(
    rollouts: Annotated[int, typer.Option(help="Rollouts given to the judge at once.")] = 1000,
    limit: Annotated[int, typer.Option(help="Calls under way at once.")] = 64,
    latency: Annotated[float, typer.Option(help="Seconds that the endpoint takes.")] = 0.2,
    kb: Annotated[int, typer.Option(help="Length of a final content, in 1,000 characters.")] = 4,
    rounds: Annotated[int, typer.Option(help="Rounds, after one to warm up.")] = 5,
) -> None:
    """Run the rounds, print a table, keep the results."""
    finals = [_final(random.Random(seed), kb * 1000) for seed in range(rollouts)]
    with _double(latency) as url:
        seconds, megabytes = uvloop.run(_measure(url, finals, limit=limit, rounds=rounds))
    ideal = rollouts / limit * latency
    results = {
        "rollouts": rollouts,
        "limit": limit,
        "latency_s": latency,
        "kb": kb,
        "ideal_s": ideal,
        "median_s": statistics.median(seconds),
        "slowest_s": max(seconds),
        "median_over_ideal": statistics.median(seconds) / ideal,
        "slowest_over_ideal": max(seconds) / ideal,
        "resident_mb_after_each_round": megabytes,
    }
    _print(results, seconds, megabytes)
    print("written:", write("judge", results))


async def _measure(
    url: str, finals: list[str], *, limit: int, rounds: int
) -> tuple[list[float], list[float]]:
    """Seconds of each round, and the memory after each."""
    judge = Judge(JudgeOptions(base_url=url, model="double", concurrency=limit, deadline_s=600.0))
    seconds, megabytes = [], []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        outcomes = await asyncio.gather(*(judge.decide(each, question="?", answer="x") for each in finals))
        seconds.append(time.perf_counter() - start)
        if not all(outcome.value for outcome in outcomes):
            raise RuntimeError("the double says yes, and the judge does not")
        gc.collect()
        megabytes.append(_resident_mb())
    await judge.close()
    return seconds[1:], megabytes[1:]


@contextmanager
def _double(latency: float) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.service.judge.double", "--latency", str(latency)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own words
    try:
        assert process.stdout  # noqa: S101 - for mypy: it is a pipe
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def _final(chance: random.Random, length: int) -> str:
    return " ".join(chance.choices(WORDS, k=length // 5))[:length]


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _print(results: dict[str, object], seconds: list[float], megabytes: list[float]) -> None:
    table = Table(title=f"{results['rollouts']} rollouts, ideal {results['ideal_s']:.3f} s")
    for column in ("round", "seconds", "over the ideal", "resident MB"):
        table.add_column(column, justify="right")
    ideal = float(str(results["ideal_s"]))
    for number, (taken, size) in enumerate(zip(seconds, megabytes, strict=True), start=1):
        table.add_row(str(number), f"{taken:.3f}", f"{taken / ideal - 1:+.1%}", f"{size:.1f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
