"""The places of a text that are worth comparing with a name: at most 32 of each open entity.

Every run of words that shares a seed with some name is looked at once, however often the text repeats it; the
names in it are ranked by how much of them, and of the entity's name, the seeds cover.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from heapq import nsmallest

import numpy as np

from rubric.marking import Marked, Places
from rubric.seeds import COMMON, MOST_NAMES, Seed, Seeds
from rubric.spans import Layout, goes_with_next, lay_out, names_in, word_starts, words_at

MOST_PLACES = 32
"""Places of one entity that are compared."""

MOST_COMPARED = 4096
"""Places of all entities together; of more than 128 open ones, each gets fewer."""

MOST_RUNS, MOST_LOOKS = 16_384, 131_072
"""Runs looked at in one text, and names beside spans: a bound for texts and rubrics made to be slow."""

MOST_RIVALS = 4
LONGEST = 6
"""Words of a span where every one is looked at."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the folded text, the entity it may name, with which of its names it is compared, and with
    which names of others; by their number in the seeds.
    """

    entity: int
    start: int
    end: int
    names: tuple[int, ...]
    rivals: tuple[int, ...]


def places(seeds: Seeds, marked: Marked, entities: Collection[int]) -> list[Place]:
    """The places of these entities, in text order."""
    if not seeds.names or not entities:
        return []
    search = _Search.of(seeds, marked)
    ranked: dict[int, dict[tuple[str, ...], tuple[float, Place]]] = {}
    looks = 0
    for first, last in search.spans():
        shared = search.shared(first, last)
        looks += len(shared)
        if looks > MOST_LOOKS:
            break
        words = tuple(search.layout.words(first, last))
        for entity, score, place in _rated(search, shared, first, last, entities):
            ranked.setdefault(entity, {}).setdefault(words, (score, place))
    most = max(1, min(MOST_PLACES, MOST_COMPARED // max(1, len(ranked))))
    kept = [
        place
        for found in ranked.values()
        for _, place in nsmallest(most, found.values(), key=lambda each: (-each[0], each[1].start))
    ]
    return sorted(kept, key=lambda each: (each.start, each.end, each.entity))


def everywhere(seeds: Seeds, marked: Marked, entities: Collection[int]) -> list[Place]:
    """What `places` finds, and every span of one to six words of a sentence that begins and ends as a name
    does, for every entity: to measure what `places` misses.
    """
    layout = _Search.of(seeds, marked).layout
    own = {
        entity: tuple(n for n, name in enumerate(seeds.names) if name.entity == entity and name.own)
        for entity in entities
    }
    others = {
        entity: tuple(n for n, name in enumerate(seeds.names) if name.entity != entity or not name.own)
        for entity in entities
    }
    found = {(each.entity, each.start, each.end): each for each in places(seeds, marked, entities)}
    spans = (
        Place(entity, int(layout.starts[first]), int(layout.ends[last]), own[entity], others[entity])
        for first in np.flatnonzero(layout.named).tolist()
        for last in range(first, min(first + LONGEST, len(layout.starts)))
        if layout.named[last] and layout.soft[first:last].all()
        for entity in sorted(entities)
        if own[entity]
    )
    found |= {(each.entity, each.start, each.end): each for each in spans}
    return sorted(found.values(), key=lambda each: (each.start, each.end, each.entity))


@dataclass(frozen=True, slots=True)
class _Search:
    """The seeds of one text: of which names each word may be, and the runs that have any."""

    seeds: Seeds
    layout: Layout
    at: dict[int, Seed]
    runs: Places
    spelled_out: dict[tuple[int, int], str]

    @classmethod
    def of(cls, seeds: Seeds, marked: Marked) -> _Search:
        patterns, places = seeds.find(marked)
        telling = ~seeds.capitals[patterns] & (seeds.weights[patterns] >= COMMON)
        starts = word_starts(marked)
        words = words_at(marked, starts, places)
        layout = lay_out(marked, starts, words[telling])
        kept = layout.capital[words] | telling
        patterns, words = patterns[kept], words[kept]
        at = {
            word: seeds.of_pattern[pattern]
            for word, pattern in zip(words.tolist(), patterns.tolist(), strict=True)
        }
        runs = layout.run[words]
        runs = runs[runs >= 0]
        runs = runs[np.flatnonzero(np.diff(runs, prepend=-1))]
        return cls(seeds, layout, at, runs, dict(_spelled_out(seeds, layout)))

    def spans(self) -> Iterator[tuple[int, int]]:
        """(first word, last word) of every name in a run with seeds, each run once."""
        seen: set[str] = set()
        for run in self.runs[:MOST_RUNS].tolist():
            written = _written(self.layout, run)
            if written not in seen:
                seen.add(written)
                yield from names_in(self.layout, run)
        yield from self.spelled_out

    def shared(self, first: int, last: int) -> dict[int, float]:
        """How much of each name the words of a span may be."""
        found: dict[int, float] = {}
        for at in range(first, last + 1):
            seed = self.at.get(at)
            for number, weight in seed.names if seed else ():
                found[number] = found.get(number, 0.0) + weight
        initials = self.spelled_out.get((first, last))
        if initials is not None:
            found |= dict.fromkeys(self.seeds.initials[initials], 1.0)
        return found


def _written(layout: Layout, run: int) -> str:
    """A run as it is written, with its neighbors where it may go on."""
    first = layout.first[run - 1 if run and goes_with_next(layout, run - 1) else run]
    last = layout.last[run + 1 if goes_with_next(layout, run) else run]
    return layout.text[int(layout.starts[first]) : int(layout.ends[last])]


def _rated(
    search: _Search, shared: dict[int, float], first: int, last: int, entities: Collection[int]
) -> Iterator[tuple[int, float, Place]]:
    """(entity, rank, place) for every entity that shares something with a span."""
    names = search.seeds.names
    own: dict[int, list[int]] = {}
    for number in shared:
        if names[number].own and names[number].entity in entities:
            own.setdefault(names[number].entity, []).append(number)
    start, end = int(search.layout.starts[first]), int(search.layout.ends[last])
    ranked = nsmallest(MOST_RIVALS + MOST_NAMES, shared, key=lambda each: (-shared[each], each))
    for entity, numbers in own.items():
        rivals = [each for each in ranked if names[each].entity != entity or not names[each].own]
        closest = rivals[:MOST_RIVALS]
        score = max(shared[each] / (sum(names[each].parts.weights) + last - first + 1) for each in numbers)
        yield entity, score, Place(entity, start, end, tuple(numbers), tuple(closest))


def _spelled_out(seeds: Seeds, layout: Layout) -> Iterator[tuple[tuple[int, int], str]]:
    """Where capitalized words in a row begin with the letters of a name that is initials."""
    if not seeds.initials:
        return
    words = np.flatnonzero(layout.capital & (layout.run >= 0))
    codes = layout.marked.folded.codes[layout.starts[words]]
    letters = np.minimum(codes, 0x7F).astype(np.uint8).tobytes()
    for initials in seeds.initials:
        wanted, found = initials.encode(), -1
        for _ in range(MOST_PLACES):
            found = letters.find(wanted, found + 1)
            if found < 0:
                break
            first, last = int(words[found]), int(words[found + len(wanted) - 1])
            if layout.run[first] == layout.run[last]:
                yield (first, last), initials
