"""The app: routes, what every request meets, and an answer for every error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import structlog
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from rubric.errors import CairnError
from rubric.version import VERSION
from service.drift.canary import Canary
from service.drift.windows import Windows
from service.errors import problem_of
from service.inspector.keeper import Keeper
from service.metrics import Metrics
from service.routes import drift, evaluate, health, inspector, openrlhf, score, slime, verify
from service.routes.edge import Edge
from service.routes.gate import Gate
from service.routes.openapi import describe
from service.scoring import Scoring
from service.settings import Settings
from service.tracing import Tracing
from service.vitals import Vitals
from service.workers import Workers

_log = structlog.get_logger("cairn")
_GONE = 499


class Closes(Protocol):
    """Holds something that must be given back."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What an app is made of: `fingerprint` in its parts, and `closed` at the end, in this order."""

    gate: Gate
    metrics: Metrics
    vitals: Vitals
    tracing: Tracing
    workers: Workers
    scoring: Scoring
    windows: Windows
    canary: Canary
    fingerprint: Mapping[str, str]
    closed: Sequence[Closes]


def assemble(parts: Parts, *, settings: Settings) -> FastAPI:
    """Put the parts together. The workers live as long as the app's lifespan."""
    app = FastAPI(
        title="Cairn",
        version=VERSION,
        description="Entity-level rubric rewards for GRPO trainers.",
        lifespan=lambda _: alive(parts),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # ours hold no texts
    )
    most = settings.limits.body_bytes
    keeper = Keeper(most=settings.inspector_keep)
    app.include_router(score.router(keeper.keeping(parts.scoring.score), gate=parts.gate, most_bytes=most))
    for routes in (evaluate, slime, openrlhf, verify):
        app.include_router(routes.router(parts.scoring, gate=parts.gate, most_bytes=most))
    app.include_router(health.versions(parts.fingerprint))
    if not settings.probe_port:
        app.include_router(_health(parts, settings=settings))
    app.include_router(drift.router(parts.windows, canary=parts.canary))
    app.include_router(inspector.router(gate=parts.gate, keeper=keeper))
    describe(app)
    _answer_errors(app, parts.metrics)
    app.add_middleware(Edge, metrics=parts.metrics, gate=parts.gate, tracing=parts.tracing)
    return app


def assemble_probes(parts: Parts, *, settings: Settings) -> FastAPI:
    """The routes of probes and metrics, for a port of their own."""
    app = FastAPI(title="Cairn, probes", version=VERSION, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(health.versions(parts.fingerprint))
    app.include_router(_health(parts, settings=settings))
    _answer_errors(app, parts.metrics)
    return app


def _health(parts: Parts, *, settings: Settings) -> APIRouter:
    gating = parts.canary if settings.canary_gates else None
    return health.router(gate=parts.gate, metrics=parts.metrics, vitals=parts.vitals, canary=gating)


@asynccontextmanager
async def alive(parts: Parts) -> AsyncIterator[None]:
    """Start the parts, and close them at the end."""
    beside: list[asyncio.Task[None]] = []
    try:
        await parts.workers.start()
        await parts.canary.check()
        parts.gate.open()
        beside = [asyncio.create_task(each) for each in (parts.canary.run(), parts.metrics.measure_lag())]
        yield
    finally:
        for task in beside:
            task.cancel()
        await parts.workers.close()
        for each in parts.closed:
            await each.close()


def _answer_errors(app: FastAPI, metrics: Metrics) -> None:
    """Every error that is raised on purpose; `Edge` answers the others."""

    async def answer(_: Request, error: Exception) -> Response:
        kind, response = problem_of(error)
        metrics.refusals.labels(kind).inc()
        if kind == "internal":
            _log.error("unforeseen error", error=type(error).__name__, detail=str(error))
        return response

    async def let_go(_: Request, _error: Exception) -> Response:
        return Response(status_code=_GONE)  # nobody reads it; metrics and logs do

    for each in (CairnError, HTTPException, RequestValidationError):
        app.add_exception_handler(each, answer)
    app.add_exception_handler(ClientDisconnect, let_go)
