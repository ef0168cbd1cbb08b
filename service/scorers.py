"""Two ways to have a group scored: the service's own parts in this process, or a running server.

Both take the body of a `/score` request and promise a `Scored`. What is wrong with one group is said in its
`Scored`; what is wrong with the whole run (a wrong key, a server that stays away) raises `Stopped`.
"""

from __future__ import annotations

import asyncio
import math
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Protocol

import httpx
import orjson

from rubric.errors import CairnError, InvalidInput
from service.admission import Turn
from service.app import Parts, alive


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

    def close(self) -> None: ...


# --- on this machine --------------------------------------------------------------------------------------


class Here:
    """The service without its HTTP, in a thread of its own: the same way to every number.

    Raises what starting it raises. Worker processes end with this one, even when it is killed.
    """

    def __init__(self, parts: Parts) -> None:
        self.width = 4 * parts.workers.count
        self._scoring = parts.scoring
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: self._loop.run_until_complete(self._live(parts, started)), daemon=True
        )
        self._thread.start()
        try:
            started.result()
        except BaseException:
            self.close()
            raise

    def submit(self, body: bytes) -> Future[Scored]:
        return asyncio.run_coroutine_threadsafe(self._score(body), self._loop)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    async def _live(self, parts: Parts, started: Future[None]) -> None:
        try:
            async with alive(parts):
                started.set_result(None)
                await self._stop.wait()
                for task in asyncio.all_tasks() - {asyncio.current_task()}:
                    task.cancel()
        except Exception as error:
            if started.done():
                raise
            started.set_exception(error)

    async def _score(self, body: bytes) -> Scored:
        try:
            return Scored((await self._scoring.score(body, turn=Turn(math.inf))).body)
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
        return self._threads.submit(self._score, body)

    def _score(self, body: bytes) -> Scored:
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
