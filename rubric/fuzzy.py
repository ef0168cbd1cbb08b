"""The fuzzy stage: names of eight letters and more with a typo, word by word, behind the guard.

A name with k edits, cut into k + 1 pieces with one character between them, has one piece left untouched. The
pieces of all names stand in one automaton; only where one is found, the words around it are compared.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice, zip_longest
from weakref import WeakKeyDictionary

import numpy as np
from ahocorasick_rs import AhoCorasick, BytesAhoCorasick
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA

from rubric.context import Beside, objection
from rubric.entity import Field, Match, NearMiss, Span, Stage
from rubric.exact import MOST_MENTIONS, Mentions
from rubric.forms import Case, Form
from rubric.guard import most_edits, word_difference
from rubric.lexicon import ABBREVIATIONS
from rubric.marking import Marked, as_narrow, mark_wide, unmarked, word_bounds
from rubric.names import Names
from rubric.shorten import Variant, variants
from rubric.text import fold
from rubric.words import Words

SHORTEST_NAME = 8
"""Characters of a name that is looked for with typos."""

TWO_EDITS = 12
"""Letters from which on a name may have two edits."""

MOST_HITS = 200_000
"""Pieces looked at in one text: a bound for texts and names that are made to match everywhere."""

MOST_WINDOWS = 16_384
"""Places compared in one text and for one name."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way to write a name: its words, what stands between them, and how many edits a typo may have."""

    entity: int
    name: str
    form: Form
    words: tuple[str, ...]
    gaps: tuple[str, ...]
    edits: int

    @property
    def apart(self) -> int:
        """Edits between this text and one that counts, if marks between words have become spaces."""
        return self.edits + sum(map(len, self.gaps)) - len(self.gaps)


@dataclass(frozen=True)
class Typos:
    """The names of one rubric, ready to be looked for with typos.

    The i-th text of `wide` and `narrow` is a piece of marked patterns (narrow: None where it is not ASCII);
    `owners[i]` says of which ones, as rows of (pattern, number of the word in which the piece begins).
    `shapes` has a row (words, length, edits) per pattern. `rivals` are all names of the rubric, folded, and
    `rival_of[i]` is whose: the entity's index, or -1 - index for its confusables.
    """

    patterns: tuple[Pattern, ...]
    wide: tuple[str, ...]
    narrow: tuple[bytes | None, ...]
    owners: tuple[NDArray[np.intp], ...]
    shapes: NDArray[np.intp]
    rivals: tuple[str, ...]
    rival_of: tuple[int, ...]

    def scan(self, text: bytes | str) -> NDArray[np.intp]:
        """Rows of (pattern, word, start) for every piece in a marked text."""
        if isinstance(text, bytes):
            numbers, automaton = self._of_bytes
            hits = _as_array(automaton.find_matches_as_indexes(text, overlapping=True))
            return self._rows(numbers[hits[:, 0]], hits[:, 1]) if len(hits) else hits
        hits = _as_array(self._of_text.find_matches_as_indexes(text, overlapping=True))
        return self._rows(hits[:, 0], hits[:, 1]) if len(hits) else hits

    def _rows(self, pieces: NDArray[np.intp], starts: NDArray[np.intp]) -> NDArray[np.intp]:
        first, counts = self._first[pieces], self._counts[pieces]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        owned = self._owned[np.repeat(first, counts) + within]
        return np.column_stack([owned, np.repeat(starts, counts)])

    @cached_property
    def longest(self) -> int:
        """Characters of the longest piece."""
        return max(map(len, self.wide), default=0)

    @cached_property
    def _counts(self) -> NDArray[np.intp]:
        return np.array([len(each) for each in self.owners], dtype=np.intp)

    @cached_property
    def _first(self) -> NDArray[np.intp]:
        return np.cumsum(self._counts) - self._counts

    @cached_property
    def _owned(self) -> NDArray[np.intp]:
        return np.concatenate(self.owners)

    @cached_property
    def _of_bytes(self) -> tuple[NDArray[np.intp], BytesAhoCorasick]:
        numbers = [number for number, piece in enumerate(self.narrow) if piece is not None]
        automaton = BytesAhoCorasick([self.narrow[number] or b"" for number in numbers])
        return np.array(numbers, dtype=np.intp), automaton

    @cached_property
    def _of_text(self) -> AhoCorasick:
        return AhoCorasick(self.wide)


_MEMORY: WeakKeyDictionary[Names, Typos] = WeakKeyDictionary()
_VARIANTS, _BLOCK = 4, 1 << 17
_NOTHING = np.empty((0, 3), dtype=np.intp)


def _as_array(hits: list[tuple[int, int, int]]) -> NDArray[np.intp]:
    flat = chain.from_iterable(hits)
    return np.fromiter(flat, dtype=np.intp, count=3 * len(hits)).reshape(-1, 3)


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
    places = candidates(typos, marked, entities)
    return _Comparing(typos, marked, exact, field, words).compare(places)


def candidates(typos: Typos, marked: Marked, entities: Collection[int]) -> Iterator[tuple[int, int, int]]:
    """(pattern, start, end) of the places where a name may stand with a typo; no other place can hold one."""
    wanted = np.array([each.entity in entities for each in typos.patterns], dtype=bool)
    found = _hits(typos, marked.text, wanted) if wanted.any() else _NOTHING
    if not len(found):
        return
    starts, ends = marked.words()
    pattern, word, at = found.T
    count, length, edits = typos.shapes[pattern].T
    first = starts.searchsorted(at, "right") - 1 - word
    last = first + count - 1
    inside = (first >= 0) & (last < len(starts))
    first, last = np.where(inside, first, 0), np.where(inside, last, 0)
    near = inside & (np.abs(ends[last] - starts[first] - length) <= edits)
    kept = np.unique(np.column_stack([starts[first], ends[last], pattern])[near], axis=0)
    yield from ((number, start, end) for start, end, number in kept.tolist())


def _hits(typos: Typos, text: bytes | str, wanted: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(pattern, word, start) of every piece of a wanted pattern, block by block, until `MOST_HITS`."""
    found: list[NDArray[np.intp]] = []
    total = 0
    for begin in range(0, max(len(text), 1), _BLOCK):
        hits = typos.scan(text[begin : begin + _BLOCK + typos.longest])
        hits = hits[wanted[hits[:, 0]]]
        hits[:, 2] += begin
        found.append(hits)
        total += len(hits)
        if total > MOST_HITS:
            break
    return np.concatenate(found)[:MOST_HITS]


@dataclass(frozen=True, slots=True)
class _Comparing:
    """One pass over the candidates of one text."""

    typos: Typos
    marked: Marked
    exact: Mentions
    field: Field
    words: Words

    def compare(self, places: Iterator[tuple[int, int, int]]) -> Mentions:
        mentions = Mentions()
        taken = sorted(
            (match.span.start, match.span.end) for found in self.exact.matches.values() for match in found
        )
        seen: dict[tuple[int, bytes | str], tuple[str | None, float] | None] = {}
        for number, start, end in places:
            surface = self.marked.text[start:end]
            if (number, surface) not in seen:
                if len(seen) >= MOST_WINDOWS:
                    break
                seen[number, surface] = self._verdict(self.typos.patterns[number], surface)
            verdict = seen[number, surface]
            if verdict:
                self._record(self.typos.patterns[number], (start, end), verdict, taken, mentions)
        return mentions

    def _verdict(self, pattern: Pattern, surface: bytes | str) -> tuple[str | None, float] | None:
        """(reason or None, similarity) of what stands at a place; None where it does not come close."""
        written = unmarked(surface)
        if OSA.distance(pattern.form.text, written, score_cutoff=pattern.apart) > pattern.apart:
            return None
        found = spelled(written)
        edits = edits_between(pattern, found)
        if not 0 < edits <= pattern.edits:
            return None
        similarity = round(1 - edits / max(len(pattern.form.text), len(written)), 4)
        reason = word_difference(pattern.words, found[0], words=self.words)
        return reason or self._rival(pattern, written, edits), similarity

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
        place: tuple[int, int],
        verdict: tuple[str | None, float],
        taken: Sequence[tuple[int, int]],
        mentions: Mentions,
    ) -> None:
        kept = mentions.matches.get(pattern.entity, ())
        if len(kept) >= MOST_MENTIONS:
            return
        span = self.marked.span(*place, field=self.field)
        reason, doubtful = verdict[0] or _case(pattern, span.surface) or _overlap(span, taken), False
        if reason is None:
            text = self.marked.folded.original
            reason, doubtful = objection(pattern.form, span, text, _beside(span, taken))
        if reason is None:
            match = Match(pattern.entity, Stage.FUZZY, span, verdict[1], doubtful)
            mentions.matches.setdefault(pattern.entity, []).append(match)
        else:
            mentions.refused.setdefault(pattern.entity, NearMiss(span, reason, verdict[1]))


def spelled(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words of a folded text, and what stands between them."""
    words = tuple(_WORD.findall(text))
    return words, tuple(_WORD.split(text)[1:-1])


def edits_between(pattern: Pattern, found: tuple[tuple[str, ...], tuple[str, ...]]) -> int:
    """Edits that turn the pattern's words into these, or one more than allowed; marks may become spaces."""
    words, gaps = found
    too_many = pattern.edits + 1
    if len(words) != len(pattern.words) or any(
        gap not in {" ", own} for gap, own in zip(gaps, pattern.gaps, strict=True)
    ):
        return too_many
    edits = 0
    for mine, other in zip(pattern.words, words, strict=True):
        if mine != other:
            edits += OSA.distance(mine, other)
            if edits > pattern.edits:
                return too_many
    return edits


_WORD = re.compile(r"[^\W_]+")


def _case(pattern: Pattern, surface: str) -> str | None:
    """A name that has a capital letter needs one."""
    if pattern.name == pattern.name.lower() or surface != surface.lower():
        return None
    return "a name with a typo needs a capital letter"


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
    marked = mark_wide([each.form.text for each in patterns])
    owners: dict[str, list[tuple[int, int]]] = {}
    for number, text in enumerate(marked):
        for start, end, word in _cut(text, patterns[number].edits):
            owners.setdefault(text[start:end], []).append((number, word))
    return Typos(
        patterns=tuple(patterns),
        wide=tuple(owners),
        narrow=tuple(as_narrow(piece) for piece in owners),
        owners=tuple(np.array(each, dtype=np.intp) for each in owners.values()),
        shapes=np.array([(len(p.words), len(p.form.text), p.edits) for p in patterns], dtype=np.intp).reshape(
            -1, 3
        ),
        rivals=tuple(text for text, _ in rivals),
        rival_of=tuple(entity for _, entity in rivals),
    )


def _patterns(entity: int, name: str) -> Iterator[Pattern]:
    """The name and what is left of it without the parts that can be spared, where it is long enough."""
    for variant, text in _texts(name):
        words, gaps = spelled(text)
        whole = "".join(map("".join, zip_longest(words, gaps, fillvalue="")))
        spelled_out = any(word.isascii() and word.isalpha() and most_edits(len(word)) for word in words)
        if variant.acronym or len(whole) < SHORTEST_NAME or not spelled_out:
            continue
        edits = 2 if sum(map(len, words)) >= TWO_EDITS else 1
        yield Pattern(entity, name, Form(whole, Case.ANY, variant.omissions), words, gaps, edits)


def _texts(name: str) -> Iterator[tuple[Variant, str]]:
    """Each variant folded, and with its abbreviations written out."""
    for variant in islice(variants(name), _VARIANTS):
        text = " ".join(_SOFT.sub(" ", fold(variant.text).text).split())
        yield variant, text
        long = _ABBREVIATED.sub(lambda match: ABBREVIATIONS[match[1]], text)
        if long != text:
            yield variant, long


_ABBREVIATED = re.compile(rf"(?<!\w)({'|'.join(ABBREVIATIONS)})(?:\.|(?!\w))")
_SOFT = re.compile(r'[*_~`"·\n-]')


def _cut(marked: str, edits: int) -> list[tuple[int, int, int]]:
    """(start, end, word) of the pieces: one more than edits, a character apart, each beginning in a word."""
    starts, _ = word_bounds(marked)
    size, parts = len(marked) - edits, edits + 1
    pieces = []
    for index in range(parts):
        start, end = index * size // parts + index, (index + 1) * size // parts + index
        while start < end and not unmarked(marked[start]).isalnum():
            start += 1
        if start == end:
            return []
        pieces.append((start, end, int(starts.searchsorted(start, "right")) - 1))
    return pieces
