"""Rollouts that travel together get what they would get alone."""

from __future__ import annotations

import asyncio
import json

import pytest

from rubric.intake import parse_score
from rubric.score import score_group
from tests.service.bodies import FIVE, FOUR
from tests.service.bodies import group as real
from tests.trainer_client.double import always, every, fine, group, refuses, serving
from trainer_client import AsyncRewardClient, Settings, StopRun, protocol
from trainer_client.coalesce import body, split
from trainer_client.lone import Known

SCHEME = {"scheme": {"name": "longtrace"}}


def client(double, **settings):
    return AsyncRewardClient(Settings(url=double.url, coalesce=8, coalesce_ms=20, **settings))


async def all_of(client, groups):
    async with client:
        return await asyncio.gather(*(client.score(each) for each in groups))


@pytest.mark.parametrize("scheme", ["longtrace", "e-grpo", "c-grpo", "rar", "outcome"])
def test_nobody_gets_another_reward_for_travelling_in_company(scheme):
    texts = [FOUR, FIVE, "RedOne. The answer is no.", "Nothing."]
    known = Known()
    groups = [
        real({"response": text, "id": f"s{at}"}, id=f"g{at}", scheme={"name": scheme})
        for at, text in enumerate(texts)
    ]
    calls = [known.lone(each) for each in groups]
    alone = [score_group(parse_score(json.dumps(each).encode())) for each in groups]
    together = score_group(parse_score(body(calls)))
    parts = split(protocol.Scored(tuple(together.rollouts), together), calls)
    aside = {"timings_ms"}
    assert [part.reply.model_dump(exclude=aside) for part in parts] == [
        reply.model_dump(exclude=aside) for reply in alone
    ]


async def test_calls_of_one_group_go_out_as_one_request():
    with serving() as double:
        scored = await all_of(client(double), [group(at / 8, id=f"{at}", **SCHEME) for at in range(8)])
    assert [each.rewards for each in scored] == [(at / 8,) for at in range(8)]
    assert [each.reply.id for each in scored] == [f"{at}" for at in range(8)]
    assert len(double.asked) == 1
    assert double.asked[0].body["alone"] is True


async def test_calls_of_different_groups_stay_apart_and_in_order():
    groups = [group(at / 64, question=f"q{at % 8}", **SCHEME) for at in range(64)]
    with serving() as double:
        scored = await all_of(client(double), groups)
    assert [each.rewards[0] for each in scored] == [at / 64 for at in range(64)]
    assert [len(asked.body["rollouts"]) for asked in double.asked] == [8] * 8
    assert all(len({r["response"] for r in asked.body["rollouts"]}) == 1 for asked in double.asked)


async def test_a_lone_call_does_not_wait_for_others_that_never_come():
    with serving() as double:
        assert (await all_of(client(double), [group(0.5, **SCHEME)]))[0].rewards == (0.5,)


async def test_groups_are_not_joined_nor_is_what_an_id_may_decide():
    """The scheme of the server may leave criteria out by the id of the group."""
    with serving() as double:
        own = [group(0.5, id=f"{at}") for at in range(2)]
        await all_of(client(double), [*own, *[group(0.5)] * 4, *[group(0.1, 0.2, **SCHEME)] * 2])
    assert sorted(len(asked.body["rollouts"]) for asked in double.asked) == [1, 1, 2, 2, 4]


async def test_one_rollout_that_is_refused_takes_no_other_along():
    async def picky(asked):
        bad = any(each["outcome"] == 0.25 for each in asked.body["rollouts"])
        return await (refuses(422, "invalid_request") if bad else fine)(asked)

    with serving(picky) as double:
        scored = await all_of(client(double), [group(at / 8, **SCHEME) for at in range(8)])
    assert [each.rewards[0] for each in scored] == [None if at == 2 else at / 8 for at in range(8)]


async def test_everybody_who_waits_is_told_that_the_run_must_stop():
    with serving(refuses(401, "key_missing")) as double:
        own = client(double)
        told = await asyncio.gather(
            *(own.score(group(at / 8, **SCHEME)) for at in range(8)), return_exceptions=True
        )
        await own.aclose()
    assert [type(each) for each in told] == [StopRun] * 8


async def test_everybody_who_waits_gets_a_failure_when_the_request_fails():
    with serving(every(1, refuses(500, "internal"))) as double:
        scored = await all_of(
            client(double, failed_share=1, timeout_s=3), [group(0.5, **SCHEME) for _ in range(3)]
        )
    assert [each.failures[0].type for each in scored] == ["internal"] * 3


async def test_a_caller_who_goes_away_takes_no_other_along():
    with serving() as double:
        own = client(double)
        tasks = [asyncio.create_task(own.score(group(at / 8, **SCHEME))) for at in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        told = await asyncio.gather(*tasks, return_exceptions=True)
        await own.aclose()
    assert [told[0].rewards, type(told[1]), told[2].rewards] == [
        (0.0,),
        asyncio.CancelledError,
        (0.25,),
    ]


async def test_a_reply_of_the_wrong_length_is_nobodys():
    with serving(always(await fine(_Fake()))) as double:
        scored = await all_of(
            client(double, failed_share=1, timeout_s=3), [group(0.5, **SCHEME) for _ in range(2)]
        )
    assert [each.failures[0].type for each in scored] == ["bad_reply"] * 2


class _Fake:
    body = group(0.5)
