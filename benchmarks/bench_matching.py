"""Rollouts per core-second of the lexical stages: by stage, by length of the text, by number of entities.

    python benchmarks/bench_matching.py

One core; the fastest run of each, since the machines are shared. Beside it, in the same run: the reference's
matcher, and the naive way (an `re` search and `rapidfuzz.fuzz.partial_ratio` per name).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import matplotlib as mpl
import typer
from measure import RESULTS, machine, side_by_side, write
from rapidfuzz import fuzz
from rich.console import Console
from rich.progress import track
from rich.table import Table
from texts import rubric_of, text_of, typographic

from rubric import flags, legacy, score
from rubric.entity import Field, Rubric
from rubric.exact import find
from rubric.fuzzy import find_typos, typos_of
from rubric.job import Profile, Task
from rubric.marking import mark
from rubric.names import compiled
from rubric.text import Response, fold, split
from rubric.words import known_words

LENGTHS = (1_000, 10_000, 122_000, 1_000_000)
ENTITIES = (1, 16, 64, 256, 1_024, 4_096)
USUAL = (122_000, 16)
SLOW = 20_000_000
"""Characters times names from which on the naive ways are left out."""


def main(rounds: Annotated[int, typer.Option(help="Rounds of each measurement.")] = 15) -> None:
    """Measure, print the tables, keep the results and a plot."""
    flags.prepare()
    known_words()
    stages = {
        kind: _stages(rubric_of(USUAL[1]), change(text_of(rubric_of(USUAL[1]), USUAL[0])), rounds)
        for kind, change in {"ASCII": str, "Unicode": typographic}.items()
    }
    sizes = [(length, USUAL[1]) for length in LENGTHS] + [(USUAL[0], entities) for entities in ENTITIES]
    rates = [
        _rates(length, entities, rounds)
        for length, entities in track(list(dict.fromkeys(sizes)), "sizes", transient=True)
    ]
    results = {"milliseconds by stage": stages, "rollouts per core-second": rates}
    _print(results)
    print("written:", write("matching", results), _plot(rates))


def _stages(rubric: Rubric, text: str, rounds: int) -> dict[str, float]:
    """Milliseconds of each stage of one rollout, and of the whole."""
    names, words, response = compiled(rubric), known_words(), Response(text)
    folded = fold(text)
    marked = mark(folded)
    exact = find(names, marked, field=Field.CONTENT)
    left = names.of_entity.keys() - exact.matches.keys()
    plan = score.plan(_task(rubric, Profile.BALANCED), split(response))
    return side_by_side(
        {
            "split": lambda: split(response),
            "fold": lambda: fold(text),
            "words": lambda: mark(folded),
            "exact, values": lambda: find(names, marked, field=Field.CONTENT),
            "typos": lambda: find_typos(
                typos_of(names), marked, exact, entities=left, field=Field.CONTENT, words=words
            ),
            "flags, evidence": lambda: score.settle(plan),
            "whole, strict": lambda: score.judge(_task(rubric, Profile.STRICT), response),
            "whole, balanced": lambda: score.judge(_task(rubric, Profile.BALANCED), response),
        },
        rounds=rounds,
        fastest=True,
    )


def _rates(length: int, entities: int, rounds: int) -> dict[str, Any]:
    """Rollouts per second of each way, for one size."""
    rubric = rubric_of(entities)
    text = text_of(rubric, length)
    response = Response(text)
    golds = [name for entity in rubric.entities for name in (entity.name, *entity.aliases)]
    runs: dict[str, Callable[[], object]] = {
        "strict": lambda: score.judge(_task(rubric, Profile.STRICT), response),
        "balanced": lambda: score.judge(_task(rubric, Profile.BALANCED), response),
        "reference": lambda: legacy.entity_hits([entity.name for entity in rubric.entities], text),
    }
    if length * len(golds) <= SLOW:
        runs["re + partial_ratio"] = lambda: _naive(golds, text)
    quick = length * len(golds) <= SLOW
    times = side_by_side(runs, rounds=rounds if quick else 3, repeats=5 if quick else 2, fastest=True)
    return {"characters": length, "entities": entities} | {
        way: round(1e3 / ms, 1) for way, ms in times.items()
    }


def _task(rubric: Rubric, profile: Profile) -> Task:
    return Task(rubric, question="Who?", answer=None, fields=(Field.CONTENT,), profile=profile)


def _naive(golds: list[str], text: str) -> int:
    lower = text.lower()
    return sum(
        bool(re.search(rf"\b{re.escape(gold.lower())}\b", lower))
        or fuzz.partial_ratio(gold.lower(), lower) > 90
        for gold in golds
    )


def _print(results: dict[str, Any]) -> None:
    console = Console()
    stages = results["milliseconds by stage"]
    table = Table(title=f"ms per rollout, {USUAL[0]:,} characters, {USUAL[1]} entities, {machine()['cpu']}")
    for head in ("stage", *stages):
        table.add_column(head)
    for stage in next(iter(stages.values())):
        table.add_row(stage, *(f"{times[stage]:.2f}" for times in stages.values()))
    console.print(table)
    rates = results["rollouts per core-second"]
    table = Table(title="rollouts per core-second")
    heads = ("characters", "entities", "strict", "balanced", "reference", "re + partial_ratio")
    for head in heads:
        table.add_column(head, justify="right")
    for row in rates:
        table.add_row(*(f"{row[head]:,}" if head in row else "–" for head in heads))
    console.print(table)


def _plot(rates: list[dict[str, Any]]) -> Path:
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "cairn"
    from matplotlib import pyplot as plt  # noqa: PLC0415 (after the backend is chosen)

    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, (key, other, fixed) in zip(
        axes, (("characters", "entities", USUAL[1]), ("entities", "characters", USUAL[0])), strict=True
    ):
        rows = sorted((row for row in rates if row[other] == fixed), key=lambda row: row[key])
        for way in ("strict", "balanced", "reference", "re + partial_ratio"):
            points = [(row[key], row[way]) for row in rows if way in row]
            axis.plot(*zip(*points, strict=True), marker="o", label=way)
        axis.set(xscale="log", yscale="log", xlabel=key, ylabel="rollouts per core-second")
        axis.set_title(f"{fixed:,} {other}")
        axis.grid(alpha=0.3)
    axes[0].legend()
    for ending in ("svg", "png"):
        figure.savefig(RESULTS / f"matching.{ending}", metadata={"Date": None} if ending == "svg" else None)
    plt.close(figure)
    return RESULTS / "matching.png"


if __name__ == "__main__":
    typer.run(main)
