"""What does the exact stage cost per rollout: fold, words, one automaton, offsets?

    python benchmarks/bench_exact.py [--kb 122] [--entities 16]

One core. Beside it, in the same run: the reference's matcher, and an alternation of `re` patterns.
"""

from __future__ import annotations

import random
import re
from typing import Annotated

import typer
from measure import machine, side_by_side, write
from rich.console import Console
from rich.table import Table

from rubric.entity import Entity, Field, Rubric
from rubric.exact import find
from rubric.marking import mark
from rubric.names import compiled
from rubric.text import fold

SYLLABLES = ["ka", "ro", "mi", "ten", "lu", "sa", "vor", "del", "ni", "pra", "gu", "shi", "bel", "to", "ran"]


def main(
    kb: Annotated[int, typer.Option(help="Length of a text, in 1,000 characters.")] = 122,
    entities: Annotated[int, typer.Option(help="Entities of the rubric; half have an alias.")] = 16,
) -> None:
    """Measure, print a table, keep the results."""
    names = [_name(random.Random(seed)) for seed in range(2 * entities)]
    rubric = Rubric(
        tuple(
            Entity(id=str(i), name=names[i], aliases=(names[entities + i],) if i % 2 else ())
            for i in range(entities)
        )
    )
    ascii_text = _text(random.Random(1), names[: entities // 2], kb * 1000)
    texts = {"ASCII": ascii_text, "Unicode": _typographic(ascii_text)}
    results = {kind: _measure(rubric, text) for kind, text in texts.items()}
    _print(results, kb, entities)
    print("written:", write("exact", {"kb": kb, "entities": entities, "milliseconds": results}))


def _measure(rubric: Rubric, text: str) -> dict[str, float]:
    names, folded = compiled(rubric), fold(text)
    golds = [entity.name for entity in rubric.entities]
    patterns = [name for entity in rubric.entities for name in (entity.name, *entity.aliases)]
    naive = re.compile("|".join(rf"\b{re.escape(pattern)}\b" for pattern in patterns), re.IGNORECASE)
    return side_by_side(
        {
            "exact stage": lambda: find(names, mark(fold(text)), field=Field.CONTENT),
            "  of it fold": lambda: fold(text),
            "  of it words": lambda: mark(folded),
            "reference matcher": lambda: _reference(golds, text),
            "re alternation": lambda: list(naive.finditer(text)),
        }
    )


def _reference(golds: list[str], text: str) -> list[bool]:
    """The reference's matcher as it is written there; ours of the same answers is `rubric.legacy`."""

    def normalized(string: str) -> str:
        return " ".join(re.findall("[a-zA-Z0-9_]+|[\u4e00-\u9fff]", string.lower().strip()))

    haystack = normalized(text)
    return [normalized(gold) in haystack for gold in golds]


def _print(results: dict[str, dict[str, float]], kb: int, entities: int) -> None:
    table = Table(title=f"{kb} KB, {entities} entities, one core of {machine()['cpu']}")
    table.add_column("median ms per rollout")
    for kind in results:
        table.add_column(kind, justify="right")
    for name in next(iter(results.values())):
        table.add_row(name, *(f"{times[name]:.2f}" for times in results.values()))
    Console().print(table)


def _name(chance: random.Random) -> str:
    words = ["".join(chance.choices(SYLLABLES, k=4)) for _ in range(chance.randint(1, 3))]
    return " ".join(word.capitalize() for word in words)


def _text(chance: random.Random, named: list[str], length: int) -> str:
    words = ["".join(chance.choices(SYLLABLES, k=chance.randint(1, 3))) for _ in range(3000)]
    pieces: list[str] = []
    size = 0
    while size < length:
        sentence = " ".join(chance.choices(words, k=chance.randint(6, 18)))
        if chance.random() < 0.02:
            sentence += f", as **{chance.choice(named)}**'s (or “so”)".replace("“", '"').replace("”", '"')
        pieces.append(sentence.capitalize() + chance.choice([". ", ". ", ".\n", "?\n\n", ": "]))
        size += len(pieces[-1])
    return "".join(pieces)[:length]


def _typographic(text: str) -> str:
    """The same text as a model writes it: curly quotes, dashes, some accents."""
    return text.replace('"', "“").replace("'", "’").replace(": ", " — ").replace("shi", "shí", 40)


if __name__ == "__main__":
    typer.run(main)
