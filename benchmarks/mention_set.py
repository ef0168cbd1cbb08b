"""Names in texts with a careful reader's verdict: the cases of `data/mentions*.jsonl`, judged and counted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ways import WAYS, Seen, seen

from rubric.entity import Entity, Kind, Rubric
from rubric.errors import InvalidRubric


@dataclass(frozen=True, slots=True)
class Case:
    """Whether `text` names the first entity of the rubric; the others are its siblings."""

    id: str
    label: str
    rubric: Rubric
    text: str
    hit: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A case with what each way saw; None where it refused the rubric, which finds nothing."""

    case: Case
    by: Mapping[str, Seen | None]

    def hit(self, way: str) -> bool:
        """Whether that way found the entity."""
        found = self.by[way]
        return found is not None and 0 in found.spans


@dataclass(frozen=True, slots=True)
class Counts:
    """Right and wrong decisions of one way."""

    hits: int
    false_hits: int
    misses: int
    true_misses: int

    @property
    def precision(self) -> float | None:
        """None where nothing was found."""
        found = self.hits + self.false_hits
        return self.hits / found if found else None

    @property
    def recall(self) -> float | None:
        """None where nothing was to be found."""
        wanted = self.hits + self.misses
        return self.hits / wanted if wanted else None


def read_cases(file: Path) -> list[Case]:
    """The cases of a file, in its order."""
    return [_case(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines() if line]


def judge(cases: Iterable[Case]) -> Iterator[Judged]:
    """Let every way look at every case."""
    looks = {way: seen(profile) for way, profile in WAYS.items()}
    for case in cases:
        by: dict[str, Seen | None] = {}
        for way, look in looks.items():
            try:
                by[way] = look(case.rubric, case.text)
            except InvalidRubric:
                by[way] = None
        yield Judged(case, by)


def count(judged: Sequence[Judged], way: str) -> Counts:
    """How often a way was right and wrong."""
    pairs = [(each.hit(way), each.case.hit) for each in judged]
    return Counts(
        hits=pairs.count((True, True)),
        false_hits=pairs.count((True, False)),
        misses=pairs.count((False, True)),
        true_misses=pairs.count((False, False)),
    )


def _case(stored: dict[str, Any]) -> Case:
    given = (stored["entity"], *({"name": name} for name in stored.get("siblings", ())))
    return Case(
        id=stored["id"],
        label=stored["class"],
        rubric=Rubric(tuple(_entity(index, each) for index, each in enumerate(given))),
        text=stored["text"],
        hit=stored["hit"],
        reason=stored["reason"],
    )


def _entity(index: int, given: dict[str, Any]) -> Entity:
    return Entity(
        f"e{index}",
        given["name"],
        tuple(given.get("aliases", ())),
        tuple(given.get("confusables", ())),
        kind=Kind(given.get("kind", "auto")),
    )
