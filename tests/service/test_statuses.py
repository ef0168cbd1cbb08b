"""Every status of the wire, from a real server: problem details, never an echo, never a 500."""

from __future__ import annotations

import gzip
import json
import socket
import time
from contextlib import contextmanager

import pytest
import zstandard

from tests.service.bodies import FOUR, group, long_text, rollout
from tests.service.serving import JSON, metric, running, wait_until

GOOD = json.dumps(group(FOUR)).encode()
MOST = 4_000_000


def refused(reply, status, kind):
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json()
    assert problem["type"] == f"urn:cairn:problem:{kind}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    return problem


@pytest.mark.parametrize("route", ["/score", "/evaluate"])
@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"null,", b"[" * 100_000, b'{"question": NaN'])
def test_what_is_not_json_is_a_400(client, route, body):
    refused(client.post(route, content=body), 400, "not_json")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"surprise": "Zanzibar"}, "$.surprise"),
        ({"rollouts": []}, "$.rollouts"),
        ({"rollouts": [{"response": "Zanzibar"}, {"response": 7}]}, "$.rollouts[1].response"),
        ({"rollouts": [{"response": "Zanzibar", "outcome": 7}]}, "$.rollouts[0].outcome"),
        ({"rubric": {"entities": [{"name": ["Zanzibar"]}]}}, "$.rubric.entities[0].name"),
        ({"scheme": {"name": "Zanzibar"}}, "$.scheme"),
        ({"verifier": {"name": "judge"}}, "$.verifier.name"),
        ({"answer": None}, "$.rollouts[0].outcome"),
    ],
)
def test_a_422_has_the_path_of_the_fault_and_not_its_text(client, change, path):
    reply = client.post("/score", json=group("Zanzibar") | change)
    problem = refused(reply, 422, "invalid_request")
    assert path in {fault["path"] for fault in problem["errors"]}
    assert "Zanzibar" not in reply.text


@pytest.mark.parametrize("number", ["NaN", "1e999", "-Infinity"])
def test_a_number_that_json_cannot_say_back_is_no_500(client, number):
    reply = client.post(
        "/score", content=GOOD[:-1] + b', "scheme": {"name": "longtrace", "eta": %s}}' % number.encode()
    )
    assert reply.status_code in {400, 422}


def test_a_lone_surrogate_is_a_422(client):
    refused(client.post("/score", content=GOOD.replace(b"Lady Gaga", b"\\ud800")), 422, "invalid_request")


@pytest.mark.parametrize("name", ["$$$", "", "\u200b"])
def test_an_entity_without_a_matchable_character_is_an_invalid_rubric(client, name):
    refused(client.post("/score", json=group(FOUR) | {"rubric": {"entities": [name]}}), 422, "invalid_rubric")


def test_an_announced_body_over_the_limit_is_refused_unread(client):
    refused(client.post("/score", content=b" " * (MOST + 1)), 413, "too_large")


def test_a_chunked_body_over_the_limit_is_refused_while_it_streams(server):
    with chunked(server) as (send, receive):
        for _ in range(MOST // 100_000 + 1):
            send(b" " * 100_000)
        assert receive().startswith(b"HTTP/1.1 413")  # the last chunk was never sent


@pytest.mark.parametrize("packed", [gzip.compress, zstandard.compress])
def test_a_packed_body_is_scored(client, packed):
    encoding = "gzip" if packed is gzip.compress else "zstd"
    reply = client.post("/score", content=packed(GOOD), headers={"content-encoding": encoding})
    assert reply.json()["rollouts"][0]["reward"] == pytest.approx(0.94)


@pytest.mark.parametrize("packed", [gzip.compress, zstandard.compress])
def test_the_limit_holds_for_what_a_bomb_unpacks_to(client, packed):
    encoding = "gzip" if packed is gzip.compress else "zstd"
    bomb = packed(b" " * 400_000_000)
    assert len(bomb) < MOST
    refused(client.post("/score", content=bomb, headers={"content-encoding": encoding}), 413, "too_large")


def test_a_gzip_of_several_members_is_read_whole(client):
    body = gzip.compress(GOOD[:50]) + gzip.compress(GOOD[50:])
    assert client.post("/score", content=body, headers={"content-encoding": "gzip"}).status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("body", [GOOD, gzip.compress(GOOD)[:-20], zstandard.compress(GOOD)[:-20], b""])
def test_a_body_that_is_not_what_its_encoding_says_is_a_400(client, encoding, body):
    reply = client.post("/score", content=body, headers={"content-encoding": encoding})
    assert reply.status_code == 400, reply.text


def test_an_unknown_encoding_is_a_415(client):
    reply = client.post("/score", content=GOOD, headers={"content-encoding": "br"})
    refused(reply, 415, "unsupported_encoding")


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
)
def test_another_media_type_is_a_415(client, media_type):
    reply = client.post("/score", content=GOOD, headers={"content-type": media_type})
    refused(reply, 415, "unsupported_media_type")


@pytest.mark.parametrize("media_type", ["application/json", "Application/JSON; charset=UTF-8"])
def test_json_is_recognized_however_it_is_spelled(client, media_type):
    assert client.post("/score", content=GOOD, headers={"content-type": media_type}).status_code == 200


def test_a_body_without_a_type_is_taken_for_json(server):
    with chunked(server, typed=False) as (send, receive):
        send(GOOD)
        send(b"")
        assert receive().startswith(b"HTTP/1.1 200")


def test_another_address_or_method_is_a_problem_too(client):
    refused(client.get("/nothing"), 404, "not_found")
    refused(client.post("/score/"), 404, "not_found")
    reply = client.get("/score")
    refused(reply, 405, "method_not_allowed")
    assert reply.headers["allow"] == "POST"


def test_a_deadline_is_kept(server):
    with chunked(server, "X-Request-Timeout-Ms: 50") as (send, receive):
        send(b" ")
        assert receive().startswith(b"HTTP/1.1 504")


@pytest.mark.parametrize("deadline", ["soon", "0", "-1", "1.5", "9" * 40, "٣"])
def test_a_deadline_that_is_none_is_a_422(client, deadline):
    reply = client.post("/score", content=GOOD, headers={"x-request-timeout-ms": deadline.encode()})
    refused(reply, 422, "invalid_request")


def test_a_client_cannot_give_itself_more_time_than_the_server_does():
    with (
        running(workers=0, request_timeout_s=0.1) as server,
        chunked(server, "X-Request-Timeout-Ms: 60000") as wire,
    ):
        wire[0](b" ")
        assert wire[1]().startswith(b"HTTP/1.1 504")


def test_a_full_server_says_so_at_once_and_recovers():
    with running(workers=0, max_in_flight=1) as server, server.client() as client:
        with chunked(server) as (send, receive):
            send(GOOD)
            _wait_for_permit(client)
            for route in ("/score", "/evaluate"):
                reply = client.post(route, content=GOOD)
                refused(reply, 429, "queue_full")
                assert int(reply.headers["retry-after"]) >= 1
            assert client.get("/readyz").status_code == 200
            send(b"")
            assert receive().startswith(b"HTTP/1.1 200")
        assert client.post("/score", content=GOOD).status_code == 200


def test_a_client_that_goes_away_gives_its_permit_back():
    with running(workers=0, max_in_flight=1) as server, server.client() as client:
        with chunked(server) as (send, _):
            send(GOOD)
            _wait_for_permit(client)
        deadline = time.monotonic() + 10
        while client.post("/score", content=GOOD).status_code == 429:
            assert time.monotonic() < deadline
        assert metric(client, "cairn_requests_total", route="/score", status="499") == 1


def test_work_for_a_client_that_went_away_is_dropped():
    with running(workers=1) as server, server.client() as client:
        with chunked(server) as (send, _):
            send(json.dumps(group(*(long_text(seed) for seed in range(200)))).encode())
            send(b"")
        wait_until(lambda: metric(client, "cairn_requests_total", route="/score", status="499") == 1)
        assert metric(client, "cairn_cache_lookups_total", result="miss") == 200
        reply = client.post("/score", json=group(long_text(199)))
        assert reply.status_code == 200
        assert metric(client, "cairn_cache_lookups_total", result="hit") == 0


def test_keys_are_asked_for_where_there_are_some():
    with running(workers=0, api_keys="old, new") as server, server.client() as client:
        for route, body in (("/score", group(FOUR)), ("/evaluate", rollout())):
            reply = client.post(route, json=body)
            refused(reply, 401, "key_missing")
            assert reply.headers["www-authenticate"] == "Bearer"
            refused(client.post(route, json=body, headers={"x-api-key": "ol"}), 403, "key_wrong")
            refused(
                client.post(route, json=body, headers={"authorization": "Bearer nöö".encode()}),
                403,
                "key_wrong",
            )
            for headers in (
                {"authorization": "Bearer new"},
                {"authorization": "bearer old"},
                {"x-api-key": "new"},
            ):
                assert client.post(route, json=body, headers=headers).status_code == 200
        for open_route in ("/healthz", "/readyz", "/version", "/metrics", "/openapi.json"):
            assert client.get(open_route).status_code == 200


def test_more_criteria_than_the_server_allows_are_a_422():
    with running(workers=0, limit_criteria=9) as server, server.client() as client:
        assert client.post("/score", json=group(FOUR)).status_code == 200
        refused(client.post("/score", json=group(FOUR, FOUR)), 422, "invalid_request")


def test_an_id_comes_back_and_a_strange_one_does_not(client):
    assert client.get("/healthz", headers={"x-request-id": "a/b:1"}).headers["x-request-id"] == "a/b:1"
    assert client.get("/healthz", headers={"x-request-id": "a b{}"}).headers["x-request-id"] != "a b{}"


@contextmanager
def chunked(server, *headers, typed=True):
    """A request that is sent bit by bit: a function that sends a chunk, and one that awaits the answer."""
    host, port = server.url.removeprefix("http://").split(":")
    lines = ["POST /score HTTP/1.1", f"Host: {host}", "Transfer-Encoding: chunked", *headers]
    lines += [f"Content-Type: {JSON['content-type']}"] if typed else []
    with socket.create_connection((host, int(port)), timeout=20) as wire:
        wire.sendall("\r\n".join([*lines, "", ""]).encode())
        yield lambda chunk: wire.sendall(b"%x\r\n%b\r\n" % (len(chunk), chunk)), lambda: wire.recv(65536)


def _wait_for_permit(client):
    """Until the server holds the permit of the request that is being sent."""
    deadline = time.monotonic() + 10
    while metric(client, "cairn_in_flight_requests") < 2:  # with the one that asks
        assert time.monotonic() < deadline
