"""A model elsewhere is asked in its own way, and again where that can help; its faults are told as such."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from pydantic import SecretStr

from rubric.embedder import HashEmbedder
from service.embedding.backend import Choice, MissingPart, ModelUnreachable
from service.embedding.loading import load

TEXTS = [f"text {number}" for number in range(75)] + ["東京", ""]
EXPECTED = HashEmbedder().embed(TEXTS)


class Server(ThreadingHTTPServer):
    """Speaks both dialects. `faults` are statuses for the next calls; `spoil` changes an answer."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Calls)
        self.asked, self.faults, self.keys = [], [], set()
        self.spoil = lambda answer: answer
        self.info = {"model_id": "some/model", "model_sha": "abc", "max_client_batch_size": 16}


class Calls(BaseHTTPRequestHandler):
    def do_GET(self):
        self._answer(200, self.server.info)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.keys.add(self.headers.get("authorization"))
        if self.server.faults:
            self._answer(self.server.faults.pop(), {"error": "busy"})
            return
        openai = self.path.endswith("/v1/embeddings")
        texts = body["input" if openai else "inputs"]
        self.server.asked.append(texts)
        vectors = (HashEmbedder().embed(texts) * 3).tolist()
        answer = vectors
        if openai:
            rows = [{"index": at, "embedding": vector} for at, vector in enumerate(vectors)]
            answer = {"data": rows[::-1], "model": body["model"]}
        self._answer(200, self.server.spoil(answer))

    def _answer(self, status, content):
        raw = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_):
        pass


@contextmanager
def serving():
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def connected(path="", **choice):
    with serving() as (server, url):
        backend = load(Choice("remote", url=url + path, timeout_s=5, **choice))
        try:
            yield server, backend
        finally:
            backend.close()


@pytest.mark.parametrize(("path", "name"), [("", ""), ("/v1", "bge-small"), ("/v1/", "bge-small")])
def test_every_text_gets_its_own_vector_in_either_dialect(path, name):
    with connected(path, name=name) as (server, backend):
        found = backend.encode(backend.prepare(TEXTS))
        np.testing.assert_allclose(found, EXPECTED, atol=1e-6)
        np.testing.assert_allclose(
            backend.encode_alone(backend.prepare(["text 3"])[0]), EXPECTED[3], atol=1e-6
        )
        assert backend.dimensions == 64
        assert backend.identity == ("remote:bge-small" if name else "remote:some/model:abc:")
        assert max(map(len, server.asked)) <= (32 if name else 16)


def test_the_key_is_sent_and_never_shown():
    key = SecretStr("topsecret")
    with connected(key=key) as (server, backend):
        backend.encode(backend.prepare(["a"]))
        assert server.keys == {"Bearer topsecret"}
    assert "topsecret" not in repr(Choice(key=key))


def test_a_busy_server_is_asked_again():
    with connected(retries=2) as (server, backend):
        server.faults = [503, 429]
        np.testing.assert_allclose(backend.encode(backend.prepare(["text 1"])), EXPECTED[1:2], atol=1e-6)


@pytest.mark.parametrize(("faults", "left"), [([503] * 9, 7), ([413] * 9, 8)])
def test_a_server_that_gives_no_answer_is_told_and_a_refusal_is_not_repeated(faults, left):
    with connected(retries=1) as (server, backend):
        server.faults = list(faults)
        with pytest.raises(ModelUnreachable, match=str(faults[0])) as caught:
            backend.encode(backend.prepare(["Zanzibar"]))
        assert "Zanzibar" not in str(caught.value)
        assert len(server.faults) == left


@pytest.mark.parametrize(
    "spoil",
    [
        lambda answer: answer[1:],
        lambda answer: [row[:7] for row in answer],
        lambda answer: [row[: 5 + at] for at, row in enumerate(answer)],
        lambda _: {"error": "odd"},
        lambda _: None,
        lambda _: "vectors",
    ],
)
def test_an_answer_that_is_not_the_vectors_asked_for_is_no_vector(spoil):
    with connected(retries=0) as (server, backend):
        server.spoil = spoil
        with pytest.raises(ModelUnreachable):
            backend.encode(backend.prepare(["a", "b"]))


def test_a_text_without_a_number_leaves_the_others_theirs():
    with connected() as (server, backend):
        server.spoil = lambda answer: [[None] * 64, *answer[1:]]
        found = backend.encode(backend.prepare(["a", "text 1"]))
        assert np.isnan(found[0]).all()
        np.testing.assert_allclose(found[1], EXPECTED[1], atol=1e-6)


def test_a_server_that_is_not_there_is_told_at_start():
    with serving() as (_, url):
        pass
    with pytest.raises(ModelUnreachable, match="ConnectError"):
        load(Choice("remote", url=url, retries=0))


def test_a_server_that_does_not_say_what_it_holds_is_not_trusted_with_a_fingerprint():
    with serving() as (server, url):
        server.info = {}
        with pytest.raises(ModelUnreachable, match="which model"):
            load(Choice("remote", url=url))


def test_an_address_is_asked_for():
    with pytest.raises(MissingPart, match="address"):
        load(Choice("remote"))
