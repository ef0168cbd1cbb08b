"""Rewards for slime, called as slime calls them."""

from __future__ import annotations

import asyncio
import json
import math
import pickle

import pytest

from tests.service.bodies import FIVE, FOUR, NAMES
from tests.service.serving import running
from tests.trainer_client.dispatch import (
    NO_ARGS,
    Sample,
    SimpleNamespace,
    Status,
    as_group,
    default_post_process,
    flattened,
    one_by_one,
)
from tests.trainer_client.double import Reply, always, fine, first, refuses, reply, serving, silent, slow
from trainer_client import StopRun
from trainer_client.loops import slime

WRONG = "RedOne. The answer is Swedish."
THREE = FOUR.replace("Lady Gaga's ", "")
GOLD = {"label": "Moroccan-Swedish", "metadata": {"extra_reward_info": {"question": "q", "rubrics": NAMES}}}


def sample(response=FOUR, **fields):
    return Sample(response, **{**GOLD, **fields})


def group_of(*responses, index=0, **fields):
    return [sample(each, group_index=index, index=at, **fields) for at, each in enumerate(responses)]


@pytest.fixture(scope="module")
def server():
    with running(workers=1) as it:
        yield it


@pytest.fixture
def service(server, monkeypatch):
    monkeypatch.setenv("CAIRN_URL", server.url)
    monkeypatch.setenv("CAIRN_FAILED_SHARE", "1")


def asking(double, monkeypatch, **settings):
    for name, value in {"url": double.url, "failed_share": 1, "timeout_s": 2, **settings}.items():
        monkeypatch.setenv(f"CAIRN_{name}".upper(), str(value))


# --- how slime calls ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("service")
def test_one_sample_gets_its_number_with_and_without_keyword_arguments():
    found = asyncio.run(slime.reward(NO_ARGS, sample(), evaluation=False))
    assert found == pytest.approx(0.94)
    assert type(asyncio.run(slime.reward(NO_ARGS, sample()))) is float


@pytest.mark.usefixtures("service")
def test_fanned_out_siblings_get_one_number_each_in_order():
    siblings = [sample(WRONG), sample(FOUR), sample(FIVE)]
    (done,) = asyncio.run(one_by_one(slime.reward, [siblings]))
    assert [each.reward for each in done] == [0.0, pytest.approx(0.94), 1.0]
    assert asyncio.run(slime.reward(NO_ARGS, [])) == []


@pytest.mark.usefixtures("service")
def test_a_group_gets_its_normalized_rewards_in_order_whatever_its_shape():
    flat = asyncio.run(as_group(slime.group_reward, group_of(THREE, FOUR, WRONG)))
    assert [each.reward for each in flat] == [pytest.approx(0.925), 1.0, 0.0]
    nested = [group_of(THREE), group_of(FOUR, WRONG)]
    assert asyncio.run(slime.group_reward(NO_ARGS, nested)) == [[pytest.approx(0.925)], [1.0, 0.0]]


@pytest.mark.usefixtures("service")
def test_a_function_for_groups_that_gets_a_lone_sample_scores_it():
    assert asyncio.run(slime.group_reward(NO_ARGS, sample())) == pytest.approx(0.94)


@pytest.mark.usefixtures("service")
def test_samples_with_other_gold_data_are_no_group():
    other = sample("The answer is Rome.", label="Rome", metadata=None)
    assert asyncio.run(slime.group_reward(NO_ARGS, [sample(), other])) == [pytest.approx(0.94), 1.0]


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize(
    ("status", "expected"),
    [(Status.TRUNCATED, 0.0), (Status.FAILED, 0.0), (Status.PENDING, 0.94), (Status.COMPLETED, 0.94)],
)
def test_a_rollout_that_did_not_end_well_is_worth_nothing_and_has_not_failed(status, expected):
    it = sample(status=status)
    assert asyncio.run(slime.reward(NO_ARGS, it)) == pytest.approx(expected)
    assert not it.remove_sample


@pytest.mark.usefixtures("service")
def test_thinking_that_never_ended_is_not_rewarded_where_the_template_opened_it():
    found = asyncio.run(
        slime.reward(NO_ARGS, sample("FIVE. " + FOUR.partition("</think>")[2], prompt="<think>\n"))
    )
    assert found == 0.0


@pytest.mark.usefixtures("service")
def test_evaluation_may_look_at_the_outcome_alone():
    args = SimpleNamespace(reward_key="reward", eval_reward_key="outcome")
    found = asyncio.run(slime.reward(args, sample()))
    assert found == {"reward": pytest.approx(0.94), "outcome": 1.0, "rubric": 0.8}


@pytest.mark.usefixtures("service")
def test_a_burst_of_512_single_calls_gives_each_its_own_reward():
    texts = {FOUR: 0.94, FIVE: 1.0, WRONG: 0.0, THREE: 0.88}
    samples = [sample(f"{text}\n{at}") for at in range(128) for text in texts]
    asyncio.run(one_by_one(slime.reward, samples))
    assert [each.reward for each in samples] == pytest.approx([*texts.values()] * 128)


def test_the_functions_can_be_shipped_to_other_processes():
    for each in (slime.reward, slime.group_reward, slime.post_process, slime.keep_group, slime.log_rollout):
        assert pickle.loads(pickle.dumps(each)) is each  # noqa: S301 - our own bytes


# --- single mode with post-processing is group mode ---------------------------------------------------------


def both_ways(*groups, args=NO_ARGS):
    """What slime trains on, by either mode."""
    made = [[group_of(*each, index=at) for at, each in groups] for _ in range(2)]
    singles = [asyncio.run(one_by_one(slime.reward, each)) for each in made[0]]
    grouped = [asyncio.run(as_group(slime.group_reward, each)) for each in made[1]]
    return slime.post_process(args, flattened(singles)), slime.post_process(args, flattened(grouped))


@pytest.mark.usefixtures("service")
def test_single_mode_and_group_mode_train_on_the_same_advantages_to_the_last_bit():
    groups = [(3, (THREE, FOUR, WRONG, FIVE)), (8, (THREE, FOUR, WRONG, WRONG)), (5, (FOUR,) * 4)]
    single, grouped = both_ways(*groups)
    assert single == grouped
    raw, advantages = single
    assert raw[4:8] == [pytest.approx(0.925), 1.0, 0.0, 0.0]
    assert advantages[8:] == [0.0] * 4
    assert max(advantages) > 0.5


@pytest.mark.usefixtures("service")
def test_samples_of_several_groups_in_any_order_are_told_apart():
    one, two = group_of(THREE, FOUR, index=1), group_of(FIVE, WRONG, index=2)
    asyncio.run(one_by_one(slime.reward, [*one, *two]))
    mixed = slime.post_process(NO_ARGS, [one[0], two[0], one[1], two[1]])
    assert mixed[0] == [pytest.approx(0.925), 1.0, 1.0, 0.0]


@pytest.mark.usefixtures("service")
def test_without_failures_and_group_schemes_the_advantages_are_those_of_slime():
    own = {"cairn": {"scheme": {"name": "longtrace", "normalize": "none"}}}
    groups = [group_of(THREE, FOUR, WRONG, FIVE, index=at, metadata=GOLD["metadata"] | own) for at in (0, 1)]
    for each in groups:
        asyncio.run(one_by_one(slime.reward, each))
    args = SimpleNamespace(advantage_estimator="grpo", n_samples_per_prompt=4, rollout_batch_size=2)
    raw, advantages = slime.post_process(args, flattened(groups))
    assert raw == [each.reward for each in flattened(groups)]
    assert advantages == pytest.approx(default_post_process(raw, size=4))


def test_rewards_of_other_code_pass_and_are_normalized_as_slime_does():
    values = [0.1, 0.9, 0.4, 1.0, 0.0, 0.0]
    samples = [Sample(reward=each) for each in values]
    args = SimpleNamespace(n_samples_per_prompt=3, rollout_batch_size=2, advantage_estimator="gspo")
    raw, advantages = slime.post_process(args, samples)
    assert raw == values
    assert advantages == pytest.approx(default_post_process(values, size=3))
    assert slime.post_process(SimpleNamespace(advantage_estimator="ppo"), samples)[1] == values
    centered = slime.post_process(SimpleNamespace(grpo_std_normalization=False), samples)[1]
    assert centered == pytest.approx([each - 0.4 for each in values])


def test_a_reward_that_is_no_number_does_not_spoil_its_group():
    samples = [Sample(reward=each, group_index=0) for each in (0.0, 1.0, math.nan, None)]
    raw, advantages = slime.post_process(NO_ARGS, samples)
    assert advantages == pytest.approx([*default_post_process([0.0, 1.0], size=2), 0.0, 0.0])
    assert [each.remove_sample for each in samples] == [False, False, True, True]
    assert all(map(math.isfinite, raw))


# --- failures -----------------------------------------------------------------------------------------------


def with_failures(asked):
    """The lost ones have no reward."""
    said = reply(asked.body)
    for each, given in zip(said["rollouts"], asked.body["rollouts"], strict=True):
        if "lost" in given["response"]:
            failure = {"type": "judge_timeout", "retryable": True, "detail": "no verdict"}
            each |= {"status": "failed", "reward": None, "outcome": None, "rubric": None, "failure": failure}
    return Reply(body=json.dumps(said).encode())


async def some_fail(asked):
    body = asked.body
    for each in body["rollouts"]:
        each["outcome"] = 1.0 if "right" in each["response"] else 0.0
    return with_failures(type(asked)(asked.place, asked.path, asked.headers, json.dumps(body).encode()))


@pytest.mark.parametrize("mode", ["single", "group"])
def test_a_failed_rollout_changes_nobodys_advantage_and_is_not_trained_on(mode, monkeypatch):
    with serving(some_fail) as double:
        asking(double, monkeypatch)
        samples = group_of("right", "wrong", "lost", "right", "lost")
        dispatch, function = {"single": (one_by_one, slime.reward), "group": (as_group, slime.group_reward)}[
            mode
        ]
        asyncio.run(dispatch(function, samples))
    assert all(math.isfinite(each.reward) for each in samples)
    assert [each.remove_sample for each in samples] == [False, False, True, False, True]
    assert samples[2].metadata["reward_error"]["type"] == "judge_timeout"
    raw, advantages = slime.post_process(NO_ARGS, samples)
    assert [advantages[at] for at in (0, 1, 3)] == pytest.approx(
        default_post_process([1.0, 0.0, 1.0], size=3)
    )
    assert (advantages[2], advantages[4]) == (0.0, 0.0)
    assert raw[2] == pytest.approx(2 / 3)


NONSENSE = always(Reply(body=b'{"reward": 1}'))


@pytest.mark.parametrize(
    ("behavior", "kind"),
    [
        (silent, "cut"),
        (always(Reply(body=b"x" * 64, cut=True)), "cut"),
        (slow(5), "timeout"),
        (NONSENSE, "bad_reply"),
        (refuses(422, "invalid_rubric"), "invalid_rubric"),
        (refuses(429, "queue_full", retry_after="9"), "queue_full"),
        (refuses(503, "draining"), "draining"),
        (refuses(504, "deadline_passed"), "deadline_passed"),
        (refuses(500, "internal"), "internal"),
        (refuses(502), "http_502"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_no_kind_of_failure_ends_the_job_or_becomes_a_reward(behavior, kind, monkeypatch):
    with serving(behavior) as double:
        asking(double, monkeypatch, timeout_s=1.5, attempt_timeout_s=0.7)
        samples = group_of(FOUR, FIVE)
        asyncio.run(one_by_one(slime.reward, samples))
    assert {each.metadata["reward_error"]["type"] for each in samples} == {kind}
    assert all(each.remove_sample and math.isfinite(each.reward) for each in samples)
    assert slime.post_process(NO_ARGS, samples)[1] == [0.0, 0.0]


def test_gold_data_that_is_no_request_is_a_failure_with_the_place(monkeypatch):
    with serving(fine) as double:
        asking(double, monkeypatch)
        it = sample(metadata={"cairn": {"scheme": {"name": "no such scheme"}}})
        assert asyncio.run(slime.reward(NO_ARGS, it)) == 0.0
    assert it.metadata["reward_error"]["retryable"] is False
    assert "scheme" in it.metadata["reward_error"]["detail"]
    assert double.asked == []


def test_a_sample_that_was_in_vain_before_is_scored_again_without_a_trace(monkeypatch):
    with serving(first(refuses(422, "invalid_rubric"), then=some_fail)) as double:
        asking(double, monkeypatch)
        it = sample("right")
        asyncio.run(slime.reward(NO_ARGS, it))
        assert "reward_error" in it.metadata
        assert asyncio.run(slime.reward(NO_ARGS, it)) == 1.0
    assert "reward_error" not in it.metadata


def test_a_wrong_key_stops_the_run_rather_than_masking_all_of_it(monkeypatch):
    with serving(refuses(403, "key_wrong")) as double:
        asking(double, monkeypatch)
        with pytest.raises(StopRun, match="key_wrong"):
            asyncio.run(slime.reward(NO_ARGS, sample()))


def test_a_group_rewarded_under_two_schemes_is_left_out(monkeypatch):
    with serving(some_fail) as double:
        asking(double, monkeypatch)
        samples = group_of("right", "wrong")
        asyncio.run(one_by_one(slime.reward, samples))
    samples[0].metadata[slime.RECORD]["scheme"] = {"name": "e-grpo"}
    assert slime.post_process(NO_ARGS, samples)[1] == [0.0, 0.0]
    assert {each.metadata["reward_error"]["type"] for each in samples} == {"mixed_schemes"}


# --- filter and logs ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize(
    ("responses", "keep", "reason"),
    [
        ((FOUR, WRONG), True, None),
        ((FOUR, FOUR), False, "zero_std_1.0"),
        ((WRONG, "no"), False, "zero_std_0.0"),
    ],
)
def test_a_group_that_teaches_nothing_is_dropped_with_the_reason(responses, keep, reason):
    samples = asyncio.run(one_by_one(slime.reward, group_of(*responses)))
    for shape in (samples, [[each] for each in samples]):
        found = slime.keep_group(NO_ARGS, shape)
        assert (found.keep, found.reason) == (keep, reason)


def test_a_group_with_a_failure_is_dropped_with_its_type(monkeypatch):
    with serving(some_fail) as double:
        asking(double, monkeypatch)
        samples = asyncio.run(one_by_one(slime.reward, group_of("right", "lost", "wrong")))
    found = slime.keep_group(NO_ARGS, samples)
    assert (found.keep, found.reason) == (False, "failed_judge_timeout")


@pytest.mark.usefixtures("service")
def test_the_log_tells_how_the_rewards_came_about():
    samples = [*group_of(FOUR, FIVE, WRONG, index=0), *group_of(FOUR, FOUR, index=1)]
    asyncio.run(one_by_one(slime.reward, samples))
    said = {"rollout/other": 1.0}
    assert slime.log_rollout(0, NO_ARGS, samples, said, 1.0) is False
    assert said["cairn/outcome"] == 0.8
    assert said["cairn/criterion/e3"] == pytest.approx(1 / 5)
    assert said["cairn/criterion/e4"] == 1.0
    assert said["cairn/stage/exact"] == 1.0
    assert said["cairn/degenerate_share"] == 0.5
    assert said["cairn/failed_share"] == 0.0
    assert said["rollout/other"] == 1.0
    assert slime.log_rollout(0, NO_ARGS, samples, None, 1.0) is False


def test_an_evaluation_is_not_pulled_down_by_what_could_not_be_scored(monkeypatch):
    with serving(some_fail) as double:
        asking(double, monkeypatch)
        samples = asyncio.run(one_by_one(slime.reward, group_of("right", "lost", "wrong", "right")))
    data = {"aa-lcr": {"rewards": [each.reward for each in samples], "samples": samples}}
    said = {}
    assert slime.log_eval(0, NO_ARGS, data, said) is False
    assert sum(data["aa-lcr"]["rewards"]) / 4 == pytest.approx(2 / 3)
    assert said == {"eval/aa-lcr/cairn_failed_share": 0.25}
