"""The picture of a soak: memory over time, what ended badly and when, and the faults below."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from measure import RESULTS


def draw(results: Mapping[str, Any]) -> Path:
    """Write soak.png and soak.svg, the same bytes for the same numbers."""
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "cairn"
    from matplotlib import pyplot as plt  # noqa: PLC0415 (after the backend is chosen)

    figure, (memory, ends, faults) = plt.subplots(
        3, 1, figsize=(10, 8), sharex=True, layout="constrained", height_ratios=[3, 3, 2]
    )
    _memory(memory, results)
    _ends(ends, results)
    _faults(faults, results["faults_thrown"])
    for axis in (memory, ends, faults):
        axis.grid(alpha=0.3)
    faults.set(xlabel="minutes", xlim=(0, results["minutes"]))
    for ending in ("svg", "png"):
        figure.savefig(RESULTS / f"soak.{ending}", metadata={"Date": None} if ending == "svg" else None)
    plt.close(figure)
    return RESULTS / "soak.png"


def _memory(axis: Any, results: Mapping[str, Any]) -> None:
    at, own, everyone = zip(*results["memory"], strict=True)
    axis.plot(at, everyone, linewidth=1, label="all processes, shared pages once")
    axis.plot(at, own, linewidth=1, label="the server's own, resident")
    axis.set(title=results["memory_says"], ylabel="MB", ylim=(0, None))
    axis.title.set_fontsize(10)
    axis.legend(fontsize=8, loc="lower right")


def _ends(axis: Any, results: Mapping[str, Any]) -> None:
    """Requests a second that ended without all their rewards, by kind."""
    kinds = sorted(results["not_right"].items(), key=lambda kind: -sum(kind[1]))[:8]
    for name, counts in kinds:
        step = results["minutes"] / (len(counts) - 1)
        rates = [count / (step * 60) for count in counts]
        axis.plot([place * step for place in range(len(counts))], rates, linewidth=1, label=name)
    axis.set(title="Requests that ended without all of their rewards", ylabel="per second")
    axis.title.set_fontsize(10)
    if kinds:
        axis.legend(fontsize=8, ncols=2)


def _faults(axis: Any, thrown: list[tuple[str, str, float, float]]) -> None:
    lanes = ["server", "worker", "judge", "redis"]
    for lane, _, begin, end in thrown:
        length = max(end - begin, 0.02)
        axis.barh(lanes.index(lane), length, left=begin, height=0.6, color="tab:red", alpha=0.6)
    axis.set_yticks(range(len(lanes)), lanes)
    axis.set(title="Faults")
    axis.title.set_fontsize(10)
