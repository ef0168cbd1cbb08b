"""Where the time of a request goes, for who collects traces: spans with sizes and names, and never a text.

    tracing = open_tracing("http://collector:4318/v1/traces")
    with tracing.span("match", rollouts=8): ...

OpenTelemetry is loaded where an address is given, and nowhere else.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from rubric.version import VERSION
from service.embedding.backend import MissingPart

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider


class Tracing(Protocol):
    """Spans of one server."""

    def span(
        self, name: str, *, parent: str | None = None, **attributes: str | int
    ) -> AbstractContextManager[object]:
        """What happens inside, timed; `parent` is a `traceparent`, by default the span around it."""

    async def close(self) -> None: ...


class NoTracing:
    """Nobody collects them."""

    def span(
        self, name: str, *, parent: str | None = None, **attributes: str | int
    ) -> AbstractContextManager[object]:
        del name, parent, attributes
        return nullcontext()

    async def close(self) -> None:
        """There is nothing to send."""


def open_tracing(url: str) -> Tracing:
    """Spans for a collector that speaks OTLP over HTTP; none without an address. Raises `MissingPart`."""
    if not url:
        return NoTracing()
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.exporter") is None:
        raise MissingPart("CAIRN_TRACES_URL needs the extra `otel`: pip install 'cairn-rm[otel]'")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": "cairn", "service.version": VERSION}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    return _Collected(provider)


class _Collected:
    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
            TraceContextTextMapPropagator,
        )

        self._provider = provider
        self._tracer = provider.get_tracer("cairn")
        self._read = TraceContextTextMapPropagator()

    def span(
        self, name: str, *, parent: str | None = None, **attributes: str | int
    ) -> AbstractContextManager[object]:
        context = self._read.extract({"traceparent": parent}) if parent else None
        return self._tracer.start_as_current_span(
            name,
            context=context,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        )

    async def close(self) -> None:
        """Send what waits to be sent."""
        await asyncio.to_thread(self._provider.shutdown)
