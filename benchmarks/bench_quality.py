"""Does the matcher tell names apart? One table per set, per profile, with the reference's matcher beside it.

    python benchmarks/bench_quality.py [--data FOLDER] [--only mentions] [--failures]

(1) `data/mentions*.jsonl`: names in texts, with the verdict of a careful reader and why; no rule was fitted
to the blind half. (2) FOLDER/name_pairs.jsonl: two names, the same entity or not, the second one set into
carrier sentences and into a long text of other responses. (3) FOLDER/groups.jsonl: real responses, see
`bench_real_groups.py`. Results are kept where all three were measured.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from measure import write
from mention_set import Counts, Judged, count, judge, read_cases
from pair_set import Hits, Pair, Rates, look_for, macro, of_rapidfuzz, read_pairs, share_in_carriers
from quality_plot import draw
from rich.console import Console
from rich.progress import track
from rich.table import Table
from separation import labelled, separate
from ways import WAYS, names

from rubric.job import Profile, lacking


class Set(StrEnum):
    """What can be measured."""

    MENTIONS = "mentions"
    NAME_PAIRS = "name_pairs"
    REAL_GROUPS = "real_groups"


CONSOLE = Console(width=None if sys.stdout.isatty() else 130, highlight=False)


def main(
    data: Annotated[Path | None, typer.Option(help="Folder with the real data; see README.md.")] = None,
    only: Annotated[list[Set] | None, typer.Option(help="Only this set; may be given again.")] = None,
    workers: Annotated[int, typer.Option(help="Processes.")] = len(os.sched_getaffinity(0)),
    *,
    failures: Annotated[bool, typer.Option("--failures", help="Print every case that goes wrong.")] = False,
    blind: Annotated[bool, typer.Option("--blind", help="Of the blind half, too: then it is not.")] = False,
) -> None:
    """Measure, print the tables, keep the results and a plot."""
    if "fuzzy" in lacking(Profile.BALANCED, embedding=False):
        CONSOLE.print("[bold red]no word list (extra `server`): balanced is measured without its fuzzy stage")
    chosen = [each for each in only or Set if _is_there(each, data)]
    results: dict[str, Any] = {}
    if Set.MENTIONS in chosen:
        for file in sorted((Path(__file__).parent / "data").glob("mentions*.jsonl")):
            shown = failures and (blind or not file.stem.endswith("_blind"))
            results[file.stem] = _mentions(file, failures=shown)
    if data and Set.NAME_PAIRS in chosen:
        results["name_pairs"] = _name_pairs(data, workers=workers, failures=failures)
    if data and Set.REAL_GROUPS in chosen:
        results["real_groups"] = _real_groups(data)
    if set(chosen) == set(Set):
        CONSOLE.print("written:", str(write("quality", results)))
    else:
        CONSOLE.print(f"[bold red]nothing kept: measured {', '.join(chosen) or 'nothing'} alone")


def _is_there(chosen: Set, data: Path | None) -> bool:
    needed = {Set.MENTIONS: [], Set.NAME_PAIRS: ["name_pairs", "groups"], Set.REAL_GROUPS: ["groups"]}[chosen]
    missing = [f"{name}.jsonl" for name in needed if data is None or not (data / f"{name}.jsonl").exists()]
    if missing:
        CONSOLE.print(f"[bold red]{chosen} LEFT OUT: --data must name a folder with {' and '.join(missing)}")
    return not missing


# --- (1) names in texts -----------------------------------------------------------------------------------


def _mentions(file: Path, *, failures: bool) -> dict[str, Any]:
    cases = read_cases(file)
    judged = list(track(judge(cases), f"{file.stem}: cases", total=len(cases), transient=True))
    classes = {label: [each for each in judged if each.case.label == label] for label in _labels(judged)}
    by_class = {label: {way: count(own, way) for way in WAYS} for label, own in classes.items()}
    whole = {way: count(judged, way) for way in WAYS}
    if failures:
        _print_failures(judged)
    _print_mentions(f"{file.stem}: {len(cases)} cases", by_class | {"all": whole})
    return {
        "cases": len(cases),
        "refused": {way: sum(each.by[way] is None for each in judged) for way in WAYS},
        "summary": {way: _rates(each) for way, each in whole.items()},
        "classes": {
            label: {way: _rates(each) for way, each in of_way.items()} for label, of_way in by_class.items()
        },
    }


def _labels(judged: Iterable[Judged]) -> list[str]:
    return sorted({each.case.label for each in judged})


def _rates(counts: Counts) -> dict[str, float | int | None]:
    return {
        "hits": counts.hits,
        "false hits": counts.false_hits,
        "misses": counts.misses,
        "true misses": counts.true_misses,
        "precision": None if counts.precision is None else round(counts.precision, 4),
        "recall": None if counts.recall is None else round(counts.recall, 4),
    }


def _print_mentions(title: str, rows: dict[str, dict[str, Counts]]) -> None:
    table = Table(title=f"{title}; precision, recall, wrongly found + wrongly missed")
    for head in ("class", "named", "not named", *WAYS):
        table.add_column(head, no_wrap=True, justify="left" if head == "class" else "right")
    for label, by_way in rows.items():
        one = by_way["strict"]
        sizes = str(one.hits + one.misses), str(one.false_hits + one.true_misses)
        table.add_row(label, *sizes, *map(_cell, by_way.values()), end_section=label == list(rows)[-2])
    CONSOLE.print(table)


def _cell(counts: Counts) -> str:
    digits = 3
    precision, recall = (
        "–".center(digits + 2) if each is None else f"{each:.{digits}f}"
        for each in (counts.precision, counts.recall)
    )
    return f"{precision}  {recall}  {counts.false_hits:3} + {counts.misses:<3}"


def _print_failures(judged: Iterable[Judged]) -> None:
    """What goes wrong under a profile; texts may hold brackets, which are no markup here."""
    for each in judged:
        wrong = [way for way in WAYS if way != "reference" and each.hit(way) != each.case.hit]
        if not wrong:
            continue
        case, names_of = each.case, [entity.name for entity in each.case.rubric.entities]
        CONSOLE.print(
            f"{case.id} ({case.label}): {_expected(case.hit)} {names_of}", style="bold", markup=False
        )
        CONSOLE.print(f"  text      {case.text!r}", markup=False)
        CONSOLE.print(f"  because   {case.reason}", style="dim", markup=False)
        for way in wrong:
            CONSOLE.print(f"  {way:9} {_seen(each, way)}", style="red", markup=False)


def _expected(hit: bool) -> str:  # noqa: FBT001 (the one thing it is about)
    return "should find" if hit else "should not find"


def _seen(judged: Judged, way: str) -> str:
    found = judged.by[way]
    if found is None:
        return "refused the rubric"
    if 0 in found.spans:
        return "found " + ", ".join(repr(span.surface) for span in found.spans[0])
    near = found.refused.get(0)
    return f"near miss {near.span.surface!r}: {near.reason}" if near else "found nothing"


# --- (2) pairs of names -----------------------------------------------------------------------------------


def _name_pairs(data: Path, *, workers: int, failures: bool) -> dict[str, Any]:
    pairs = read_pairs(data / "name_pairs.jsonl")
    found = look_for(pairs, data / "groups.jsonl", workers=workers)
    looked = list(track(found, "name pairs", total=len(pairs), transient=True))
    if failures:
        _print_false_hits(pairs, looked)
    ways: dict[str, Rates] = {}
    for way in WAYS:
        ways |= _rates_of(pairs, [each[way] for each in looked], way)
    plain = of_rapidfuzz(pairs)
    curves = {f"{name} ≥ {at}": rates for name, curve in plain.items() for at, rates in curve.items()}
    shown = {name: each for name, each in curves.items() if name.endswith(("≥ 90", "≥ 95", "≥ 100"))}
    for measure in ("recall", "false hits"):
        _print_pairs(ways | shown, measure, pairs=len(pairs))
    points = {way: ways[f"{way}, carriers"] for way in WAYS}
    CONSOLE.print("plot:", str(draw(points, plain, pairs=len(pairs))))
    for way in WAYS:
        if refused := sum(each[way].refused for each in looked):
            CONSOLE.print(f"[bold red]{way} refused {refused} of the gold names; they count as not found")
    return ways | curves


def _rates_of(pairs: Sequence[Pair], hits: Sequence[Hits], way: str) -> dict[str, Rates]:
    return {
        f"{way}, carriers": macro(pairs, [share_in_carriers(each) for each in hits]),
        f"{way}, distractor": macro(pairs, [float(each.hidden) for each in hits]),
        f"{way}, distractor, elsewhere": macro(pairs, [float(each.elsewhere) for each in hits]),
    }


def _print_pairs(rows: dict[str, Rates], measure: str, *, pairs: int) -> None:
    """One of the two rates, means and sources."""
    of = "same" if measure == "recall" else "different"
    sources = sorted({source for each in rows.values() for source in each["sources"][measure]})
    table = Table(title=f"name pairs ({pairs:,}): {measure} on {of} pairs")
    table.add_column("", no_wrap=True)
    for head in ("mean over sources", *sources):
        table.add_column(head, justify="right")
    for name, each in rows.items():
        cells = (f"{each['sources'][measure][source]:.4f}" for source in sources)
        table.add_row(name, f"{each[measure]:.4f}", *cells, end_section="balanced, distractor, e" in name)
    CONSOLE.print(table)


def _print_false_hits(pairs: Sequence[Pair], looked: Sequence[dict[str, Hits]]) -> None:
    """Different names that the widest profile takes for one in some carrier."""
    for pair, hits in zip(pairs, looked, strict=True):
        if not pair.same and any(hits["balanced"].carriers):
            by = "strict, balanced" if any(hits["strict"].carriers) else "balanced"
            CONSOLE.print(
                f"false hit ({by}; {pair.source}): {pair.a!r} where it says {pair.b!r}", markup=False
            )


# --- (3) real groups --------------------------------------------------------------------------------------


def _real_groups(data: Path) -> list[dict[str, Any]]:
    lines = (data / "groups.jsonl").read_text(encoding="utf-8").splitlines()
    groups = [labelled(json.loads(line)) for line in lines if line]
    matchers = {way: names(profile) for way, profile in WAYS.items()}
    asked = [(way, way) for way in WAYS] + [(way, "reference") for way in WAYS if way != "reference"]
    rows = [
        separate(groups, way, matchers[way], known=matchers[known]) | {"in question by": known}
        for way, known in track(asked, "real groups", transient=True)
    ]
    table = Table(title="real responses: share found of the entities that the question does not name")
    for head in ("", "in question by", "right", "wrong", "AUC", "AUC within groups"):
        table.add_column(head)
    for row in rows:
        numbers = (f"{row[key]:.4f}" for key in ("right", "wrong", "auc", "auc within groups"))
        table.add_row(row["matcher"], row["in question by"], *numbers)
    CONSOLE.print(table)
    return rows


if __name__ == "__main__":
    typer.run(main)
