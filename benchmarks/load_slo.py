"""The tables of `docs/slo.md`, made of the results of the benchmarks: no number there is typed by hand.

python benchmarks/load_slo.py       (after `make bench ARGS=load`, `make bench ARGS=stops`, `make soak`)
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from load_mix import Size
from measure import RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "slo.md"
_MEASURED = re.compile(r"(?<=<!-- measured -->\n).*?(?=<!-- /measured -->)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Promise:
    """A row: what is promised, what was found, whether it was kept, and what proves it."""

    what: str
    target: str
    found: str
    kept: bool
    proof: str

    def row(self) -> str:
        kept = "yes" if self.kept else "**no**"
        return f"| {self.what} | {self.target} | {self.found} | {kept} | {self.proof} |"


def measured() -> str:
    """The part of the page between its two marks."""
    load, stops, soak = (
        json.loads((RESULTS / f"{name}.json").read_text()) for name in ("load", "stops", "soak")
    )
    parts = [
        "| promise | target | measured | kept | by |\n|---|---|---|---|---|",
        "\n".join(each.row() for each in promises(load["results"], stops["results"], soak["results"])),
        "",
        f"Latency of accepted requests, in milliseconds since they were due ({_machine(load)}):",
        "",
        "\n".join(_latency(load["results"])),
        "",
        f"The stops were measured on {_machine(stops)}; the soak on {_machine(soak)}.",
    ]
    return "\n".join(parts) + "\n"


def promises(load: Mapping[str, Any], stops: Mapping[str, Any], soak: Mapping[str, Any]) -> list[Promise]:
    """Everything that is promised and was measured."""
    goals, sigterm, killed = load["goals"], stops["sigterm"], stops["kill_9"]
    heaviest = max(each["times_capacity"] for each in load["loads"])
    lost, unforeseen = sum(soak["lost"].values()), sum(soak["unforeseen"].values())
    soaked = (
        f"{soak['minutes']:g} minutes, {sum(soak['faults'].values())} faults, {soak['requests']:,} requests"
    )
    slope = soak["slope"]
    codes = ", ".join(f"{count} x {code}" for code, count in sigterm["exit_codes"].items())
    return [
        Promise(
            "availability: every request gets an answer, and no 5xx but 503 and 504",
            "0 lost, 0 others",
            f"{soaked}: {lost} lost, {unforeseen} others",
            not lost and not unforeseen,
            "`make soak`",
        ),
        Promise(
            "correctness under faults: the fault-free reward, bit for bit, or a typed failure",
            "0 wrong",
            f"{soaked}: {soak['wrong']} wrong",
            not soak["wrong"],
            "`make soak`, `tests/faults`",
        ),
        Promise(
            "correctness when worker processes are killed at work",
            "0 wrong, 0 unanswered",
            f"{killed['killed']} kills, {killed['requests']:,} requests: {killed['wrong']} wrong, "
            f"{killed['unanswered']} unanswered",
            not killed["wrong"] and not killed["unanswered"],
            "`bench_stops.py`",
        ),
        Promise(
            "drain: SIGTERM under load loses no accepted request, and ends with exit code 0",
            "0 lost",
            f"{sigterm['times']} stops, {sigterm['accepted']:,} accepted: {sigterm['lost']} lost, "
            f"exit codes {codes}",
            not sigterm["lost"] and set(sigterm["exit_codes"]) == {"0"},
            "`bench_stops.py`, `tests/service/test_stopping.py`",
        ),
        Promise(
            f"goodput at {heaviest:g} times the capacity, of the peak",
            "≥ 90 %",
            f"{goals['goodput_share_of_peak']:.0%}",
            goals["goodput_share_of_peak"] >= 0.9,
            "`bench_load.py`",
        ),
        Promise(
            f"p99 of accepted requests at {heaviest:g} times the capacity, over that at 1 time",
            "≤ 2",
            _number(goals["p99_over_that_at_1x"]),
            (goals["p99_over_that_at_1x"] or 0.0) <= 2,
            "`bench_load.py`",
        ),
        Promise(
            "refusals (429) are told at once: median",
            "< 20 ms",
            f"{_number(goals['refused_p50_ms'])} ms",
            (goals["refused_p50_ms"] or 0.0) < 20,
            "`bench_load.py`",
        ),
        Promise(
            f"memory at {heaviest:g} times the capacity, over that at 1 time",
            "≤ 1.5",
            f"{_number(goals['memory_over_that_at_1x'])} ({goals['most_mb']:,.0f} MB)",
            (goals["memory_over_that_at_1x"] or 0.0) <= 1.5,
            "`bench_load.py`",
        ),
        Promise(
            "memory does not grow: slope, with its 95 % interval",
            "0 within the interval",
            "too short to tell"
            if slope is None
            else f"{slope['mb_per_minute']:+.2f} MB/min ({slope['low']:+.2f} to {slope['high']:+.2f})",
            slope is not None and slope["low"] <= 0 <= slope["high"],
            "`make soak`",
        ),
    ]


def _latency(load: Mapping[str, Any]) -> Iterable[str]:
    names = ["all", *Size]
    yield f"| offered | {' | '.join('all' if name == 'all' else Size(name).says for name in names)} |"
    yield f"|---|{'---|' * len(names)}"
    for each in load["loads"]:
        cells = [each["figures"]["latency"][name] for name in names]
        said = " | ".join(f"{_number(cell['p50_ms'])} / {_number(cell['p99_ms'])}" for cell in cells)
        yield f"| {each['times_capacity']:g} × (p50 / p99) | {said} |"


def _machine(results: Mapping[str, Any]) -> str:
    machine = results["machine"]
    served = results["results"].get("server_cores")
    cores = f"{served} of {machine['cores']} cores" if served else f"{machine['cores']} cores"
    return f"{machine['cpu']}, {cores}, {machine['date']}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


if __name__ == "__main__":
    PAGE.write_text(_MEASURED.sub(lambda _: measured(), PAGE.read_text()))
