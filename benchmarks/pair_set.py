"""Pairs of names, the same entity or not: is `a` found where a text says `b`?

The text is each of a few carrier sentences, and one of them within a long text of other people's responses.
Every choice is seeded by the pair, so neither the order of the file nor the number of workers matters.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz
from ways import WAYS, Seen, seen

from rubric.entity import Entity, Rubric
from rubric.errors import InvalidRubric

CARRIERS = {
    "start": "{} is what the documents speak of.",
    "middle": "It is said that {} was there in the end.",
    "end": "So the answer to the question must be {}.",
    "list": "- {}\n- something else that nobody asked for",
    "bold": "The third passage names **{}**'s part in it, the others do not.",
    "quoted": "Who was first (according to “{}”, at least) remains open.",
}
LONG_TEXT, LONG_TEXTS = 20_000, 20
"""Characters of a text that a name is hidden in, and how many of them there are."""

SCORERS = ("token_set_ratio", "partial_ratio", "WRatio", "ratio")
THRESHOLDS = (70, 75, 80, 85, 90, 92, 94, 95, 96, 97, 98, 99, 100)

Rates = dict[str, Any]
"""Recall on same pairs and false hits on different ones: per source, and their means over the sources."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A gold name, a name in a text, and whether both mean one entity."""

    a: str
    b: str
    same: bool
    source: str


@dataclass(frozen=True, slots=True)
class Hits:
    """Where one way found `a`: at `b` in each carrier, at `b` in the long text, only elsewhere in that."""

    carriers: tuple[bool, ...]
    hidden: bool
    elsewhere: bool
    refused: bool = False


def read_pairs(file: Path) -> list[Pair]:
    """The pairs of a file, in its order."""
    stored = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    return [Pair(each["a"], each["b"], each["same"], each["source"]) for each in stored]


def look_for(pairs: Sequence[Pair], groups: Path, *, workers: int) -> Iterator[dict[str, Hits]]:
    """What every way finds of each pair, in order. The long texts are made of the responses in `groups`."""
    chunks = [pairs[start : start + _CHUNK] for start in range(0, len(pairs), _CHUNK)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for found in pool.map(partial(_of_chunk, groups), chunks):
            yield from found


def macro(pairs: Sequence[Pair], shares: Sequence[float]) -> Rates:
    """Rates of hits; `shares` says for each pair in which share of its texts there was one."""
    sources: dict[str, dict[str, float]] = {"recall": {}, "false hits": {}}
    for name, same in (("recall", True), ("false hits", False)):
        for source in sorted({pair.source for pair in pairs if pair.same is same}):
            own = [
                share
                for pair, share in zip(pairs, shares, strict=True)
                if pair.source == source and pair.same is same
            ]
            sources[name][source] = round(sum(own) / len(own), 4)
    means = {name: round(sum(each.values()) / max(1, len(each)), 4) for name, each in sources.items()}
    return means | {"sources": sources}


def of_rapidfuzz(pairs: Sequence[Pair]) -> dict[str, dict[int, Rates]]:
    """Rates of plain scores by threshold: of two names alone, and of one and a sentence with the other."""
    scores = {scorer: _scores(pairs, getattr(fuzz, scorer), ("{}",)) for scorer in SCORERS}
    for scorer in ("token_set_ratio", "partial_ratio"):
        scores[f"{scorer} in a sentence"] = _scores(pairs, getattr(fuzz, scorer), tuple(CARRIERS.values()))
    return {
        name: {
            threshold: macro(pairs, [_share([score >= threshold for score in each]) for each in of_pairs])
            for threshold in THRESHOLDS
        }
        for name, of_pairs in scores.items()
    }


def share_in_carriers(hits: Hits) -> float:
    """In which share of the carriers `a` was found where `b` stands."""
    return _share(hits.carriers)


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits)


def _scores(
    pairs: Sequence[Pair], score: Callable[..., float], carriers: Sequence[str]
) -> list[tuple[float, ...]]:
    return [
        tuple(score(pair.a.lower(), carrier.format(pair.b).lower()) for carrier in carriers) for pair in pairs
    ]


# --- in a worker ------------------------------------------------------------------------------------------

_CHUNK = 100


@dataclass(frozen=True, slots=True)
class _Placed:
    """A text that says a name at [start, end)."""

    text: str
    start: int
    end: int


def _of_chunk(groups: Path, pairs: Sequence[Pair]) -> list[dict[str, Hits]]:
    return [{way: _look(way, pair, _long_texts(groups)) for way in WAYS} for pair in pairs]


def _look(way: str, pair: Pair, long_texts: Sequence[str]) -> Hits:
    rubric, look = Rubric((Entity("e0", pair.a),)), seen(WAYS[way])
    carried = [_say(pair.b, carrier) for carrier in CARRIERS.values()]
    chance = random.Random(f"{pair.a}\n{pair.b}")
    alone = chance.choice(long_texts)
    hidden = _hide(chance.choice(carried), alone, chance)
    try:
        found = look(rubric, hidden.text)
        there = _names_there(found, hidden)
        return Hits(
            carriers=tuple(_names_there(look(rubric, each.text), each) for each in carried),
            hidden=there,
            elsewhere=_elsewhere(found, there=there, alone=lambda: 0 in look(rubric, alone).spans),
        )
    except InvalidRubric:
        return Hits((False,) * len(carried), hidden=False, elsewhere=False, refused=True)


def _say(name: str, carrier: str) -> _Placed:
    start = carrier.index("{}")
    return _Placed(carrier.format(name), start, start + len(name))


def _hide(placed: _Placed, text: str, chance: random.Random) -> _Placed:
    """The sentence between two others of the text."""
    at = chance.choice([match.end() for match in re.finditer(r"[.!?]\s+", text)])
    return _Placed(f"{text[:at]}{placed.text} {text[at:]}", at + placed.start, at + placed.end)


def _names_there(found: Seen, placed: _Placed) -> bool:
    """Whether a mention overlaps the name. The reference shows none: its hits count wherever they are."""
    spans = found.spans.get(0)
    return spans == () or any(span.start < placed.end and span.end > placed.start for span in spans or ())


def _elsewhere(found: Seen, *, there: bool, alone: Callable[[], bool]) -> bool:
    """Whether the rest of the long text names `a`: of the reference, whether it hits without `b`, too."""
    spans = found.spans.get(0)
    return alone() if spans == () else spans is not None and not there


@cache
def _long_texts(groups: Path) -> list[str]:
    stored = [json.loads(line) for line in groups.read_text(encoding="utf-8").splitlines() if line]
    responses = [each["rollouts"][0]["response"] for each in stored]
    chance = random.Random(0)
    return [
        "\n\n".join(chance.sample(responses, min(len(responses), 60)))[:LONG_TEXT] for _ in range(LONG_TEXTS)
    ]
