"""Two similar names: is it one entity, or are they two?

    difference("Apollo 11", "Apollo 12", words=known_words())          # "numbers differ: 11 / 12"
    difference("Shakespeare", "Shakespere", words=known_words())       # None: a typo

What tells names apart is the difference between them, not its size: figures, numerals, directions, initials,
opposite prefixes and other *known* words make another entity; a long unknown word one edit away is a typo.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from rapidfuzz.distance import OSA

from rubric.lexicon import DIRECTIONS, OPPOSITES
from rubric.numerals import ordinal_value, roman_value, spoken_value
from rubric.text import fold
from rubric.words import Words


def difference(name: str, surface: str, *, words: Words) -> str | None:
    """Why two names are those of different entities, or None where nothing says so."""
    return word_difference(name_words(name), name_words(surface), words=words)


def name_words(name: str) -> list[str]:
    """The words of a name as the guard compares them: folded, letters and digits."""
    return _WORD.findall(fold(name).text)


_WORD = re.compile(r"[^\W_]+")


def word_difference(name: Sequence[str], surface: Sequence[str], *, words: Words) -> str | None:
    """`difference` of names in words. Words that only one of the names has make no difference here."""
    if list(name) == list(surface):
        return None
    if sorted(name) == sorted(surface):
        return f"the order of the words differs: {' '.join(name)} / {' '.join(surface)}"
    return (
        _values_differ(name, surface)
        or _directions_differ(name, surface)
        or next(
            filter(None, (_pair(a, b, words, given=given) for a, b, given in _replaced(name, surface))), None
        )
    )


def most_edits(letters: int) -> int:
    """Edits that a typo may have: none in words of fewer than five letters, two from ten on."""
    return 0 if letters < _SHORTEST else 1 if letters < _LONG else 2


_SHORTEST, _LONG, _RARE = 5, 10, 7


def _replaced(name: Sequence[str], surface: Sequence[str]) -> Iterator[tuple[str, str, bool]]:
    """The words that stand in each other's place, and whether the name goes on behind them."""
    if len(name) == len(surface):
        for place, (mine, other) in enumerate(zip(name, surface, strict=True)):
            if mine != other and not _same_value(mine, other):
                yield mine, other, place < len(name) - 1
        return
    left, right = Counter(name) - Counter(surface), Counter(surface) - Counter(name)
    if len(left) == len(right) == 1:
        yield next(iter(left)), next(iter(right)), False


def _same_value(mine: str, other: str) -> bool:
    value = value_of(mine)
    return value is not None and value == value_of(other)


def _values_differ(name: Sequence[str], surface: Sequence[str]) -> str | None:
    mine, other = (Counter(filter(None, map(value_of, words))) for words in (name, surface))
    if mine == other:
        return None
    left, right = (" ".join(map(str, sorted((a - b).elements()))) for a, b in ((mine, other), (other, mine)))
    return f"numbers differ: {left or '–'} / {right or '–'}"


def value_of(word: str) -> int | None:
    """The number that a word says, if it does: 11, xi (of two letters and more), eleven, 11th, eleventh."""
    if word.isdecimal():
        return int(word[:_LONGEST_FIGURE])
    roman = roman_value(word.upper()) if len(word) > 1 else None
    return roman or spoken_value(word) or ordinal_value(word)


_LONGEST_FIGURE = 30


def _directions_differ(name: Sequence[str], surface: Sequence[str]) -> str | None:
    mine, other = DIRECTIONS & set(name), DIRECTIONS & set(surface)
    if mine == other:
        return None
    left, right = (" ".join(sorted(each)) or "–" for each in (mine - other, other - mine))
    return f"directions differ: {left} / {right}"


def _pair(mine: str, other: str, words: Words, *, given: bool) -> str | None:
    """Why one word in the place of another makes another name."""
    if min(len(mine), len(other)) == 1:
        return f"initials differ: {mine} / {other}"
    if not (mine.isalpha() and other.isalpha()):
        return f"figures differ: {mine} / {other}"
    if not (mine.isascii() and other.isascii()):
        return f"words differ, and there is no word list for their script: {mine} / {other}"
    edits = OSA.distance(mine, other)
    if edits > most_edits(min(len(mine), len(other))):
        return f"words differ: {mine} / {other}"
    if given and _undoubled(mine) == _undoubled(other):
        return None
    return _opposite(mine, other) or _ending(mine, other) or _known(mine, other, words)


def _opposite(mine: str, other: str) -> str | None:
    for first, second in OPPOSITES:
        for a, b in ((first, second), (second, first)):
            if mine.startswith(a) and other.startswith(b) and mine[len(a) :] == other[len(b) :]:
                return f"opposites: {mine} / {other}"
    return None


def _ending(mine: str, other: str) -> str | None:
    """Ivanov and Ivanova, Mario and Maria; and names that begin differently."""
    short, long = sorted((mine, other), key=len)
    if long in {short + "a", short + "o", short + "e"} or (mine[:-1] == other[:-1] and mine[-1] != other[-1]):
        return f"endings differ: {mine} / {other}"
    if len(mine) == len(other) and mine[1:] == other[1:] and {mine[0], other[0]} not in _SAME_SOUND:
        return f"first letters differ: {mine} / {other}"
    return None


_SAME_SOUND = ({"c", "k"}, {"g", "q"}, {"k", "q"}, {"j", "y"}, {"i", "y"}, {"v", "w"}, {"s", "z"}, {"f", "v"})


def _known(mine: str, other: str, words: Words) -> str | None:
    """A word that the world uses is no typo of another one, unless it is a rare slip of a common one."""
    if _transliterated(mine) == _transliterated(other):
        return None
    common, rare = sorted((words.zipf(mine), words.zipf(other)), reverse=True)
    if rare < _UNKNOWN:
        long_enough = common >= _UNKNOWN or min(len(mine), len(other)) >= _RARE
        return None if long_enough else f"both are rare: {mine} / {other}"
    slip = sorted(mine) == sorted(other) or _undoubled(mine) == _undoubled(other)
    if slip and rare < _SELDOM and common - rare >= _GAP:
        return None
    return f"another known word: {mine} / {other}"


_UNKNOWN, _SELDOM, _GAP = 1.9, 3.0, 1.5


def _undoubled(word: str) -> str:
    return re.sub(r"(.)\1+", r"\1", word)


def _transliterated(word: str) -> str:
    """One spelling for the usual ways to write Russian and Arabic sounds in Latin letters."""
    for pattern, sound in _SOUNDS:
        word = pattern.sub(sound, word)
    return word


_SOUNDS = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"^q(?!u)", "g"),
        (r"t?sch|tch", "ch"),
        (r"kh", "h"),
        (r"ts(?=[aeiouy])|tz", "c"),
        (r"(?<=[aeiou])y(?=[aeiou])|(?<=[aeiou])j(?=[aeiou])", ""),
        (r"(?:iy|ij|yj|yi|ii|y)$", "i"),
        (r"w", "v"),
        (r"ks", "x"),
        (r"ph", "f"),
        (r"ff$", "v"),
    )
)
