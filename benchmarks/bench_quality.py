"""Does the matcher tell names apart? One table per set, per profile, with the reference's matcher beside it.

    python benchmarks/bench_quality.py [--data FOLDER] [--failures]

(1) `data/mentions*.jsonl`: names in texts, with the verdict of a careful reader and why; no rule was fitted
to the blind half. (2) FOLDER/name_pairs.jsonl: two names, the same entity or not, the second one set into
carrier sentences and into a long text of other responses. (3) FOLDER/groups.jsonl: real
responses, see `bench_real_groups.py`. Without `--data` the last two are left out.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import matplotlib as mpl
import typer
from measure import RESULTS, write
from rapidfuzz import fuzz
from rich.console import Console
from rich.progress import track
from rich.table import Table
from separation import labelled, separate

from rubric import legacy
from rubric.entity import Entity, Field, Kind, Match, Rubric
from rubric.errors import InvalidRubric
from rubric.lexical import read
from rubric.names import compiled
from rubric.words import known_words

Found = dict[int, list[Match]]
WAYS = ("reference", "strict", "balanced")
CARRIERS = (
    "It is said that {} was there in the end.",
    "{} is what the documents speak of.",
    "So the answer to the question must be {}.",
    "- {}\n- something else that nobody asked for",
    "The third passage names **{}**'s part in it, the others do not.",
    "Who was first (according to “{}”, at least) remains open.",
)
DISTRACTOR = 20_000
"""Characters of the text that a name is hidden in."""

CONSOLE = Console()


def main(
    data: Annotated[Path | None, typer.Option(help="Folder with the real data; see README.md.")] = None,
    failures: Annotated[bool, typer.Option(help="Print every case of (1) that goes wrong.")] = False,  # noqa: FBT002
) -> None:
    """Measure, print the tables, keep the results and a plot."""
    results: dict[str, Any] = {
        file.stem: _mentions(file, failures=failures)
        for file in sorted((Path(__file__).parent / "data").glob("mentions*.jsonl"))
    }
    if data is None:
        CONSOLE.print("[bold red]no --data: name pairs and real groups are left out")
    else:
        results["name_pairs"] = _name_pairs(data)
        results["real_groups"] = _real_groups(data)
        CONSOLE.print("plot:", str(_plot(results["name_pairs"])))
    CONSOLE.print("written:", str(write("quality", results)))


def find(way: str, rubric: Rubric, text: str) -> Found:
    """What a way of matching finds, by index of the entity. The reference shows no evidence."""
    if way == "reference":
        hits = legacy.entity_hits([entity.name for entity in rubric.entities], text)
        return {index: [] for index, hit in enumerate(hits) if hit}
    words = known_words() if way == "balanced" else None
    return read(compiled(rubric), text, field=Field.CONTENT, words=words).matches


# --- (1) names in texts -----------------------------------------------------------------------------------


def _mentions(file: Path, *, failures: bool) -> dict[str, Any]:
    cases = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    counts = {way: _judge(cases, way, failures=failures and way == "balanced") for way in WAYS}
    summary = {way: _summary(each) for way, each in counts.items()}
    classes = sorted({case["class"] for case in cases})
    by_class = {name: {way: counts[way][name] for way in WAYS} for name in classes}
    table = Table(title=f"{file.stem}: {len(cases)} cases; wrongly found + wrongly missed per class")
    for head in ("class", "cases", *WAYS):
        table.add_column(head)
    for name, each in by_class.items():
        cells = (f"{each[way]['false hits']} + {each[way]['misses']}" for way in WAYS)
        table.add_row(name, str(sum(each["strict"].values())), *cells)
    for key in ("precision", "recall"):
        table.add_row(key, "", *(f"{summary[way][key]:.4f}" for way in WAYS))
    CONSOLE.print(table)
    return {"cases": len(cases), "summary": summary, "classes": by_class}


def _judge(cases: Sequence[dict[str, Any]], way: str, *, failures: bool) -> dict[str, dict[str, int]]:
    """Per class: hits, false hits, misses, true misses."""
    counts: dict[str, dict[str, int]] = defaultdict(
        lambda: {"hits": 0, "false hits": 0, "misses": 0, "true misses": 0}
    )
    for case in cases:
        rubric = Rubric(tuple(_entities([case["entity"], *case.get("siblings", ())])))
        try:
            hit = 0 in find(way, rubric, case["text"])
        except InvalidRubric:
            hit = False
        kind = (
            ("hits" if case["hit"] else "false hits") if hit else ("misses" if case["hit"] else "true misses")
        )
        counts[case["class"]][kind] += 1
        if failures and hit != case["hit"]:
            CONSOLE.print(f"[bold]{case['id']}[/] {kind}: {rubric.entities[0].name!r} in {case['text']!r}")
            CONSOLE.print(f"  {case['reason']}", style="dim")
    return counts


def _entities(given: Sequence[Any]) -> Iterator[Entity]:
    for index, each in enumerate(given):
        options = {"name": each} if isinstance(each, str) else each
        yield Entity(
            f"e{index}",
            options["name"],
            tuple(options.get("aliases", ())),
            tuple(options.get("confusables", ())),
            kind=Kind(options.get("kind", "auto")),
        )


def _summary(counts: dict[str, dict[str, int]]) -> dict[str, float]:
    total = {key: sum(each[key] for each in counts.values()) for key in next(iter(counts.values()))}
    return {
        "precision": round(total["hits"] / max(1, total["hits"] + total["false hits"]), 4),
        "recall": round(total["hits"] / max(1, total["hits"] + total["misses"]), 4),
    }


# --- (2) pairs of names -----------------------------------------------------------------------------------


def _name_pairs(data: Path) -> dict[str, Any]:
    pairs = _read(data / "name_pairs.jsonl")
    distractors = _distractors(data)
    results: dict[str, Any] = {}
    with ProcessPoolExecutor() as pool:
        for way in WAYS:
            work = partial(_hits_of, way, distractors)
            shares = pool.map(work, enumerate(pairs), chunksize=200)
            hits = list(track(shares, f"{way}: pairs", total=len(pairs), transient=True))
            for column, name in enumerate(("carriers", "distractor", "distractor, elsewhere")):
                results[f"{way}, {name}"] = _macro(pairs, [hit[column] for hit in hits])
    for scorer in ("token_set_ratio", "partial_ratio", "WRatio", "ratio"):
        scored = [getattr(fuzz, scorer)(pair["a"].lower(), pair["b"].lower()) for pair in pairs]
        for threshold in (70, 75, 80, 85, 90, 95, 98, 100):
            results[f"{scorer} ≥ {threshold}"] = _macro(pairs, [float(each >= threshold) for each in scored])
    _print_pairs(results)
    return results


def _hits_of(way: str, distractors: Sequence[str], numbered: tuple[int, dict[str, Any]]) -> tuple[float, ...]:
    """Share of carriers in which `a` is found where `b` stands; so in a long text; and elsewhere in it."""
    number, pair = numbered
    rubric = Rubric((Entity("e0", pair["a"]),))
    chance = random.Random(number)
    text = chance.choice(distractors)
    at = text.index(" ", chance.randrange(len(text) - 200)) + 1
    try:
        carried = [
            _overlaps(find(way, rubric, each.format(pair["b"])), each.index("{"), pair["b"])
            for each in CARRIERS
        ]
        found = find(way, rubric, f"{text[:at]}{pair['b']}, {text[at:]}")
    except InvalidRubric:
        return 0.0, 0.0, 0.0
    there = _overlaps(found, at, pair["b"])
    alone = 0 in find(way, rubric, text) if there or found else False
    return sum(carried) / len(carried), float(there), float(alone)


def _overlaps(found: Found, start: int, name: str) -> bool:
    return 0 in found and (
        not found[0]
        or any(each.span.start < start + len(name) and each.span.end > start for each in found[0])
    )


def _distractors(data: Path) -> list[str]:
    """Long texts of other people's responses."""
    responses = [each["response"] for group in _read(data / "groups.jsonl") for each in group["rollouts"][:1]]
    chance = random.Random(0)
    return ["\n\n".join(chance.sample(responses, 60))[:DISTRACTOR] for _ in range(20)]


def _macro(pairs: Sequence[dict[str, Any]], hits: Sequence[float]) -> dict[str, Any]:
    """Recall on same pairs and false hits on different ones, per source, and their means over the sources."""
    rates: dict[str, dict[str, float]] = {"recall": {}, "false hits": {}}
    for name, same in (("recall", True), ("false hits", False)):
        for source in sorted({pair["source"] for pair in pairs}):
            own = [
                hit
                for pair, hit in zip(pairs, hits, strict=True)
                if pair["source"] == source and pair["same"] is same
            ]
            if own:
                rates[name][source] = round(sum(own) / len(own), 4)
    return {name: round(sum(each.values()) / len(each), 4) for name, each in rates.items()} | {
        "sources": rates
    }


def _print_pairs(results: dict[str, Any]) -> None:
    sources = list(results["strict, carriers"]["sources"]["recall"])
    table = Table(
        title="name pairs: recall on same pairs and false hits on different ones, means over the sources"
    )
    for head in ("", "recall", "false hits", *sources):
        table.add_column(head)
    for name, each in results.items():
        cells = [f"{each['sources']['recall'][source]:.3f}" for source in sources]
        table.add_row(name, f"{each['recall']:.3f}", f"{each['false hits']:.4f}", *cells)
    CONSOLE.print(table)


# --- (3) real groups --------------------------------------------------------------------------------------


def _real_groups(data: Path) -> list[dict[str, Any]]:
    groups = [labelled(each) for each in _read(data / "groups.jsonl")]
    table = Table(title="real responses: score over entities that the question does not name")
    for head in ("", "right", "wrong", "AUC", "within groups"):
        table.add_column(head)
    rows = []
    for way in track(WAYS, "real groups", transient=True):
        row = separate(groups, way, partial(_indexes, way))
        table.add_row(way, *(f"{row[key]:.4f}" for key in ("right", "wrong", "auc", "auc within groups")))
        rows.append(row)
    CONSOLE.print(table)
    return rows


def _indexes(way: str, rubric: Rubric, text: str) -> set[int]:
    return set(find(way, rubric, text))


def _read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


# --- the picture ------------------------------------------------------------------------------------------


def _plot(results: dict[str, Any]) -> Path:
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "cairn"
    from matplotlib import pyplot as plt  # noqa: PLC0415 (after the backend is chosen)

    figure, axis = plt.subplots(figsize=(7, 5), layout="constrained")
    for scorer in ("token_set_ratio", "partial_ratio", "WRatio", "ratio"):
        curve = [each for name, each in results.items() if name.startswith(f"{scorer} ")]
        axis.plot(*zip(*map(_point, curve), strict=True), marker=".", alpha=0.6, label=f"rapidfuzz {scorer}")
    for way, mark in zip(WAYS, ("x", "s", "*"), strict=True):
        axis.scatter(*_point(results[f"{way}, carriers"]), marker=mark, s=120, zorder=3, label=way)
    axis.axvline(0.01, color="grey", linestyle=":", linewidth=1)
    axis.set(
        xscale="log", xlabel="false hits on different names", ylabel="recall on names of the same entity"
    )
    axis.set_title("14,359 pairs of names, means over the sources, no alias lists")
    axis.legend(fontsize=8)
    axis.grid(alpha=0.3)
    for ending in ("svg", "png"):
        figure.savefig(RESULTS / f"quality.{ending}", metadata={"Date": None} if ending == "svg" else None)
    plt.close(figure)
    return RESULTS / "quality.png"


def _point(rates: dict[str, Any]) -> tuple[float, float]:
    return max(rates["false hits"], 1e-4), rates["recall"]


if __name__ == "__main__":
    typer.run(main)
