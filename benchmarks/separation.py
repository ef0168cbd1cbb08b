"""Do the scores of right and wrong responses part, over the entities that the question does not name?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rubric.entity import Entity, Rubric
from rubric.text import Response, Texts, split

Matcher = Callable[[Rubric, str], set[int]]
"""Which entities, by index, a text names."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A group whose responses are right or wrong; None: nobody said."""

    rubric: Rubric
    question: str
    responses: tuple[Texts, ...]
    raw: tuple[str, ...]
    right: tuple[bool | None, ...]


def labelled(stored: dict[str, Any]) -> Labelled:
    """A line of groups.jsonl."""
    entities = (
        Entity(f"e{index}", each["name"], tuple(each["aliases"]))
        for index, each in enumerate(stored["rubric"]["entities"])
    )
    raw = tuple(each["response"] for each in stored["rollouts"])
    return Labelled(
        rubric=Rubric(tuple(entities)),
        question=stored["question"],
        responses=tuple(split(Response(each)) for each in raw),
        raw=raw,
        right=tuple(each["correct"] for each in stored["rollouts"]),
    )


def separate(
    groups: Sequence[Labelled],
    name: str,
    matcher: Matcher,
    *,
    known: Matcher | None = None,
    content: bool = False,
) -> dict[str, Any]:
    """Mean scores of right and wrong responses, and how well they part: over all, and within groups.

    `known` decides what the question names (the same matcher, unless given); `content`: the final content
    alone instead of the whole response.
    """
    right: list[float] = []
    wrong: list[float] = []
    within = []
    for group in groups:
        shares = _shares(group, matcher, known or matcher, content=content)
        labels = group.right[: len(shares)]
        of_right = [share for share, label in zip(shares, labels, strict=True) if label is True]
        of_wrong = [share for share, label in zip(shares, labels, strict=True) if label is False]
        right += of_right
        wrong += of_wrong
        if of_right and of_wrong:
            within.append(_auc(of_right, of_wrong))
    return {
        "matcher": name,
        "text": "final content" if content else "whole response",
        "right": round(float(np.mean(right)), 4),
        "wrong": round(float(np.mean(wrong)), 4),
        "auc": round(_auc(right, wrong), 4),
        "auc within groups": round(float(np.mean(within)), 4),
        "responses": [len(right), len(wrong)],
        "groups with both": len(within),
    }


def _shares(group: Labelled, matcher: Matcher, known: Matcher, *, content: bool) -> list[float]:
    """Per response the share found of the entities that count; empty where the question names them all."""
    counted = set(range(len(group.rubric.entities))) - known(group.rubric, group.question)
    if not counted:
        return []
    texts = [each.content for each in group.responses] if content else group.raw
    return [len(matcher(group.rubric, text) & counted) / len(counted) for text in texts]


def _auc(right: Sequence[float], wrong: Sequence[float]) -> float:
    """Chance that a right response scores above a wrong one; equal scores count half."""
    higher: NDArray[np.float64] = np.asarray(right)[:, None] - np.asarray(wrong)[None, :]
    return float((higher > 0).mean() + (higher == 0).mean() / 2)
