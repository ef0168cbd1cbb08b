"""How often does the canary differ where nothing has changed? Passes through a service's own parts.

Each process has a service of its own, as `cairn serve` builds it, with the matching in its own thread; a pass
there takes the path of requests. What is new in each pass is the word in its questions.

    python benchmarks/drift_passes.py --count 10000
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain
from multiprocessing import get_context
from typing import Annotated, Any

import typer
from rich.progress import track

from service.bootstrap import build_parts
from service.drift.canary import Pass
from service.settings import Settings

_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class _Some:
    """What became of a few passes."""

    results: Counter[str]
    cases: int
    largest_error: float
    wrong: Sequence[str]
    seconds: float


def main(
    count: Annotated[int, typer.Option(help="Passes in all.")] = 10_000,
    *,
    processes: Annotated[int, typer.Option(help="Processes that share them.")] = 4,
    model: Annotated[str, typer.Option(help="Embedding model, as CAIRN_EMBEDDING_MODEL; none.")] = "",
) -> None:
    """Make them, print what became of them."""
    for what, found in passes(count, processes=processes, model=model).items():
        print(f"{what}: {found}")


def passes(count: int, *, processes: int, model: str = "") -> dict[str, Any]:
    """So many passes over all processes; `model` is the embedding model, if any."""
    started = time.perf_counter()
    sizes = [min(_AT_ONCE, count - done) for done in range(0, count, _AT_ONCE)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(_some, size, model) for size in sizes]
        found = [each.result() for each in track(waiting, "passes", transient=True)]
    results = sum((each.results for each in found), Counter[str]())
    return {
        "passes": count,
        "processes": processes,
        "model": model or None,
        "cases of a pass": found[0].cases,
        **{result: results[result] for result in ("ok", "mismatch", "unanswered")},
        "largest error": max(each.largest_error for each in found),
        "wrong": sorted(set(chain.from_iterable(each.wrong for each in found))),
        "seconds of a pass": round(sum(each.seconds for each in found) / count, 4),
        "seconds in all": round(time.perf_counter() - started),
    }


def _some(count: int, model: str) -> _Some:
    done = asyncio.run(_passed(count, model))
    return _Some(
        results=Counter(each.result for each in done),
        cases=done[0].cases,
        largest_error=max(each.largest_error for each in done),
        wrong=sorted({name for each in done for name in each.wrong}),
        seconds=sum(each.seconds for each in done),
    )


async def _passed(count: int, model: str) -> list[Pass]:
    parts = build_parts(Settings(workers=0, embedding_model=model))
    await parts.workers.start()
    try:
        return [await parts.canary.check() for _ in range(count)]
    finally:
        await parts.workers.close()
        for each in parts.closed:
            await each.close()


if __name__ == "__main__":
    typer.run(main)
