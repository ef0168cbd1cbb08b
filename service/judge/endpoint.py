"""One call to an OpenAI-compatible endpoint (SGLang, vLLM, a vendor): a completion, or how it failed.

Of the `openai` package one POST would be used, and its retries, which know no breaker and no deadline of a
rollout, would be turned off. httpcore is the engine of httpx, without the car around it: with 1,000 rollouts
at once and room for 64, httpx alone spends a quarter of the wall time beside the judge.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpcore
import orjson
from pydantic import BaseModel, ValidationError

from rubric.judging import SCHEMA, Form
from rubric.version import VERSION
from service.judge.failures import CallFailed, Kind
from service.judge.options import JudgeOptions
from service.judge.sockets import Sockets


@dataclass(frozen=True, slots=True)
class Completion:
    """What the judge wrote, and the tokens that it took where the endpoint counts them."""

    text: str
    tokens: int | None


class Endpoint:
    """Asks one model. Holds the connections and the key; neither shows in its repr."""

    def __init__(self, options: JudgeOptions) -> None:
        self._url = httpcore.URL(_url(options))
        self._timeout_s = options.timeout_s
        self._body = _body(options)
        self._headers = _headers(options)
        self._tls = httpcore.default_ssl_context() if self._url.scheme == b"https" else None
        self._idle: list[httpcore.AsyncHTTPConnection] = []

    async def complete(self, prompt: str, *, seed: int) -> Completion:
        """The reply to one prompt. Raises `CallFailed`."""
        body = self._body | {"messages": [{"role": "user", "content": prompt}]}
        if "seed" in body:
            body["seed"] = seed
        try:
            async with asyncio.timeout(self._timeout_s):
                status, headers, raw = await self._post(orjson.dumps(body))
        except (TimeoutError, httpcore.TimeoutException):
            detail = f"the judge did not answer within {self._timeout_s:g} s"
            raise CallFailed(Kind.TIMEOUT, detail, again=True, down=True) from None
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            detail = f"the connection to the judge failed ({type(error).__name__})"
            raise CallFailed(Kind.UNREACHABLE, detail, again=True, down=True) from None
        if status != HTTPStatus.OK:
            raise _refusal(status, headers, raw)
        return _completion(raw)

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().aclose()

    async def _post(self, content: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body; of a reply that is far too long, what comes first."""
        headers = [*self._headers, (b"content-length", b"%d" % len(content))]
        limits = {"timeout": {"connect": min(_CONNECT_S, self._timeout_s)}}
        raw = bytearray()
        async with (
            self._lent() as connection,
            connection.stream(
                "POST", self._url, headers=headers, content=content, extensions=limits
            ) as response,
        ):
            async for chunk in response.aiter_stream():
                raw += chunk
                if len(raw) > _LONGEST_REPLY:
                    break
            return response.status, _decoded(response.headers), bytes(raw)

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[httpcore.AsyncHTTPConnection]:
        """A connection for one call, best the one that is warmest.

        No pool: those of httpcore look through all their connections several times for every call, which at
        64 under way takes longer than the call.
        """
        connection = await self._warm() or self._new()
        try:
            yield connection
        finally:
            if connection.is_idle():
                self._idle.append(connection)
            else:  # what was broken off may never be idle again
                await connection.aclose()

    async def _warm(self) -> httpcore.AsyncHTTPConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return None

    def _new(self) -> httpcore.AsyncHTTPConnection:
        return httpcore.AsyncHTTPConnection(
            origin=self._url.origin,
            ssl_context=self._tls,
            keepalive_expiry=_IDLE_S,
            network_backend=Sockets(),
        )


_CONNECT_S = 5.0
_IDLE_S = 4.0
"""An idle connection is given up before the endpoint does it: uvicorn's time is 5 s."""
_LONGEST_REPLY = 1024 * 1024


def _url(options: JudgeOptions) -> str:
    return f"{options.base_url.rstrip('/')}/chat/completions"


def _headers(options: JudgeOptions) -> list[tuple[bytes, bytes]]:
    """What is the same in every request; a reply is asked for as it is, not packed."""
    fields = {
        "host": urlsplit(options.base_url).netloc.rpartition("@")[2],
        "content-type": "application/json",
        "accept": "application/json",
        "user-agent": f"cairn/{VERSION}",
    }
    if options.api_key:
        fields["authorization"] = f"Bearer {options.api_key}"
    return [(name.encode(), value.encode()) for name, value in fields.items()]


def _decoded(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


def _body(options: JudgeOptions) -> dict[str, object]:
    """What is the same in every request."""
    body: dict[str, object] = {
        "model": options.model,
        "temperature": options.temperature,
        "seed": options.seed,
        "max_tokens": options.max_tokens,
    }
    if options.form is Form.JSON:
        schema = {"name": "verdict", "strict": True, "schema": SCHEMA}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return {name: value for name, value in (body | dict(options.extra)).items() if value is not None}


# --- a reply ----------------------------------------------------------------------------------------------


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    total_tokens: int | None = None


class _Reply(BaseModel):
    choices: list[_Choice]
    usage: _Usage | None = None


def _completion(raw: bytes) -> Completion:
    """Raises `CallFailed` where no whole text of the judge is in it."""
    try:
        reply = _Reply.model_validate_json(raw)
        choice = reply.choices[0]
    except (ValidationError, IndexError):
        raise CallFailed(Kind.UNPARSABLE, "the judge's reply is no chat completion", again=True) from None
    if choice.message.refusal or choice.finish_reason == "content_filter":
        raise CallFailed(Kind.REFUSED, "the judge declined to judge it")
    if choice.finish_reason == "length":
        raise CallFailed(Kind.UNPARSABLE, "the judge's reply was cut at its limit of tokens", again=True)
    return Completion(choice.message.content or "", reply.usage.total_tokens if reply.usage else None)


# --- a refusal --------------------------------------------------------------------------------------------

_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_OUT_OF_MONEY = re.compile(r"quota|billing|credit|balance|arrear|spend_limit")
_CODE = re.compile(r"\w[\w.-]{0,59}")
_FIRST_5XX = 500


def _refusal(status: int, headers: Mapping[str, str], raw: bytes) -> CallFailed:
    """What a status other than 200 means. Of the body only an error code is read: its message may echo."""
    codes = _codes(raw)
    detail = f"the judge answered {status}" + (f" ({codes[0]})" if codes else "")
    if status == HTTPStatus.PAYMENT_REQUIRED or any(_OUT_OF_MONEY.search(code.lower()) for code in codes):
        return CallFailed(Kind.QUOTA, detail, down=True)
    if status in _AGAIN or status >= _FIRST_5XX:
        busy = status == HTTPStatus.TOO_MANY_REQUESTS
        after_s = retry_after(headers)
        return CallFailed(Kind.UNREACHABLE, detail, again=True, down=not busy, busy=busy, after_s=after_s)
    return CallFailed(Kind.REFUSED, detail)


def _codes(raw: bytes) -> list[str]:
    """The words that the endpoint has for its error: `error.code`, `error.type`, `code`, `type`."""
    try:
        body: Any = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return []
    outer = body if isinstance(body, dict) else {}
    parts = [part for part in (outer.get("error"), outer) if isinstance(part, dict)]
    found = [part.get(name) for part in parts for name in ("code", "type")]
    return [word for word in found if isinstance(word, str) and _CODE.fullmatch(word)]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from `Retry-After` (seconds or a date) or `Retry-After-Ms`; None for nonsense."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    try:
        date = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(tz=UTC)).total_seconds())
