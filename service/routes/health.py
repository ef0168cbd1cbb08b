"""What probes, dashboards and people ask: alive, ready, which version, which numbers. No key is needed."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from rubric.job import digest_of
from rubric.version import VERSION
from service.drift.canary import Canary
from service.errors import Refused
from service.metrics import Metrics
from service.routes.gate import Gate
from service.routes.openapi import plain_route
from service.vitals import Vitals


def router(*, gate: Gate, metrics: Metrics, vitals: Vitals, canary: Canary | None = None) -> APIRouter:
    """The routes of probes and of Prometheus."""
    routes = APIRouter()

    @routes.get("/healthz", summary="The process is alive", **plain_route(may_refuse=True))
    async def healthz() -> Response:
        if vitals.stuck:
            raise Refused("device_stuck", "the device of the embedding model fails at every step")
        return _json({"status": "alive"})

    @routes.get("/readyz", summary="New requests may be sent here", **plain_route(may_refuse=True))
    async def readyz() -> Response:
        gate.check_ready()
        if canary and not canary.healthy:
            raise Refused("canary_differs", "the golden set does not get the rewards that it should")
        return _json({"status": "ready"})

    @routes.get("/metrics", summary="Metrics for Prometheus", **plain_route(media_type="text/plain"))
    async def tell_metrics() -> Response:
        return Response(metrics.page(), media_type=CONTENT_TYPE_LATEST)

    return routes


def versions(parts: Mapping[str, str]) -> APIRouter:
    """`parts` are those of the fingerprint of a request that leaves its choices to the server."""
    routes = APIRouter()
    version = {"version": VERSION, "fingerprint": digest_of(parts), "parts": dict(parts)}

    @routes.get("/version", summary="The fingerprint of the defaults, and its parts", **plain_route())
    async def tell_version() -> Response:
        return _json(version)

    return routes


def _json(body: Mapping[str, object]) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
