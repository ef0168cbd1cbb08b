"""Slow and half-open clients hold neither a socket nor a place for longer than they are given."""

from __future__ import annotations

import json
import socket
import ssl
import time

import httpx
import pytest

from tests.service.bodies import FOUR, group
from tests.service.serving import metric, running
from tests.service.store.server import free_port
from tests.service.store.test_tls import certificate  # noqa: F401 (a fixture)

PATIENCE = {"workers": 0, "header_timeout_s": 0.5, "body_timeout_s": 0.5, "keep_alive_s": 1}
HEAD = b"POST /score HTTP/1.1\r\nhost: cairn\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


def connected(server):
    port = int(server.url.rsplit(":", 1)[1])
    line = socket.create_connection(("127.0.0.1", port))
    line.settimeout(10)
    return line


def rest(line):
    """All that comes until the other side closes."""
    parts = []
    while part := line.recv(65536):
        parts.append(part)
    return b"".join(parts)


def answer(line):
    """A JSON reply, which may come in parts."""
    parts = b""
    while not parts.endswith(b"}"):
        parts += line.recv(65536)
    return parts


def dripped(line, data, *, times):
    """Send a byte now and then, until the other side has closed."""
    for at in range(times):
        try:
            line.send(data[at : at + 1])
        except OSError:
            return True
        time.sleep(0.1)
    return False


def test_headers_that_never_end_are_cut():
    with running(**PATIENCE) as server, server.client() as client:
        with connected(server) as silent, connected(server) as half, connected(server) as drip:
            half.send(b"POST /score HT")
            assert dripped(drip, HEAD, times=60)
            assert rest(half).startswith(b"HTTP/1.1 408")
            assert rest(silent) == b""
        assert client.get("/healthz").status_code == 200


def test_a_body_that_stops_in_the_middle_is_a_408_and_gives_its_place_back():
    with running(**PATIENCE) as server, server.client() as client:
        with connected(server) as line:
            line.send(HEAD % 1000 + b'{"rubric"')
            assert line.recv(65536).startswith(b"HTTP/1.1 408")
        assert metric(client, "cairn_places_taken", waits="matching") == 0
        assert metric(client, "cairn_refusals_total", type="too_slow") == 1


def test_an_idle_connection_is_kept_for_a_while_and_then_ends():
    with running(**PATIENCE) as server, connected(server) as line:
        for _ in range(2):
            line.send(b"GET /healthz HTTP/1.1\r\nhost: cairn\r\n\r\n")
            assert answer(line).startswith(b"HTTP/1.1 200")
            time.sleep(0.7)  # longer than headers may take
        assert rest(line) == b""


def test_a_request_that_takes_longer_than_its_headers_may_is_answered():
    body = json.dumps(group(FOUR)).encode()
    settings = {**PATIENCE, "header_timeout_s": 1, "body_timeout_s": 10}
    with running(**settings) as server, connected(server) as line:
        line.send(HEAD % len(body) + body[:10])
        time.sleep(1.5)
        line.send(body[10:])
        assert answer(line).startswith(b"HTTP/1.1 200")


def test_one_connection_too_many_is_told_to_come_back():
    with running(**PATIENCE, max_connections=2) as server:
        lines = [connected(server) for _ in range(3)]
        assert rest(lines[2]).startswith(b"HTTP/1.1 503")
        for line in lines:
            line.close()


def test_probes_have_a_port_of_their_own():
    port = free_port()
    with running(workers=0, probe_port=port) as server, server.client() as client:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as probes:
            for path in ("/healthz", "/readyz", "/metrics", "/version"):
                assert probes.get(path).status_code == 200, path
            assert probes.post("/score", json=group(FOUR)).status_code == 404
        assert [client.get(path).status_code for path in ("/readyz", "/metrics", "/version")] == [
            404,
            404,
            200,
        ]
        assert client.post("/score", json=group(FOUR)).status_code == 200
        assert server.stop() == 0


def test_clients_without_a_certificate_are_not_let_in(certificate):  # noqa: F811
    files = {
        "tls_cert": certificate / "cert",
        "tls_key": certificate / "key",
        "tls_client_ca": certificate / "cert",
    }
    with running(workers=0, probe_port=(port := free_port()), **files) as server:
        url = server.url.replace("http://", "https://")
        trusting = ssl.create_default_context(cafile=str(certificate / "cert"))
        trusting.check_hostname = False
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{url}/version", verify=trusting)
        trusting.load_cert_chain(certificate / "cert", certificate / "key")
        assert httpx.get(f"{url}/version", verify=trusting).status_code == 200
        assert httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
