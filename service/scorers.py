"""Two ways to have a group scored: worker processes on this machine, or a running server.

Both take the body of a `/score` request and promise a `Scored`. What is wrong with one group is said in its
`Scored`; what is wrong with the whole run (a wrong key, a server that stays away) raises `Stopped`.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

import httpx
import orjson

from rubric.errors import CairnError, InvalidInput

if TYPE_CHECKING:
    from rubric.job import Defaults
    from rubric.wire import Limits


class Stopped(CairnError):
    """The run cannot go on; what was written so far is good, and the same command continues from there."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a group was not scored at all: its `type`, a sentence, and what is wrong where."""

    type: str
    detail: str


@dataclass(frozen=True, slots=True)
class Scored:
    """The reply to one group as JSON, or why there is none."""

    reply: bytes | None
    refusal: Refusal | None = None


class Scorer(Protocol):
    """Scores bodies of `/score` requests; `width` of them are worth having under way at once."""

    width: int

    def submit(self, body: bytes) -> Future[Scored]: ...

    def again(self, body: bytes) -> Scored: ...

    def close(self) -> None: ...


# --- on this machine --------------------------------------------------------------------------------------


class Pool:
    """Worker processes that run `work` on bodies. They end with this process, even when it is killed."""

    def __init__(self, work: Callable[[bytes], Scored], *, workers: int) -> None:
        self.width = 4 * workers
        self._work = work
        self._workers = workers
        self._executor = self._start(workers)

    def submit(self, body: bytes) -> Future[Scored]:
        try:
            return self._executor.submit(self._work, body)
        except BrokenProcessPool:
            self._executor.shutdown(wait=False)
            self._executor = self._start(self._workers)
            return self._executor.submit(self._work, body)

    def again(self, body: bytes) -> Scored:
        """Score a body whose worker died, apart from all others: it may have died of another one."""
        with self._start(1) as alone:
            try:
                return alone.submit(self._work, body).result()
            except BrokenProcessPool:
                return Scored(None, Refusal("worker_died", "the worker process died of this group, twice"))

    def close(self) -> None:
        self._executor.shutdown(cancel_futures=True)

    @staticmethod
    def _start(workers: int) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["rubric.score", "spacy.matcher", "service.scorers"])
        return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker)


def _begin_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which stops its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from rubric import flags  # noqa: PLC0415 (heavy, and needed in the worker alone)

    flags.prepare()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@dataclass(frozen=True, slots=True)
class InProcess:
    """Parse and score one body with the pure core: the work of a `Pool`."""

    defaults: Defaults
    limits: Limits

    def __call__(self, body: bytes) -> Scored:
        from rubric.intake import parse_score  # noqa: PLC0415
        from rubric.score import score_group  # noqa: PLC0415 (loaded in the workers, not in the parent)

        try:
            request = parse_score(body, limits=self.limits)
            return Scored(score_group(request, defaults=self.defaults).model_dump_json().encode())
        except InvalidInput as error:
            return Scored(None, Refusal(error.kind, str(error)))
        except Exception as error:  # noqa: BLE001 (one poisoned group must not take the file along)
            return Scored(None, Refusal("internal", f"{type(error).__name__} while scoring"))


# --- a server ---------------------------------------------------------------------------------------------

_ATTEMPTS = 8
_LONGEST_WAIT = 60.0
_AGAIN = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
_REFUSED = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}


class Server:
    """A running service. Asks again after transport errors, 429, 503 and 504, as late as it is told to."""

    def __init__(
        self,
        url: str,
        *,
        connections: int,
        api_key: str | None = None,
        attempts: int = _ATTEMPTS,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.width = 2 * connections
        self._url = url.rstrip("/")
        self._attempts = attempts
        self._wait = wait
        self._threads = ThreadPoolExecutor(connections)
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            limits=httpx.Limits(max_connections=connections),
            timeout=httpx.Timeout(10.0, read=600.0, write=600.0, pool=None),
        )

    def fingerprint(self) -> str:
        """What makes the server's numbers. Raises `Stopped`."""
        reply = self._ask("GET", "/version", None)
        if reply.status_code != HTTPStatus.OK:
            raise Stopped(f"{self._url}/version answered {reply.status_code}: is a Cairn service there?")
        return str(orjson.loads(reply.content)["fingerprint"])

    def submit(self, body: bytes) -> Future[Scored]:
        return self._threads.submit(self.again, body)

    def again(self, body: bytes) -> Scored:
        reply = self._ask("POST", "/score", body)
        status = reply.status_code
        if status == HTTPStatus.OK:
            return Scored(reply.content)
        if status in _REFUSED or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Scored(None, _refusal(reply))
        raise Stopped(f"{self._url}/score answered {status}: {_refusal(reply).detail}")

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._client.close()

    def _ask(self, method: str, path: str, body: bytes | None) -> httpx.Response:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        for attempt in range(1, self._attempts + 1):
            try:
                reply = self._client.request(method, self._url + path, content=body, headers=headers)
            except httpx.TransportError as error:
                problem, wait = f"cannot be reached ({type(error).__name__})", _backoff(attempt)
            except httpx.InvalidURL as error:
                raise Stopped(f"{self._url} is no address: {error}") from error
            else:
                if reply.status_code not in _AGAIN:
                    return reply
                problem = f"answered {reply.status_code}"
                asked = _retry_after(reply)
                wait = _backoff(attempt) if asked is None else asked
            if attempt < self._attempts:
                self._wait(wait)
        raise Stopped(f"{self._url}{path} {problem}, {self._attempts} times")


def _backoff(attempt: int) -> float:
    """Seconds before the next attempt: doubled each time, with jitter."""
    return float(min(_LONGEST_WAIT, 0.5 * 2**attempt) * random.uniform(0.5, 1.0))  # noqa: S311 (no secret)


def _retry_after(reply: httpx.Response) -> float | None:
    """Seconds the server asks for, given as a number or as a date."""
    asked = reply.headers.get("Retry-After", "").strip()
    if asked.isdigit():
        return float(asked)
    try:
        return max(0.0, parsedate_to_datetime(asked).timestamp() - time.time())
    except ValueError:
        return None


def _refusal(reply: httpx.Response) -> Refusal:
    """What the problem details say."""
    try:
        problem = orjson.loads(reply.content)
        kind = str(problem.get("type") or reply.status_code).rsplit("/", 1)[-1].rsplit(":", 1)[-1]
        return Refusal(kind, str(problem.get("detail") or problem.get("title") or reply.reason_phrase))
    except (orjson.JSONDecodeError, AttributeError):
        return Refusal(f"http_{reply.status_code}", reply.reason_phrase)
