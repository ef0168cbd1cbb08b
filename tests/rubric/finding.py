"""How the tests of this folder look for names: entities in, surfaces and reasons out."""

from __future__ import annotations

from typing import Any

from rubric.entity import Entity, Field, Rubric
from rubric.lexical import read
from rubric.names import compiled


def rubric(*golds: str | dict[str, Any]) -> Rubric:
    """A rubric of names, or of keyword arguments of `Entity`."""
    given = [{"name": gold} if isinstance(gold, str) else gold for gold in golds]
    return Rubric(tuple(Entity(id=f"e{index}", **each) for index, each in enumerate(given)))


def found(text: str, *golds: str | dict[str, Any]) -> dict[str, str]:
    """The first surface of each entity that is found, by the entity's name."""
    looked_for = rubric(*golds)
    mentions = read(compiled(looked_for), text, field=Field.CONTENT)
    for matches in mentions.matches.values():
        for match in matches:
            assert match.span.surface == text[match.span.start : match.span.end]
    return {
        looked_for.entities[entity].name: matches[0].span.surface
        for entity, matches in mentions.matches.items()
    }


def refused(text: str, *golds: str | dict[str, Any]) -> dict[str, str]:
    """Why the closest surface of each entity was refused, by the entity's name."""
    looked_for = rubric(*golds)
    mentions = read(compiled(looked_for), text, field=Field.CONTENT)
    return {looked_for.entities[entity].name: near.reason for entity, near in mentions.refused.items()}
