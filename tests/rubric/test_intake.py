from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rubric.errors import InvalidInput, NotJson
from rubric.intake import parse_score
from rubric.wire import Limits

HOSTILE = "WhatThePolicyWrote"


def body(**changes: Any) -> dict[str, Any]:
    return {"rubric": {"entities": ["RedOne"]}, "rollouts": [{"response": "x"}]} | changes


def paths(given_body: object, limits: Limits | None = None) -> list[str]:
    raw = given_body if isinstance(given_body, bytes) else json.dumps(given_body).encode()
    with pytest.raises(InvalidInput) as raised:
        parse_score(raw, limits=limits or Limits())
    assert HOSTILE not in str(raised.value)
    return [fault.path for fault in raised.value.faults]


def test_ids_are_filled_in_by_position() -> None:
    request = parse_score(
        json.dumps(body(rollouts=[{"response": "a"}, {"response": "b", "id": "z"}])).encode()
    )
    assert [rollout.id for rollout in request.rollouts] == ["k0", "z"]
    assert [entity.id for entity in request.rubric.entities] == ["e0"]


def test_the_example_of_the_contract_is_accepted() -> None:
    request = parse_score(
        json.dumps(
            {
                "id": "step12/prompt3",
                "question": "Who?",
                "answer": {"value": "Moroccan-Swedish", "aliases": ["Swedish-Moroccan"]},
                "rubric": {
                    "entities": [
                        {"name": "Lady Gaga", "aliases": ["Stefani Germanotta"]},
                        "Poker Face",
                        {
                            "name": "Just Dance",
                            "confusables": ["LoveGame"],
                            "weight": 1.0,
                            "id": "e4",
                            "hop": 3,
                        },
                    ]
                },
                "rollouts": [
                    {"id": "k0", "response": "x"},
                    {
                        "id": "k1",
                        "messages": [
                            {"role": "assistant", "reasoning_content": "y", "content": "z", "tool_calls": []}
                        ],
                        "outcome": 1.0,
                    },
                    {"id": "k2", "response": "...", "status": "truncated"},
                ],
                "fields": ["content"],
                "profile": "balanced",
                "scheme": {"name": "longtrace", "eta": 0.3},
                "verifier": {"name": "match"},
                "explain": True,
                "labels": {"source": "longqa"},
            }
        ).encode()
    )
    assert request.rubric.entities[1].name == "Poker Face"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"extra": HOSTILE}, "$.extra"),
        ({HOSTILE + " !": 1}, "$[…]"),
        ({"rubric": {"entities": [{"name": "a", "foo": HOSTILE}]}}, "$.rubric.entities[0].foo"),
        ({"rubric": {"entities": [3]}}, "$.rubric.entities[0]"),
        ({"rubric": {"entities": [{"name": "a", "weight": float("nan")}]}}, "$.rubric.entities[0].weight"),
        (
            {"rubric": {"entities": [{"name": "a", "id": "x"}, {"name": "b", "id": "x"}]}},
            "$.rubric.entities[1].id",
        ),
        ({"rubric": {"entities": ["a", {"name": "b", "id": "e0"}]}}, "$.rubric.entities[1].id"),
        ({"rollouts": []}, "$.rollouts"),
        ({"rollouts": [{}]}, "$.rollouts[0]"),
        ({"rollouts": [{"response": HOSTILE, "messages": []}]}, "$.rollouts[0]"),
        ({"rollouts": [{"response": "a", "id": "x"}, {"response": "b", "id": "x"}]}, "$.rollouts[1].id"),
        ({"rollouts": [{"response": "a", "outcome": 1.5}]}, "$.rollouts[0].outcome"),
        ({"rollouts": [{"response": "a", "outcome": "1"}]}, "$.rollouts[0].outcome"),
        ({"rollouts": [{"response": "a", "status": HOSTILE}]}, "$.rollouts[0].status"),
        ({"rollouts": [{"response": "\ud800" + HOSTILE}]}, "$.rollouts[0].response"),
        ({"question": "\udfff"}, "$.question"),
        ({"scheme": {"name": HOSTILE}}, "$.scheme"),
        ({"scheme": {"name": "longtrace", "eta": 2}}, "$.scheme.eta"),
        ({"scheme": {"name": "longtrace", "alpha": 0.1}}, "$.scheme.alpha"),
        ({"fields": []}, "$.fields"),
        ({"fields": ["content", "content"]}, "$.fields"),
        ({"labels": {"a": 1}}, "$.labels.a"),
        ({"profile": "loose"}, "$.profile"),
    ],
)
def test_a_fault_is_named_by_its_path_and_never_by_its_text(changes: dict[str, Any], path: str) -> None:
    assert paths(body(**changes)) == [path]


@pytest.mark.parametrize("number", [b"1e999", b"NaN", b"Infinity", b"-1e999"])
def test_numbers_that_are_not_finite_are_refused(number: bytes) -> None:
    raw = b'{"rubric":{"entities":["a"]},"rollouts":[{"response":"a","outcome":' + number + b"}]}"
    assert paths(raw) == ["$.rollouts[0].outcome"]


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"nope", b"\xff\xfe", b"[" * 100_000, b'{"a":"\\ud8"}', b'{"a": 1,}']
)
def test_what_is_not_json_is_told_apart(raw: bytes) -> None:
    with pytest.raises(NotJson):
        parse_score(raw)


SMALL = Limits(
    rollouts=2, entities=2, aliases=1, name_chars=6, text_chars=9, question_chars=4, messages=1, labels=1,
    label_chars=3, id_chars=3,
)  # fmt: skip
LONG = "x" * 10


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"id": LONG}, "$.id"),
        ({"question": LONG}, "$.question"),
        ({"answer": LONG}, "$.answer.value"),
        ({"answer": {"value": "a", "aliases": [LONG]}}, "$.answer.aliases[0]"),
        ({"answer": {"value": "a", "aliases": ["a", "b"]}}, "$.answer.aliases"),
        ({"rubric": {"entities": ["a", "b", "c"]}}, "$.rubric.entities"),
        ({"rubric": {"entities": [LONG]}}, "$.rubric.entities[0].name"),
        ({"rubric": {"entities": [{"name": "a", "id": LONG}]}}, "$.rubric.entities[0].id"),
        ({"rubric": {"entities": [{"name": "a", "aliases": [LONG]}]}}, "$.rubric.entities[0].aliases[0]"),
        (
            {"rubric": {"entities": [{"name": "a", "confusables": ["b", "c"]}]}},
            "$.rubric.entities[0].confusables",
        ),
        (
            {"rubric": {"entities": [{"name": "a", "requires": ["b", "c", "d"]}]}},
            "$.rubric.entities[0].requires",
        ),
        ({"rollouts": [{"response": "a"}] * 3}, "$.rollouts"),
        ({"rollouts": [{"response": LONG}]}, "$.rollouts[0].response"),
        ({"rollouts": [{"response": "a", "id": LONG}]}, "$.rollouts[0].id"),
        ({"rollouts": [{"messages": [{"role": "user"}] * 2}]}, "$.rollouts[0].messages"),
        (
            {"rollouts": [{"messages": [{"role": "assistant", "content": LONG}]}]},
            "$.rollouts[0].messages[0].content",
        ),
        ({"labels": {"a": "b", "c": "d"}}, "$.labels"),
        ({"labels": {"a": LONG}}, "$.labels.a"),
        ({"labels": {LONG: "a"}}, "$.labels"),
    ],
)
def test_every_limit_is_a_fault_at_its_path(changes: dict[str, Any], path: str) -> None:
    assert paths(body(**changes), SMALL) == [path]


def test_every_limit_is_tested_or_is_the_services() -> None:
    default = dataclasses.asdict(Limits())
    untested = {name for name, value in dataclasses.asdict(SMALL).items() if value == default[name]}
    assert untested == {"body_bytes", "faults"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(
    ["id", "question", "answer", "rubric", "rollouts", "scheme", "fields", "labels", "explain"]
)


@given(st.dictionaries(KEYS, JSON))
def test_no_json_does_anything_but_parse_or_fault(changes: dict[str, Any]) -> None:
    try:
        parse_score(json.dumps(body(**changes)).encode())
    except InvalidInput as error:
        assert error.faults  # noqa: PT017 (either way is right; a third way is not)


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_parse_or_fault(raw: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_score(raw)
