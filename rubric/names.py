"""The names of one rubric, compiled: patterns on word boundaries, whose they are, and their automata.

Names, aliases and confusables stand in one automaton; dates are written out in every usual way; numbers are
kept by value. Compiled names are remembered by the rubric's digest.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from ahocorasick_rs import AhoCorasick, BytesAhoCorasick, MatchKind

from rubric.entity import Entity, Kind, Rubric, Stage
from rubric.errors import Fault, InvalidRubric
from rubric.forms import Case, Form, forms
from rubric.marking import mark_narrow, mark_wide
from rubric.text import fold
from rubric.typed import date_forms, date_value, number_value


def compiled(rubric: Rubric) -> Names:
    """The names of a rubric, from memory when it was used lately.

    Raises `InvalidRubric` for an entity that has nothing matchable, or that is its own confusable.
    """
    return _MEMORY.get(rubric)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose name a pattern is: `stage` is None for a confusable, the name of a *different* entity."""

    entity: int
    stage: Stage | None
    form: Form
    name: str


@dataclass(frozen=True)
class Names:
    """The compiled names of one rubric: each marked pattern once, with its owners; and the wanted numbers."""

    owners: dict[str, tuple[Owner, ...]]
    numbers: dict[Decimal, list[int]]

    @cached_property
    def patterns(self) -> list[str]:
        """The marked patterns, by number."""
        return list(self.owners)

    @cached_property
    def narrow(self) -> tuple[list[int], BytesAhoCorasick]:
        """For ASCII texts: numbers of the patterns that can stand there, and their automaton."""
        texts = [owners[0].form.text for owners in self.owners.values()]
        numbers = [number for number, text in enumerate(texts) if text.isascii()]
        marked = mark_narrow([texts[number] for number in numbers])
        return numbers, BytesAhoCorasick(marked, matchkind=MatchKind.LeftmostLongest)

    @cached_property
    def wide(self) -> AhoCorasick:
        """For every other text."""
        return AhoCorasick(self.patterns, matchkind=MatchKind.LeftmostLongest)

    @cached_property
    def restless(self) -> frozenset[int]:
        """Patterns over whose end another may begin, as "Texas, USA" does in "Paris, Texas, USA"."""
        words = [_words(owners[0].form.text) for owners in self.owners.values()]
        first = {word[0] for word in words if len(word) > 1}
        return frozenset(number for number, word in enumerate(words) if not first.isdisjoint(word[1:]))

    @cached_property
    def longest(self) -> int:
        """Characters of the longest pattern."""
        return max(map(len, self.patterns), default=0)

    @cached_property
    def of_entity(self) -> dict[int, list[int]]:
        """Numbers of the patterns that would count for each entity."""
        numbers: dict[int, list[int]] = {}
        for number, owners in enumerate(self.owners.values()):
            for owner in owners:
                if owner.stage is not None:
                    numbers.setdefault(owner.entity, []).append(number)
        return numbers

    @property
    def size(self) -> int:
        """Characters held, as a measure of memory."""
        return sum(map(len, self.patterns))


def _words(pattern: str) -> list[str]:
    """The words of a pattern; of a script without spaces, its characters."""
    return re.findall(r"\w+", pattern) if pattern.isascii() else list(pattern)


def compile_names(entities: Sequence[tuple[int, Entity]]) -> Names:
    """Compile the names of (index, entity) pairs. Raises `InvalidRubric`."""
    found: list[Owner] = []
    numbers: dict[Decimal, list[int]] = {}
    faults: list[Fault] = []
    for index, entity in entities:
        if entity.kind is Kind.CHUNK:
            continue
        own, values = _own_names(index, entity)
        faults += _unmatchable(index, entity, matchable=bool(own or values))
        faults += _contradictions(index, entity, {owner.form.text for owner in own})
        for value in values:
            numbers.setdefault(value, []).append(index)
        found += (*own, *_confusables(index, entity))
    if faults:
        raise InvalidRubric(tuple(faults))
    return Names(_by_pattern(found), numbers)


def _by_pattern(found: Sequence[Owner]) -> dict[str, tuple[Owner, ...]]:
    """Owners by marked pattern; of one entity's ways to come to a pattern, the first."""
    owners: dict[str, dict[int, Owner]] = {}
    for owner, marked in zip(found, mark_wide([owner.form.text for owner in found]), strict=True):
        owners.setdefault(marked, {}).setdefault(owner.entity, owner)
    return {marked: tuple(by_entity.values()) for marked, by_entity in owners.items()}


def _own_names(index: int, entity: Entity) -> tuple[list[Owner], set[Decimal]]:
    """Ways to write the name and the aliases, and their values where they are numbers."""
    own: list[Owner] = []
    values: set[Decimal] = set()
    for name in (entity.name, *entity.aliases):
        day = date_value(name) if entity.kind in {Kind.AUTO, Kind.DATE} else None
        value = number_value(name) if entity.kind in {Kind.AUTO, Kind.NUMBER} else None
        stage = Stage.EXACT if name is entity.name else Stage.ALIAS
        if day is not None:
            written = [Form(fold(text).text, Case.ANY) for text in date_forms(day)]
            own += [Owner(index, Stage.DATE, form, name) for form in written]
        elif value is not None:
            values.add(value)
        else:
            own += [Owner(index, stage, form, name) for form in forms(name)]
    return own, values


def _unmatchable(index: int, entity: Entity, *, matchable: bool) -> Iterator[Fault]:
    path = f"$.rubric.entities[{index}]"
    if not matchable:
        yield Fault(
            f"{path}.name", "has no letter or digit that could be matched, in its name or in an alias"
        )
    elif entity.kind is Kind.NUMBER and number_value(entity.name) is None:
        yield Fault(f"{path}.name", "is not a number, but its kind is `number`")
    elif entity.kind is Kind.DATE and date_value(entity.name) is None:
        yield Fault(f"{path}.name", "is not a day (such as 2008-05-05), but its kind is `date`")


def _contradictions(index: int, entity: Entity, own: set[str]) -> Iterator[Fault]:
    for position, name in enumerate(entity.confusables):
        if fold(name.strip()).text in own:
            path = f"$.rubric.entities[{index}].confusables[{position}]"
            yield Fault(path, "is a name of the entity itself")


def _confusables(index: int, entity: Entity) -> Iterator[Owner]:
    """Owners that come after the entity's own, so that a form both share stays the entity's."""
    for name in entity.confusables:
        yield from (Owner(index, None, form, name) for form in forms(name))


class _Memory:
    """Least recently used automata, bounded by the characters they hold."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held: OrderedDict[str, Names] = OrderedDict()
        self._size = 0

    def get(self, rubric: Rubric) -> Names:
        key = rubric.digest
        names = self._held.get(key)
        if names is None:
            names = compile_names(list(enumerate(rubric.entities)))
            self._held[key] = names
            self._size += names.size
            while self._size > self._capacity and len(self._held) > 1:
                self._size -= self._held.popitem(last=False)[1].size
        self._held.move_to_end(key)
        return names


_MEMORY = _Memory(capacity=4_000_000)
