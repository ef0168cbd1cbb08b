"""A stop loses nothing that was accepted: exit code 0, and workers gone with their server."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.service.bodies import FOUR, group, long_text
from tests.service.serving import running, wait_until
from tests.service.test_statuses import GOOD, chunked


def test_an_accepted_request_is_answered_while_new_ones_are_sent_elsewhere():
    with running(workers=1) as server, server.client() as client, chunked(server) as (send, receive):
        send(GOOD)
        wait_until(lambda: b"in_flight_requests 2.0" in client.get("/metrics").content)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: client.get("/readyz").status_code == 503)
        refused = client.post("/score", content=GOOD)
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:cairn:problem:draining")
        assert int(refused.headers["retry-after"]) >= 1
        assert client.get("/healthz").status_code == 200
        send(b"")
        assert receive().startswith(b"HTTP/1.1 200")
        assert server.process.wait(20) == 0


def test_requests_are_still_served_while_load_balancers_learn_of_the_stop():
    with running(workers=1, drain_delay_s=1) as server, server.client() as client:
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: client.get("/readyz").status_code == 503)
        reply = client.post("/score", content=GOOD)
        assert reply.status_code == 200
        assert reply.headers["connection"] == "close"
        assert server.process.wait(20) == 0


def test_a_stop_under_load_loses_no_accepted_request():
    with running(workers=2) as server:
        with ThreadPoolExecutor(8) as threads:
            answers = [threads.submit(_load, server, seed) for seed in range(8)]
            wait_until(lambda: server.log.read_text().count('"/score"') > 20)
            assert server.stop() == 0
            received = [status for answer in answers for status in answer.result()]
        accepted = [event["status"] for event in server.events() if event.get("route") == "/score"]
        assert sorted(received) == sorted(accepted)
        assert set(received) <= {200, 503}


def _load(server, seed):
    """Statuses until the server is gone, a connection for each request so that none is cut while idle."""
    statuses = []
    while True:
        try:
            body = group(FOUR, long_text(f"{seed} {len(statuses)}"))
            statuses.append(httpx.post(f"{server.url}/score", json=body, timeout=20).status_code)
        except httpx.TransportError:  # nobody listens any more; what was accepted stands in the server's log
            return statuses


def test_a_request_that_outlasts_the_grace_is_told_so():
    with running(workers=0, shutdown_grace_s=0) as server, chunked(server) as (send, receive):
        send(GOOD)
        with server.client() as client:
            wait_until(lambda: b"in_flight_requests 2.0" in client.get("/metrics").content)
        server.process.send_signal(signal.SIGTERM)
        assert receive().startswith(b"HTTP/1.1 503")
        assert server.process.wait(20) == 0


def test_a_signal_to_the_whole_group_does_not_kill_workers_at_work():
    with running(workers=1) as server, server.client() as client, ThreadPoolExecutor(1) as thread:
        answer = thread.submit(client.post, "/score", json=group(*(long_text(seed) for seed in range(100))))
        wait_until(lambda: b"in_flight_requests 2.0" in server_metrics(server))  # with the one that asks
        before = server.workers()
        for pid in before:
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGINT)
        reply = answer.result()
        assert reply.status_code == 200
        assert server.workers() == before
        assert b"cairn_workers_lost_total 0.0" in server_metrics(server)


def server_metrics(server):
    return httpx.get(f"{server.url}/metrics").content


def test_workers_die_with_a_server_that_is_killed():
    with running(workers=2) as server:
        workers = server.workers()
        assert len(workers) == 2
        server.process.kill()
        wait_until(lambda: not any(Path(f"/proc/{pid}/stat").exists() for pid in workers))


def test_ctrl_c_ends_the_server_in_order():
    with running(workers=1, drain_delay_s=60) as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) == 0
