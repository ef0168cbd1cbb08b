from __future__ import annotations

import pytest

from rubric.entity import CriterionFlag, Field, RolloutFlag
from rubric.exact import find
from rubric.flags import criterion_flags, missing, rollout_flags
from rubric.names import compiled
from rubric.text import Response, fold, split
from tests.rubric.finding import rubric


def negated(text: str, gold: str = "RedOne") -> bool:
    texts = split(Response(text))
    mentions = find(compiled(rubric(gold)), fold(texts.content), field=Field.CONTENT).matches[0]
    return CriterionFlag.NEGATED in criterion_flags(mentions, texts, in_question=False, is_answer=False)


@pytest.mark.parametrize(
    "text",
    [
        "not RedOne but Max Martin",
        "It was produced by Max Martin, not by RedOne.",
        "It wasn't RedOne.",
        "Max Martin rather than RedOne",
        "Martin instead of the producer RedOne",
        "neither RedOne nor Martin",
    ],
)
def test_a_negated_mention_is_flagged(text: str) -> None:
    assert negated(text)


@pytest.mark.parametrize(
    "text",
    [
        "It was not Max Martin but RedOne.",
        "It is not known. RedOne produced it.",
        "not only RedOne but also Martin",
        "No doubt RedOne did it",
        "It was not until 2008 that RedOne came",
        "not RedOne, but later: RedOne",
        "RedOne produced it, not Martin",
    ],
)
def test_an_affirmed_mention_is_not_flagged(text: str) -> None:
    assert not negated(text)


def test_the_development_set_can_raise_every_flag() -> None:
    assert missing() == ()


def test_a_response_that_never_stops_thinking_is_flagged() -> None:
    assert list(rollout_flags(split(Response("<think>a")))) == [RolloutFlag.THINK_MISSING]
    assert list(rollout_flags(split(Response("a</think>b</think>c")))) == [RolloutFlag.THINK_REPEATED]
    assert list(rollout_flags(split(Response("<think>a</think>b")))) == []
