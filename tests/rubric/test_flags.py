from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from rubric.entity import CriterionFlag, Field, RolloutFlag
from rubric.flags import DUMP, criterion_flags, missing, rollout_flags
from rubric.lexical import read
from rubric.names import compiled
from rubric.text import Response, split
from tests.rubric.finding import rubric


def negated(text: str, gold: str = "RedOne") -> bool:
    texts = split(Response(text))
    mentions = read(compiled(rubric(gold)), texts.content, field=Field.CONTENT).matches[0]
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


def over_all(text: str, *golds: str, answers: int = 1) -> list[RolloutFlag]:
    texts = split(Response(text))
    mentions = read(compiled(rubric(*golds)), texts.content, field=Field.CONTENT).matches
    return list(rollout_flags(texts, mentions, answers=answers))


def test_a_response_that_never_stops_thinking_is_flagged() -> None:
    assert over_all("<think>a", "b") == [RolloutFlag.THINK_MISSING]
    assert over_all("a</think>b</think>c", "b") == [RolloutFlag.THINK_REPEATED]
    assert over_all("<think>a</think>b", "b") == []


GOLDS = ("Lady Gaga", "Poker Face", "Just Dance", "RedOne")
NOISE = ["Madonna", "Cher", "Bad Romance", "Adele", "Max Martin", "Alejandro"]


@pytest.mark.parametrize("between", [", ", "; ", " | ", "\n- ", "\n", "\n1. "])
def test_a_list_of_every_name_that_comes_to_mind_is_a_dump(between: str) -> None:
    dump = between.join(["", *GOLDS, *NOISE, "and so on"]).strip(" ,;|")
    assert over_all("I have considered the following for a while now.\n" + dump, *GOLDS) == [
        RolloutFlag.ENTITY_DUMP
    ]


def test_names_without_any_other_words_are_a_dump() -> None:
    assert over_all(" ".join(GOLDS), *GOLDS) == [RolloutFlag.ENTITY_DUMP]


def test_a_response_that_says_something_of_each_entity_is_no_dump() -> None:
    text = (
        "1. Lady Gaga sang Poker Face.\n2. She sang Just Dance, Poker Face and more.\n3. RedOne produced it."
    )
    assert over_all(text, *GOLDS) == []
    assert over_all("She sang Poker Face, Just Dance and Alejandro, which RedOne produced.", *GOLDS) == []


def test_many_final_answers_are_a_dump() -> None:
    assert over_all("a", "b", answers=3) == [RolloutFlag.ANSWER_DUMP]
    assert over_all("a", "b", answers=2) == []


def remarks(text: str, gold: str) -> tuple[CriterionFlag, ...]:
    texts = split(Response(text))
    mentions = read(compiled(rubric(gold)), texts.content, field=Field.CONTENT).matches[0]
    return criterion_flags(mentions, texts, in_question=False, is_answer=False)


@pytest.mark.parametrize(
    "text",
    [
        "Madonna, Cher, RedOne, Adele",
        "- Madonna\n- Cher\n- RedOne\n- Adele\n",
        "| Madonna | Cher | Adele | RedOne |",
        "Madonna, Cher, Adele and RedOne",
        "They are: RedOne, Cher, Adele, Madonna.",
    ],
)
def test_a_name_in_an_enumeration_is_flagged(text: str) -> None:
    assert CriterionFlag.IN_LIST in remarks(text, "RedOne")


@pytest.mark.parametrize(
    "text",
    [
        "RedOne, who was born in Morocco, produced Poker Face, Just Dance and LoveGame.",
        "Madonna, Cher and RedOne",
        "Madonna, Cher, RedOne, Adele. But it was RedOne who produced it.",
        "- RedOne was born in Tetouan.\n- He moved to Sweden.\n- He produced Poker Face.\n- He won.",
    ],
)
def test_a_name_of_which_something_is_said_is_not_in_a_list(text: str) -> None:
    assert CriterionFlag.IN_LIST not in remarks(text, "RedOne")


def test_a_name_that_may_go_on_is_flagged_only_where_no_mention_stands_alone() -> None:
    assert remarks("Simon & Garfunkel", "Simon") == (CriterionFlag.LONGER_NAME,)
    assert remarks("Simon & Garfunkel, or rather Simon alone", "Simon") == ()


def test_no_real_list_is_as_long_as_a_dump() -> None:
    """The longest run of names in 2,539 real responses has four; the threshold stays beyond it."""
    assert DUMP > 4


def test_the_negation_flag_loads_no_torch_and_does_not_hide_it_from_others():
    code = (
        "import sys; from rubric.flags import prepare; prepare(); print('torch' in sys.modules); "
        "from importlib.util import find_spec; print(find_spec('torch') is not None)"
    )
    told = subprocess.check_output([sys.executable, "-c", code], text=True, timeout=60)
    assert told.split() == ["False", str(find_spec("torch") is not None)]
