"""What every request meets: an id, a clock, one log event, and an answer for every error."""

from __future__ import annotations

import random
import re
import time
import traceback
from http import HTTPStatus
from pathlib import Path

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import Refused, problem_of
from service.metrics import Metrics
from service.routes.gate import Gate, Phase
from service.tracing import Tracing

_log = structlog.get_logger("cairn")

SCORING = frozenset({"/score", "/evaluate", "/slime", "/openrlhf", "/verify"})
"""Routes whose requests may be refused before they are found."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/-]{1,128}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?P<trace>(?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Edge:
    """The outermost layer of the app."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, gate: Gate, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing
        self._metrics = metrics
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        passage = _Passage(scope, send, gate=self._gate)
        started = time.perf_counter()
        self._metrics.in_flight.inc()
        try:
            if scope["method"] == "POST":
                self._gate.check_room()
            with self._tracing.span("request", parent=passage.parent, request_id=passage.id):
                await self._app(scope, receive, passage.send)
        except Refused as refused:
            self._metrics.refusals.labels(refused.kind).inc()
            await problem_of(refused)[1](scope, receive, passage.send)
        except Exception as error:
            kind = type(error).__name__
            _log.error("unforeseen error", request_id=passage.id, error=kind, at=_places(error))
            if passage.status:
                raise
            await problem_of(error)[1](scope, receive, passage.send)
        finally:
            self._metrics.in_flight.dec()
            self._note(scope, passage, time.perf_counter() - started)

    def _note(self, scope: Scope, passage: _Passage, seconds: float) -> None:
        refused = scope["path"] if scope["path"] in SCORING else "other"
        route = getattr(scope.get("route"), "path", refused)
        self._metrics.requests.labels(route, str(passage.status)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        told = scope["method"] == "POST" and passage.status != HTTPStatus.TOO_MANY_REQUESTS
        getattr(_log, "info" if told else "debug")(
            "request",
            request_id=passage.id,
            trace_id=passage.trace,
            route=route,
            status=passage.status,
            ms=round(seconds * 1e3, 2),
            **scope.get("state", {}).get("noted", {}),
        )


def _drawn(bits: int) -> str:
    """A name that nobody else has; it opens nothing, so that it may be a cheap one. Zero is none."""
    return f"{random.getrandbits(bits) or 1:0{bits // 4}x}"


_INNERMOST = 8


def _places(error: Exception) -> list[str]:
    """Where it happened. The message is left out, for it may hold a text."""
    frames = traceback.extract_tb(error.__traceback__)[-_INNERMOST:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]


class _Passage:
    """The answer to one request as it goes out: its id and status."""

    def __init__(self, scope: Scope, send: Send, *, gate: Gate) -> None:
        self.headers = Headers(scope=scope)
        given = self.headers.get("x-request-id", "")
        self.id = given if _REQUEST_ID.fullmatch(given) else _drawn(128)
        parent = _TRACEPARENT.fullmatch(self.headers.get("traceparent", ""))
        self.trace = parent["trace"] if parent else _drawn(128)
        self._own = f"00-{self.trace}-{_drawn(64)}-01"
        self.parent = parent[0] if parent else self._own
        self.status = 0
        self._send = send
        self._gate = gate

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self.id
            headers["traceparent"] = self._own
            if self._gate.phase in (Phase.LEAVING, Phase.CLOSED):
                headers["connection"] = "close"  # so that the next request finds another server
        await self._send(message)
