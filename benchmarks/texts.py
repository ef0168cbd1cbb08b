"""Texts and names for benchmarks: English words as often as English has them, names of rarer ones."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from functools import cache

from wordfreq import get_frequency_dict

from rubric.entity import Entity, Rubric


def rubric_of(entities: int) -> Rubric:
    """A rubric of names of one to three words; every other entity has an alias."""
    chance = random.Random(3)
    words = _words()[8_000:60_000]
    names = [
        " ".join(word.capitalize() for word in chance.sample(words, chance.randint(1, 3)))
        for _ in range(2 * entities)
    ]
    return Rubric(
        tuple(
            Entity(f"e{i}", names[i], aliases=(names[entities + i],) if i % 2 else ())
            for i in range(entities)
        )
    )


def text_of(rubric: Rubric, characters: int, *, seed: int = 1) -> str:
    """Sentences, one in twenty-five of which names one of the first eight entities."""
    chance = random.Random(seed)
    named = [entity.name for entity in rubric.entities[:8]]
    words = chance.choices(_words()[:20_000], _weights()[:20_000], k=characters // 4 + 20)
    pieces: list[str] = []
    size = at = 0
    while size < characters:
        length = chance.randint(6, 18)
        sentence = " ".join(words[at : at + length])
        at += length
        if chance.random() < 1 / 25:
            sentence += f", as **{chance.choice(named)}**'s (or so)"
        pieces.append(sentence[:1].upper() + sentence[1:] + chance.choice([". ", ". ", ".\n", "?\n\n", ": "]))
        size += len(pieces[-1])
    return "".join(pieces)[:characters]


def typographic(text: str) -> str:
    """The same text as a model writes it: curly quotes, dashes, some accents."""
    return text.replace("'", "’").replace(": ", " — ").replace("cafe", "café").replace("e the", "é the", 40)


def lively(text: str) -> str:
    """The same text with about as many capitals and figures as responses about people and places have."""
    return _LONGER_WORD.sub(lambda found: _livelier(found[0]), text)


def with_values(rubric: Rubric) -> Rubric:
    """The same rubric with a year and an amount in the place of the last two names."""
    *names, first, second = rubric.entities
    return Rubric((*names, replace(first, name="1936"), replace(second, name="4,200 kilometers")))


_LONGER_WORD = re.compile(r"\b[a-z]{4,}\b")


@cache
def _livelier(word: str) -> str:
    """Always the same for a word: a name is a name wherever it stands."""
    chance = random.Random(word)
    share = chance.random()
    if share < 0.36:
        return word.capitalize()
    return str(chance.randint(1, 2030)) if share < 0.43 else word


@cache
def _frequencies() -> dict[str, float]:
    found = get_frequency_dict("en", "best").items()
    return {word: frequency for word, frequency in found if word.isalpha() and word.isascii()}


def _words() -> list[str]:
    return list(_frequencies())


def _weights() -> list[float]:
    return list(_frequencies().values())
