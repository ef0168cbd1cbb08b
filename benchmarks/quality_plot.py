"""The picture of the pairs of names: recall against false hits, for plain scores and for each way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from measure import RESULTS

FLOOR = 1e-4
"""Where a rate of none is drawn: the axis is logarithmic."""

MARKS = {"reference": "X", "strict": "s", "balanced": "*"}


def draw(ways: Mapping[str, Any], plain: Mapping[str, Mapping[int, Any]], *, pairs: int) -> Path:
    """Write quality.png and quality.svg, the same bytes for the same numbers."""
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "cairn"
    from matplotlib import pyplot as plt  # noqa: PLC0415 (after the backend is chosen)

    figure, axis = plt.subplots(figsize=(8, 5.5), layout="constrained")
    for name, curve in plain.items():
        points = [_point(rates) for rates in curve.values()]
        line, alone = ("--", "") if name.endswith("sentence") else ("-", " of the two names alone")
        axis.plot(*zip(*points, strict=True), line, marker=".", alpha=0.6, label=f"rapidfuzz {name}{alone}")
        _write(axis, f"≥ {max(curve)}", points[-1], size=6, above=6)
    for way, rates in ways.items():
        point = _point(rates)
        axis.scatter(*point, marker=MARKS[way], s=120, zorder=3)
        _write(axis, way, point, size=10, above=-14 if way == "strict" else 6)
    axis.axvline(0.01, color="grey", linestyle=":", linewidth=1)
    axis.set(xscale="log", xlabel="false hits on different names", ylabel="recall on names of one entity")
    axis.set_title(f"{pairs:,} pairs of names, means over their sources, no alias lists", fontsize=10)
    axis.legend(fontsize=7, loc="upper left")
    axis.grid(alpha=0.3)
    for ending in ("svg", "png"):
        figure.savefig(RESULTS / f"quality.{ending}", metadata={"Date": None} if ending == "svg" else None)
    plt.close(figure)
    return RESULTS / "quality.png"


def _point(rates: Mapping[str, Any]) -> tuple[float, float]:
    return max(rates["false hits"], FLOOR), rates["recall"]


def _write(axis: Any, text: str, point: Sequence[float], *, size: int, above: int) -> None:
    axis.annotate(text, point, xytext=(6, above), textcoords="offset points", fontsize=size)
