from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rubric.errors import InvalidInput, NotJson
from rubric.evaluate import read, reward
from rubric.intake import parse_evaluate
from rubric.legacy import chunk_score, cited_chunks, entity_hits, normalize

GOLDEN = Path(__file__).parents[1] / "golden" / "evaluate.jsonl"
"""Bodies made at random, the verdict that a judge gave, and what LongTraceRL's server answered."""


def numbers(body: dict[str, Any], outcome: float) -> dict[str, float]:
    return reward(read(parse_evaluate(json.dumps(body).encode())), outcome=outcome).model_dump()


def test_the_numbers_are_those_of_the_reference_bit_for_bit() -> None:
    cases = [json.loads(line) for line in GOLDEN.read_text().splitlines()]
    assert len(cases) == 300
    assert sum(case["reply"]["rubric_reward"] > 0 for case in cases) > 40
    for case in cases:
        assert numbers(case["body"], case["outcome"]) == case["reply"], case


INFO = {
    "question": "q",
    "rubrics": ["Iran"],
    "rubric_reward_ratio": 0.3,
    "dataset_name": "longqa",
    "rubric_use_reasoning_content": False,
    "rubric_use_content": True,
}


def test_quirks_are_kept() -> None:
    assert normalize("  The “Öre”, 東京!") == "the re 東 京"
    assert entity_hits(["", "$$$", "Москва", "Øre", "Iran"], "re-rated in Tirana") == (True,) * 5
    body = {"label": "x", "response": "<think>a</think>b</think>c", "extra_reward_info": INFO}
    evaluation = read(parse_evaluate(json.dumps(body).encode()))
    assert evaluation.conversation.final == "b</think>c"
    assert evaluation.judged == "c"


@given(st.text(st.one_of(st.characters(), st.sampled_from("aB1_ é東İK?-\n")), max_size=60))
def test_the_fast_way_to_normalize_is_the_plain_one(text: str) -> None:
    assert normalize(text) == " ".join(re.findall("[a-zA-Z0-9_]+|[\u4e00-\u9fff]", text.lower().strip()))


def test_the_last_closed_block_is_the_one_that_counts() -> None:
    assert cited_chunks("<useful_chunks><CHUNK_1></useful_chunks> <useful_chunks><CHUNK_2>") == (1,)
    assert cited_chunks(
        "<useful_chunks><useful_chunks><CHUNK_1><chunk 1></USEFUL_CHUNKS></useful_chunks>"
    ) == (1, 1)
    assert chunk_score([1, 2], "<useful_chunks><CHUNK_1><CHUNK_3></useful_chunks>") == pytest.approx(0.5)


def test_hostile_blocks_cost_one_pass() -> None:
    text = "<useful_chunks>" * 20_000 + f"<CHUNK_{'9' * 9000}></useful_chunks>"
    assert cited_chunks(text) == (-1,)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"response": None}, "$.response"),
        ({"history": None}, "$.history"),
        ({"history": []}, "$.history"),
        ({"history": [{"role": "assistant", "content": None}]}, "$.history[0].content"),
        ({"history": [{"content": "x"}]}, "$.history[0].role"),
        ({"extra_reward_info": INFO | {"rubrics": [3]}}, "$.extra_reward_info.rubrics[0]"),
        ({"extra_reward_info": INFO | {"rubrics": None}}, "$.extra_reward_info.rubrics"),
        ({"extra_reward_info": INFO | {"rubrics": "Iran"}}, "$.extra_reward_info.rubrics"),
        (
            {"extra_reward_info": INFO | {"rubric_reward_ratio": "1"}},
            "$.extra_reward_info.rubric_reward_ratio",
        ),
        (
            {"extra_reward_info": INFO | {"dataset_name": "longrlvr", "rubrics": [[1]]}},
            "$.extra_reward_info.rubrics[0]",
        ),
        (
            {"extra_reward_info": {k: v for k, v in INFO.items() if k != "question"}},
            "$.extra_reward_info.question",
        ),
        (
            {"extra_reward_info": {k: v for k, v in INFO.items() if k != "rubric_use_content"}},
            "$.extra_reward_info.rubric_use_content",
        ),
    ],
)
def test_what_the_reference_answers_with_500_is_a_fault_with_a_path(
    changes: dict[str, Any], path: str
) -> None:
    body = {"label": "x", "response": "y", "extra_reward_info": INFO} | changes
    with pytest.raises(InvalidInput) as raised:
        parse_evaluate(json.dumps(body).encode())
    assert [fault.path for fault in raised.value.faults] == [path]


def test_a_body_that_is_not_json_is_told_apart() -> None:
    with pytest.raises(NotJson):
        parse_evaluate(b"{")


def test_an_unread_null_is_not_an_absent_answer() -> None:
    info = INFO | {
        "rubric_reward_ratio": 1,
        "rubric_use_content": False,
        "rubric_use_reasoning_content": True,
    }
    history = [{"role": "assistant", "content": None, "reasoning_content": "Iran"}]
    assert numbers({"label": "x", "history": history, "extra_reward_info": info}, 0.0)["reward"] == 1.0
