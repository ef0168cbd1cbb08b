"""How often does the `match` verifier agree with the labels of real rollouts?

    python benchmarks/bench_verifier.py --data FOLDER

Some labels are stricter than a reader ("Netherlands" against "Dutch" counts as wrong); see README.md.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from measure import write
from rich.console import Console
from rich.progress import track
from rich.table import Table

from rubric.answer import decide
from rubric.text import Response, split


def main(data: Annotated[Path, typer.Option(help="Folder with groups.jsonl.")]) -> None:
    """Decide every rollout that has a label, print a table, keep the results."""
    counts: dict[str, Counter[str]] = {}
    for line in track((data / "groups.jsonl").read_text().splitlines(), "groups", transient=True):
        group = json.loads(line)
        mine = counts.setdefault(group["dataset"], Counter())
        for rollout in group["rollouts"]:
            final = split(Response(rollout["response"])).final
            decision = decide(final, answer=group["answer"]["value"], aliases=group["answer"]["aliases"])
            mine[f"label {rollout['correct']}, verifier {bool(decision.value)}"] += 1
            mine["left open"] += not decision.decided
    results = {dataset: _rates(found) | dict(found) for dataset, found in counts.items()}
    results["all"] = _rates(sum(counts.values(), Counter()))
    _print(results)
    print("written:", write("verifier", results))


def _rates(found: Counter[str]) -> dict[str, float]:
    both, missed = found["label True, verifier True"], found["label True, verifier False"]
    extra, neither = found["label False, verifier True"], found["label False, verifier False"]
    labelled = both + missed + extra + neither
    return {
        "rollouts": sum(count for name, count in found.items() if name.startswith("label")),
        "agreement": (both + neither) / labelled,
        "recall": both / (both + missed),
        "precision": both / (both + extra),
        "share left open": found["left open"] / sum(n for name, n in found.items() if name != "left open"),
    }


def _print(results: dict[str, dict[str, float]]) -> None:
    table = Table(title="match verifier against labels")
    columns = list(next(iter(results.values())))[:5]
    for column in ("dataset", *columns):
        table.add_column(column, justify="left" if column == "dataset" else "right")
    for dataset, rates in results.items():
        table.add_row(dataset, *(f"{rates[column]:.3f}".removesuffix(".000") for column in columns))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
