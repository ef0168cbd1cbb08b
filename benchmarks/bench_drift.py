"""How soon is a change of the policy or of the scorer seen, and how often is one seen that is not there?

    python benchmarks/bench_drift.py --data FOLDER

Replays the real groups of FOLDER/groups.jsonl: each group is a prompt drawn at random with 8 of its rollouts,
scored. Then half of the rollouts (`--share`; all of them where the scorer changes) are changed in one of
eight ways, and the groups are counted until an alarm. The same stream goes to the detector of Cairn and to
three others, each once on the rewards and once on every number that Cairn watches: the population stability
index over 0.2, the default test of Evidently, and ADWIN of river. A change of the scorer is also shown to the
canary, which sees it in its next pass or never. With `--canary 10000` so many passes are made of it without a
change; `drift_passes.py` makes them alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from statistics import median
from typing import Annotated, Any

import typer
from drift_passes import passes
from drift_plot import draw
from drift_stream import KINDS, SCORER, Pool, canary_sees, moved, read_pool
from drift_yardsticks import YARDSTICKS, Watch
from measure import side_by_side, write
from rich.console import Console
from rich.progress import track
from rich.table import Table

from rubric.reply import compose
from service.drift.canary import golden
from service.drift.detector import Detector
from service.drift.reference import Reference, freeze
from service.drift.signals import Signals, of_group
from service.metrics import Metrics

QUIET_BEFORE, MOST = 256, 768
"""Groups before a change, for detectors that learn from them, and groups after it until one gives up."""

REFERENCE_GROUPS = 2048


def main(
    data: Annotated[Path, typer.Option(help="Folder with groups.jsonl; see README.md.")],
    *,
    share: Annotated[float, typer.Option(help="Share of the rollouts that change.")] = 0.5,
    runs: Annotated[int, typer.Option(help="Streams per kind of change.")] = 16,
    quiet: Annotated[int, typer.Option(help="Groups without a change.")] = 60_000,
    canary: Annotated[
        int, typer.Option(help="Passes of the canary without a change; 10,000 take minutes.")
    ] = 0,
    processes: Annotated[int, typer.Option(help="Processes that share them.")] = 4,
) -> None:
    """Measure, print the table, keep the results and their picture."""
    pool = read_pool(data / "groups.jsonl")
    pools = {kind: pool.scored_by(kind) for kind in KINDS}
    known = _known(pool)
    reference = freeze(known, source="bench_drift")
    results: dict[str, Any] = {
        "prompts": len(pool.prompts),
        "share": share,
        "runs": runs,
        "delays": {
            kind: _delays(pools[kind], kind, share=share, runs=runs)
            for kind in track(KINDS, "changes", transient=True)
        },
        "changes of the scorer": {kind: _of_scorer(pools[kind], kind) for kind in SCORER},
        "false alarms per 10,000 groups": _alarms(pool, _watches(known, reference), groups=quiet),
        "of other prompts": _alarms_elsewhere(pool, groups=quiet // 2),
        "cost": _cost(pool, reference),
        "canary": passes(canary, processes=processes) if canary else None,
    }
    _print(results)
    print("written:", write("drift", results), draw(results))


# --- streams ----------------------------------------------------------------------------------------------


def _known(pool: Pool) -> list[Signals]:
    """What references are made of."""
    return list(islice(pool.stream(Random("reference")), REFERENCE_GROUPS))


class _Cairn:
    """The detector of the service."""

    def __init__(self, reference: Reference) -> None:
        self._detector = Detector(reference.series[0].moments())

    def add(self, signals: Signals) -> bool:
        return self._detector.add(signals.features) is not None


def _watches(known: Sequence[Signals], reference: Reference) -> dict[str, Watch]:
    cairn: dict[str, Watch] = {"cairn": _Cairn(reference)}
    return cairn | {name: make(known) for name, make in YARDSTICKS.items()}


# --- delays -----------------------------------------------------------------------------------------------


def _delays(pool: Pool, kind: str, *, share: float, runs: int) -> dict[str, dict[str, Any]]:
    """Groups from the change to the first alarm, over several streams; an alarm before it is thrown away."""
    known = _known(pool)
    reference = freeze(known, source="bench_drift")
    share = 1.0 if kind in SCORER else share
    found: dict[str, list[int | None]] = {}
    for run in range(runs):
        watches = _watches(known, reference)
        for signals in islice(pool.stream(Random(f"before {run}")), QUIET_BEFORE):
            for watch in watches.values():
                watch.add(signals)
        after = islice(pool.stream(Random(f"after {run}"), kind=kind, share=share), MOST)
        firsts = _firsts(after, watches)
        for name in watches:
            found.setdefault(name, []).append(firsts.get(name))
    return {name: asdict(_Delays.of(each)) for name, each in found.items()}


def _firsts(stream: Iterator[Signals], watches: dict[str, Watch]) -> dict[str, int]:
    firsts: dict[str, int] = {}
    for number, signals in enumerate(stream, 1):
        for name, watch in watches.items():
            if name not in firsts and watch.add(signals):
                firsts[name] = number
        if len(firsts) == len(watches):
            break
    return firsts


@dataclass(frozen=True, slots=True)
class _Delays:
    median: float | None
    worst: int | None
    within_256: float
    missed: int

    @classmethod
    def of(cls, delays: list[int | None]) -> _Delays:
        seen = [each for each in delays if each is not None]
        whole = sorted(each if each is not None else MOST + 1 for each in delays)
        return cls(
            median=median(whole) if median(whole) <= MOST else None,
            worst=max(seen) if len(seen) == len(delays) else None,
            within_256=sum(each <= 256 for each in seen) / len(delays),
            missed=len(delays) - len(seen),
        )


def _of_scorer(pool: Pool, kind: str) -> dict[str, float]:
    """How much it moves, and whether the canary sees it."""
    return {
        "share of criteria moved": round(moved(pool, kind), 5),
        "golden cases that differ": canary_sees(pool, kind),
        "golden cases": len(golden()),
    }


# --- false alarms -----------------------------------------------------------------------------------------


def _alarms_elsewhere(pool: Pool, *, groups: int) -> dict[str, float]:
    """Half of the prompts make the reference and the other half the stream: only the questions moved."""
    totals: dict[str, float] = {}
    for seed in range(_HALVES):
        one, other = pool.halves(Random(seed))
        known = _known(one)
        watches = _watches(known, freeze(known, source="bench_drift"))
        for name, each in _alarms(other, watches, groups=groups // _HALVES).items():
            totals[name] = round(totals.get(name, 0.0) + each / _HALVES, 2)
    return totals


_HALVES = 24


def _alarms(pool: Pool, watches: dict[str, Watch], *, groups: int) -> dict[str, float]:
    """Alarms per 10,000 groups of a stream in which nothing changes."""
    counts = dict.fromkeys(watches, 0)
    stream = islice(pool.stream(Random("quiet")), groups)
    for signals in track(stream, "quiet", total=groups, transient=True):
        for name, watch in watches.items():
            counts[name] += watch.add(signals)
    return {name: round(count * 10_000 / groups, 2) for name, count in counts.items()}


# --- cost -------------------------------------------------------------------------------------------------


def _cost(pool: Pool, reference: Reference) -> dict[str, float]:
    """Microseconds per rollout, and milliseconds for the page with every label set there can be."""
    drawn = [pool.draw(Random(seed)) for seed in range(64)]
    replies = [(job, verdicts, compose(job, verdicts)) for job, verdicts in drawn]
    rollouts = sum(len(verdicts) for _, verdicts in drawn)
    metrics = Metrics(labels=("source", "policy", "split"))

    def count() -> None:
        for job, verdicts, reply in replies:
            metrics.observed(of_group(job, verdicts, reply))

    detector = Detector(reference.series[0].moments())
    features = [of_group(*each).features for each in replies]

    def detect() -> None:
        for each in features:
            detector.add(each)

    taken = side_by_side({"metrics": count, "detector": detect})
    full = Metrics(labels=("source", "policy", "split"))
    for number in range(100):
        _, verdicts, reply = replies[number % len(replies)]
        labels = {"source": f"s{number}", "policy": "p", "split": "train"}
        full.scored(reply, verdicts, labels=labels)
    page = side_by_side({"page": full.page})
    return {
        "metrics, µs per rollout": round(taken["metrics"] * 1e3 / rollouts, 2),
        "detector, µs per rollout": round(taken["detector"] * 1e3 / rollouts, 2),
        "page, ms": round(page["page"], 1),
    }


def _print(results: dict[str, Any]) -> None:
    table = Table(title=f"groups of 8 until the alarm (median / worst of {results['runs']})")
    names = list(results["false alarms per 10,000 groups"])
    for head in ("change", *names):
        table.add_column(head)
    for kind, found in results["delays"].items():
        table.add_row(kind, *map(partial(_cell, found), names))
    for row in ("false alarms per 10,000 groups", "of other prompts"):
        table.add_row(row, *(f"{results[row][name]:g}" for name in names))
    console = Console()
    console.print(table)
    for what, found in results["changes of the scorer"].items():
        console.print(f"{what}: {found}")
    for what, number in (results["cost"] | (results["canary"] or {})).items():
        console.print(f"{what}: {number}")


def _cell(found: dict[str, dict[str, Any]], name: str) -> str:
    each = found[name]
    middle = "never" if each["median"] is None else f"{each['median']:g}"
    worst = each["worst"] or f"{each['missed']} missed"
    return f"{middle} / {worst}"


if __name__ == "__main__":
    typer.run(main)
