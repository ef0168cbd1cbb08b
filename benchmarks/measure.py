"""What every benchmark here shares: where it ran, how a time is taken, where the results go."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rubric.version import VERSION

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """The machine, in words that mean something elsewhere."""
    models = [line for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "cpu": models[0].partition(":")[2].strip() if models else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "cairn": VERSION,
        "date": datetime.now(tz=UTC).date().isoformat(),
    }


def side_by_side(
    runs: Mapping[str, Callable[[], object]], *, rounds: int = 9, repeats: int = 5, fastest: bool = False
) -> dict[str, float]:
    """Median milliseconds of each, a few runs at a time in turns, so that a noisy minute hits all alike.

    `fastest`: the shortest instead of the median, which tells what the code takes where a machine is shared.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(rounds):
        for name, run in (each for each in runs.items() for _ in range(repeats)):
            start = time.perf_counter()
            run()
            times[name].append((time.perf_counter() - start) * 1e3)
    return {name: min(taken) if fastest else statistics.median(taken) for name, taken in times.items()}


def write(name: str, results: object) -> Path:
    """Keep the results beside the benchmarks, with the machine and the day."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(
        json.dumps({"machine": machine(), "results": results}, indent=2, ensure_ascii=False) + "\n"
    )
    return path


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
