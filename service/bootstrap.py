"""The only place that turns settings into parts, and parts into a running server.

serve(Settings())
"""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import structlog
import uvicorn
from fastapi import FastAPI

from rubric.job import Defaults, digest_of, fingerprint_parts
from rubric.version import VERSION
from service.admission import WORKER_BYTES, Admission, Turn
from service.app import Parts, assemble, assemble_probes
from service.batching import Batcher, Step
from service.cache import Cache, NoCache
from service.drift.canary import Canary, Score
from service.drift.recheck import Recheck
from service.drift.reference import Reference, Unusable
from service.drift.reference import load as load_reference
from service.drift.telling import Telling
from service.drift.watch import Watch
from service.drift.windows import Windows
from service.embedding.backend import Backend, MissingPart, ModelFault
from service.embedding.loading import load
from service.judge.client import Judge
from service.keys import Keyring
from service.listening import patient_for
from service.logs import start_logs
from service.matching import Matching, prepare_worker
from service.metrics import Metrics
from service.outcomes import Outcomes
from service.rates import Rates
from service.routes.gate import Gate
from service.scoring import Allowed, Scoring
from service.semantics import Calibration, Semantics, read_asking, read_scorer
from service.settings import Settings, unknown_names
from service.store.opening import open_cache
from service.tracing import open_tracing
from service.vitals import Vitals
from service.workers import InThread, Processes

_log = structlog.get_logger("cairn")
_NOT_STARTED = 3
_PATIENCE_S = 60.0
"""A piece of work takes milliseconds: a worker that needs so long is stuck, on a slow machine, too."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C; requests that were accepted are answered first."""
    start_logs(level=settings.log_level)
    if names := unknown_names():
        _log.warning("no settings of this server", names=names)
    parts = build_parts(settings)
    probes = assemble_probes(parts, settings=settings) if settings.probe_port else None
    server = Server(assemble(parts, settings=settings), settings=settings, gate=parts.gate, probes=probes)
    try:
        server.run()
    finally:
        if isinstance(parts.workers, Processes):
            parts.workers.kill()
    if not server.started:
        sys.exit(_NOT_STARTED)


def build_app(settings: Settings) -> FastAPI:
    """The app, for an ASGI server of your own."""
    return assemble(build_parts(settings), settings=settings)


def build_parts(settings: Settings) -> Parts:
    """Everything that an app is made of. The embedding model is loaded; nothing else is started yet.

    Raises `CairnError` where the model, or a stage that the settings ask for, is not there.
    """
    backend = load(settings.embedding) if settings.embedding else None
    calibration = _calibration(settings, backend) if backend else None
    defaults = replace(settings.defaults, embedding=_semantic_parts(backend, calibration))
    _check_stages(defaults)
    fingerprint = fingerprint_parts(defaults)
    listed = [name for name, values in settings.allowed_labels.items() if values is not None]
    metrics = Metrics(labels=listed, build=fingerprint | {"fingerprint": digest_of(fingerprint)})
    windows = Windows(names=listed, reference=_reference(settings))
    telling = Telling(windows, names=listed)
    metrics.add(telling)
    cache = open_cache(
        settings.redis_url.get_secret_value(),
        password=settings.redis_password.get_secret_value(),
        most_bytes=settings.cache_bytes,
        prefix=settings.redis_prefix,
        ttl_s=settings.redis_ttl_s,
        budget_s=settings.redis_budget_ms / 1000,
        on_trouble=metrics.cache_troubled,
        watch=lambda breaker: metrics.watch_breaker("redis", breaker),
    )
    workers = (
        Processes(
            settings.workers,
            prepare=prepare_worker,
            longest_s=max(_PATIENCE_S, settings.request_timeout_s),
            forked_from="service.forked",
        )
        if settings.workers
        else InThread(prepare=prepare_worker)
    )
    judge = Judge(settings.judge_options, on_call=metrics.judge_called) if settings.judge_options else None
    vitals = Vitals(elsewhere=settings.embedding_model == "remote")
    watching = _all(metrics.stepped, vitals.stepped)
    batcher = Batcher(backend, watch=watching, waited=metrics.waited) if backend else None
    semantics = (
        Semantics(batcher, calibration, identity=backend.identity)
        if backend and batcher and calibration
        else None
    )
    metrics.watch_workers(workers)
    if judge:
        metrics.watch_breaker("judge", judge.breaker)
    outcomes = Outcomes(judge, cache=cache, metrics=metrics) if judge else None

    tracing = open_tracing(settings.traces_url)

    def scoring_for(
        windows: Windows, *, cache: Cache, metrics: Metrics, share: float
    ) -> tuple[Scoring, Recheck]:
        matching = Matching(cache=cache, workers=workers, semantics=semantics, metrics=metrics)
        recheck = Recheck(share=share, again=matching.again, report=metrics.rechecked)
        scoring = Scoring(
            defaults=defaults,
            allowed=Allowed(settings.limits, settings.limit_criteria, settings.allowed_labels),
            cache=cache,
            workers=workers,
            matching=matching,
            outcomes=outcomes,
            watch=Watch(metrics, windows, recheck=recheck),
            metrics=metrics,
            tracing=tracing,
        )
        return scoring, recheck

    scoring, recheck = scoring_for(windows, cache=cache, metrics=metrics, share=settings.recheck_share)
    unseen, _ = scoring_for(Windows(), cache=NoCache(), metrics=Metrics(), share=0.0)
    canary = Canary(
        _scored_by(unseen, seconds=settings.request_timeout_s),
        answers=windows.reference.answers if windows.reference else None,
        report=telling.passed,
        every_s=settings.canary_every_s,
        semantics=defaults.embedding,
    )
    if batcher:
        metrics.watch_queue(lambda: batcher.waiting_tokens)
    gate = _gate(settings)
    for waits, pool in gate.pools.items():
        metrics.watch_pool(waits, pool)
    closed = [each for each in (recheck, batcher, judge, cache, tracing) if each]
    return Parts(gate, metrics, vitals, tracing, workers, scoring, windows, canary, fingerprint, closed)


def _all(*watching: Callable[[Step], None]) -> Callable[[Step], None]:
    def tell(step: Step) -> None:
        for each in watching:
            each(step)

    return tell


def _gate(settings: Settings) -> Gate:
    """Raises `UnreadableKeys`."""
    admission = Admission(
        places=settings.max_in_flight,
        most_bytes=settings.bytes_in_flight or WORKER_BYTES * max(1, settings.workers),
        judge_places=settings.judge_in_flight,
    )
    per_minute = settings.key_requests_per_minute
    return Gate(
        admission=admission,
        timeout_s=settings.request_timeout_s,
        most_bytes=settings.limits.body_bytes,
        body_idle_s=settings.body_timeout_s,
        keyring=Keyring(settings.keys, file=settings.api_keys_file),
        rates=Rates(per_minute=per_minute) if per_minute else None,
    )


def _reference(settings: Settings) -> Reference | None:
    """Raises `Unusable`."""
    if settings.reference is None:
        return None
    try:
        return load_reference(settings.reference)
    except OSError as error:
        raise Unusable(f"CAIRN_REFERENCE cannot be read: {error.strerror}") from None


def _scored_by(scoring: Scoring, *, seconds: float) -> Score:
    """What the canary asks: the path of requests, without the cache, and counted by nobody."""

    async def score(body: bytes) -> bytes:
        return (await scoring.score(body, turn=Turn(asyncio.get_running_loop().time() + seconds))).body

    return score


def _calibration(settings: Settings, backend: Backend) -> Calibration:
    """The scorer for this model, and no other. Raises `ModelFault`."""
    if settings.calibration is None and settings.embedding_model != "builtin":
        raise ModelFault(
            f"CAIRN_EMBEDDING_MODEL={settings.embedding_model} needs a CAIRN_CALIBRATION of its own: "
            "write one with `cairn calibrate`"
        )
    try:
        scorer = read_scorer(settings.calibration)
    except (OSError, ValueError) as error:
        raise ModelFault(f"CAIRN_CALIBRATION cannot be used: {error}") from error
    if scorer.model != backend.identity:
        raise ModelFault(
            f"CAIRN_CALIBRATION was made for {scorer.model}, and the model is {backend.identity}: "
            "run `cairn calibrate` for it"
        )
    return Calibration(settings.calibration, scorer.digest, exhaustive=settings.semantic == "exhaustive")


def _semantic_parts(backend: Backend | None, calibration: Calibration | None) -> dict[str, str] | None:
    if backend is None or calibration is None:
        return None
    return read_asking(calibration).parts(backend.identity)


def _check_stages(defaults: Defaults) -> None:
    """Raises `MissingPart` where the server's own profile lacks a stage and may not do without."""
    if defaults.lacks and not defaults.degrade:
        needed = {"fuzzy": "the extra `server`", "embedding": "CAIRN_EMBEDDING_MODEL (`builtin` comes along)"}
        missing = " and ".join(needed[stage] for stage in defaults.lacks)
        raise MissingPart(
            f"CAIRN_PROFILE={defaults.profile} needs {missing}, or CAIRN_DEGRADE=1 to do without"
        )


# --- the server -------------------------------------------------------------------------------------------


class Server(uvicorn.Server):
    """A server that ends in order: not ready, still serving, refusing, answered, gone; exit code 0."""

    def __init__(self, app: FastAPI, *, settings: Settings, gate: Gate, probes: FastAPI | None) -> None:
        super().__init__(_config(app, settings=settings))
        self._settings = settings
        self._gate = gate
        self._probes = _Probes(_plain_config(probes, settings=settings)) if probes else None
        self._ending: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self._probes:
            await self._probes.begin()  # the process is alive while its model is still loaded
        await super().startup(sockets)
        if self.started:
            names = [each.getsockname() for server in self.servers for each in server.sockets]
            _log.info("serving", addresses=[f"{name[0]}:{name[1]}" for name in names], version=VERSION)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self._probes:
            await self._probes.end()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn, which would close its socket at once, end in order."""
        if threading.current_thread() is threading.main_thread():
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGTERM, self.end, self._settings.drain_delay_s)
            loop.add_signal_handler(signal.SIGINT, self.end, 0.0)  # a person waits
        yield

    def end(self, delay_s: float) -> None:
        """Begin to end; asked twice, end at once."""
        if self._ending is None and self.started:
            self._ending = asyncio.get_running_loop().create_task(self._end_in_order(delay_s))
        else:
            self.force_exit = self._ending is not None
            self.should_exit = True

    async def _end_in_order(self, delay_s: float) -> None:
        _log.info("stopping", drain_delay_s=delay_s)
        self._gate.leave()
        await asyncio.sleep(delay_s)
        await self._gate.close(grace_s=self._settings.shutdown_grace_s)
        self.should_exit = True


class _Probes(uvicorn.Server):
    """The port of probes and metrics: open before the other and longer than it."""

    _serving: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        self._serving = asyncio.create_task(self._serve())
        while not self.started:
            if self._serving.done():
                await self._serving
                raise OSError("the port of the probes cannot be opened")
            await asyncio.sleep(_SOON_S)

    async def end(self) -> None:
        self.should_exit = True
        if self._serving:
            await self._serving


_SOON_S = 0.01


def _plain_config(app: FastAPI, *, settings: Settings) -> uvicorn.Config:
    """Probes have no certificates to show, and are few."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.probe_port,
        http=patient_for(header_s=settings.header_timeout_s, most_connections=_MOST_PROBES),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )


_MOST_PROBES = 64


def _config(app: FastAPI, *, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=patient_for(header_s=settings.header_timeout_s, most_connections=settings.max_connections),
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        ssl_ca_certs=str(settings.tls_client_ca) if settings.tls_client_ca else None,
        ssl_cert_reqs=ssl.CERT_REQUIRED if settings.tls_client_ca else ssl.CERT_NONE,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=round(settings.shutdown_grace_s) + 1,
    )
