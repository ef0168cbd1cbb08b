"""POST /score over a real socket: the numbers of the paper, isolation of failures, work done once."""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.service.bodies import FIVE, FOUR, group, long_text
from tests.service.serving import JSON, metric, running, wait_until


def post(client, body):
    reply = client.post("/score", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_the_example_of_the_api_gets_the_numbers_of_the_paper(client):
    reply = post(client, group(FOUR, FIVE, {"response": "La la", "status": "truncated"}, id="step12/prompt3"))
    assert [each["reward"] for each in reply["rollouts"]] == pytest.approx([0.94, 1.0, 0.0])
    assert reply["group"] == {
        "size": 3,
        "scored": 3,
        "score_max": 1.0,
        "reward_mean": pytest.approx(0.6467, abs=1e-4),
        "reward_std": pytest.approx(0.5608, abs=1e-4),
        "degenerate": False,
    }
    assert reply["scheme"] == {"name": "longtrace", "eta": 0.3, "gate": "positive", "normalize": "group_max"}


def test_a_lone_rollout_is_not_divided_by_itself(client):
    reply = post(client, group(FOUR))
    assert reply["rollouts"][0]["reward"] == pytest.approx(0.94)
    assert reply["scheme"]["normalize"] == "deferred"


def test_evidence_can_be_highlighted_in_the_text_that_was_sent(client):
    text = "Zoë heard Lady\u00a0Gaga sing “Poker Face”. The answer is Moroccan-Swedish."
    criteria = post(client, group(text))["rollouts"][0]["criteria"]
    found = {each["entity"]: text[each["start"] : each["end"]] for each in criteria if each["hit"]}
    assert found == {"Lady Gaga": "Lady\u00a0Gaga", "Poker Face": "Poker Face"}
    assert found == {each["entity"]: each["surface"] for each in criteria if each["hit"]}


def test_a_version_tells_the_fingerprint_that_replies_carry(client):
    assert client.get("/version").json()["fingerprint"] == post(client, group(FOUR))["fingerprint"]


def test_a_warm_cache_gives_the_same_rollouts_byte_for_byte(client):
    body = group(FOUR + " Cold.", FIVE + " Cold.")
    before = metric(client, "cairn_cache_lookups_total", result="hit")
    cold, warm = (client.post("/score", json=body).content.partition(b',"timings_ms"')[0] for _ in range(2))
    assert metric(client, "cairn_cache_lookups_total", result="hit") == before + 2
    assert cold == warm


def test_a_remembered_verdict_is_not_used_for_another_question(client):
    body = group(FOUR + " Another.")
    asked = post(client, body | {"question": "Is it RedOne?"})["rollouts"][0]["criteria"][4]
    assert "in_question" not in post(client, body)["rollouts"][0]["criteria"][4]["flags"]
    assert "in_question" in asked["flags"]


def test_a_remembered_verdict_is_not_used_for_another_rubric_answer_field_or_profile(client):
    body = group("<think>Just Dance</think> It is Oman. The answer is Muscat.")
    first = post(client, body)["rollouts"][0]
    assert (first["outcome"]["value"], first["rubric"]["hits"]) == (0.0, 0)
    assert post(client, body | {"answer": "Muscat"})["rollouts"][0]["outcome"]["value"] == 1.0
    assert post(client, body | {"rubric": {"entities": ["Oman"]}})["rollouts"][0]["rubric"]["hits"] == 1
    assert post(client, body | {"fields": ["reasoning"]})["rollouts"][0]["rubric"]["hits"] == 1
    legacy = body | {"rubric": {"entities": ["Oma"]}}
    assert post(client, legacy)["rollouts"][0]["rubric"]["hits"] == 0
    assert post(client, legacy | {"profile": "legacy"})["rollouts"][0]["rubric"]["hits"] == 1


def test_the_same_request_at_once_is_computed_once(client):
    body = json.dumps(group(*(long_text(f"once {index}", size=40_000) for index in range(60)))).encode()
    results = ("miss", "joined", "hit")
    before = [metric(client, "cairn_cache_lookups_total", result=each) for each in results]
    with ThreadPoolExecutor(4) as threads:
        replies = list(
            threads.map(lambda _: client.post("/score", content=body).json()["rollouts"], range(4))
        )
    after = [metric(client, "cairn_cache_lookups_total", result=each) for each in results]
    computed, joined, remembered = (new - old for new, old in zip(after, before, strict=True))
    assert computed == 60
    assert joined + remembered == 180
    assert joined
    assert all(reply == replies[0] for reply in replies)


def test_the_same_response_twice_in_a_group_gets_the_same_reward(client):
    assert [each["reward"] for each in post(client, group(FIVE, FIVE, FIVE))["rollouts"]] == [1.0] * 3


def test_a_rubric_that_matches_nothing_is_refused_even_where_no_text_is_read(client):
    body = group({"response": "x", "status": "aborted"}) | {"rubric": {"entities": ["$$$"]}}
    reply = client.post("/score", json=body)
    assert (reply.status_code, reply.json()["type"]) == (422, "urn:cairn:problem:invalid_rubric")


def test_a_group_of_truncated_rollouts_is_judged(client):
    reply = post(
        client, group({"response": "x", "status": "aborted"}, {"response": "y", "status": "truncated"})
    )
    assert [(each["status"], each["reward"]) for each in reply["rollouts"]] == [("ok", 0.0)] * 2


def test_neither_logs_nor_metrics_hold_texts(server, client):
    private = "Zanzibar Quixotic"
    body = group(f"{FOUR} {private}", labels={"source": "longqa", "policy": private}, id=private)
    post(client, body | {"rubric": {"entities": [private]}})
    client.post("/score", json=body | {private: 1})
    client.post(f"/{private}")
    assert private not in server.log.read_text()
    assert private not in client.get("/metrics").text


def test_a_listed_label_is_counted(client):
    before = metric(client, "cairn_rollouts_total", source="musique", status="ok")
    post(client, group(FOUR, FIVE, labels={"source": "musique"}))
    assert metric(client, "cairn_rollouts_total", source="musique", status="ok") == before + 2


@pytest.mark.parametrize("labels", [{"source": "web"}, {"user": "me"}])
def test_a_label_that_is_not_allowed_cannot_grow_the_metrics(client, labels):
    reply = client.post("/score", json=group(FOUR, labels=labels))
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["path"].startswith("$.labels")


def test_a_request_is_logged_with_its_id_and_size(server, client):
    client.post("/score", json=group(FOUR, FIVE), headers={"x-request-id": "trainer-7"})
    wait_until(lambda: any(event.get("request_id") == "trainer-7" for event in server.events()))
    event = next(event for event in server.events() if event.get("request_id") == "trainer-7")
    assert (event["route"], event["status"], event["rollouts"]) == ("/score", 200, 2)
    assert event["ms"] > 0


def test_a_worker_killed_at_work_costs_nobody_a_wrong_reward():
    with running(workers=2, cache_bytes=0) as server, server.client() as client:
        body = group(*(long_text(index) for index in range(48)))
        expected = [each["reward"] for each in post(client, body)["rollouts"]]
        with ThreadPoolExecutor(1) as thread:
            lost = 0.0
            while not lost:
                reply = thread.submit(post, client, body)
                time.sleep(0.03)
                os.kill(server.workers()[0], signal.SIGKILL)
                for each, reward in zip(reply.result()["rollouts"], expected, strict=True):
                    assert each["reward"] == reward or each["failure"]["type"] == "worker_lost"
                lost = metric(client, "cairn_workers_lost_total")
        wait_until(lambda: len(server.workers()) == 2)


def test_an_idle_worker_that_was_killed_is_replaced():
    with running(workers=1, cache_bytes=0) as server, server.client() as client:
        for _ in range(3):
            os.kill(server.workers()[0], signal.SIGKILL)
            assert post(client, group(FOUR))["rollouts"][0]["reward"] == pytest.approx(0.94)


def test_without_worker_processes_the_rewards_are_the_same():
    with running(workers=0, cache_bytes=0) as server, server.client() as client:
        assert server.workers() == []
        reply = post(client, group(FOUR, FIVE))
        assert [each["reward"] for each in reply["rollouts"]] == pytest.approx([0.94, 1.0])
        refused = client.post("/score", json=group(FOUR) | {"rubric": {"entities": ["$$$"]}}, headers=JSON)
        assert refused.status_code == 422
