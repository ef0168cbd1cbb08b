"""The known faults of substring matching, each with an example that both matchers are asked about, live.

Oman   in   "The woman crossed the strait."   reference: hit   Cairn: miss   right: miss
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rubric import legacy
from rubric.entity import CriterionFlag, Entity, Field, Rubric
from rubric.errors import InvalidRubric
from rubric.job import Profile, Task
from rubric.score import judge
from rubric.text import Response


class Says(StrEnum):
    """What a matcher says about an entity and a text."""

    HIT = "hit"
    MISS = "miss"
    NEGATED = "hit, negated"
    INVALID = "invalid rubric"


@dataclass(frozen=True, slots=True)
class Fault:
    """One example of a class of faults, and the answers that are right."""

    kind: str
    gold: str
    text: str
    right: tuple[Says, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What each matcher says about one example."""

    fault: Fault
    reference: Says
    cairn: Says


HIT, MISS = (Says.HIT,), (Says.MISS,)

FAULTS = (
    Fault("no kept character", "Москва", "She grew up in Lisbon.", MISS),
    Fault("no kept character", "القاهرة", "She grew up in Lisbon.", MISS),
    Fault("no kept character", "서울", "She grew up in Lisbon.", MISS),
    Fault("no kept character", "$$$", "It was worth every cent.", (Says.INVALID, Says.MISS)),
    Fault("clipped letters", "Øre", "The film was re-rated twice.", MISS),
    Fault("accents", "Beyonce", "It was sung by Beyoncé.", HIT),
    Fault("accents", "Beyonce\u0301", "It was sung by Beyonc\u00e9.", HIT),
    Fault("accents", "Lange Straße", "The shop is in Lange Strasse.", HIT),
    Fault("substring", "Iran", "They flew to Tirana.", MISS),
    Fault("substring", "Oman", "The woman crossed the strait.", MISS),
    Fault("substring", "Mali", "The herds of Somalia are large.", MISS),
    Fault("longer name", "World War I", "He fought in World War II.", MISS),
    Fault("longer name", "EC 6", "The enzyme belongs to EC 60.", MISS),
    Fault("longer name", "Windows 1", "It needs Windows 10.", MISS),
    Fault("across sentences", "Just Dance", "The praise was just. Dance floors were full.", MISS),
    Fault("numbers", "1,000", "About 1000 copies were sold.", HIT),
    Fault("numbers", "3.5", "It got scores of 3, 5 and 7.", MISS),
    Fault("dates", "May 5, 2008", "It was released on 2008-05-05.", HIT),
    Fault("symbols", "C++", "He took vitamin C every day.", MISS),
    Fault("symbols", "N/A", "I went on a run.", MISS),
    Fault("article", "the Solent", "The ferry crosses Solent waters.", HIT),
    Fault("abbreviation", "St. Helena", "He was sent to Saint Helena.", HIT),
    Fault("abbreviation", "Simon & Garfunkel", "The song is by Simon and Garfunkel.", HIT),
    Fault("negated", "RedOne", "The producer was not RedOne but Max Martin.", (Says.NEGATED,)),
)


def ask_both() -> list[Finding]:
    """Ask both matchers about every example."""
    return [Finding(fault, _reference(fault), _cairn(fault)) for fault in FAULTS]


def _reference(fault: Fault) -> Says:
    (hit,) = legacy.entity_hits([fault.gold], fault.text)
    return Says.HIT if hit else Says.MISS


def _cairn(fault: Fault) -> Says:
    task = Task(
        rubric=Rubric((Entity("e0", fault.gold),)),
        question="",
        answer=None,
        fields=(Field.CONTENT,),
        profile=Profile.STRICT,
    )
    try:
        (criterion,) = judge(task, Response(fault.text)).criteria
    except InvalidRubric:
        return Says.INVALID
    if CriterionFlag.NEGATED in criterion.flags:
        return Says.NEGATED
    return Says.HIT if criterion.hit else Says.MISS
