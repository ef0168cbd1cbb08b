"""Whatever the endpoint does: a verdict that it gave, or a typed failure; never a number of our own."""

from __future__ import annotations

import asyncio
import logging
import socket
import time

import pytest
from structlog.testing import capture_logs

from rubric.errors import CannotScore
from rubric.judging import Form
from service.judge.client import Judge
from service.judge.options import JudgeOptions
from tests.service.judge.double import (
    Reply,
    answers,
    completion,
    cuts,
    first,
    honest,
    in_reverse,
    in_thread,
    out_of_quota,
    refuses,
    says,
    slow,
    verdict,
    writes,
)
from tests.service.judge.judges import CASE, FINAL, KEY, asking, failure, judging, outcome

JSON_YES = '{"extracted_final_answer": "x", "reasoning": "y", "correct": "yes"}'


@pytest.mark.parametrize(("said", "value"), [("yes", 1.0), ("no", 0.0)])
async def test_the_verdict_of_the_judge_is_the_outcome(said, value):
    async with judging(says(said)) as (judge, _):
        decided = await judge.decide(FINAL, **CASE)
    assert (decided.value, decided.verifier, decided.detail) == (value, "judge", f"the judge says {said}")


async def test_the_judge_is_asked_as_it_was_promised():
    async with judging(says("yes"), seed=7, max_tokens=900, extra={"top_p": 1}) as (judge, double):
        await judge.decide(f"<think>hm</think>{FINAL}", aliases=("Rbat",), **CASE)
    (asked,) = double.asked
    body = dict(asked.body)
    body.pop("messages")
    assert body == {"model": "a-judge", "temperature": 0.0, "seed": 7, "max_tokens": 900, "top_p": 1}
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert f"\n| {FINAL}\n" in asked.prompt
    assert "[correct_answer]: Rabat\nThe same answer in other words: Rbat" in asked.prompt
    assert "hm</think>" not in asked.prompt


async def test_the_same_rollout_is_asked_with_the_same_bytes():
    async with judging(says("yes")) as (judge, double):
        for _ in range(2):
            await judge.decide(FINAL, **CASE)
    assert double.asked[0].raw == double.asked[1].raw


async def test_a_null_takes_a_field_away_that_the_endpoint_does_not_know():
    async with judging(says("yes"), extra={"seed": None, "max_tokens": None}) as (judge, double):
        assert await outcome(judge) == 1.0
    assert set(double.asked[0].body) == {"model", "temperature", "messages"}


async def test_json_is_asked_for_and_read_where_the_endpoint_enforces_it():
    async with judging(writes(JSON_YES), form=Form.JSON) as (judge, double):
        assert await outcome(judge) == 1.0
    assert double.asked[0].body["response_format"]["json_schema"]["strict"] is True


@pytest.mark.parametrize("final", ["", ":", "Thought process:", "解", "a</think>", "<think>so"])
async def test_a_worthless_response_costs_no_call(final):
    async with judging(says("yes")) as (judge, double):
        decided = await judge.decide(final, **CASE)
    assert decided.value == 0.0
    assert decided.detail.endswith("the judge was not asked")
    assert double.asked == []


# --- failures ---------------------------------------------------------------------------------------------


async def test_a_judge_that_is_down_is_a_failure():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        async with asking(f"http://127.0.0.1:{taken.getsockname()[1]}/v1", tries=2) as judge:
            failed = await failure(judge)
    assert (failed.kind, failed.retryable) == ("judge_unreachable", True)


async def test_a_judge_slower_than_the_deadline_is_a_failure():
    async with judging(slow(30, says("yes")), deadline_s=0.1) as (judge, _):
        failed = await failure(judge)
    assert (failed.kind, failed.retryable) == ("judge_timeout", True)


async def test_the_deadline_of_the_request_is_kept_too():
    async with judging(slow(30, says("yes"))) as (judge, _):
        assert await outcome(judge, deadline=time.monotonic() + 0.1) == "judge_timeout"
        assert await outcome(judge, deadline=time.monotonic() - 1) == "judge_timeout"


async def test_a_call_that_takes_too_long_is_made_again():
    async with judging(first(slow(30, says("no")), then=says("yes")), timeout_s=0.1) as (judge, double):
        assert await outcome(judge) == 1.0
    assert len(double.asked) == 2


NONSENSE = {
    "prose": writes("What a lovely question."),
    "both": writes(f"{verdict('yes')}\n{verdict('no')}"),
    "empty": writes(""),
    "null": writes(None),
    "page": answers(200, None),
    "HTML": lambda _: _html(),
    "no choices": answers(200, {"choices": []}),
    "an error in a 200": answers(200, {"error": {"message": "no"}}),
    "an array": answers(200, [1, 2]),
    "cut short": writes(verdict("yes"), finish="length"),
}


async def _html():
    return Reply(body=b"<html>correct: yes</html>", headers={"content-type": "text/html"})


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
async def test_nonsense_is_asked_again_and_then_a_failure(nonsense):
    async with judging(nonsense, tries=3) as (judge, double):
        failed = await failure(judge)
    assert (failed.kind, failed.retryable) == ("judge_unparsable", False)
    assert [asked.body["seed"] for asked in double.asked] == [0, 1, 2]


async def test_one_bad_reply_does_not_cost_the_verdict():
    async with judging(first(writes("Hm."), then=says("no"))) as (judge, _):
        assert await outcome(judge) == 0.0


async def test_a_reply_without_an_end_is_not_kept_in_memory():
    async with judging(lambda _: _endless(), tries=1) as (judge, _):
        assert await outcome(judge) == "judge_unparsable"


async def _endless():
    return completion(verdict("yes", reasoning="x" * 3_000_000))


async def test_429_is_waited_out_for_as_long_as_it_says_and_takes_no_try_away():
    busy = answers(429, {"error": {"code": "rate_limit_exceeded"}}, retry_after_ms="20")
    async with judging(first(busy, busy, then=says("yes")), tries=1, breaker_failures=1) as (judge, double):
        assert await outcome(judge) == 1.0
    assert [asked.body["seed"] for asked in double.asked] == [0, 0, 0]


async def test_a_retry_after_beyond_the_deadline_is_not_waited_for():
    async with judging(answers(429, None, retry_after="3600")) as (judge, double):
        failed = await failure(judge)
        assert await outcome(judge) == "judge_timeout"  # the next one waits in vain as well
    assert (failed.kind, failed.detail) == ("judge_unreachable", "the judge answered 429")
    assert len(double.asked) == 1


async def test_others_wait_too_when_the_endpoint_asks_for_patience():
    busy = answers(429, None, retry_after_ms="150")
    async with judging(first(busy, then=says("yes")), concurrency=1) as (judge, double):
        started = time.monotonic()
        assert await asyncio.gather(*(outcome(judge) for _ in range(3))) == [1.0] * 3
        assert time.monotonic() - started >= 0.15
    assert len(double.asked) == 4


async def test_a_connection_cut_in_mid_reply_is_asked_again():
    async with judging(first(cuts(), then=says("no"))) as (judge, _):
        assert await outcome(judge) == 0.0


async def test_a_connection_that_is_always_cut_is_a_failure():
    async with judging(cuts(), tries=2) as (judge, double):
        failed = await failure(judge)
    assert (failed.kind, failed.retryable, len(double.asked)) == ("judge_unreachable", True, 2)


async def test_an_endpoint_that_hangs_up_is_a_failure():
    async with judging(answers(None), tries=1) as (judge, _):
        assert await outcome(judge) == "judge_unreachable"


@pytest.mark.parametrize("status", [408, 500, 502, 503, 529])
async def test_a_server_error_is_asked_again_with_the_same_seed(status):
    async with judging(first(answers(status), then=says("no"))) as (judge, double):
        assert await outcome(judge) == 0.0
    assert [asked.body["seed"] for asked in double.asked] == [0, 0]


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 413, 422])
async def test_what_asking_again_cannot_help_is_asked_once(status):
    async with judging(answers(status, {"error": {"message": FINAL, "code": "bad"}})) as (judge, double):
        failed = await failure(judge)
    assert (failed.kind, failed.retryable, len(double.asked)) == ("judge_refused", False, 1)
    assert failed.detail == f"the judge answered {status} (bad)"


@pytest.mark.parametrize(
    "behavior",
    [refuses(), writes("correct: yes", finish="content_filter"), answers(400, {"code": "content_filter"})],
)
async def test_a_refusal_is_no_zero(behavior):
    async with judging(behavior) as (judge, double):
        failed = await failure(judge)
    assert (failed.kind, failed.retryable, len(double.asked)) == ("judge_refused", False, 1)


@pytest.mark.parametrize(
    "behavior",
    [
        out_of_quota(),
        answers(402),
        answers(429, {"error": {"type": "exceeded_current_quota_error"}}),
        answers(403, {"code": "AllocationQuota.FreeTierOnly"}),
        answers(400, {"code": "Arrearage"}),
    ],
)
async def test_an_empty_account_is_told_apart_and_not_asked_again(behavior):
    async with judging(behavior, concurrency=1) as (judge, double):
        kinds = await asyncio.gather(*(outcome(judge) for _ in range(20)))
    assert set(kinds) == {"judge_quota"}
    assert len(double.asked) == 1


async def test_a_judge_out_of_quota_serves_again_when_it_is_paid():
    async with judging(first(out_of_quota(), then=says("yes")), breaker_rest_s=0.01) as (judge, _):
        assert await outcome(judge) == "judge_quota"
        await asyncio.sleep(0.02)
        assert [await outcome(judge), await outcome(judge)] == [1.0, 1.0]


async def test_a_judge_that_is_down_is_left_alone():
    async with judging(answers(500), tries=1, breaker_failures=4, concurrency=2) as (judge, double):
        kinds = await asyncio.gather(*(outcome(judge) for _ in range(50)))
    assert set(kinds) == {"judge_unreachable"}
    assert len(double.asked) <= 5


async def test_one_failed_rollout_leaves_the_others_their_verdicts():
    async def moody(asked):
        return Reply(500) if "| bad luck" in asked.prompt else await honest(asked)

    finals = ["It is Rabat.", "bad luck", "It is Oslo.", "Rabat!"]
    async with judging(moody, tries=1) as (judge, _):
        found = await asyncio.gather(*(outcome(judge, final) for final in finals))
    assert found == [1.0, "judge_unreachable", 0.0, 1.0]


async def test_replies_out_of_order_find_their_rollouts():
    finals = [f"It is {'Rabat' if index % 3 else 'Oslo'} ({index})." for index in range(16)]
    async with judging(in_reverse(16, honest)) as (judge, _):
        found = await asyncio.gather(*(outcome(judge, final) for final in finals))
    assert found == [float(bool(index % 3)) for index in range(16)]


# --- votes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("votes", "cast", "value", "calls"),
    [
        (3, "yyn", 1.0, 2),
        (3, "nny", 0.0, 2),
        (3, "yny", 1.0, 3),
        (3, "ynn", 0.0, 3),
        (2, "yy", 1.0, 2),
        (2, "yn", 0.0, 2),
        (4, "yyyn", 1.0, 3),
        (4, "yynn", 0.0, 4),
        (3, "fyy", 1.0, 3),
        (3, "fnn", 0.0, 3),
        (3, "fyn", "judge_unparsable", 3),
        (3, "ffy", "judge_unparsable", 3),
        (2, "fn", 0.0, 2),
        (2, "fy", "judge_unparsable", 2),
        (1, "f", "judge_unparsable", 1),
    ],
)
async def test_a_majority_decides_a_tie_is_no_and_a_failed_vote_is_neither(votes, cast, value, calls):
    said = {"y": verdict("yes"), "n": verdict("no"), "f": "Hm."}

    async def behave(asked):
        return completion(said[cast[asked.body["seed"]]])

    async with judging(behave, votes=votes, tries=1) as (judge, double):
        assert await outcome(judge) == value
    assert len(double.asked) == calls


# --- limits -----------------------------------------------------------------------------------------------


async def test_no_more_than_the_limit_are_asked_at_once():
    async with judging(slow(0.01, says("yes")), concurrency=5) as (judge, double):
        assert set(await asyncio.gather(*(outcome(judge) for _ in range(60)))) == {1.0}
    assert double.most_at_once == 5


async def test_a_rollout_that_waits_too_long_for_its_turn_is_a_failure_and_the_others_are_not():
    then_slow = first(says("yes"), says("yes"), then=slow(30, says("yes")))
    async with judging(then_slow, concurrency=2, deadline_s=1.0) as (judge, _):
        found = await asyncio.gather(*(outcome(judge) for _ in range(40)))
    assert found == [1.0, 1.0, *["judge_timeout"] * 38]


async def test_requests_a_minute_are_kept():
    async with judging(says("yes"), requests_per_minute=60, deadline_s=0.5) as (judge, double):
        found = await asyncio.gather(*(outcome(judge) for _ in range(5)))
    assert sorted(map(str, found)) == ["1.0", *["judge_timeout"] * 4]
    assert len(double.asked) == 1


async def test_tokens_a_minute_are_counted_as_they_were_used():
    async with judging(says("yes"), tokens_per_minute=60_000, max_tokens=50_000) as (judge, double):
        assert await outcome(judge) == 1.0
        assert await outcome(judge, deadline=time.monotonic() + 5) == 1.0  # 700 were used, not 50,000
    assert len(double.asked) == 2


async def test_a_rollout_that_is_given_up_frees_its_place():
    async with judging(first(slow(30, says("no")), then=says("yes")), concurrency=1) as (judge, _):
        abandoned = asyncio.create_task(judge.decide(FINAL, **CASE))
        await asyncio.sleep(0.05)
        abandoned.cancel()
        assert await outcome(judge) == 1.0


async def test_a_connection_that_the_endpoint_closed_meanwhile_is_not_used():
    with in_thread(says("yes")) as double:
        async with asking(double.url, tries=1) as judge:
            assert await outcome(judge) == 1.0
            await asyncio.wrap_future(
                asyncio.run_coroutine_threadsafe(double.hang_up(), double.loop)  # and goes on listening
            )
            await asyncio.sleep(0.2)
            assert await outcome(judge) == 1.0


# --- what is told -----------------------------------------------------------------------------------------


async def test_calls_are_told_with_their_result():
    results = []
    async with (
        judging(first(cuts(), writes("Hm."), then=says("yes"))) as (_, double),
    ):
        options = JudgeOptions(base_url=double.url, model="a-judge")
        judge = Judge(options, on_call=lambda result, seconds: results.append((result, seconds >= 0)))
        assert await outcome(judge) == 1.0
        await judge.close()
    assert results == [("judge_unreachable", True), ("judge_unparsable", True), ("ok", True)]


async def test_neither_key_nor_text_is_in_a_failure_a_log_or_a_repr(caplog):
    caplog.set_level(logging.DEBUG)
    secrets = (KEY, "Oslo", "Which city", "Rabat")
    told = []
    with capture_logs() as events:
        for behavior in (answers(400, {"error": {"message": FINAL, "code": FINAL}}), writes(FINAL), cuts(),
                         out_of_quota()):  # fmt: skip
            async with judging(behavior, tries=1, breaker_failures=1) as (judge, _):
                failed = await failure(judge)
                told += [failed.detail, str(failed), repr(judge), str(vars(judge)["_endpoint"])]
                told.append(repr(judge._options))
    told += [str(events), caplog.text]
    assert events
    assert not [secret for secret in secrets for text in told if secret in text]


async def test_failures_survive_a_pickle():
    async with judging(refuses()) as (judge, _):
        failed = await failure(judge)
    copy, arguments = failed.__reduce__()
    assert isinstance(copy(*arguments), CannotScore)
