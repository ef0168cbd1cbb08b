"""The picture of the speeds: rollouts per core-second against length and number of entities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from measure import RESULTS

WAYS = ("strict", "balanced", "balanced, new rubric", "reference", "re + partial_ratio")


def draw(rates: Sequence[dict[str, Any]], *, usual: tuple[int, int]) -> Path:
    """Write matching.png and matching.svg, the same bytes for the same numbers."""
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "cairn"
    from matplotlib import pyplot as plt  # noqa: PLC0415 (after the backend is chosen)

    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    length, entities = usual
    for axis, key, other, fixed in (
        (axes[0], "characters", "entities", entities),
        (axes[1], "entities", "characters", length),
    ):
        rows = sorted((row for row in rates if row[other] == fixed), key=lambda row: row[key])
        for way in WAYS:
            points = [(row[key], row[way]) for row in rows if way in row]
            if points:
                axis.plot(*zip(*points, strict=True), marker="o", markersize=4, label=way)
        axis.set(xscale="log", yscale="log", xlabel=key, title=f"{fixed:,} {other}")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("rollouts per core-second")
    axes[0].legend(fontsize=8)
    for ending in ("svg", "png"):
        figure.savefig(RESULTS / f"matching.{ending}", metadata={"Date": None} if ending == "svg" else None)
    plt.close(figure)
    return RESULTS / "matching.png"
