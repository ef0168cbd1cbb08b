"""The fuzzy stage: names of eight letters and more with a typo, word by word, behind the guard.

A word with k edits, cut into k + 1 pieces with one letter between them, has one piece left untouched where it
was, at the beginning, at the end or in between. So every word of the text that may be a misspelled word of a
name is looked up by its pieces; only where one is found, the words around it are compared. What a lookup
costs does not depend on the number of names.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import islice, zip_longest
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA

from rubric.context import Beside, objection
from rubric.entity import Field, Match, NearMiss, Span, Stage
from rubric.exact import MOST_MENTIONS, Mentions
from rubric.forms import Case, Form
from rubric.guard import most_edits, value_of, word_difference
from rubric.lexicon import ABBREVIATIONS
from rubric.marking import Marked, Places
from rubric.names import Names
from rubric.shorten import Variant, variants
from rubric.text import Folded, fold
from rubric.words import Words

SHORTEST_NAME = 8
"""Characters of a name that is looked for with typos."""

TWO_EDITS = 12
"""Letters from which on a name may have two edits."""

MOST_PLACES, MOST_WINDOWS = 65_536, 16_384
"""Places looked at in one text, and those compared, after repetitions are taken out: a bound for texts and
names that are made to match everywhere.
"""

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
_VARIANTS, _SHORTEST_WORD = 4, 4


def typos_of(names: Names) -> Typos:
    """What the fuzzy stage needs of compiled names; kept as long as they are."""
    if names not in _MEMORY:
        _MEMORY[names] = compile_typos(names)
    return _MEMORY[names]


def find_typos(
    typos: Typos, marked: Marked, exact: Mentions, *, entities: Collection[int], field: Field, words: Words
) -> Mentions:
    """Mentions of these entities with a typo. Whatever the exact stage found of others goes before.

    `refused` holds the first surface that came close, and what the guard said.
    """
    return _Comparing(typos, marked, exact, field, words).compare(candidates(typos, marked, entities))


def candidates(typos: Typos, marked: Marked, entities: Collection[int]) -> list[tuple[int, int, int]]:
    """(start, end, pattern) of the places where a name may stand with a typo; no other place can hold one."""
    if not typos.patterns or not entities:
        return []
    starts, ends, text = np.flatnonzero(marked.first), np.flatnonzero(marked.last) + 1, marked.folded.text
    found: set[tuple[int, int, int]] = set()
    places = (
        (number, at - position)
        for at, places in _misspelled(typos, marked.folded, starts, ends)
        for number, position in places
    )
    for number, first in islice(places, MOST_PLACES):
        pattern = typos.patterns[number]
        last = first + len(pattern.words) - 1
        if pattern.entity not in entities or first < 0 or last >= len(starts):
            continue
        bounds = zip(starts[first : last + 1].tolist(), ends[first : last + 1].tolist(), strict=True)
        if _close(pattern, [text[start:end] for start, end in bounds]):
            found.add((int(starts[first]), int(ends[last]), number))
    return sorted((*marked.without_repeated(start, end), number) for start, end, number in found)


def _close(pattern: Pattern, words: Sequence[str]) -> bool:
    """Whether the words are within the edits of the pattern, as far as their letters go."""
    left = pattern.edits
    for mine, other in zip(pattern.words, words, strict=True):
        if mine != other:
            left -= OSA.distance(mine, other, score_cutoff=left)
            if left < 0:
                return False
    return True


def _misspelled(
    typos: Typos, folded: Folded, starts: Places, ends: Places
) -> Iterator[tuple[int, tuple[tuple[int, int], ...]]]:
    """(number of the word, where what it may be stands) for every word that may be a misspelled one."""
    sizes = ends - starts
    chosen = (sizes >= _SHORTEST_WORD) & (sizes <= typos.longest + 2)
    if typos.capital:
        chosen &= _capital(folded, starts)
    numbers = np.flatnonzero(chosen)
    text = folded.text
    bounds = zip(starts[numbers].tolist(), ends[numbers].tolist(), strict=True)
    words = [text[start:end] for start, end in bounds]
    known = map(typos.remembered.get, words)
    for at, word, remembered in zip(numbers.tolist(), words, known, strict=True):
        places = typos.near(word) if remembered is None else remembered
        if places:
            yield at, places


def _capital(folded: Folded, starts: Places) -> NDArray[np.bool_]:
    """Which words begin with a capital letter in the original; of some rare scripts, a few more."""
    original = starts if folded.origin is None else folded.origin[starts]
    if folded.original.isascii():
        letters = np.frombuffer(folded.original.encode("ascii"), dtype=np.uint8)[original]
        return (letters >= ord("A")) & (letters <= ord("Z"))
    codes = np.frombuffer(folded.original.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)[original]
    changed: NDArray[np.bool_] = codes != folded.codes[starts]
    return changed


@dataclass(frozen=True, slots=True)
class _Comparing:
    """One pass over the candidates of one text."""

    typos: Typos
    marked: Marked
    exact: Mentions
    field: Field
    words: Words

    def compare(self, places: Sequence[tuple[int, int, int]]) -> Mentions:
        mentions = Mentions()
        taken = sorted(
            (match.span.start, match.span.end) for found in self.exact.matches.values() for match in found
        )
        seen: dict[tuple[int, str], _Verdict | None] = {}
        for start, end, number in places:
            pattern = self.typos.patterns[number]
            span = self.marked.span(start, end, field=self.field)
            if (number, span.surface) not in seen:
                if len(seen) >= MOST_WINDOWS:
                    break
                seen[number, span.surface] = self._verdict(pattern, span.surface)
            verdict = seen[number, span.surface]
            if verdict:
                self._record(pattern, span, verdict, taken, mentions)
        return mentions

    def _verdict(self, pattern: Pattern, surface: str) -> _Verdict | None:
        """What is to be said of a surface; None where it does not come close."""
        found = spelled(surface)
        edits = edits_between(pattern, found)
        if not 0 < edits <= pattern.edits:
            return None
        written = " ".join(found.words)
        similarity = round(1 - edits / max(len(pattern.form.text), len(written)), 4)
        reason = word_difference(pattern.words, found.words, words=self.words)
        return _Verdict(reason or self._rival(pattern, written, edits), similarity)

    def _rival(self, pattern: Pattern, written: str, edits: int) -> str | None:
        """Other entities and confusables win where they come as close."""
        close = process.extract(
            written, self.typos.rivals, scorer=OSA.distance, score_cutoff=edits, limit=None
        )
        others = sorted(text for text, _, at in close if self.typos.rival_of[at] != pattern.entity)
        return f"as close to a different entity: “{others[0]}”" if others else None

    def _record(
        self,
        pattern: Pattern,
        span: Span,
        verdict: _Verdict,
        taken: Sequence[tuple[int, int]],
        mentions: Mentions,
    ) -> None:
        kept = mentions.matches.get(pattern.entity, ())
        if len(kept) >= MOST_MENTIONS:
            return
        reason, doubtful = verdict.reason or _overlap(span, taken), False
        if reason is None:
            text = self.marked.folded.original
            reason, doubtful = objection(pattern.form, span, text, _beside(span, taken), name=pattern.name)
        if reason is None:
            match = Match(pattern.entity, Stage.FUZZY, span, verdict.similarity, doubtful)
            mentions.matches.setdefault(pattern.entity, []).append(match)
        else:
            mentions.refused.setdefault(pattern.entity, NearMiss(span, reason, verdict.similarity))


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Why a surface does not count (None: it does), and how close it comes."""

    reason: str | None
    similarity: float


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


def edits_between(pattern: Pattern, found: Spelled) -> int:
    """Edits that turn the pattern's words into these, or one more than allowed.

    Marks between words may become spaces. A misspelled word of a name with capitals has one, too.
    """
    too_many = pattern.edits + 1
    if len(found.words) != len(pattern.words) or any(
        gap not in {" ", own} for gap, own in zip(found.gaps, pattern.gaps, strict=True)
    ):
        return too_many
    edits = 0
    for mine, other, capital in zip(pattern.words, found.words, found.capitals, strict=True):
        if mine != other:
            small = pattern.capital and not capital and other.isalpha()
            edits += too_many if small else OSA.distance(mine, other)
            if edits > pattern.edits:
                return too_many
    return edits


def _overlap(span: Span, taken: Sequence[tuple[int, int]]) -> str | None:
    at = bisect_left(taken, (span.end, 0))
    if at and taken[at - 1][1] > span.start:
        return "part of another name of the rubric"
    return None


def _beside(span: Span, taken: Sequence[tuple[int, int]]) -> Beside:
    at = bisect_left(taken, (span.start, 0))
    behind = at < len(taken) and taken[at][0] == span.end + 1
    return Beside(before=at > 0 and taken[at - 1][1] == span.start - 1, behind=behind)


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
        if size >= _SHORTEST_WORD:
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
