"""What a soak found: requests by their ends, failures by type, wrong rewards, lost replies, memory.

A reply is lost if a request ended by no answer, no typed failure and no end of its own. By hand nobody asks
again: a connection that could not be made, or was cut, while the server was stopped and started is counted as
turned away. A client that hangs up gets no reply and loses none; one that drips should be cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from load_memory import Look
from load_mix import Held
from rich.console import Console
from rich.table import Table
from soak_faults import Thrown
from soak_server import End
from soak_slope import Life, Slope, slope_of
from soak_traffic import Ended, Way

_BROKEN = {"unreachable", "cut"}
_ALLOWED = {"429", "503", "504"}
_READY_S = 1.0
"""A connection that was refused just before the server was ready is seen a little later."""


@dataclass(frozen=True, slots=True)
class Report:
    """`ends` by way of asking; `lost` has what it was that lost them."""

    requests: int
    ends: dict[str, dict[str, int]]
    failures: dict[str, int]
    wrong: int
    lost: dict[str, int]
    unforeseen: dict[str, int]
    p50_s: float
    p99_s: float
    faults: dict[str, int]
    exit_codes: dict[str, int]
    slope: Slope | None
    server_slope: Slope | None
    most_mb: float


def report_of(
    ended: Sequence[Ended],
    *,
    begun: int,
    thrown: Sequence[Thrown],
    stops: Sequence[End],
    seen: Sequence[Look],
    minutes: float,
) -> Report:
    """All of it. Memory is looked at after a sixth of the time, and a while after each start."""
    ends = [_end(each, stops) for each in ended]
    by_way = {
        way.value: dict(Counter(end for one, end in zip(ended, ends, strict=True) if one.way is way))
        for way in Way
    }
    lost = Counter(end for end in ends if end.startswith("lost"))
    lost["lost: never ended"] += begun - len(ended)
    times = [each.done - each.sent for each in ended if each.way is Way.TRAINER] or [0.0]
    return Report(
        requests=begun,
        ends=by_way,
        failures=dict(
            Counter(detail for each in ended if each.found == Held.FAILED for detail in each.details)
        ),
        wrong=sum(each.found == Held.WRONG for each in ended),
        lost={name: count for name, count in lost.items() if count},
        unforeseen=dict(Counter(end for end in ends if end.startswith("unforeseen"))),
        p50_s=float(np.quantile(times, 0.5)),
        p99_s=float(np.quantile(times, 0.99)),
        faults=dict(Counter(f"{each.lane}: {each.kind}" for each in thrown)),
        exit_codes=dict(Counter(str(each.code) for each in stops)),
        slope=slope_of(lives_of(seen, lambda each: each.all_mb, minutes=minutes)),
        server_slope=slope_of(lives_of(seen, lambda each: each.server_mb, minutes=minutes)),
        most_mb=max((each.all_mb for each in seen), default=0.0),
    )


def _end(each: Ended, stops: Sequence[End]) -> str:
    """In a word."""
    stopped = any(each.sent <= stop.ready + _READY_S and each.done >= stop.told for stop in stops)
    if each.found in _BROKEN:
        return f"turned away: {each.found}" if stopped else f"lost: {each.found}"
    if each.found == "raised":
        name = ", ".join(each.details)
        return f"turned away: {name}" if stopped and each.way is not Way.TRAINER else f"lost: {name}"
    if each.found in {"late", "unsent"}:
        return f"lost: {each.found}"
    if each.found.isdigit() and each.found not in _ALLOWED:
        return f"unforeseen: {each.found}"
    return each.found


def lives_of(seen: Sequence[Look], size: Callable[[Look], float], *, minutes: float) -> list[Life]:
    """Means of a thirtieth of the time each; the first sixth is left out, and the beginning of each life."""
    step = minutes * 60 / 30
    lives = []
    for process in dict.fromkeys(each.server for each in seen):
        own = [each for each in seen if each.server == process]
        begin = max(seen[0].at + 5 * step, own[0].at + 2 * step)
        steps: dict[int, list[float]] = {}
        for each in own:
            if each.at >= begin and size(each):
                steps.setdefault(int((each.at - seen[0].at) / step), []).append(size(each))
        times = np.array([(place + 0.5) * step / 60 for place in steps])
        lives.append(Life(times, np.array([np.mean(sizes) for sizes in steps.values()])))
    return lives


def show(report: Report) -> None:
    """Tables, and the memory in a sentence."""
    console = Console()
    table = Table(title=f"{report.requests:,} requests, by how they came and how they ended")
    for column in ("came", "ended", "requests"):
        table.add_column(column, justify="right" if column == "requests" else "left")
    for way, ends in report.ends.items():
        for end, count in sorted(ends.items(), key=lambda pair: -pair[1]):
            table.add_row(way, end, f"{count:,}")
    console.print(table)
    for name, counts in (("failures by type", report.failures), ("faults thrown", report.faults)):
        console.print(_counts(name, counts))
    lost = sum(report.lost.values())
    console.print(f"wrong rewards: {report.wrong}; lost replies: {lost} {report.lost or ''}")
    console.print(f"unforeseen: {report.unforeseen or 0}; exit codes of stops: {report.exit_codes}")
    console.print(f"trainers waited {report.p50_s:.3f} s (median), {report.p99_s:.2f} s (99 of 100)")
    console.print(f"memory of all processes: {say(report.slope)}")
    console.print(f"memory of the server's own: {say(report.server_slope)}")


def say(slope: Slope | None) -> str:
    """A slope in a sentence."""
    if slope is None:
        return "too short to tell"
    told = "flat" if slope.is_flat else "GROWS" if slope.grows else "shrinks"
    return f"{told}, {slope.mb_per_minute:+.3f} MB/min (95 %: {slope.low:+.3f} to {slope.high:+.3f})"


def _counts(name: str, counts: Mapping[str, Any]) -> Table:
    table = Table(title=name)
    table.add_column("what")
    table.add_column("count", justify="right")
    for what, count in sorted(counts.items()):
        table.add_row(what, f"{count:,}")
    return table
