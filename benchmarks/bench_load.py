"""What does the service do under 0.5 to 10 times the load that it bears: goodput, latency, refusals, memory?

    python benchmarks/bench_load.py                 (about five minutes; half of the cores serve, half ask)

The capacity is measured first, in a closed loop that keeps the server busy and its queue short. Then requests
come in an open loop at multiples of it, by a Poisson process that waits for nobody; latency is counted from
when a request was due. `load_mix.py` says what is sent. Each answer with status 200 is held, bit for bit, to
the rewards that the same group got when the server had nothing else to do. A late start of more than some
milliseconds says that those who ask had too little of the machine; then the run says little of the server.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
from load_figures import Figures, figures_of
from load_generator import Generators, Mix, Replies
from load_memory import Watch, below, cpu_seconds
from load_mix import Size, Template
from load_plot import draw
from measure import write
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.service.serving import Running, running

_SETTLE_S = 3.0
"""Left out at the beginning of each load, and waited for between two."""


@dataclass(frozen=True, slots=True)
class Step:
    """One load, what became of it, and who was busy: `loop_cores` is the server's own process alone."""

    times_capacity: float
    figures: Figures
    server_mb: float
    all_mb: float
    loop_cores: float
    server_cores: float
    generator_cores: float


def main(
    seconds: Annotated[float, typer.Option(help="Of each load, and of the search for the capacity.")] = 40.0,
    loads: Annotated[str, typer.Option(help="Multiples of the capacity.")] = "0.5,1,2,5,10",
    cores: Annotated[int, typer.Option(help="Cores of the server; 0 for half of all.")] = 0,
    workers: Annotated[int, typer.Option(help="Worker processes; 0 for one per core.")] = 0,
    lines: Annotated[int, typer.Option(help="Requests at once in the search for the capacity.")] = 24,
    groups: Annotated[int, typer.Option(help="Different groups of the mix.")] = 128,
    profile: Annotated[str, typer.Option(help="Matcher profile.")] = "strict",
    cache_mb: Annotated[int, typer.Option(help="Memory for verdicts; small, so that it is soon full.")] = 16,
) -> None:
    """Find the capacity, try the multiples, print, draw, keep the results."""
    ours, theirs = _divided(cores)
    settings = {"workers": workers or len(ours), "profile": profile, "cache_bytes": cache_mb << 20}
    mix = Mix(groups)
    with _served(ours, settings) as server, Generators(theirs, url=server.url, mix=mix) as generators:
        generators.learn()
        templates = mix.templates()
        with Watch(lambda: server.process.pid) as watch:
            bench = _Bench(server, generators, templates, watch)
            capacity = bench.closed(max(1, lines // len(theirs)), seconds=seconds)
            rate = capacity.figures.good_requests
            steps = [
                bench.open(float(each), rate=rate * float(each), seconds=seconds)
                for each in track(loads.split(","), "loads", transient=True)
            ]
            memory = [
                (round(each.at - watch.seen[0].at, 1), round(each.all_mb, 1)) for each in watch.seen[::2]
            ]
    results: dict[str, Any] = {
        "seconds": seconds,
        "server_cores": len(ours),
        "generator_cores": len(theirs),
        "settings": settings,
        "mix": _described(templates),
        "capacity": asdict(capacity),
        "loads": [asdict(each) for each in steps],
        "goals": _goals(capacity, steps),
        "memory_mb": memory,
    }
    _print(capacity, steps, results["goals"])
    print("written:", write("load", results))
    print("drawn:", draw(results))


def _divided(cores: int) -> tuple[list[int], list[int]]:
    """Cores of the server, and of those who ask."""
    mine = sorted(os.sched_getaffinity(0))
    served = cores or max(1, len(mine) // 2)
    return mine[:served], mine[served:] or mine


@contextmanager
def _served(cores: Sequence[int], settings: dict[str, Any]) -> Iterator[Running]:
    """A server that runs on these cores alone: it inherits them."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    with running(**settings) as server:
        os.sched_setaffinity(0, before)
        yield server


class _Bench:
    """A server, those who ask it, and those who look."""

    def __init__(
        self, server: Running, generators: Generators, templates: list[Template], watch: Watch
    ) -> None:
        self._server = server
        self._generators = generators
        self._templates = templates
        self._watch = watch
        self._askers = generators.pids()

    def closed(self, lines: int, *, seconds: float) -> Step:
        return self._step(1.0, lambda: self._generators.closed_loop(lines, seconds=seconds), seconds)

    def open(self, times: float, *, rate: float, seconds: float) -> Step:
        seed = round(times * 100)
        return self._step(
            times, lambda: self._generators.open_loop(rate, seconds=seconds, seed=seed), seconds
        )

    def _step(self, times: float, load: Callable[[], Replies], seconds: float) -> Step:
        time.sleep(_SETTLE_S)
        started, before = time.monotonic(), self._cpu()
        replies = load()
        used = [after - each for after, each in zip(self._cpu(), before, strict=True)]
        ended = time.monotonic()
        first = float(replies["due"].min())
        settled = min(_SETTLE_S, seconds / 4)
        seen = self._watch.between(started, ended)
        return Step(
            times,
            figures_of(replies, mix=self._templates, begin=first + settled, end=first + seconds),
            server_mb=max((each.server_mb for each in seen), default=0.0),
            all_mb=max((each.all_mb for each in seen), default=0.0),
            loop_cores=used[0] / (ended - started),
            server_cores=used[1] / (ended - started),
            generator_cores=used[2] / (ended - started),
        )

    def _cpu(self) -> tuple[float, float, float]:
        server = self._server.process.pid
        return cpu_seconds([server]), cpu_seconds([server, *below(server)]), cpu_seconds(self._askers)


def _described(templates: Sequence[Template]) -> dict[str, Any]:
    count = len(templates)
    return {
        "groups": count,
        "rollouts_per_group": sum(each.rollouts for each in templates) / count,
        "mb_per_group": sum(each.length for each in templates) / count / 1e6,
        "sizes": {size.value: sum(each.size is size for each in templates) / count for size in Size},
    }


def _goals(capacity: Step, steps: Sequence[Step]) -> dict[str, Any]:
    """What was set as a goal, and what came of it; the last load is the heaviest."""
    peak = max(each.figures.good_rollouts for each in (capacity, *steps))
    heaviest = max(steps, key=lambda each: each.times_capacity)
    usual = min(steps, key=lambda each: abs(each.times_capacity - 1))
    everyone = (capacity, *steps)
    return {
        "goodput_share_of_peak": heaviest.figures.good_rollouts / peak,
        "p99_over_that_at_1x": _ratio(heaviest.figures.accepted.p99_ms, usual.figures.accepted.p99_ms),
        "refused_p50_ms": heaviest.figures.refused_p50_ms,
        "memory_over_that_at_1x": _ratio(heaviest.all_mb, usual.all_mb),
        "unforeseen_statuses": sum(each.figures.unforeseen for each in everyone),
        "wrong_rewards": sum(each.figures.wrong for each in everyone),
        "unanswered": sum(sum(each.figures.broken.values()) for each in everyone),
        "most_mb": max(each.all_mb for each in everyone),
        "late_start_p99_ms": max(each.figures.late_start_p99_ms for each in everyone),
    }


def _ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above and below else None


# --- tables -----------------------------------------------------------------------------------------------


def _print(capacity: Step, steps: Sequence[Step], goals: Mapping[str, Any]) -> None:
    table = Table(title=f"capacity: {capacity.figures.good_rollouts:.0f} rollouts/s in a closed loop")
    cells: dict[str, Callable[[Step], object]] = {
        "load": lambda each: "closed" if each is capacity else f"{each.times_capacity:g}x",
        "offered/s": lambda each: f"{each.figures.offered_requests:.0f}",
        "rollouts/s": lambda each: f"{each.figures.offered_rollouts:.0f}",
        "goodput": lambda each: f"{each.figures.good_rollouts:.0f}",
        "MB/s": lambda each: f"{each.figures.good_mb:.0f}",
        "p50 ms": lambda each: _ms(each.figures.accepted.p50_ms),
        "p99 ms": lambda each: _ms(each.figures.accepted.p99_ms),
        **{
            f"p99 {size}": lambda each, size=size: _ms(each.figures.latency[size].p99_ms)  # type: ignore[misc]
            for size in Size
        },
        "refused": lambda each: f"{each.figures.refused_share:.0%}",
        "p50": lambda each: _ms(each.figures.refused_p50_ms),
        "others": lambda each: _others(each.figures),
        "wrong": lambda each: each.figures.wrong,
        "MB": lambda each: f"{each.all_mb:.0f}",
        "cores": lambda each: f"{each.loop_cores:.1f} of {each.server_cores:.1f}",
        "asking": lambda each: f"{each.generator_cores:.1f}",
        "late start": lambda each: _ms(each.figures.late_start_p99_ms),
    }
    for name in cells:
        table.add_column(name, justify="right")
    for step in (capacity, *steps):
        table.add_row(*(str(cell(step)) for cell in cells.values()))
    Console(width=190).print(table)
    for name, value in goals.items():
        print(f"  {name.replace('_', ' '):24} {value if isinstance(value, int) else _short(value)}")


def _others(figures: Figures) -> str:
    rest = {each: count for each, count in figures.statuses.items() if each not in {"200", "429"}}
    return ", ".join(f"{count} {each}" for each, count in (rest | figures.broken).items())


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


if __name__ == "__main__":
    typer.run(main)
