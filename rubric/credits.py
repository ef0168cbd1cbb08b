"""What one rollout earned by a rubric: credits after prerequisites and dropout, and the score of their sum.

    criteria = criteria_of(rubric, scheme, group_id)
    found_by(Components(1.0, (1.0, 0.0)), criteria, scheme).score

Every sum is exact before it is rounded once (`math.fsum`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from hashlib import blake2b
from itertools import islice

from rubric import wire
from rubric.entity import Entity, Rubric
from rubric.errors import Fault, InvalidRubric

LEAST_KEPT = 3
"""Rubric dropout leaves at least so many positive criteria (arXiv 2608.11669)."""


@dataclass(frozen=True, slots=True)
class Components:
    """What a scheme sees of one judged rollout.

    `credits` has one value in [0, 1] per entity, in the order of the rubric and before prerequisites.
    `chunk_ids` are the ids that the response cites, written as `chunk_number` writes them, in order, repeats
    kept; None cites nothing. `ignored` are indexes of entities that neither count for this rollout nor
    against it. `zeroed` says truncated, aborted or ill-formed: judged, and worth nothing.
    """

    outcome: float | None
    credits: tuple[float, ...]
    chunk_ids: tuple[str, ...] | None = None
    ignored: frozenset[int] = frozenset()
    zeroed: bool = False


@dataclass(frozen=True, slots=True)
class Criteria:
    """Per entity (E,): its weight, 0 once dropped, and its chunk id; `positive` is the sum of weights > 0."""

    weights: tuple[float, ...]
    dropped: frozenset[int]
    positive: float
    total: int
    requires: tuple[tuple[int, tuple[int, ...]], ...]
    numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """One rollout before its group is looked at; zeroed, it is a wrong answer that found nothing.

    `balance` is the score where that may fall below 0; `criteria` are those that count for this rollout.
    """

    outcome: float
    credits: tuple[float, ...]
    balance: float
    hits: int
    criteria: Criteria

    @property
    def score(self) -> float:
        return max(0.0, self.balance)


# --- one rollout ------------------------------------------------------------------------------------------


def found_by(components: Components, criteria: Criteria, scheme: wire.Scheme) -> Found:
    """What a rollout found of the criteria that count for it."""
    if components.zeroed:
        return Found(0.0, (0.0,) * len(criteria.weights), 0.0, 0, criteria)
    criteria = _without(criteria, components.ignored)
    credits = _credits(components, criteria, scheme)
    return Found(
        outcome=components.outcome or 0.0,
        credits=credits,
        balance=_balance(components, credits, criteria, scheme),
        hits=sum(w > 0 and c > 0 for w, c in zip(criteria.weights, credits, strict=True)),
        criteria=criteria,
    )


def _without(criteria: Criteria, ignored: frozenset[int]) -> Criteria:
    """The criteria that are left for one rollout, in which those ignored are as if they had been dropped."""
    if not ignored:
        return criteria
    weights = tuple(0.0 if index in ignored else weight for index, weight in enumerate(criteria.weights))
    positive = [weight for weight in weights if weight > 0]
    dropped = criteria.dropped | ignored
    return replace(
        criteria, weights=weights, dropped=dropped, positive=math.fsum(positive), total=len(positive)
    )


def _credits(components: Components, criteria: Criteria, scheme: wire.Scheme) -> tuple[float, ...]:
    """Credits after prerequisites; those of dropped criteria still serve as prerequisites of others."""
    credits = list(components.credits)
    if isinstance(scheme, wire.LongRlvr):
        cited = set(components.chunk_ids or ())
        credits = [float(number in cited) for number in criteria.numbers]
    for index, needed in criteria.requires:
        if isinstance(scheme, wire.Gear):
            credits[index] *= math.prod(credits[each] + (1 - credits[each]) * scheme.lam for each in needed)
        elif not all(credits[each] > 0 for each in needed):
            credits[index] = 0.0
    return tuple(0.0 if index in criteria.dropped else credit for index, credit in enumerate(credits))


def _balance(
    components: Components, credits: tuple[float, ...], criteria: Criteria, scheme: wire.Scheme
) -> float:
    if isinstance(scheme, wire.LongRlvr):
        return _f_beta(components.chunk_ids or (), credits, criteria, scheme)
    if not criteria.positive:
        return 0.0
    gained = math.fsum(w * c for w, c in zip(criteria.weights, credits, strict=True))
    return gained / criteria.positive


def _f_beta(
    cited: tuple[str, ...], credits: tuple[float, ...], criteria: Criteria, scheme: wire.LongRlvr
) -> float:
    """F of the cited chunks; 0 when nothing gold is cited. A gold chunk dropped or voided is as if not cited.

    A repeated id counts once among the hits; `counting = repeats` counts it each time among the cited.
    """
    gold = {number for number, weight in zip(criteria.numbers, criteria.weights, strict=True) if weight > 0}
    hits = gold & {number for number, credit in zip(criteria.numbers, credits, strict=True) if credit > 0}
    if not hits:
        return 0.0
    unpaid = gold.union(criteria.numbers[index] for index in criteria.dropped) - hits
    counted = [number for number in cited if number not in unpaid]
    precision = len(hits) / (len(set(counted)) if scheme.counting == "sets" else len(counted))
    recall = len(hits) / len(gold)
    square = scheme.beta**2
    return (1 + square) * precision * recall / (square * precision + recall)


# --- the rubric as the sums see it ------------------------------------------------------------------------


def criteria_of(rubric: Rubric, scheme: wire.Scheme, group_id: str | None) -> Criteria:
    """The criteria of a group. Raises `InvalidRubric` for prerequisites that go in a circle."""
    dropped = _dropped(rubric.entities, scheme.dropout, group_id)
    weights = tuple(
        0.0 if index in dropped else entity.weight for index, entity in enumerate(rubric.entities)
    )
    positive = [weight for weight in weights if weight > 0]
    return Criteria(
        weights=weights,
        dropped=dropped,
        positive=math.fsum(positive),
        total=len(positive),
        requires=_requires(rubric),
        numbers=tuple(chunk_number(entity.name) for entity in rubric.entities),
    )


def _dropped(
    entities: Sequence[Entity], dropout: wire.Dropout | None, group_id: str | None
) -> frozenset[int]:
    """The criteria that this group does without: those whose digests come first. Penalties always stay."""
    if dropout is None:
        return frozenset()
    positive = [index for index, entity in enumerate(entities) if entity.weight > 0]

    def rank(index: int) -> bytes:
        seed = ascii((group_id, dropout.step, entities[index].id))
        return blake2b(seed.encode(), digest_size=16).digest()

    return frozenset(sorted(positive, key=rank)[: drops(len(positive), dropout)])


def drops(positive: int, dropout: wire.Dropout | None) -> int:
    """How many of the positive criteria are dropped: the share, rounded, as long as enough are left."""
    return 0 if dropout is None else max(0, min(round(dropout.share * positive), positive - LEAST_KEPT))


def chunk_number(name: str) -> str:
    """The id of a chunk: `CHUNK_3`, `<chunk 03>` and `3` all mean 3. A name without digits is its own id."""
    digits = _DIGITS.search(name)
    return (digits.group().lstrip("0") or "0") if digits else name


_DIGITS = re.compile("[0-9]+")


# --- prerequisites ----------------------------------------------------------------------------------------


def check_requires(rubric: Rubric) -> None:
    """Refuse prerequisites that do not exist, and those that go in a circle. Raises `InvalidRubric`."""
    ids = {entity.id for entity in rubric.entities}
    refuse(
        Fault(f"$.rubric.entities[{index}].requires[{place}]", "is the id of no entity")
        for index, entity in enumerate(rubric.entities)
        for place, needed in enumerate(entity.requires)
        if needed not in ids
    )
    _requires(rubric)


def _requires(rubric: Rubric) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Who has prerequisites, and which, by index; whatever is required stands before what requires it."""
    places = {entity.id: index for index, entity in enumerate(rubric.entities)}
    needed = {
        index: tuple(dict.fromkeys(places[name] for name in entity.requires))
        for index, entity in enumerate(rubric.entities)
        if entity.requires
    }
    try:
        order = tuple(TopologicalSorter(needed).static_order())
    except CycleError as error:
        circle = sorted(set(error.args[1]))
    else:
        return tuple((index, needed[index]) for index in order if index in needed)
    message = "requires itself, directly or through others"
    refuse(Fault(f"$.rubric.entities[{index}].requires", message) for index in circle)
    return ()


def refuse(faults: Iterator[Fault]) -> None:
    """Raises `InvalidRubric` where there are any."""
    first = tuple(islice(faults, wire.DEFAULT_LIMITS.faults))
    if first:
        raise InvalidRubric(first)
