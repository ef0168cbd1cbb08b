"""Rollouts per core-second of the lexical stages: by stage, by length of the text, by number of entities.

    python benchmarks/bench_matching.py [--data FOLDER] [--profile]

One core; the fastest turn of each, since the machines are shared (`--no-fastest`: the median). A turn reads
a group of eight texts or more. `new rubric` is the first group that a rubric is seen with: it pays for
compiling the names and for looking up each word once, which the other rows find remembered. Beside it, in
the same run: the reference's matcher, and the naive way (per name an `re` search and, where that fails,
`rapidfuzz.fuzz.partial_ratio`).
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Annotated, Any

import typer
from matching_plot import draw
from measure import machine, side_by_side, write
from rapidfuzz import fuzz
from rich.console import Console
from rich.progress import track
from rich.table import Table
from texts import lively, rubric_of, text_of, typographic, with_values

from rubric import flags, legacy, score
from rubric.entity import Entity, Field, Rubric
from rubric.exact import find
from rubric.fuzzy import find_typos
from rubric.job import Profile, Task
from rubric.marking import mark
from rubric.names import Names, compiled
from rubric.text import Folded, Response, fold, split
from rubric.typed import find_values
from rubric.typos import typos_of
from rubric.words import known_words

LENGTHS = (1_000, 10_000, 122_000, 1_000_000)
ENTITIES = (1, 16, 64, 256, 1_024, 4_096)
USUAL = (122_000, 16)
GROUP = 8
"""Rollouts of a question."""

SHORT = 500_000
"""Characters of a turn at least: of short texts it takes more than one group."""

SLOW = 20_000_000
"""Characters times names from which on the naive way is left out."""

CONSOLE = Console(width=None if sys.stdout.isatty() else 120, highlight=False)


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts to read for one rubric: a turn."""

    rubric: Rubric
    texts: tuple[str, ...]

    def groups(self) -> Iterator[tuple[str, ...]]:
        """The texts, as many at a time as a question has rollouts."""
        yield from (self.texts[start : start + GROUP] for start in range(0, len(self.texts), GROUP))


def main(
    rounds: Annotated[int, typer.Option(help="Rounds of each measurement.")] = 9,
    data: Annotated[Path | None, typer.Option(help="Folder with groups.jsonl, for real texts.")] = None,
    *,
    fastest: Annotated[bool, typer.Option(help="The fastest turn instead of the median.")] = True,
    profile: Annotated[bool, typer.Option("--profile", help="The stages alone; nothing is kept.")] = False,
) -> None:
    """Measure, print the tables, keep the results and a plot."""
    flags.prepare()
    known_words()
    kinds = dict(_kinds(data))
    stages = {
        kind: _stages(batch, rounds=rounds, fastest=fastest)
        for kind, batch in track(kinds.items(), "stages", transient=True)
    }
    _print_stages(stages)
    if profile:
        return
    sizes = [(length, USUAL[1]) for length in LENGTHS] + [(USUAL[0], entities) for entities in ENTITIES]
    rates = [
        _rates(length, entities, rounds=rounds, fastest=fastest)
        for length, entities in track(list(dict.fromkeys(sizes)), "sizes", transient=True)
    ]
    _print_rates(rates)
    results = {
        "statistic": "fastest" if fastest else "median",
        "milliseconds by stage": stages,
        "rollouts per core-second": rates,
    }
    CONSOLE.print("written:", str(write("matching", results)), str(draw(rates, usual=USUAL)))


# --- what is read -----------------------------------------------------------------------------------------


def _kinds(data: Path | None) -> Iterator[tuple[str, Batch]]:
    """Groups of the usual size: plain words, typographic ones, many capitals and figures, real responses."""
    plain = _batch(*USUAL)
    yield "ASCII", plain
    yield "Unicode", replace(plain, texts=tuple(map(typographic, plain.texts)))
    yield "lively", Batch(with_values(plain.rubric), tuple(map(lively, plain.texts)))
    if data is None:
        CONSOLE.print("[bold red]no --data: real texts are left out")
    else:
        yield "real", _real(data / "groups.jsonl")


def _batch(length: int, entities: int) -> Batch:
    rubric = rubric_of(entities)
    texts = max(GROUP, SHORT // length // GROUP * GROUP)
    return Batch(rubric, tuple(text_of(rubric, length, seed=seed) for seed in range(1, texts + 1)))


def _real(file: Path) -> Batch:
    """Responses strung together, without thinking tags, for the entities of some of their questions."""
    groups = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    chance = random.Random(1)
    chance.shuffle(groups)
    entities = list(chain.from_iterable(group["rubric"]["entities"] for group in groups))[: USUAL[1]]
    rubric = (Entity(f"e{i}", each["name"], tuple(each["aliases"])) for i, each in enumerate(entities))
    responses = [_THINKING.sub("", group["rollouts"][0]["response"]) for group in groups]
    texts = ("\n\n".join(chance.sample(responses, len(responses)))[: USUAL[0]] for _ in range(GROUP))
    return Batch(Rubric(tuple(rubric)), tuple(texts))


_THINKING = re.compile("</?think>")


# --- how long it takes ------------------------------------------------------------------------------------


def _stages(batch: Batch, *, rounds: int, fastest: bool) -> dict[str, float]:
    """Milliseconds of each stage of one rollout, and of the whole."""
    names, words, field = compiled(batch.rubric), known_words(), Field.CONTENT
    responses = [Response(text) for text in batch.texts]
    folded = [fold(text) for text in batch.texts]
    marked = [mark(each) for each in folded]
    exact = [find(names, each, field=field) for each in marked]
    plans = [score.match(_task(batch.rubric, Profile.BALANCED), split(each)) for each in responses]

    def typos() -> None:
        for text, found in zip(marked, exact, strict=True):
            left = names.of_entity.keys() - found.matches.keys()
            find_typos(typos_of(names), text, found, entities=left, field=field, words=words)

    runs: dict[str, Callable[[], object]] = {
        "split": lambda: [split(each) for each in responses],
        "fold": lambda: [fold(text) for text in batch.texts],
        "words": lambda: [mark(each) for each in folded],
        "exact, values": lambda: [find(names, each, field=field) for each in marked],
        "  of it values": lambda: [_values(names, each) for each in folded],
        "typos": typos,
        "flags, evidence": lambda: [score.decided(each) for each in plans],
        "whole, strict": lambda: _judge(batch, Profile.STRICT),
        "whole, balanced": lambda: _judge(batch, Profile.BALANCED),
        "whole, balanced, new rubric": lambda: _judge_anew(batch),
    }
    times = side_by_side(runs, rounds=rounds, repeats=2, fastest=fastest)
    return {stage: ms / len(batch.texts) for stage, ms in times.items()}


def _rates(length: int, entities: int, *, rounds: int, fastest: bool) -> dict[str, Any]:
    """Rollouts per second of each way, for one size."""
    batch = _batch(length, entities)
    golds = [name for entity in batch.rubric.entities for name in (entity.name, *entity.aliases)]
    names = [entity.name for entity in batch.rubric.entities]
    runs: dict[str, Callable[[], object]] = {
        "strict": lambda: _judge(batch, Profile.STRICT),
        "balanced": lambda: _judge(batch, Profile.BALANCED),
        "reference": lambda: [legacy.entity_hits(names, text) for text in batch.texts],
    }
    quick = length * len(golds) <= SLOW
    if quick:
        runs["re + partial_ratio"] = lambda: _naive(golds, batch.texts[0])
    how = {"rounds": rounds if quick else 3, "repeats": 2 if quick else 1, "fastest": fastest}
    times = side_by_side(runs, **how)
    runs = {"balanced, new rubric": lambda: _judge_anew(batch)}  # not beside them: it has others forgotten
    times |= side_by_side(runs, **how)
    read = dict.fromkeys(times, len(batch.texts)) | {"re + partial_ratio": 1}
    return {"characters": length, "entities": entities} | {
        way: round(read[way] * 1e3 / ms, 1) for way, ms in times.items()
    }


def _judge(batch: Batch, profile: Profile) -> None:
    task = _task(batch.rubric, profile)
    for text in batch.texts:
        score.judge(task, Response(text))


def _judge_anew(batch: Batch) -> None:
    """Each group with a rubric of its own: the same names under ids that nobody has seen."""
    for texts in batch.groups():
        run = next(_RUNS)
        entities = tuple(replace(each, id=f"{run}-{each.id}") for each in batch.rubric.entities)
        _judge(Batch(Rubric(entities), texts), Profile.BALANCED)


_RUNS = count()


def _task(rubric: Rubric, profile: Profile) -> Task:
    return Task(rubric, question="Who?", answer=None, fields=(Field.CONTENT,), profile=profile)


def _values(names: Names, folded: Folded) -> int:
    return sum(1 for _ in find_values(names.values, folded, field=Field.CONTENT)) if names.values else 0


def _naive(golds: Sequence[str], text: str) -> int:
    lower = text.lower()
    return sum(
        bool(re.search(rf"\b{re.escape(gold.lower())}\b", lower))
        or fuzz.partial_ratio(gold.lower(), lower) > 90
        for gold in golds
    )


# --- what is shown ----------------------------------------------------------------------------------------


def _print_stages(stages: dict[str, dict[str, float]]) -> None:
    table = Table(title=f"ms per rollout, {USUAL[0]:,} characters, {USUAL[1]} entities, {machine()['cpu']}")
    for head in ("stage", *stages):
        table.add_column(head, justify="left" if head == "stage" else "right")
    for stage in next(iter(stages.values())):
        table.add_row(stage, *(f"{times[stage]:.2f}" for times in stages.values()))
    table.add_section()
    for whole in (stage for stage in next(iter(stages.values())) if stage.startswith("whole")):
        rates = (f"{1e3 / times[whole]:,.0f}" for times in stages.values())
        table.add_row(f"rollouts/s{whole.removeprefix('whole')}", *rates)
    CONSOLE.print(table)


def _print_rates(rates: Sequence[dict[str, Any]]) -> None:
    table = Table(title="rollouts per core-second")
    heads = (
        "characters",
        "entities",
        "strict",
        "balanced",
        "balanced, new rubric",
        "reference",
        "re + partial_ratio",
    )
    for head in heads:
        table.add_column(head, justify="right")
    for row in rates:
        table.add_row(*(f"{row[head]:,}" if head in row else "–" for head in heads))
    CONSOLE.print(table)


if __name__ == "__main__":
    typer.run(main)
