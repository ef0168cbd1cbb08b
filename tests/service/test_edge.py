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
