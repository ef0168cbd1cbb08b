"""Pairs of names in texts, with the embedding stage: is `a` found where a text says `b`, and elsewhere?

Every span of the text is a chance for a false hit. Each pair is looked at by the scorer that did not see its
entity, and for comparison by the one that is shipped, which did.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context

from pair_set import CARRIERS, Pair

from rubric import semantic
from rubric.embedder import Embedder, Vectors
from rubric.entity import Entity, Field, Rubric
from rubric.errors import InvalidRubric
from rubric.lexical import read
from rubric.marking import mark
from rubric.names import compiled
from rubric.pair import Scorer
from rubric.semantic import Candidate
from rubric.text import fold
from rubric.words import known_words


@dataclass(frozen=True, slots=True)
class Placed:
    """A text that says a name at [start, end)."""

    text: str
    start: int
    end: int

    def says(self, start: int, end: int) -> bool:
        """Whether a span overlaps the name."""
        return start < self.end and end > self.start


@dataclass(frozen=True, slots=True)
class Looked:
    """What one pair came to: found by the lexical stages, by the embedding stage at `b` (`whole`: all of `b`
    and nothing else), by it elsewhere.
    """

    lexical: bool
    there: bool
    whole: bool
    elsewhere: tuple[str, ...]

    @property
    def hit(self) -> bool:
        """Whether any stage found `a` at `b`."""
        return self.lexical or self.there


@dataclass(frozen=True, slots=True)
class Open:
    """A pair whose `a` no lexical stage found at `b`, and the candidates of the text."""

    placed: Placed
    candidates: tuple[Candidate, ...]
    scorer: Scorer


def look_at(
    pairs: Sequence[Pair],
    scorers: Sequence[Scorer],
    embedder: Embedder,
    *,
    texts: Sequence[str] = (),
    exhaustive: bool = False,
    workers: int = 2,
) -> list[Looked]:
    """What is found of each pair by its scorer. Without `texts`, `b` stands in a sentence alone."""
    work = list(zip(pairs, scorers, strict=True))
    chunks = [work[start : start + _CHUNK] for start in range(0, len(work), _CHUNK)]
    found: list[Open | None] = []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for each in pool.map(partial(_propose, tuple(texts), exhaustive), chunks):
            found += each
    vectors = vectors_of([each.candidates for each in found if each], embedder.embed)
    return [_looked(each, vectors, embedder) for each in found]


_CHUNK = 64


def vectors_of(
    found: Sequence[Sequence[Candidate]], embed: Callable[[Sequence[str]], Vectors]
) -> Mapping[str, Vectors]:
    """Vectors of all that candidates need, each text once."""
    wanted = sorted(
        {text for candidates in found for text in semantic.texts(candidates)},
        key=lambda text: (len(text), text),
    )
    return dict(zip(wanted, embed(wanted), strict=True)) if wanted else {}


def decisions(
    candidates: Sequence[Candidate], vectors: Mapping[str, Vectors], scorer: Scorer, embedder: Embedder
) -> dict[int, semantic.Decided]:
    """Both steps of the embedding stage."""
    final = semantic.finalists(candidates, vectors, scorer, band=embedder.band)
    return semantic.decide(final, vectors_of([final], embedder.embed_alone), scorer)


def _looked(found: Open | None, vectors: Mapping[str, Vectors], embedder: Embedder) -> Looked:
    if found is None:
        return Looked(lexical=True, there=False, whole=False, elsewhere=())
    decided = decisions(found.candidates, vectors, found.scorer, embedder)
    spans = [match.span for each in decided.values() for match in each.matches]
    there = [found.placed.says(span.start, span.end) for span in spans]
    elsewhere = tuple(span.surface for span, here in zip(spans, there, strict=True) if not here)
    whole = any((span.start, span.end) == (found.placed.start, found.placed.end) for span in spans)
    return Looked(lexical=False, there=any(there), whole=whole, elsewhere=elsewhere)


# --- in a worker ------------------------------------------------------------------------------------------


def _propose(
    texts: Sequence[str],
    exhaustive: bool,  # noqa: FBT001 (of a partial)
    work: Sequence[tuple[Pair, Scorer]],
) -> list[Open | None]:
    return [_open(pair, scorer, texts, exhaustive=exhaustive) for pair, scorer in work]


def _open(pair: Pair, scorer: Scorer, texts: Sequence[str], *, exhaustive: bool) -> Open | None:
    chance = random.Random(f"{pair.a}\n{pair.b}")
    placed = _say(pair.b, chance.choice(list(CARRIERS.values())))
    if texts:
        placed = _hide(placed, chance.choice(texts), chance)
    try:
        names = compiled(Rubric((Entity("e0", pair.a),)))
    except InvalidRubric:
        return Open(placed, (), scorer)
    mentions = read(names, placed.text, field=Field.CONTENT, words=known_words())
    found = mentions.matches.get(0, [])
    if any(placed.says(match.span.start, match.span.end) for match in found):
        return None
    candidates = semantic.propose(
        names,
        mark(fold(placed.text)),
        mentions,
        entities=names.of_entity.keys(),
        field=Field.CONTENT,
        words=known_words(),
        scorer=scorer,
        exhaustive=exhaustive,
    )
    return Open(placed, candidates, scorer)


def _say(name: str, carrier: str) -> Placed:
    start = carrier.index("{}")
    return Placed(carrier.format(name), start, start + len(name))


def _hide(placed: Placed, text: str, chance: random.Random) -> Placed:
    """The sentence between two sentences of the text."""
    at = chance.choice(_ends(text))
    return Placed(f"{text[:at]}{placed.text} {text[at:]}", at + placed.start, at + placed.end)


@cache
def _ends(text: str) -> list[int]:
    return [match.end() for match in re.finditer(r"[.!?]\s+", text)]
