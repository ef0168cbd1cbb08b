"""The names of one rubric, cut into pieces by which misspelled words are looked up.

    typos_of(compiled(rubric)).near("shakespere")      # ((0, 0),): the first word of the first pattern

A word with k edits, cut into k + 1 pieces with one letter between them, has one piece left untouched where it
was: at the beginning, at the end or in between. What a lookup costs does not depend on the number of names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import islice, zip_longest
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA

from rubric.entity import Stage
from rubric.forms import Case, Form
from rubric.guard import most_edits, value_of
from rubric.lexicon import ABBREVIATIONS
from rubric.marking import Places
from rubric.names import Names
from rubric.shorten import Variant, variants
from rubric.text import Codes, fold

SHORTEST_NAME = 8
"""Characters of a name that is looked for with typos."""

TWO_EDITS = 12
"""Letters from which on a name may have two edits."""

SHORTEST_WORD = 4
"""Letters of a word of a text that is looked up."""

MOST_REMEMBERED = 65_536
"""Words of texts for which a rubric remembers what they may be."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way to write a name: its words, what stands between them, whether it has a capital letter, and how
    many edits a typo may have.
    """

    entity: int
    name: str
    form: Form
    words: tuple[str, ...]
    gaps: tuple[str, ...]
    capital: bool
    edits: int


@dataclass(frozen=True, slots=True)
class Pieces:
    """Numbers of the words of one length, by what they begin with, end with and have in between."""

    begin: dict[str, list[int]] = field(default_factory=dict)
    end: dict[str, list[int]] = field(default_factory=dict)
    middle: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Typos:
    """The names of one rubric, ready to be looked for with typos.

    `words` are those that may be misspelled, `places[i]` says where the i-th stands: (pattern, position).
    `beside` has words beside which a figure may differ: "Apollo" of "Apollo 11".
    `rivals` are all names of the rubric, folded, and `rival_of[i]` is whose: the entity's index, or
    -1 - index for its confusables.
    """

    patterns: tuple[Pattern, ...]
    words: tuple[str, ...]
    places: tuple[tuple[tuple[int, int], ...], ...]
    pieces: dict[int, Pieces]
    beside: dict[str, tuple[tuple[int, int], ...]]
    rivals: tuple[str, ...]
    rival_of: tuple[int, ...]
    remembered: dict[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)

    def near(self, word: str) -> tuple[tuple[int, int], ...]:
        """Where the words stand of which this one may be a misspelling, or beside which it may stand."""
        places = self.remembered.get(word)
        if places is not None:
            return places
        places = tuple(place for number in sorted(self._near(word)) for place in self.places[number])
        places += self.beside.get(word, ())
        if len(self.remembered) >= MOST_REMEMBERED:
            self.remembered.clear()
        self.remembered[word] = places
        return places

    @cached_property
    def longest(self) -> int:
        """Letters of the longest word that is looked for."""
        return max(map(len, (*self.words, *self.beside)), default=0)

    @cached_property
    def capital(self) -> bool:
        """Whether every name has a capital letter, so that words without one need not be looked up."""
        return all(pattern.capital for pattern in self.patterns)

    def may_be_near(self, codes: Codes, starts: Places, ends: Places) -> NDArray[np.bool_]:
        """Which words `codes[start:end]` are worth a look-up: all others are near nothing.

        Such a word begins or ends as one that is looked for, or is long enough to have only its middle left.
        """
        begin, end, longer = self._edges
        sizes = np.minimum(ends - starts, _LONGEST_TOLD).astype(np.uint32)
        told = begin[_pairs(codes[starts], codes[starts + 1])] | end[_pairs(codes[ends - 2], codes[ends - 1])]
        near: NDArray[np.bool_] = ((told | longer) >> sizes & np.uint32(1)).astype(np.bool_)
        return near

    @cached_property
    def _edges(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32], np.uint32]:
        """By their first and by their last two letters, and for any letters: how long such words are, as
        bits.
        """
        begin, end = np.zeros((2, 1 << 2 * _LETTER_BITS), dtype=np.uint32)
        longer = np.uint32(0)
        for length, pieces in self.pieces.items():
            edits = most_edits(length)
            sizes = _bits(range(length - edits, length + edits + 1))
            for piece in pieces.begin:
                begin[_pair(piece[:2])] |= sizes
            for piece in pieces.end:
                end[_pair(piece[-2:])] |= sizes
            if pieces.middle:
                longer |= sizes
        for word in self.beside:
            begin[_pair(word[:2])] |= _bits([len(word)])
        return begin, end, longer

    def _near(self, word: str) -> set[int]:
        size = len(word)
        found: set[int] = set()
        for length in range(size - 2, size + 3):
            pieces = self.pieces.get(length)
            edits = most_edits(length)
            if pieces is None or abs(length - size) > edits:
                continue
            for number in _candidates(pieces, word, length):
                known = self.words[number]
                if word != known and OSA.distance(word, known, score_cutoff=edits) <= edits:
                    found.add(number)
        return found


_LETTER_BITS, _LONGEST_TOLD = 5, 31


def _pairs(first: Codes, second: Codes) -> Places:
    """A number for each two letters. Small ASCII letters differ from each other; others may share theirs."""
    low = (1 << _LETTER_BITS) - 1
    pairs: Places = (first & low).astype(np.intp) << _LETTER_BITS | (second & low)
    return pairs


def _pair(letters: str) -> int:
    return int(_pairs(*np.array([[ord(each)] for each in letters], dtype=np.uint32))[0])


def _bits(sizes: Iterable[int]) -> np.uint32:
    """A bit for each size; those that are too large share the highest."""
    told = {min(size, _LONGEST_TOLD) for size in sizes}
    return np.uint32(sum(1 << size for size in told))


def _candidates(pieces: Pieces, word: str, length: int) -> Iterator[int]:
    """Words of a length that share a piece with this one, where the typos can have left it."""
    first, middle, last = _cuts(length)
    yield from pieces.begin.get(word[: first[1]], ())
    yield from pieces.end.get(word[len(word) - (last[1] - last[0]) :], ())
    if middle and pieces.middle:
        for start in range(middle[0] - 2, middle[1] - (middle[1] - middle[0]) + 3):
            yield from pieces.middle.get(word[start : start + middle[1] - middle[0]], ())


def _cuts(length: int) -> tuple[tuple[int, int], tuple[int, int] | None, tuple[int, int]]:
    """(start, end) of the first, the middle and the last piece of a word: as many as edits, and one more."""
    if most_edits(length) == 1:
        half = (length - 1) // 2
        return (0, half), None, (half + 1, length)
    third, two = (length - 2) // 3, 2 * (length - 2) // 3
    return (0, third), (third + 1, two + 1), (two + 2, length)


_MEMORY: WeakKeyDictionary[Names, Typos] = WeakKeyDictionary()
_VARIANTS = 4


def typos_of(names: Names) -> Typos:
    """What the fuzzy stage needs of compiled names; kept as long as they are."""
    if names not in _MEMORY:
        _MEMORY[names] = compile_typos(names)
    return _MEMORY[names]


# --- names and surfaces, taken apart ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spelled:
    """A surface in folded words, which of them begin with a capital, and what stands between them."""

    words: tuple[str, ...]
    capitals: tuple[bool, ...]
    gaps: tuple[str, ...]


def spelled(surface: str) -> Spelled:
    """A surface or a name, taken apart."""
    parts = _WORD.split(surface)
    written = _WORD.findall(surface)
    return Spelled(
        words=tuple(map(_folded, written)),
        capitals=tuple(word[0].isupper() for word in written),
        gaps=tuple(" " if _SOFT.fullmatch(gap) else fold(gap).text for gap in parts[1:-1]),
    )


@lru_cache(maxsize=8192)
def _folded(word: str) -> str:
    return fold(word).text


_WORD = re.compile(r"(?:[^\W_][\u0300-\u036f]*)+")
_SOFT = re.compile(r'[\s*_~`"“”·‐‑-]+')


# --- compiling --------------------------------------------------------------------------------------------


def compile_typos(names: Names) -> Typos:
    """Cut the names into pieces that one typo too many would have to touch."""
    owned = {
        (owner.entity, owner.name, owner.stage): None for each in names.owners.values() for owner in each
    }
    patterns = [
        pattern
        for entity, name, stage in owned
        if stage in {Stage.EXACT, Stage.ALIAS}
        for pattern in _patterns(entity, name)
    ]
    rivals = [
        (fold(variant.text).text, entity if stage else -1 - entity)
        for entity, name, stage in owned
        for variant in variants(name)
    ]
    misspelled: dict[str, list[tuple[int, int]]] = {}
    beside: dict[str, list[tuple[int, int]]] = {}
    for number, pattern in enumerate(patterns):
        for position, word in enumerate(pattern.words):
            if _can_be_misspelled(word):
                misspelled.setdefault(word, []).append((number, position))
        for word, position in _beside_a_figure(pattern):
            beside.setdefault(word, []).append((number, position))
    return Typos(
        patterns=tuple(patterns),
        words=tuple(misspelled),
        places=tuple(map(tuple, misspelled.values())),
        pieces=_pieces(tuple(misspelled)),
        beside={word: tuple(places) for word, places in beside.items()},
        rivals=tuple(text for text, _ in rivals),
        rival_of=tuple(entity for _, entity in rivals),
    )


def _pieces(words: Sequence[str]) -> dict[int, Pieces]:
    pieces: dict[int, Pieces] = {}
    for number, word in enumerate(words):
        of_length = pieces.setdefault(len(word), Pieces())
        first, middle, last = _cuts(len(word))
        of_length.begin.setdefault(word[slice(*first)], []).append(number)
        of_length.end.setdefault(word[slice(*last)], []).append(number)
        if middle:
            of_length.middle.setdefault(word[slice(*middle)], []).append(number)
    return pieces


def _can_be_misspelled(word: str) -> bool:
    return word.isascii() and word.isalpha() and most_edits(len(word)) > 0


def _beside_a_figure(pattern: Pattern) -> Iterator[tuple[str, int]]:
    """The longest word of a name that has a figure or a numeral, whose difference is worth a near miss."""
    if any(value_of(word) is not None for word in pattern.words):
        size, position = max((len(word), -at) for at, word in enumerate(pattern.words))
        if size >= SHORTEST_WORD:
            yield pattern.words[-position], -position


def _patterns(entity: int, name: str) -> Iterator[Pattern]:
    """The name and what is left of it without the parts that can be spared, where it is long enough."""
    for variant, text in _texts(name):
        parts = spelled(text)
        whole = "".join(map("".join, zip_longest(parts.words, parts.gaps, fillvalue="")))
        if variant.acronym or len(whole) < SHORTEST_NAME or not any(map(_can_be_misspelled, parts.words)):
            continue
        edits = 2 if sum(map(len, parts.words)) >= TWO_EDITS else 1
        form = Form(whole, Case.ANY, variant.omissions)
        yield Pattern(entity, name, form, parts.words, parts.gaps, any(parts.capitals), edits)


def _texts(name: str) -> Iterator[tuple[Variant, str]]:
    """Each variant, and with its abbreviations written out."""
    for variant in islice(variants(name), _VARIANTS):
        yield variant, variant.text
        long = _ABBREVIATED.sub(_written_out, variant.text)
        if long != variant.text:
            yield variant, long


def _written_out(short: re.Match[str]) -> str:
    long = ABBREVIATIONS[short[1].casefold()]
    return long.capitalize() if short[1][0].isupper() else long


_ABBREVIATED = re.compile(rf"(?<!\w)({'|'.join(ABBREVIATIONS)})(?:\.|(?!\w))", re.IGNORECASE)
