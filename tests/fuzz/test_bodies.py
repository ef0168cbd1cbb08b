"""More than 10,000 random and mutated bodies, and what the OpenAPI file allows: never a 500."""

from __future__ import annotations

import json
import random
import zlib

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance

from service.bootstrap import build_app
from service.settings import Settings
from tests.service.bodies import FOUR, group, rollout

SCORE = group(
    FOUR,
    {
        "id": "k1",
        "messages": [{"role": "assistant", "content": "1,000 on May 5, 2008", "reasoning_content": "x"}],
    },
    {"response": "<think>", "status": "truncated", "outcome": 0.5},
    id="g",
    fields=["content", "reasoning"],
    profile="strict",
    scheme={"name": "gear", "lambda": 0.5, "dropout": {"share": 0.5, "step": 1}},
    verifier={"name": "match"},
    explain=True,
    labels={"source": "longqa"},
) | {
    "rubric": {
        "entities": [
            "Lady Gaga",
            {"name": "1,000", "kind": "number", "weight": -1.0, "id": "n", "hop": 2, "requires": ["e0"]},
            {"name": "May 5, 2008", "kind": "date", "aliases": ["that day"], "confusables": ["the next day"]},
        ]
    }
}
EVALUATE = rollout(history=[{"role": "user", "content": "?"}, {"role": "assistant", "content": FOUR}])
ROUTES = {"/score": SCORE, "/evaluate": EVALUATE}

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["</think>", "\x00", "\u0301" * 50, "\u202e", "\U0001f600", "٣", "ﬁ", "$$$", "", "longrlvr", "e-grpo"]
    ),
    st.sampled_from([[], {}, [[]], [None], {"": {}}, 10**400, -(2**63), 1e308, -0.0]),
)


def places(value, path=()):
    """Every place in a value, as a path of keys."""
    yield path
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(part, (*path, key))


def changed(value, path, change):
    """A copy with another value at one place."""
    if not path:
        return change(value)
    key, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = changed(copy[key], rest, change)
    return copy


@st.composite
def mutants(draw, body):
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(body))))
        odd = draw(ODD)
        change = draw(
            st.sampled_from(
                [
                    lambda _, odd=odd: odd,
                    lambda old: [old, old],
                    lambda old, odd=odd: old | {"name": odd} if isinstance(old, dict) else odd,
                    lambda old: dict(list(old.items())[1:]) if isinstance(old, dict) else old,
                    lambda old: old * 3 if isinstance(old, str | list) else old,
                ]
            )
        )
        body = changed(body, path, change)
    return body


def check(client, route, raw):
    reply = client.post(route, content=raw)
    assert reply.status_code in {200, 400, 422}, (reply.status_code, raw)
    assert reply.json()


@pytest.mark.parametrize("route", ROUTES)
def test_a_body_with_other_values_is_never_a_500(server, route):
    with server.client() as client:

        @settings(max_examples=2_000, suppress_health_check=list(HealthCheck))
        @given(mutants(ROUTES[route]))
        def run(body):
            check(client, route, json.dumps(body).encode())

        run()


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("seed", range(4))
def test_a_body_with_other_bytes_is_never_a_500(server, route, seed):
    chance = random.Random(zlib.crc32(f"{route} {seed}".encode()))
    good = json.dumps(ROUTES[route], ensure_ascii=seed % 2 == 0).encode()
    with server.client() as client:
        for _ in range(800):
            check(client, route, _scrambled(good, chance))


def _scrambled(good, chance):
    """A few bytes changed, dropped, or doubled; what stands between quotes stays JSON often enough."""
    raw = bytearray(good)
    for _ in range(chance.randint(1, 4)):
        at, size = chance.randrange(len(raw)), chance.randint(1, 8)
        match chance.randrange(4):
            case 0:
                raw[at] = chance.randrange(256)
            case 1:
                raw[at] = chance.choice(b'0123456789abcxyz"\\u{}[],:')
            case 2:
                del raw[at : at + size]
            case _:
                raw[at:at] = raw[at : at + size]
    return bytes(raw)


@pytest.mark.parametrize("route", ROUTES)
def test_random_bytes_are_never_a_500(server, route):
    with server.client() as client:

        @settings(max_examples=400)
        @given(st.binary(max_size=200))
        def run(raw):
            check(client, route, raw)

        run()


APP = build_app(Settings(workers=0, labels=""))
EXCEPT = [positive_data_acceptance, not_a_server_error]
"""No schema says that ids differ or that names can be matched; and a deadline of a millisecond is a 504."""
SCHEMA = schemathesis.openapi.from_dict(APP.openapi())


@SCHEMA.parametrize()
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
def test_what_the_openapi_file_says_is_what_the_server_does(case, server):
    reply = case.call_and_validate(base_url=server.url, excluded_checks=EXCEPT)
    assert reply.status_code < 500 or reply.status_code in {503, 504}
