"""The picture of the simulation: seconds until the last reward by pods, and steps under an autoscaler."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from measure import RESULTS


def draw(results: Mapping[str, Any]) -> Path:
    """Write scale.png and scale.svg, the same bytes for the same numbers."""
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "cairn"
    from matplotlib import pyplot as plt  # noqa: PLC0415 (after the backend is chosen)

    figure, axes = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
    titles = ("32 processes, tuned and spread", "one process")
    for axis, trainer, title in zip(axes, ("32, tuned, spread", "1 process"), titles, strict=False):
        _bursts(axis, results["bursts"], trainer)
        axis.set_title(f"A burst from {title}", fontsize=10)
    axes[0].legend(fontsize=7)
    _autoscaled(axes[2], results["autoscaled"])
    for axis in axes:
        axis.grid(alpha=0.3)
    for ending in ("svg", "png"):
        figure.savefig(RESULTS / f"scale.{ending}", metadata={"Date": None} if ending == "svg" else None)
    plt.close(figure)
    return RESULTS / "scale.png"


def _bursts(axis: Any, bursts: list[Mapping[str, Any]], trainer: str) -> None:
    """A line for each size of a step and of its texts."""
    lines: dict[tuple[int, float], list[tuple[int, float]]] = {}
    for row in bursts:
        if row["trainer"] == trainer:
            lines.setdefault((row["rollouts"], row["kb"]), []).append((row["pods"], row["wait_s"]))
    for (rollouts, kb), points in lines.items():
        axis.plot(
            *zip(*points, strict=True),
            marker="o" if kb > _LONG_KB else ".",
            linestyle="-" if kb > _LONG_KB else ":",
            color=_COLORS[rollouts],
            label=f"{rollouts:,} of {kb:g} KB",
        )
    axis.set(xscale="log", yscale="log", xlabel="pods of 4 cores", ylabel="seconds until the last reward")
    axis.set_xticks(ticks := [1, 2, 4, 8, 16, 32, 100], [str(each) for each in ticks])
    axis.minorticks_off()
    axis.legend(fontsize=7)


_LONG_KB = 50
_COLORS = {128: "tab:green", 1_024: "tab:orange", 16_384: "tab:blue"}


def _autoscaled(axis: Any, found: Mapping[str, Any]) -> None:
    for (name, way), marker in zip(found["ways"].items(), ("o", "x", "s"), strict=True):
        steps = range(1, len(way["waits_s"]) + 1)
        axis.plot(steps, way["waits_s"], marker=marker, label=f"{name}: {way['pod_hours']:.1f} pod-hours")
    axis.set(yscale="log", xlabel="step", ylabel="seconds until the last reward")
    axis.set_title(f"16,384 of 122 KB every {found['every_s']:g} s", fontsize=10)
    axis.legend(fontsize=7)
