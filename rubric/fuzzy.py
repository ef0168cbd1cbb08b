"""The fuzzy stage: names of eight letters and more with a typo, word by word, behind the guard.

Every word of the text that may be a misspelled word of a name is looked up (`typos.py`); only where one is
found, the words around it are compared with the name, and what passes is asked by the guard.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA

from rubric.context import Beside, objection
from rubric.entity import Field, Match, NearMiss, Span, Stage
from rubric.exact import MOST_MENTIONS, Mentions
from rubric.guard import word_difference
from rubric.marking import Marked, Places
from rubric.text import Folded
from rubric.typos import SHORTEST_WORD, Pattern, Spelled, Typos, spelled
from rubric.words import Words

MOST_PLACES, MOST_WINDOWS = 65_536, 16_384
"""Places looked at in one text, and those compared, after repetitions are taken out: a bound for texts and
names that are made to match everywhere.
"""


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
    numbers = np.flatnonzero(_capital(folded, starts)) if typos.capital else np.arange(len(starts))
    sizes = ends[numbers] - starts[numbers]
    numbers = numbers[(sizes >= SHORTEST_WORD) & (sizes <= typos.longest + 2)]
    numbers = numbers[typos.may_be_near(folded.codes, starts[numbers], ends[numbers])]
    text = folded.text
    bounds = zip(starts[numbers].tolist(), ends[numbers].tolist(), strict=True)
    words = [text[start:end] for start, end in bounds]
    known = list(map(typos.remembered.get, words))
    if None in known:
        known = list(map(typos.near, words))
    if any(known):
        yield from ((int(numbers[at]), places) for at, places in enumerate(known) if places)


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
