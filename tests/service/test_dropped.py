"""What nobody waits for any more is dropped before the next stage: its time is over, or its client gone."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor

from tests.service.bodies import FIVE, FOUR, group
from tests.service.judge import double
from tests.service.serving import metric, running, wait_until
from tests.service.test_judged import JUDGE, judged
from tests.service.test_statuses import GOOD, chunked


def test_a_body_that_comes_too_late_is_not_read():
    with running(workers=0) as server, server.client() as client:
        with chunked(server, "X-Request-Timeout-Ms: 200") as (send, receive):
            send(GOOD)
            assert receive().startswith(b"HTTP/1.1 504")
        assert metric(client, "cairn_cache_lookups_total", result="miss") == 0
        assert metric(client, "cairn_places_taken", waits="matching") == 0


def test_the_judge_is_not_asked_for_those_whose_time_is_over_or_who_went_away():
    patient = {"judge_concurrency": 1, "judge_timeout_s": 20, "judge_deadline_s": 30}
    with judged(double.slow(2, double.says("yes")), **patient) as (client, judge):
        with ThreadPoolExecutor(1) as thread:
            first = thread.submit(client.post, "/score", json=group(FIVE, **JUDGE))
            wait_until(lambda: len(judge.asked) == 1)
            late = group(f"{FOUR} Late.", **JUDGE)
            reply = client.post("/score", json=late, headers={"x-request-timeout-ms": "500"})
            assert [each["failure"]["type"] for each in reply.json()["rollouts"]] == ["judge_timeout"]
            _leave(client, group(f"{FOUR} Gone.", **JUDGE))
            gone = {"route": "/score", "status": "499"}
            wait_until(lambda: metric(client, "cairn_requests_total", **gone) == 1)
            assert first.result().json()["rollouts"][0]["outcome"]["value"] == 1.0
        assert client.post("/score", json=group(f"{FOUR} Next.", **JUDGE)).status_code == 200
        assert len(judge.asked) == 2  # the first and the next


def _leave(client, body):
    """Send a request, and hang up when it is the judge's turn."""
    content = json.dumps(body).encode()
    head = "POST /score HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    with socket.create_connection((client.base_url.host, client.base_url.port)) as line:
        line.sendall((head % len(content)).encode() + content)
        wait_until(lambda: metric(client, "cairn_places_taken", waits="judge") == 2)
