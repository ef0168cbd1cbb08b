"""Against a server that behaves as it is told: every call ends in time, with a score or a typed failure."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import time

import pytest
import zstandard

from tests.trainer_client.double import (
    Double,
    Reply,
    always,
    every,
    fine,
    first,
    group,
    refuses,
    reply,
    serving,
    silent,
    slow,
)
from trainer_client import AsyncRewardClient, FixRequest, RewardClient, Settings, StopRun, TryLater


def settings(double, **fields):
    return Settings(url=double.url, **{"timeout_s": 10, "failed_share": 1, **fields})


@pytest.fixture
def double():
    with serving() as it:
        yield it


def scored(double, *groups, **fields):
    with RewardClient(settings(double, **fields)) as client:
        return client.score_many(groups)


# --- what is asked ----------------------------------------------------------------------------------------


def test_many_concurrent_calls_keep_their_order_and_share_few_connections(double):
    found = scored(double, *(group(at / 512) for at in range(512)), concurrency=16)
    assert [each.rewards for each in found] == [(at / 512,) for at in range(512)]
    assert len(double.asked) == 512
    assert double.most_at_once <= 16
    assert double.connections <= 16


def test_waiting_for_a_turn_is_not_taken_for_a_slow_answer(double):
    double.behavior = slow(0.05)
    found = scored(double, *(group(at / 40) for at in range(40)), concurrency=2, attempt_timeout_s=0.5)
    assert [each.rewards for each in found] == [(at / 40,) for at in range(40)]


def test_the_key_the_trace_and_the_deadline_go_along(double):
    with RewardClient(settings(double, api_key="secret", timeout_s=4)) as client:
        client.score(group(0.5))
        client.score(group(0.5), traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    own, given = (asked.headers for asked in double.asked)
    assert own["authorization"] == "Bearer secret"
    assert 3000 < int(own["x-request-timeout-ms"]) <= 4000
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", own["traceparent"])
    assert re.fullmatch(rf"00-{'a' * 32}-(?!b{{16}})[0-9a-f]{{16}}-01", given["traceparent"])
    assert given["x-request-id"] == "a" * 32


def test_attempts_of_one_call_are_one_trace_of_several_spans(double):
    double.behavior = first(refuses(503, "draining"))
    scored(double, group(0.5))
    one, other = (asked.headers["traceparent"].split("-") for asked in double.asked)
    assert one[1] == other[1]
    assert one[2] != other[2]


def test_bodies_are_compressed_where_that_is_wanted(double):
    double.behavior = always(Reply(status=503))
    scored(double, group(0.5), zstd=True, timeout_s=0.2)
    asked = double.asked[0]
    assert asked.headers["content-encoding"] == "zstd"
    assert b'"outcome":0.5' in zstandard.ZstdDecompressor().decompress(asked.raw)


def test_an_address_may_have_a_path(double):
    with RewardClient(Settings(url=f"{double.url}/team/a/")) as client:
        client.score(group(0.5))
    assert double.asked[0].path == "/team/a/score"


def test_a_proxy_for_the_internet_is_not_asked_for_rewards(double, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert scored(double, group(0.5))[0].rewards == (0.5,)


# --- what comes back --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    [
        refuses(429, "queue_full"),
        refuses(503, "starting"),
        refuses(503, "draining"),
        refuses(502),
        refuses(500, "internal"),
        refuses(504, "deadline_passed"),
        refuses(408),
        refuses(404),
        silent,
        always(Reply(body=b'{"rollouts": []}' * 99, cut=True)),
        always(Reply(body=b"<html>")),
    ],
)
def test_what_may_help_is_tried_again(double, trouble):
    double.behavior = first(trouble)
    assert scored(double, group(0.5))[0].rewards == (0.5,)
    assert len(double.asked) == 2


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "not_json"), (413, "too_large"), (422, "invalid_rubric"), (413, None), (418, None)],
)
def test_a_bad_request_is_a_failure_at_once_and_takes_no_other_along(double, status, kind):
    async def picky(asked):
        return await (refuses(status, kind) if asked.body["question"] == "bad" else fine)(asked)

    double.behavior = picky
    found = scored(double, group(0.5, question="bad"), group(0.25, question="good"))
    assert [each.rewards for each in found] == [(None,), (0.25,)]
    assert (found[0].failures[0].type, found[0].failures[0].retryable) == (kind or f"http_{status}", False)
    assert len(double.asked) == 2


@pytest.mark.parametrize(
    "answer",
    [refuses(401, "key_missing"), refuses(403), refuses(404, "not_found"), refuses(307, location="/")],
)
def test_a_wrong_key_or_address_stops_the_run_at_once(double, answer):
    double.behavior = answer
    with pytest.raises(StopRun, match="CAIRN_URL"):
        scored(double, group(0.5), group(0.25))
    assert len(double.asked) <= 2


def test_a_failed_rollout_is_no_zero_and_its_siblings_keep_their_rewards(double):
    body = reply(group(0.25, 0.5))
    failure = {"type": "worker_lost", "retryable": True, "detail": "d"}
    body["rollouts"][0] |= {"status": "failed", "reward": None, "failure": failure}
    body["rollouts"][1] |= {"status": "masked", "reward": None}
    double.behavior = always(Reply(body=json.dumps(body).encode()))
    found = scored(double, group(0.25, 0.5))[0]
    assert found.rewards == (None, None)
    assert [each and each.type for each in found.failures] == ["worker_lost", None]


def test_patience_that_the_service_asks_for_is_kept(double):
    double.behavior = first(refuses(503, "draining", retry_after="1"))
    scored(double, group(0.5))
    assert double.asked[1].at - double.asked[0].at >= 1.0


def test_nobody_waits_for_an_answer_that_would_come_too_late(double):
    double.behavior = refuses(503, "draining", retry_after="3600")
    begun = time.monotonic()
    found = scored(double, group(0.5))[0]
    assert time.monotonic() - begun < 5
    assert found.failures[0].type == "draining"
    assert len(double.asked) == 1


@pytest.mark.parametrize(
    "behavior", [silent, refuses(500, "internal"), refuses(503, "worker_lost"), always(Reply(body=b"{}"))]
)
def test_a_request_that_may_be_the_reason_is_not_sent_for_ever(double, behavior):
    double.behavior = behavior
    found = scored(double, group(0.5))[0]
    assert len(double.asked) == 3
    assert found.rewards == (None,)
    assert found.failures[0].retryable


@pytest.mark.parametrize("timeout_s", [0.2, 0.5])
def test_a_call_ends_when_its_deadline_comes_whatever_the_server_does(double, timeout_s):
    double.behavior = slow(30)
    begun = time.monotonic()
    found = scored(double, *(group(0.5) for _ in range(20)), timeout_s=timeout_s, concurrency=4)
    assert time.monotonic() - begun < timeout_s + 1
    assert {each.failures[0].type for each in found} == {"timeout"}
    assert {each.rewards for each in found} == {(None,)}


def test_a_slow_attempt_is_given_up_before_the_call_is(double):
    double.behavior = first(slow(30))
    assert scored(double, group(0.5), attempt_timeout_s=0.3)[0].rewards == (0.5,)


def test_a_failure_can_be_looked_up_in_the_log_of_the_service(double):
    double.behavior = refuses(500, "internal")
    detail = scored(double, group(0.5))[0].failures[0].detail
    assert double.asked[0].headers["x-request-id"] in detail
    assert "attempts: 3" in detail


def test_three_numbers_have_no_place_for_a_failure_so_it_is_raised(double):
    numbers = b'{"reward": 0.5, "outcome_reward": 1.0, "rubric_reward": 0.0}'
    double.behavior = first(
        always(Reply(body=numbers)), refuses(422, "invalid_request"), then=refuses(500, "internal")
    )
    with RewardClient(settings(double)) as client:
        assert client.evaluate({"label": "x"}).reward == 0.5
        with pytest.raises(FixRequest):
            client.evaluate({"label": "x"})
        with pytest.raises(TryLater):
            client.evaluate({"label": "x"})


# --- many of them -----------------------------------------------------------------------------------------


def test_a_run_with_too_many_failures_is_stopped_and_told_why(double):
    double.behavior = refuses(422, "invalid_rubric", "an entity is empty")
    with RewardClient(settings(double, failed_share=0.5, failed_window=16, concurrency=2)) as client:
        with pytest.raises(StopRun, match=r"invalid_rubric.*CAIRN_FAILED_SHARE.*an entity is empty"):
            client.score_many([group(0.5)] * 100)
        client.close()  # and with it what was on its way
        asked = len(double.asked)
        with pytest.raises(StopRun):
            client.score(group(0.5))
    assert len(double.asked) == asked <= 8


def test_failures_of_every_second_request_do_not_double_the_requests(double):
    double.behavior = every(2, refuses(503, "draining"))
    found = scored(double, *(group(0.5) for _ in range(200)), timeout_s=4)
    assert len(double.asked) <= 200 + 50 + 20 + 1
    assert {each.rewards for each in found} <= {(0.5,), (None,)}


def test_an_outage_ends_in_scores_and_without_a_storm(double):
    """The service is gone for a second in their midst."""
    calls = 250

    async def run():
        async with AsyncRewardClient(settings(double, timeout_s=8)) as client:
            tasks = []
            for at in range(calls):
                if at == 60:
                    double.behavior = refuses(503, "starting")
                if at == 185:
                    double.behavior = fine
                tasks.append(asyncio.create_task(client.score(group(at / calls))))
                await asyncio.sleep(0.008)
            return await asyncio.gather(*tasks)

    begun = time.monotonic()
    found = asyncio.run(run())
    assert time.monotonic() - begun < 2 + 8
    assert len(double.asked) <= 1.2 * calls
    assert [each.rewards[0] for each in found] == [at / calls for at in range(calls)]


async def test_calls_that_a_dying_server_cut_off_are_answered_by_the_next_one():
    calls = 200
    async with Double(slow(0.02)) as dying:
        client = AsyncRewardClient(settings(dying))
        tasks = [asyncio.create_task(client.score(group(at / calls))) for at in range(calls)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(0.5)
    async with Double(fine, port=dying.port) as back:
        found = await asyncio.gather(*tasks)
        await client.aclose()
    assert [each.rewards[0] for each in found] == [at / calls for at in range(calls)]
    assert 0 < len(dying.asked) < calls
    assert len(dying.asked) + len(back.asked) <= 1.2 * calls


def test_where_nobody_listens_every_call_fails_in_its_time_and_says_so():
    with serving() as gone:
        pass
    begun = time.monotonic()
    found = scored(gone, *(group(0.5) for _ in range(200)), timeout_s=1.5)
    assert time.monotonic() - begun < 3
    assert {each.failures[0].type for each in found} == {"unreachable"}
    assert all(each.failures[0].retryable and each.rewards == (None,) for each in found)


async def test_a_client_that_nobody_has_any_more_disturbs_no_other(double):
    """Sockets of a collected client must not be unregistered once others have their numbers."""
    for _ in range(6):
        client = AsyncRewardClient(settings(double, attempt_timeout_s=2))
        await client.score_many([group(0.5)] * 8)
        client = AsyncRewardClient(settings(double, attempt_timeout_s=2))
        await client.score_many([group(0.5)] * 8)
        gc.collect()
        found = await client.score_many([group(at / 64) for at in range(64)])
        assert [each.rewards[0] for each in found] == [at / 64 for at in range(64)]
    await client.aclose()
    assert len(double.asked) == 6 * (8 + 8 + 64)


async def test_a_stopped_batch_leaves_nothing_behind(double):
    double.behavior = first(refuses(401, "key_missing"), then=slow(30))
    async with AsyncRewardClient(settings(double)) as client:
        with pytest.raises(StopRun):
            await client.score_many([group(0.5)] * 50)
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) <= 2


async def test_calls_that_wait_for_their_turn_hear_of_a_stopped_run(double):
    double.behavior = refuses(422, "invalid_rubric")
    own = settings(double, failed_share=0.5, failed_window=16, concurrency=2)
    async with AsyncRewardClient(own) as client:
        calls = (client.score(group(0.5)) for _ in range(100))
        told = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(each, StopRun) for each in told) > 90
    assert len(double.asked) <= 8


async def test_a_caller_who_goes_away_does_not_keep_the_place_of_others(double):
    double.behavior = first(slow(30), slow(30))
    async with AsyncRewardClient(settings(double, concurrency=1)) as client:
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.score(group(0.5)), 0.1)
        assert (await client.score(group(0.25))).rewards == (0.25,)
