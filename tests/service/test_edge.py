"""What nobody foresaw is answered and logged with its place, and without a word of what was sent."""

from __future__ import annotations

import structlog
from fastapi import FastAPI
from starlette.testclient import TestClient

from service.admission import Admission
from service.metrics import Metrics
from service.routes.edge import Edge
from service.routes.gate import Gate
from service.tracing import NoTracing


def test_an_unforeseen_error_is_logged_by_its_place_and_not_by_its_message():
    app = FastAPI()

    @app.post("/score")
    async def score() -> None:
        raise ValueError("a policy wrote: Zanzibar")

    gate = Gate(admission=Admission(places=1, most_bytes=9, judge_places=1), timeout_s=1, most_bytes=9)
    app.add_middleware(Edge, metrics=Metrics(), gate=gate, tracing=NoTracing())
    with structlog.testing.capture_logs() as logged:
        reply = TestClient(app).post("/score")
    (told,) = (each for each in logged if each["event"] == "unforeseen error")
    assert (reply.status_code, told["error"]) == (500, "ValueError")
    assert told["at"][-1].startswith("test_edge.py:")
    assert "Zanzibar" not in f"{logged} {reply.text}"


def test_a_request_that_is_refused_at_the_door_counts_under_its_route():
    app, metrics = FastAPI(), Metrics()
    gate = Gate(admission=Admission(places=1, most_bytes=9, judge_places=1), timeout_s=1, most_bytes=9)
    app.add_middleware(Edge, metrics=metrics, gate=gate, tracing=NoTracing())
    for place in gate.pools.values():
        place.taken = 1
    with TestClient(app) as client:
        assert [client.post(path).status_code for path in ("/score", "/made-up")] == [429, 429]
    page = metrics.page().decode()
    assert 'cairn_requests_total{route="/score",status="429"} 1.0' in page
    assert 'cairn_requests_total{route="other",status="429"} 1.0' in page
