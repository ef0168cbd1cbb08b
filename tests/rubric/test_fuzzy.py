"""Fast fuzzy search against a slow twin that compares every window of words with every name."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from rubric.entity import Entity, Field, Rubric, Stage
from rubric.exact import find
from rubric.fuzzy import MOST_PLACES, candidates, edits_between, find_typos
from rubric.guard import word_difference
from rubric.lexical import read
from rubric.marking import Marked, mark
from rubric.names import compile_names, compiled
from rubric.text import fold
from rubric.typos import Pattern, Typos, compile_typos, spelled, typos_of
from rubric.words import known_words
from tests.rubric.finding import rubric

WORDS = known_words()


def found(text: str, *golds: str | dict[str, Any]) -> dict[str, str]:
    looked_for = rubric(*golds)
    mentions = read(compiled(looked_for), text, field=Field.CONTENT, words=WORDS)
    return {
        looked_for.entities[entity].name: each[0].span.surface for entity, each in mentions.matches.items()
    }


def refused(text: str, *golds: str | dict[str, Any]) -> dict[str, str]:
    looked_for = rubric(*golds)
    mentions = read(compiled(looked_for), text, field=Field.CONTENT, words=WORDS)
    return {looked_for.entities[entity].name: near.reason for entity, near in mentions.refused.items()}


@pytest.mark.parametrize(
    ("text", "gold", "surface"),
    [
        ("by Willliam Shakespere, in 1600", "Shakespeare", "Shakespere"),
        ("Micheal Jackson's album", "Michael Jackson", "Micheal Jackson"),
        ("in Massachussets.", "Massachusetts", "Massachussets"),
        ("P. I. **Chaikovsky**", "Tchaikovsky", "Chaikovsky"),
        ("the Univeristy of Oxford", "University of Oxford", "Univeristy of Oxford"),
        ("Saint Petersbourg", "St. Petersburg", "Saint Petersbourg"),
        ("the Jean-Bapptiste Lully", "Jean-Baptiste Lully", "Jean-Bapptiste Lully"),
        ("émigré Dostoyevskiy", "Dostoyevsky", "Dostoyevskiy"),
        ("Siemens Healthineeers", "Siemens Healthineers AG", "Siemens Healthineeers"),
    ],
)
def test_a_typo_is_found_and_shown(text: str, gold: str, surface: str) -> None:
    assert found(text, gold) == {gold: surface}


@pytest.mark.parametrize(
    ("text", "gold", "reason"),
    [
        ("aboard Apollo 12", "Apollo 11", "numbers differ: 11 / 12"),
        ("the Battle of Banker Hill", "Bunker Hill", "another known word: bunker / banker"),
        ("the Shakespere Theatre", "Shakespeare", "the name goes on: “Shakespere Theatre”"),
    ],
)
def test_what_came_close_and_is_another_name_is_a_near_miss(text: str, gold: str, reason: str) -> None:
    assert found(text, gold) == {}
    assert refused(text, gold) == {gold: reason}


def test_other_entities_and_confusables_win_over_a_typo() -> None:
    assert found("in Kowalzcyk", "Kowalczyk") == {"Kowalczyk": "Kowalzcyk"}
    assert found("in Kowalzcyk", {"name": "Kowalczyk", "confusables": ["Kowalzczyk"]}) == {}
    assert found("in Kowalzcyk", "Kowalczyk", "Kowalzcyk") == {"Kowalzcyk": "Kowalzcyk"}
    gold = {"name": "Kowalczyk", "confusables": ["Kowalzcyk"]}
    assert found("in Kowalzcyk", gold, "Warsaw") == {}
    assert "different entity" in refused("in Kowalzcyk", gold, "Warsaw")["Kowalczyk"]


def test_a_misspelled_name_needs_the_capital_letter_that_the_name_has() -> None:
    assert found("He wrote of shakespere.", "Shakespeare") == {}
    assert found("By photosynthesys it grows.", "photosynthesis") == {"photosynthesis": "photosynthesys"}
    assert found("Univeristy of the arts", "University of the arts")


def test_values_and_short_names_are_never_matched_with_typos() -> None:
    assert found("in 19989, on May 6, 2008", "19988", "May 5, 2008") == {}
    assert found("Madrit, Iran, Irak", "Madrid", "Iraq") == {}


def test_a_typo_says_how_close_it_is() -> None:
    mentions = read(compiled(rubric("Shakespeare")), "Shakespere", field=Field.CONTENT, words=WORDS)
    match = mentions.matches[0][0]
    assert (match.stage, match.similarity) == (Stage.FUZZY, round(1 - 1 / 11, 4))


# --- the slow twin ----------------------------------------------------------------------------------------


def accepted(pattern: Pattern, marked: Marked, start: int, end: int) -> bool:
    found = spelled(marked.span(start, end, field=Field.CONTENT).surface)
    edits = edits_between(pattern, found)
    close = 0 < edits <= pattern.edits
    return close and word_difference(pattern.words, found.words, words=WORDS) is None


def slow(typos: Typos, marked: Marked) -> set[tuple[int, int, int]]:
    """Every window of words that is a typo of a pattern: no lookups, no pieces."""
    bounds = zip(
        np.flatnonzero(marked.first).tolist(), (np.flatnonzero(marked.last) + 1).tolist(), strict=True
    )
    starts, ends = zip(*(marked.without_repeated(*each) for each in bounds), strict=True)
    return {
        (starts[first], ends[first + len(pattern.words) - 1], number)
        for number, pattern in enumerate(typos.patterns)
        for first in range(len(starts) - len(pattern.words) + 1)
        if accepted(pattern, marked, starts[first], ends[first + len(pattern.words) - 1])
    }


def fast(typos: Typos, marked: Marked) -> set[tuple[int, int, int]]:
    entities = {pattern.entity for pattern in typos.patterns}
    places = candidates(typos, marked, entities)
    return {each for each in places if accepted(typos.patterns[each[2]], marked, each[0], each[1])}


LETTERS = "abcdeinorst"


def _word(random_: random.Random) -> str:
    return "".join(random_.choices(LETTERS, k=random_.randint(1, 11)))


def _typo(random_: random.Random, text: str) -> str:
    at = random_.randrange(len(text))
    letter = random_.choice(LETTERS + " é")
    return random_.choice(
        [
            text[:at] + text[at + 1 :],
            text[:at] + letter + text[at:],
            text[:at] + letter + text[at + 1 :],
            text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :],
        ]
    )


def _cases(seed: int, groups: int) -> Iterator[tuple[list[str], str]]:
    """Names, and a text that holds each of them changed by up to three typos, among other words."""
    random_ = random.Random(seed)
    for _ in range(groups):
        names = [" ".join(_word(random_) for _ in range(random_.randint(1, 4))).title() for _ in range(20)]
        parts = []
        for name in names:
            changed = name
            for _ in range(random_.randint(0, 3)):
                changed = _typo(random_, changed) or name
            parts += [changed, _word(random_)]
        yield names, " ".join(parts)


def test_the_fast_search_and_brute_force_agree_on_a_hundred_thousand_pairs() -> None:
    pairs = hits = 0
    for names, text in _cases(seed=7, groups=320):
        entities = [(index, Entity(f"e{index}", name)) for index, name in enumerate(dict.fromkeys(names))]
        typos = compile_typos(compile_names(entities))
        marked = mark(fold(text))
        found, expected = fast(typos, marked), slow(typos, marked)
        assert found == expected, (text, found ^ expected)
        pairs += len(typos.patterns) * len(names)
        hits += len(expected)
    assert pairs >= 100_000
    assert hits >= 800


def test_wide_and_narrow_texts_are_searched_alike() -> None:
    for names, text in _cases(seed=8, groups=20):
        entities = [(index, Entity(f"e{index}", name)) for index, name in enumerate(dict.fromkeys(names))]
        typos = compile_typos(compile_names(entities))
        narrow, wide = mark(fold(text.replace("é", "e"))), mark(fold(text.replace("é", "e") + " ж"))
        assert isinstance(narrow.text, bytes)
        assert isinstance(wide.text, str)
        assert fast(typos, narrow) == fast(typos, wide)


def test_the_order_of_the_entities_changes_nothing() -> None:
    for names, text in _cases(seed=9, groups=20):
        golds = list(dict.fromkeys(names))
        assert found(text, *golds) == found(text, *reversed(golds))


def test_texts_and_names_made_to_match_everywhere_do_not_multiply_the_work() -> None:
    names = [" ".join(["abababab"] * size) for size in range(1, 20)] + ["ab" * size for size in range(5, 60)]
    looked_for = Rubric(tuple(Entity(f"e{index}", name.title()) for index, name in enumerate(names)))
    typos = typos_of(compiled(looked_for))
    entities = set(range(len(names)))
    for text in ("Abababac " * 20_000, "Ab" * 100_000, "Ababab Ab " * 20_000, "Abababaa Ab" * 10_000):
        marked = mark(fold(text))
        exact = find(compiled(looked_for), marked, field=Field.CONTENT)
        assert len(candidates(typos, marked, entities)) <= MOST_PLACES
        mentions = find_typos(typos, marked, exact, entities=entities, field=Field.CONTENT, words=WORDS)
        assert sum(map(len, mentions.matches.values())) <= 8 * len(names)
    assert len(typos.remembered) < 10
