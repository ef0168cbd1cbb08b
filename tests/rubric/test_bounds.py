"""Hostile texts and names cost no more than fifty times what ordinary ones of their size do.

Work is counted, not timed: the calls that Python makes, its own and those into C, and the characters that the
searches are given.
"""

from __future__ import annotations

import cProfile
import json
import random
import subprocess
import sys
from collections.abc import Callable

import pytest

from rubric import flags, score
from rubric.entity import Entity, Field, Rubric
from rubric.job import Profile, Task
from rubric.lexicon import HEADS
from rubric.text import Response

MOST = 50
WORDS = sorted(HEADS)


def work(run: Callable[[], object]) -> int:
    """Calls made by a run."""
    profile = cProfile.Profile()
    profile.runcall(run)
    return sum(entry.callcount for entry in profile.getstats())


def judged(names: list[str], text: str) -> Callable[[], object]:
    rubric = Rubric(tuple(Entity(f"e{index}", name) for index, name in enumerate(names)))
    task = Task(rubric, "Who?", answer=None, fields=(Field.CONTENT,), profile=Profile.BALANCED)
    return lambda: score.judge(task, Response(text))


def ordinary(size: int, seed: int = 1) -> str:
    """Sentences with capitals, as many characters as asked for."""
    chance = random.Random(seed)
    sentences: list[str] = []
    while sum(map(len, sentences)) < size:
        sentences.append(" ".join(chance.choices(WORDS, k=12)).capitalize() + f" {chance.choice(NAMES)}. ")
    return "".join(sentences)[:size]


NAMES = ["Lady Gaga", "Christopher Marlowe", "William Shakespeare", "Saint Petersburg", "Apollo 11", "1998"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a" + "\u0301" * 100_000, id="combining marks"),
        pytest.param("(" * 100_000, id="brackets"),
        pytest.param("[](" * 33_000 + "Lady Gaga" + ")" * 1_000, id="brackets around a name"),
        pytest.param("a" * 1_000_000, id="a token without an end"),
        pytest.param("Lady Gaga " * 100_000, id="a name for ever"),
        pytest.param("Wiliam Shakespere " * 50_000, id="a typo for ever"),
        pytest.param("Lady Gaga, " * 50_000, id="a list for ever"),
        pytest.param("not " * 100_000 + "Lady Gaga", id="negations"),
        pytest.param("1,998 " * 100_000, id="figures"),
        pytest.param("-" * 200_000 + "*" * 200_000 + "_" * 200_000, id="emphasis"),
        pytest.param("the answer is " * 50_000, id="answers"),
        pytest.param("</think>" * 50_000 + "<answer>" * 20_000, id="tags"),
        pytest.param("Lady\n" * 100_000, id="line ends"),
        pytest.param("\u202e\u200b" * 100_000 + "Lady Gaga", id="invisible characters"),
        pytest.param("ẞﬃ" * 100_000, id="characters that expand"),
    ],
)
def test_a_hostile_text_costs_at_most_fifty_ordinary_ones(text: str) -> None:
    flags.prepare()  # loading spaCy is not the text's work
    judged(NAMES, ordinary(1_000))()
    usual = work(judged(NAMES, ordinary(len(text))))
    assert work(judged(NAMES, text)) <= MOST * usual


def many(kind: str, *, seed: int = 2) -> list[str]:
    chance = random.Random(seed)
    match kind:
        case "ordinary":
            return [" ".join(chance.choices(WORDS, k=2)).title() + f" {index}" for index in range(2048)]
        case "long":
            return [
                " ".join(chance.choices(WORDS, k=28)).title()[:195] + f" {index}" for index in range(2048)
            ]
        case "nested":
            return [("ab " * (1 + index % 66)).strip().title() + f" {index}" for index in range(2048)]
        case _:
            return [
                "Abababab " + chr(97 + index % 26) * (5 + index // 512) + "x" * (index % 512)
                for index in range(2048)
            ]


@pytest.mark.parametrize("kind", ["long", "nested", "alike"])
def test_hostile_names_cost_at_most_fifty_ordinary_ones(kind: str) -> None:
    text = ordinary(20_000) + "Ab Ab Ab Ab Abababab aaaaa Abababax " * 100
    usual, hostile = judged(many("ordinary", seed=len(kind)), text), judged(many(kind), text)
    compiling = work(usual)
    assert work(hostile) <= MOST * compiling
    assert work(hostile) <= MOST * work(usual)  # and once more, with everything compiled


SCORE = """
import sys
from rubric.intake import parse_score
from rubric.score import score_group
for line in sys.stdin.buffer:
    reply = score_group(parse_score(line))
    print(reply.model_dump_json(exclude={"timings_ms"}))
"""


def test_the_hash_seed_changes_no_byte() -> None:
    body = {
        "question": "Which company built Apollo 11's computer?",
        "rubric": {"entities": [*NAMES, {"name": "Kowalczyk", "confusables": ["Kowalski"]}]},
        "rollouts": [
            {"response": "Wiliam Shakespere, Lady Gaga and Apollo 12 in 1998; Kowalzcyk.", "outcome": 1.0},
            {"response": ordinary(20_000), "outcome": 0.0},
        ],
        "profile": "balanced",
    }
    sent = json.dumps(body).encode()
    said = {
        subprocess.run(
            [sys.executable, "-c", SCORE],
            input=sent,
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(said) == 1
    assert b"fuzzy" in said.pop()


def test_the_order_of_the_entities_changes_only_the_order_of_the_reply() -> None:
    text = "Wiliam Shakespere, Lady Gaga and Apollo 12 in 1998. " + ordinary(5_000)
    chance = random.Random(3)
    expected = None
    for _ in range(5):
        names = chance.sample(NAMES, len(NAMES))
        rubric = Rubric(tuple(Entity(name, name) for name in names))
        task = Task(rubric, "Who?", answer=None, fields=(Field.CONTENT,), profile=Profile.BALANCED)
        criteria = score.judge(task, Response(text)).criteria
        said = {names[each.entity]: (each.span, each.stage, each.flags, each.near_miss) for each in criteria}
        expected = expected or said
        assert said == expected
