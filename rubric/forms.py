"""The ways one name may be written: what may be left out of it, abbreviated, numbered or joined differently.

    [form.text for form in forms("The St. Louis Blues (team)")]
    ["the st. louis blues (team)", "the saint louis blues", "st louis blues", …]

Only what follows from the letters of the name; what takes knowledge of the world belongs in its aliases.
`shorten` takes whole parts away, this file writes the rest in every usual way.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import islice, product

from rubric.lexicon import ABBREVIATIONS, FUNCTION_WORDS, HEADS, OWN_DOT, PARTICLES, SHORT
from rubric.numerals import (
    MOST_ROMAN,
    ordinal,
    ordinal_value,
    roman,
    roman_value,
    spoken,
    spoken_ordinal,
    spoken_value,
)
from rubric.shorten import Omission, Omitted, Variant, variants
from rubric.text import fold

MOST_FORMS = 32
"""Spellings of each variant of a name; one with more optional parts keeps the first in a fixed order."""


class Case(StrEnum):
    """What the capitals of a surface must show before it counts: nothing, one letter, all letters (or one
    where no sentence begins), exactly those of the name.
    """

    ANY = "any"
    CAPITAL = "capital"
    CAPITALS = "capitals"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Form:
    """One folded way to write a name, and what stood in the name and was left out here."""

    text: str
    case: Case
    omissions: tuple[Omission, ...] = ()

    def left_out(self, kind: Omitted) -> str:
        """The part of this kind that was left out, or nothing."""
        return next((each.text for each in self.omissions if each.kind is kind), "")


@lru_cache(maxsize=4096)
def forms(name: str) -> tuple[Form, ...]:
    """The folded forms of a name, its own spelling first; empty where it has no letter or digit."""
    found: dict[str, Form] = {}
    if not _WORD.search(fold(name).text):
        return ()
    for variant in variants(name):
        for text in islice(_spellings(variant.text), MOST_FORMS):
            words = _WORD.findall(text)
            if words:
                found.setdefault(text, Form(text, _case(variant, words), variant.omissions))
    for text in _joined(name):
        found.setdefault(text, Form(text, Case.SAME))
    for text in _family_first(name):
        found.setdefault(text, Form(text, Case.ANY))
    return tuple(found.values())


_WORD = re.compile(r"[^\W_]+")


def _case(variant: Variant, words: Sequence[str]) -> Case:
    """A name of one word needs its capitals: "US" is not "us", "Apple" not "apple", "ERA" not "Era"."""
    if variant.acronym:
        return Case.SAME
    bare = words[1:] if words[0] in {"the", "a", "an"} and len(words) > 1 else words
    if len(bare) > 1 or variant.text == variant.text.lower():
        return Case.ANY
    if bare == words and words[0] in FUNCTION_WORDS:
        return Case.SAME
    last = variant.text.split()[-1]
    if next(filter(str.isalnum, last), "").islower():
        return Case.ANY
    return Case.CAPITALS if last.isupper() and last.isalpha() and len(last) > 1 else Case.CAPITAL


def _joined(name: str) -> Iterator[str]:
    """Two words written as one, which then needs the capitals of both: "YouTube" for "You Tube"."""
    words = name.split()
    if len(words) == _PAIR and all(len(word) > 1 and word.isalpha() and word[0].isupper() for word in words):
        yield fold("".join(words)).text


def _family_first(name: str) -> Iterator[str]:
    """As bibliographies write it: Orwell, George."""
    words = name.split()
    if len(words) == _PAIR and all(len(word) > 1 and word.isalpha() and word[0].isupper() for word in words):
        yield fold(f"{words[1]}, {words[0]}").text


_PAIR = 2

# --- spellings --------------------------------------------------------------------------------------------


def _spellings(name: str) -> Iterator[str]:
    """Every combination of the choices at each piece of the name, the name's own first."""
    text = fold(_CAMEL.sub(r"\1-\2", name) if _CAMEL.search(name) else name).text.strip(_EDGES)
    reading = _Reading(
        pieces=_PIECE.findall(text),
        acronyms=frozenset(match.group().casefold() for match in _ACRONYM.finditer(name)),
        romans=frozenset(word.casefold() for word in _WORD.findall(name)[1:] if roman_value(word)),
    )
    for spelling in product(*reading.choices()):
        written = " ".join("".join(spelling).split())
        yield written
        yield from _with_particles(written)


_EDGES = ' \n*_~`"·'
_CAMEL = re.compile(r"(?<![^\W_])([A-Z][a-z]{2,})([A-Z][a-z]{2,})(?![^\W_])")
_PIECE = re.compile(r"(?:(?<!\w)[^\W\d_]\.[ ]?){2,}|(?<!\w)[^\W\d_]\.(?!\w)|[^\W_]+|\s+|[^\w\s]|_")
_ACRONYM = re.compile(r"(?<!\w)[A-Z]{2,4}(?!\w)")


@dataclass(frozen=True, slots=True)
class _Reading:
    """A folded name in pieces, and which of its words were an acronym or a Roman numeral before folding."""

    pieces: list[str]
    acronyms: frozenset[str]
    romans: frozenset[str]

    def choices(self) -> list[tuple[str, ...]]:
        """Per piece the ways to write it, its own first."""
        return [tuple(dict.fromkeys(self._at(index))) for index in range(len(self.pieces))]

    def _at(self, index: int) -> Iterator[str]:
        piece = self.pieces[index]
        yield piece
        if piece[1:2] == ".":
            yield from _initials(piece)
        elif _is_word(piece):
            yield from self._word(piece, index)
        elif piece.isspace():
            yield from self._space(index)
        else:
            yield from self._mark(index)

    def _word(self, word: str, index: int) -> Iterator[str]:
        dotted = self.pieces[index + 1 : index + 2] == ["."]
        long, short = ABBREVIATIONS.get(word), SHORT.get(word)
        if word == "and":
            yield "&"
        if word in self.acronyms and word not in ABBREVIATIONS:
            yield from (".".join(word) + ".", ".".join(word))
        if long:
            yield from (long, word if dotted else f"{word}.")
        if short:
            yield from (f"{short}.", short)
        if len(self.pieces) > 1:
            yield from self._numeral(word, index)
        which = ordinal_value(word)
        if which:
            yield from (ordinal(which), spoken_ordinal(which))
        prefixed = _PREFIXED.fullmatch(word)
        if prefixed:
            yield f"{prefixed[1]} {prefixed[2]}"
        if index == len(self.pieces) - 1:
            yield from _plural(word, alone=len(self.pieces) == 1)
        lettered = _LETTERS_AND_DIGITS.fullmatch(word)
        if lettered:
            yield f"{lettered[1]} {lettered[2]}"

    def _numeral(self, word: str, index: int) -> Iterator[str]:
        """VIII: also 8, eight, the eighth; 8: also eight, and VIII behind a word; 8th: also eighth."""
        number = roman_value(word.upper()) if word in self.romans - {"x"} else spoken_value(word)
        number = int(word) if number is None and word.isdecimal() and len(word) < _PAIR + 1 else number
        if number:
            yield from (str(number), spoken(number))
            if index and number <= MOST_ROMAN and not self._goes_on_in_figures(index):
                yield roman(number).lower()
                if word in self.romans:
                    yield from (f"the {spoken_ordinal(number)}", f"the {ordinal(number)}")

    def _goes_on_in_figures(self, index: int) -> bool:
        """Whether the numeral is a part of a longer figure, a version or a score."""
        near = self.pieces[index + 1 : index + 3]
        return len(near) == _PAIR and not near[0].isspace() and near[1].isdecimal()

    def _space(self, index: int) -> Iterator[str]:
        """Letters and a figure are written with a space or without: EC 6, EC6."""
        before, after = self.pieces[index - 1], self.pieces[index + 1]
        if before.isascii() and before.isalpha() and len(before) < _LONG_ENOUGH and after.isdecimal():
            yield ""
        if after in {"jr", "sr", "junior", "senior"}:
            yield ", "

    def _mark(self, index: int) -> Iterator[str]:
        """A mark inside a name of several words is often left out; one that carries a short name is not."""
        pieces = self.pieces
        mark, before, after = pieces[index], pieces[index - 1 : index], pieces[index + 1 : index + 2]
        glued = bool(before and after) and _is_word(before[0]) and _is_word(after[0])
        words = [piece for piece in pieces if _is_word(piece)]
        long_enough = sum(map(len, words)) >= _LONG_ENOUGH
        if mark == "&":
            yield from (" & ", "&amp;") if glued else ("and",)
        elif mark == "'" and glued:
            yield ""
        elif mark == "/" and glued and long_enough:
            yield from (" ", "")
        elif mark == "-" and glued and before[0] != "re" and sum(map(len, words)) > _LONG_ENOUGH:
            yield from () if before[0].isdecimal() and after[0].isdecimal() else ("",)
        elif mark == "-" and not glued and before and before[0] == " " and len(words) > 1:
            yield ""
        elif mark in ".,:;!?" and not glued:
            own_dot = mark == "." and bool(before) and before[0] in OWN_DOT
            if len(words) > 1 or own_dot:
                yield ""


_LONG_ENOUGH = 4
_PREFIXED = re.compile(r"(pre|post|non|anti|multi|semi|counter|inter|micro|pseudo|co|e)([a-z]{4,})")
_LETTERS_AND_DIGITS = re.compile(r"([a-z]{1,3})(\d{1,4})")


def _initials(piece: str) -> Iterator[str]:
    """`j.k.`: also `j. k.`, `j k` and `jk`; a single `w.` also `w`."""
    letters = [character for character in piece if character.isalpha()]
    tail = " " if piece.endswith(" ") else ""
    dotted = [f"{letter}." for letter in letters]
    yield from (gap.join(each) + tail for each in (dotted, letters) for gap in ("", " "))


def _plural(word: str, *, alone: bool) -> Iterator[str]:
    """A common noun at the end stands in either number; "William" and "Williams" are two names."""
    if word.isdecimal() and not alone and len(word) < _LONG_ENOUGH:
        yield f"{word}s"
    if not word.isascii() or not word.isalpha() or len(word) < _LONG_ENOUGH:
        return
    if word.endswith("y") and word[-2] not in "aeiou":
        yield f"{word}s"  # of a name: the Grammys
    singular = word.removesuffix("s") if not word.endswith(("ss", "us", "is")) else word
    if alone or not ({word, singular} & HEADS):
        return
    if word != singular:
        yield f"{singular[:-2]}y" if singular.endswith("ie") else singular
    else:
        yield f"{word[:-1]}ies" if word.endswith("y") and word[-2] not in "aeiou" else f"{word}s"


def _is_word(piece: str) -> bool:
    return piece[0].isalnum() and "." not in piece


def _with_particles(written: str) -> Iterator[str]:
    """Korean particles are written onto the name: 서울은, 서울에서."""
    if unicodedata.name(written[-1:] or " ", "").startswith("HANGUL"):
        yield from (written + fold(particle).text for particle in PARTICLES)
