"""The picture of the loads: goodput, latency, refusals and memory against what was offered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from measure import RESULTS


def draw(results: Mapping[str, Any]) -> Path:
    """Write load.png and load.svg, the same bytes for the same numbers."""
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "cairn"
    from matplotlib import pyplot as plt  # noqa: PLC0415 (after the backend is chosen)

    figure, axes = plt.subplots(2, 2, figsize=(10, 7), layout="constrained")
    loads = results["loads"]
    offered = [each["times_capacity"] for each in loads]
    _goodput(axes[0, 0], results, offered)
    _latency(axes[0, 1], loads, offered)
    _refusals(axes[1, 0], loads, offered)
    _memory(axes[1, 1], results["memory_mb"])
    for axis in axes.flat[:3]:
        axis.set(xscale="log", xlabel="offered load, in multiples of the capacity")
        axis.set_xticks(offered, [f"{each:g}" for each in offered])
        axis.minorticks_off()
    for axis in axes.flat:
        axis.grid(alpha=0.3)
        axis.set_ylim(bottom=0 if axis.get_yscale() == "linear" else None)
    for ending in ("svg", "png"):
        figure.savefig(RESULTS / f"load.{ending}", metadata={"Date": None} if ending == "svg" else None)
    plt.close(figure)
    return RESULTS / "load.png"


def _goodput(axis: Any, results: Mapping[str, Any], offered: list[float]) -> None:
    good = [each["figures"]["good_rollouts"] for each in results["loads"]]
    axis.plot(offered, good, marker="o", label="answered rightly")
    capacity = results["capacity"]["figures"]["good_rollouts"]
    axis.axhline(capacity, color="grey", linestyle=":", linewidth=1, label="capacity, closed loop")
    axis.axhline(
        0.9 * max(capacity, *good), color="tab:red", linestyle="--", linewidth=1, label="90 % of the peak"
    )
    axis.set(title="Goodput", ylabel="rollouts per second")
    axis.legend(fontsize=8)


def _latency(axis: Any, loads: list[Mapping[str, Any]], offered: list[float]) -> None:
    for name in loads[0]["figures"]["latency"]:
        if name == "all":
            continue
        color = None
        for key, style in (("p99_ms", "-"), ("p50_ms", ":")):
            times = [each["figures"]["latency"][name][key] for each in loads]
            found = [(x, y) for x, y in zip(offered, times, strict=True) if y is not None]
            line = axis.plot(
                *zip(*found, strict=True), style, marker=".", color=color, label=f"{name}, {key[:3]}"
            )
            color = line[0].get_color()
    axis.set(title="Accepted requests, by size of the body", ylabel="ms since due", yscale="log")
    axis.legend(fontsize=8)


def _refusals(axis: Any, loads: list[Mapping[str, Any]], offered: list[float]) -> None:
    axis.plot(
        offered,
        [each["figures"]["refused_share"] * 100 for each in loads],
        marker="o",
        label="share of requests",
    )
    axis.set(title="Refusals (429)", ylabel="% of requests")
    times = axis.twinx()
    found = [
        (x, each["figures"]["refused_p50_ms"])
        for x, each in zip(offered, loads, strict=True)
        if each["figures"]["refused_p50_ms"] is not None
    ]
    if found:
        times.plot(
            *zip(*found, strict=True),
            marker="s",
            color="tab:orange",
            label="median time (right)",
        )
    times.axhline(20, color="tab:red", linestyle="--", linewidth=1, label="20 ms (right)")
    times.set(ylabel="ms since due", ylim=(0, None))
    both = [*axis.get_legend_handles_labels()[0], *times.get_legend_handles_labels()[0]]
    axis.legend(handles=both, fontsize=8)


def _memory(axis: Any, memory: list[tuple[float, float]]) -> None:
    axis.plot([at for at, _ in memory], [size for _, size in memory], linewidth=1)
    axis.set(title="Memory of the server and its workers", xlabel="seconds", ylabel="MB, shared pages once")
