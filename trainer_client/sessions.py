"""Connections of one event loop in one process, and the end of them when that loop ends.

Trainers make a new loop each step, run several in one process, and fork: a connection belongs to the loop
that opened it in the process that opened it, and to nobody else. Nothing else here knows httpx.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress

# httpcore imports sniffio several times per request. Where it is missing, each time searches the disk, which
# is a third of the cost of a request, and holds a lock: a process forked meanwhile waits for it for ever.
import httpx
import sniffio  # noqa: F401

from rubric.version import VERSION
from trainer_client.errors import StopRun
from trainer_client.protocol import Answer, Break, Broken
from trainer_client.settings import Settings


class Sessions:
    """One session per running loop of this process; a forked process must have its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sessions: dict[asyncio.AbstractEventLoop, Session] = {}

    async def current(self) -> Session:
        """The session of the running loop. `asyncio.run` and its like close it when they end the loop."""
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            self._forget_closed_loops()
            session = self._sessions[loop] = Session(self._settings)
            session.life = self._until_the_loop_ends(session, loop)
            await anext(session.life)
        return session

    async def close(self) -> None:
        """Close what the running loop has open."""
        session = self._sessions.get(asyncio.get_running_loop())
        if session is not None and session.life is not None:
            await session.life.aclose()

    def let_go(self) -> None:
        """Have every loop close its own, from wherever this is called.

        A collected connection would close its socket first and unregister it afterwards, when its number may
        be that of another connection, which then hears nothing any more.
        """
        for loop, session in list(self._sessions.items()):
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(_end, session)

    async def _until_the_loop_ends(
        self, session: Session, loop: asyncio.AbstractEventLoop
    ) -> AsyncGenerator[None, None]:
        """A loop that ends closes the generators that were begun in it; nothing else hears of its end."""
        try:
            yield
        finally:
            self._sessions.pop(loop, None)
            await session.close()

    def _forget_closed_loops(self) -> None:
        for loop in [loop for loop in self._sessions if loop.is_closed()]:
            self._sessions.pop(loop, None)


def _end(session: Session) -> None:
    if session.life is not None:
        closing = asyncio.ensure_future(session.life.aclose())
        _closing.add(closing)
        closing.add_done_callback(_closing.discard)


_closing: set[asyncio.Future[None]] = set()


class Session:
    """Connections, each lent to one request at a time, and the turns of those who want one.

    Who waits for a turn waits here, before any time-out of an attempt begins. One pool for all would look
    through every connection several times for every request.
    """

    def __init__(self, settings: Settings) -> None:
        self.life: AsyncGenerator[None, None] | None = None
        self.turns = asyncio.Semaphore(settings.concurrency)
        self._connect_s = settings.connect_timeout_s
        self._url = _url(settings.url)
        self._urls: dict[str, httpx.URL] = {}
        self._headers = _headers(self._url, settings.api_key.get_secret_value())
        self._verify = httpx.create_ssl_context() if self._url.scheme == "https" else False
        self._idle: list[httpx.AsyncHTTPTransport] = []
        self._closed = False

    async def post(self, path: str, *, content: bytes, headers: dict[str, str], budget_s: float) -> Answer:
        """One attempt, which ends in this time. Raises `Broken`."""
        timeout = httpx.Timeout(budget_s, connect=min(budget_s, self._connect_s), pool=None)
        request = httpx.Request(
            "POST",
            self._urls.get(path) or self._urls.setdefault(path, _below(self._url, path)),
            headers=self._headers | headers,
            content=content,
            extensions={"timeout": timeout.as_dict()},
        )
        try:
            async with asyncio.timeout(budget_s), self._lent() as connection:
                response = await connection.handle_async_request(request)
                try:
                    body = await response.aread()
                finally:
                    await response.aclose()
        except (httpx.HTTPError, TimeoutError) as error:
            raise Broken(_how(error), f"{type(error).__name__} {error}".strip()) from error
        return Answer(response.status_code, response.headers, body)

    async def close(self) -> None:
        self._closed = True
        while self._idle:
            await self._idle.pop().aclose()

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[httpx.AsyncHTTPTransport]:
        """A connection for one request, best the warmest. Proxies of the environment are not asked.

        One whose request was broken off is not lent again: httpcore may never learn that it is free, and all
        that come after would wait for it.
        """
        connection = self._idle.pop() if self._idle else self._connection()
        try:
            yield connection
        except BaseException:
            await connection.aclose()
            raise
        if self._closed:
            await connection.aclose()
        else:
            self._idle.append(connection)

    def _connection(self) -> httpx.AsyncHTTPTransport:
        limits = httpx.Limits(max_connections=1, keepalive_expiry=_IDLE_S)
        return httpx.AsyncHTTPTransport(verify=self._verify, trust_env=False, limits=limits)


def _url(text: str) -> httpx.URL:
    try:
        return httpx.URL(text)
    except httpx.InvalidURL as error:
        raise StopRun("bad_settings", f"CAIRN_URL is no address: {error}") from None


def _below(url: httpx.URL, path: str) -> httpx.URL:
    return url.copy_with(raw_path=url.raw_path.rstrip(b"/") + path.encode())


def _headers(url: httpx.URL, key: str) -> dict[str, str]:
    """What is the same in every request."""
    own = {
        "host": url.netloc.decode("ascii"),
        "accept-encoding": "identity",
        "user-agent": f"cairn/{VERSION}",
    }
    return own | ({"authorization": f"Bearer {key}"} if key else {})


def _how(error: Exception) -> Break:
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return Break.UNREACHABLE
        case httpx.TimeoutException() | TimeoutError():
            return Break.TIMEOUT
        case _:
            return Break.CUT


_IDLE_S = 4.0
"""An idle connection is given up before the service does it: uvicorn's time is 5 s."""
