"""Input made to break things: refused, or scored within bounds; never a 500, and nobody is hurt."""

from __future__ import annotations

import json
import random

import pytest

from rubric.errors import InvalidInput
from rubric.intake import parse_score
from tests.faults.world import BODIES, by_match, by_model, rollouts
from tests.rubric.test_bounds import work

NEST = 100_000
EDGES = ["{", "}", "[", "]", '"', ":", ",", "\\", "NaN", "1e999", "\x00", "\ud800"]


def raw(**changes):
    body = {"profile": "strict", **by_match("poison"), **changes}
    return json.dumps(body).encode()


def with_response(text):
    return raw(rollouts=[{"response": text}])


def with_names(names):
    return raw(rubric={"entities": names}, rollouts=rollouts(f"Of {names[0]} and {names[-1]}."))


REFUSED = {
    "a NaN": raw(scheme={"name": "longtrace", "eta": float("nan")}),
    "an infinity": raw(rollouts=[{"response": "x", "outcome": float("inf")}]),
    "1e999": raw(rollouts=[{"response": "x", "outcome": 0.5}]).replace(b"0.5", b"1e999"),
    "1e999 as a weight": raw(rubric={"entities": [{"name": "a", "weight": 0.5}]}).replace(b"0.5", b"-1e999"),
    "an integer without an end": raw(rubric={"entities": [{"name": "a", "hop": 7}]}).replace(
        b"7", b"7" * 50_000
    ),
    "a lone surrogate": with_response("a").replace(b'"a"', b'"\\ud800"'),
    "a lone surrogate in a name": with_names(["zz"]).replace(b"zz", b"\\udfff"),
    "half a pair of bytes": with_response("a").replace(b'"a"', b'"\xed\xa0\x80"'),
    "NUL bytes": with_response("a").replace(b'"a"', b'"\x00"'),
    "brackets without an end": b"[" * NEST,
    "objects without an end": b'{"a":' * NEST,
    "a deep value": raw(id=0).replace(b'"id": 0', b'"id": ' + b"[" * NEST + b"]" * NEST),
    "a deep unknown field": raw(extra_field=0).replace(b": 0", b": " + b"[" * NEST + b"]" * NEST),
    "the same key often": b'{"id": "a"' + b', "id": "a"' * 100_000 + b"}",
    "a million entities": with_names(["Oslo"]).replace(b'["Oslo"]', b"[" + b'"a",' * 999_999 + b'"b"]'),
    "a hundred thousand rollouts": raw(rollouts=[{"response": ""}] * 100_000),
    "a hundred thousand labels": raw(labels={str(at): "x" for at in range(100_000)}),
}
SCORED = {
    "NUL": with_response("Lady\x00Gaga \x00"),
    "combining marks": with_response("a" + "\u0301" * 200_000 + " Lady Gaga"),
    "combining marks on a name": with_names(["a" + "\u0301" * 400, "b" + "\u0316" * 400]),
    "marks that are kept": with_response("क" + "\u093f" * 200_000),
    "characters that expand": with_response("\ufdfa" * 50_000),
    "turned and invisible": with_response("\u202e\u200b\ufeff" * 50_000 + "Lady Gaga"),
    "names that are alike": with_names([f"Abababab {'ab' * at}"[:150] for at in range(1, 70)]),
    "names within names": with_names([("ab " * at).strip().title() for at in range(1, 60)]),
    "only brackets": with_response("([{" * 60_000),
    "only tags": with_response("</think><think>" * 30_000),
    "only answers": with_response("The answer is \\boxed{" * 20_000),
    "only figures": with_response("1,000.5 " * 40_000),
    "a number of many digits": with_names(["9" * 180, "1" + ",000" * 40]),
}


def test_poison_that_is_no_request_is_refused(world):
    world.recover()
    for what, body in REFUSED.items():
        reply = world.client.post("/score", content=body)
        assert reply.status_code in {400, 413, 422}, what
        assert len(reply.content) < 20_000, what
    assert world.law.kept(world.post(BODIES[0]), BODIES[0]) == set()


@pytest.mark.parametrize("profile", ["strict", "balanced"])
def test_poison_that_is_a_request_is_scored(world, profile):
    world.recover()
    for what, body in SCORED.items():
        reply = world.client.post("/score", content=body.replace(b"strict", profile.encode(), 1))
        assert reply.status_code == 200, what
        assert {each["status"] for each in reply.json()["rollouts"]} == {"ok"}, what
    for reply, body in zip(world.scored(), BODIES, strict=True):
        assert world.law.kept(reply, body) == set()


@pytest.mark.parametrize("make", [by_match, by_model])
def test_a_poison_rollout_moves_none_of_its_group(world, make):
    """It names nothing, so that the group is measured by the same maximum."""
    chance = random.Random(1)
    for turn in range(12):
        body = make(turn)
        texts = ["a" + "\u0301" * 50_000, "</think>" * 20_000, "([" * 40_000, "\x00" * 50_000]
        poison = {"id": "poison", "response": chance.choice(texts) + f" {turn}", "outcome": 0.0}
        at = chance.randrange(len(body["rollouts"]))
        mixed = {**body, "rollouts": [*body["rollouts"][:at], poison, *body["rollouts"][at:]]}
        told = world.post(mixed).json()["rollouts"]
        assert told.pop(at)["status"] == "ok"
        assert told == world.law.fault_free(body)["rollouts"]


def test_a_body_that_is_cut_anywhere_is_refused_and_moves_no_reward(world):
    world.warm()
    body = json.dumps(BODIES[0]).encode()
    for at in range(0, len(body), max(1, len(body) // 60)):
        for edge in ("", *EDGES):
            reply = world.client.post("/score", content=body[:at] + edge.encode("utf-8", "surrogatepass"))
            assert reply.status_code in {400, 422}
    assert world.law.kept(world.post(BODIES[0]), BODIES[0]) == set()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"rubric": {"entities": ["a"] * 200_000}}, id="entities"),
        pytest.param({"rubric": {"entities": [0] * 200_000}}, id="entities that are none"),
        pytest.param({"rollouts": [{"response": "x"}] * 200_000}, id="rollouts"),
        pytest.param({"rollouts": [0] * 200_000}, id="rollouts that are none"),
        pytest.param({"rollouts": [{"messages": [{"role": "a"}] * 200_000}]}, id="messages"),
        pytest.param({"rollouts": [{"messages": [0] * 200_000}]}, id="messages that are none"),
        pytest.param({"labels": {str(at): at for at in range(200_000)}}, id="labels that are none"),
    ],
)
def test_a_list_without_an_end_is_refused_before_its_items_are_read(body):
    """Counted, not timed: the event loop stands still while a body is read."""
    given = json.dumps({"rubric": {"entities": ["a"]}, "rollouts": [{"response": "x"}], **body}).encode()

    def read():
        with pytest.raises(InvalidInput) as raised:
            parse_score(given)
        assert len(raised.value.faults) <= 50

    assert work(read) < 100_000
