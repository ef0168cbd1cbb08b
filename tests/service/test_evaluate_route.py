"""POST /evaluate: LongTraceRL's numbers through HTTP, and its 500s as 4xx."""

from __future__ import annotations

import json

import pytest

from tests.service.bodies import rollout
from tests.service.serving import ROOT, running


def post(client, body):
    reply = client.post("/evaluate", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_a_right_answer_and_half_of_the_rubric(client):
    assert post(client, rollout()) == {
        "reward": pytest.approx(0.7 + 0.3 * 0.5),
        "outcome_reward": 1.0,
        "rubric_reward": 0.5,
    }


def test_the_matcher_is_the_reference_with_its_faults(client):
    assert post(client, rollout(response="A woman. The answer is Muscat."))["rubric_reward"] == 0.5


def test_a_list_of_labels_has_several_ways_to_be_right(client):
    assert post(client, rollout(label=["Maskat", "Muscat"]))["outcome_reward"] == 1.0


def test_the_golden_answers_of_the_reference_arrive_unchanged(client):
    lines = (ROOT / "tests/golden/evaluate.jsonl").read_text(encoding="utf-8").splitlines()
    cases = [json.loads(line) for line in lines]
    sent = [case for case in cases if case["body"]["extra_reward_info"]["rubric_reward_ratio"] == 1]
    assert len(sent) > 10
    for case in sent:
        assert post(client, case["body"]) == case["reply"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"label": "x"},
        rollout(extra_reward_info={}),
        rollout(response=None),
        rollout(history=[]),
        [],
        3,
        "x",
    ],
)
def test_what_the_reference_answers_with_a_500_is_a_422(client, body):
    reply = client.post("/evaluate", json=body)
    assert reply.status_code == 422
    assert reply.json()["errors"]


def test_a_server_that_decides_no_outcome_rewards_the_rubric_alone():
    with running(workers=0, verifier="none") as server, server.client() as client:
        body = rollout()
        reply = client.post("/evaluate", json=body)
        assert reply.status_code == 422
        assert reply.json()["errors"][0]["path"] == "$.extra_reward_info.rubric_reward_ratio"
        body["extra_reward_info"]["rubric_reward_ratio"] = 1
        assert post(client, body)["reward"] == 0.5


def test_an_empty_list_of_answers_is_refused_where_an_answer_is_needed(client):
    body = rollout(label=[])
    assert client.post("/evaluate", json=body).json()["errors"][0]["path"] == "$.label"
    body["extra_reward_info"]["rubric_reward_ratio"] = 1
    assert post(client, body)["outcome_reward"] == 0.0
