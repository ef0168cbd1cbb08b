"""The exact stage: every whole mention of a name, an alias, a date or a number; the longest name wins."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from rubric.entity import Field, Match, NearMiss
from rubric.forms import Case
from rubric.marking import Marked, mark
from rubric.names import Names, Owner
from rubric.text import Folded
from rubric.typed import find_numbers

MOST_MENTIONS = 64
"""Mentions kept per entity and field: enough evidence, and a bound for texts that repeat a name for ever."""

MOST_RESCANS = 4096
"""Places in one text where a name that overlaps the end of another is still looked for."""


@dataclass(frozen=True, slots=True)
class Mentions:
    """What one field says of each entity, by index: the accepted mentions, and the first refused one."""

    matches: dict[int, list[Match]] = field(default_factory=dict)
    refused: dict[int, NearMiss] = field(default_factory=dict)


def find(names: Names, text: Folded, *, field: Field) -> Mentions:
    """Every entity that `text` names; of two names that begin at one place, the longer."""
    mentions = _Reading(names, mark(text), field, Mentions()).read()
    if names.numbers:
        _add_numbers(names, text, field, mentions)
    return mentions


def _add_numbers(names: Names, text: Folded, field: Field, mentions: Mentions) -> None:
    """Numbers count by value, but not inside a name of the rubric ("11" in "Apollo 11")."""
    named = sorted((each.span.start, each.span.end) for found in mentions.matches.values() for each in found)
    for entity, found in find_numbers(names.numbers, text, field=field).items():
        for match in found:
            at = bisect_right(named, (match.span.start, len(text.original)))
            if at and named[at - 1][1] >= match.span.end:
                mentions.refused.setdefault(entity, NearMiss(match.span, "part of a name of the rubric"))
            else:
                mentions.matches.setdefault(entity, []).append(match)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One pass over one text."""

    names: Names
    marked: Marked
    field: Field
    mentions: Mentions

    def read(self) -> Mentions:
        owners = list(self.names.owners.values())
        first: dict[int, int] = {}
        for number, start, end in self._found():
            if self._has_enough(owners[number]):
                continue
            goes_on = self._goes_on(start, end)
            first.setdefault(number, start)
            for owner in owners[number]:
                self._record(owner, start, end, goes_on)
        self._look_inside(first, owners)
        return self.mentions

    def _found(self) -> list[tuple[int, int, int]]:
        """(pattern, start, end) of every match that does not lie inside a longer one, in order."""
        found = self._scan(0, len(self.marked.text))
        restless = self.names.restless
        waiting = [each for each in found if each[0] in restless] if restless else []
        if not waiting:
            return found
        seen = set(found)
        for _, start, end in islice(waiting, MOST_RESCANS):
            for other in self._scan(start + 1, end + self.names.longest):
                if other[1] < end and other not in seen:
                    seen.add(other)
                    waiting.extend([other] if other[0] in restless else [])
        return list(_outermost(seen))

    def _scan(self, start: int, end: int) -> list[tuple[int, int, int]]:
        text = self.marked.text[start:end]
        if isinstance(text, bytes):
            numbers, automaton = self.names.narrow
            found = automaton.find_matches_as_indexes(text)
            return [(numbers[number], first + start, last + start) for number, first, last in found]
        found = self.names.wide.find_matches_as_indexes(text)
        return [(number, first + start, last + start) for number, first, last in found]

    def _has_enough(self, owners: Sequence[Owner]) -> bool:
        """Whether nothing more needs to be known of these, as in a text that repeats a name for ever."""
        kept = self.mentions.matches
        return all(len(kept.get(owner.entity, ())) >= MOST_MENTIONS for owner in owners)

    def _record(self, owner: Owner, start: int, end: int, goes_on: str | None) -> None:
        kept = self.mentions.matches.get(owner.entity, ())
        if len(kept) >= MOST_MENTIONS or (kept and owner.stage is None):
            return
        span = self.marked.span(start, end, field=self.field)
        behind = self.marked.folded.original[span.end : span.end + _BEHIND]
        reason = goes_on or _refusal(owner, span.surface, behind)
        if reason is None and owner.stage is not None:
            self.mentions.matches.setdefault(owner.entity, []).append(Match(owner.entity, owner.stage, span))
        elif reason is not None:
            self.mentions.refused.setdefault(owner.entity, NearMiss(span, reason))

    def _goes_on(self, start: int, end: int) -> str | None:
        """Why the name does not end where the match does: "C" in "C++", "EC 6" in "EC 6.5"."""
        code = self.marked.plain
        before, first, last, after = code(start - 1), code(start), code(end - 1), code(end)
        if unicodedata.category(after)[0] == "M":
            return "an accent that changes the letter follows"
        if after in "+#" and last != after:
            return f"the name goes on: “{after}”"
        if (after == "&" and code(end + 1).isalnum()) or (before == "&" and code(start - 2).isalnum()):
            return "the name goes on: “&”"
        if last.isdigit() and after in ".,:" and code(end + 1).isdigit():
            return "the number goes on"
        if first.isdigit() and before in ".,:$€£" and (before in "$€£" or code(start - 2).isdigit()):
            return "the number begins earlier"
        if not last.isalnum() and after.isalnum() and last not in ")]}.":
            return "the name goes on"
        if not first.isalnum() and before.isalnum() and first not in "([{":
            return "the name begins earlier"
        return None

    def _look_inside(self, first: dict[int, int], owners: list[tuple[Owner, ...]]) -> None:
        """Near misses: names that stand in the text only inside a longer one; `first` says where."""
        patterns = self.names.patterns
        missing = [entity for entity in self.names.of_entity if entity not in self.mentions.matches]
        if len(missing) * len(first) > _MOST_INSIDE:
            return
        for entity in missing:
            for number, start in first.items():
                for inner in self.names.of_entity[entity]:
                    at = patterns[number].find(patterns[inner]) if inner != number else -1
                    if at >= 0:
                        stop = start + at + len(patterns[inner])
                        span = self.marked.span(start + at, stop, field=self.field)
                        reason = f"part of a longer name: “{owners[number][0].name}”"
                        self.mentions.refused.setdefault(entity, NearMiss(span, reason))


_MOST_INSIDE = 4096


def _outermost(found: set[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Without the matches that lie inside another."""
    reach = -1
    for match in sorted(found, key=lambda each: (each[1], -each[2])):
        if match[2] > reach:
            reach = match[2]
            yield match


def _refusal(owner: Owner, surface: str, behind: str) -> str | None:
    """Why a surface does not count although its letters do; `behind` is the text that follows it."""
    if owner.stage is None:
        return f"names a different entity: “{owner.name}”"
    if owner.form.qualifier and _is_otherwise_qualified(owner.form.qualifier, behind):
        return f"stands with another qualifier than “{owner.form.qualifier}”"
    if owner.form.case is Case.ANY:
        return None
    letters = [character for character in surface if character.isalpha()]
    if owner.form.case is Case.CAPITAL and letters and letters[0].islower():
        return "without its article or qualifier, one word needs a capital letter"
    if owner.form.case is Case.SAME and not _same_case(owner.name, letters):
        return "a common word needs the capital letters of the name"
    return None


def _is_otherwise_qualified(own: str, behind: str) -> bool:
    """Whether brackets follow that tell another entity: "(France)" for "(Germany)", "(album)" for "(song)".

    A remark of another make ("(released 2008)" for "(song)") tells nothing.
    """
    follows = _BRACKETS.match(behind)
    if not follows:
        return False
    mine, other = set(own.casefold().split()), set(follows[1].casefold().split())
    return not (mine <= other or other <= mine) and _make(own) == _make(follows[1])


_BEHIND = 80
_BRACKETS = re.compile(r"[\s*_]{0,3}[(\[（【]([^()\[\]（）【】]+)")


def _make(qualifier: str) -> str:
    """Whether a qualifier begins as a name, as a plain word, or as a number."""
    first = qualifier.strip()[:1]
    return "number" if first.isdigit() else "word" if first.islower() else "name"


def _same_case(name: str, letters: Sequence[str]) -> bool:
    capitals = [character.isupper() for character in name if character.isalpha()]
    shown = [letter.isupper() for letter in letters]
    return shown == capitals or (bool(shown) and all(shown))
