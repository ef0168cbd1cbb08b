"""Against the service as it is served: what is sent is understood, and what comes back is read."""

from __future__ import annotations

import asyncio

import pytest

from tests.service.bodies import FIVE, FOUR, group, rollout
from tests.service.serving import metric, running
from trainer_client import AsyncRewardClient, FixRequest, RewardClient, Settings, StopRun

WRONG = "RedOne. The answer is Swedish."


@pytest.fixture(scope="module")
def server():
    with running(workers=1, api_keys="right", max_in_flight=8) as it:
        yield it


@pytest.fixture
def client(server):
    with RewardClient(Settings(url=server.url, api_key="right", timeout_s=20, failed_share=1)) as it:
        yield it


def test_the_worked_example_comes_through(client):
    scored = client.score(group(FOUR, FIVE, {"response": FOUR, "status": "truncated"}))
    assert scored.rewards == (pytest.approx(0.94), 1.0, 0.0)
    assert (
        scored.reply.rollouts[0].criteria[3].near_miss is not None
        or scored.reply.rollouts[0].rubric.hits == 4
    )
    assert scored.failures == (None, None, None)


def test_a_bad_rubric_is_told_with_its_path_and_takes_no_other_along(client):
    bad = {**group(FOUR), "rubric": {"entities": ["RedOne", "$ $"]}}
    found = client.score_many([group(FOUR), bad])
    assert [each.rewards for each in found] == [(pytest.approx(0.94),), (None,)]
    assert "$.rubric.entities[1]" in found[1].failures[0].detail
    with pytest.raises(FixRequest, match="invalid_rubric"):
        found[1].raise_for_failure()


def test_the_three_numbers_of_the_reference_come_through(client):
    reply = client.evaluate(rollout())
    assert (reply.reward, reply.outcome_reward, reply.rubric_reward) == (pytest.approx(0.85), 1.0, 0.5)


@pytest.mark.parametrize("key", ["", "wrong"])
def test_a_key_that_may_not_score_stops_the_run(server, key):
    with RewardClient(Settings(url=server.url, api_key=key)) as client, pytest.raises(StopRun, match="key_"):
        client.score(group(FOUR))


def test_an_address_that_is_not_the_services_stops_the_run(server):
    elsewhere = Settings(url=f"{server.url}/v1", api_key="right")
    with RewardClient(elsewhere) as client, pytest.raises(StopRun, match="not_found"):
        client.score(group(FOUR))


@pytest.mark.parametrize("coalesce", [0, 8])
def test_a_burst_of_single_rollouts_brings_each_its_own_reward(server, coalesce):
    texts = [FOUR, FIVE, WRONG, "Nothing."]
    groups = [
        group(f"{texts[at % 4]}\n{at}", scheme={"name": "longtrace", "gate": "none"}) for at in range(512)
    ]
    settings = Settings(url=server.url, api_key="right", coalesce=coalesce, concurrency=8)

    async def burst():
        async with AsyncRewardClient(settings) as client:
            return await asyncio.gather(*(client.score(each) for each in groups))

    found = asyncio.run(burst())
    assert [each.rewards[0] for each in found[:4]] == [pytest.approx(each) for each in (0.94, 1, 0.06, 0)]
    assert [each.rewards[0] for each in found] == [found[at % 4].rewards[0] for at in range(512)]


def test_more_calls_than_the_service_admits_are_all_answered_without_a_storm(server):
    settings = Settings(url=server.url, api_key="right", concurrency=32, timeout_s=30)
    with server.client() as watching, RewardClient(settings) as client:
        before = metric(watching, "cairn_requests_total", route="/score", status="429")
        found = client.score_many(group(f"{FOUR}\n{at}") for at in range(600))
        refused = metric(watching, "cairn_requests_total", route="/score", status="429") - before
    assert {each.rewards for each in found} == {(found[0].rewards[0],)}
    assert found[0].rewards[0] == pytest.approx(0.94)
    assert 0 < refused <= 0.2 * 600


def test_compressed_bodies_and_deadlines_are_understood(server):
    settings = Settings(url=server.url, api_key="right", zstd=True, timeout_s=20)
    with RewardClient(settings) as client:
        assert client.score(group(FOUR)).rewards == (pytest.approx(0.94),)
