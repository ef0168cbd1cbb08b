"""Who gets in, and for how long: keys, places, deadlines, and the way to a stop that loses nothing.

    async with gate.enter(request.headers) as turn:
        ...

Refusing is quick and happens before the body is read; whoever is in is served, or told why not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto

from rubric.errors import Fault, InvalidInput
from service.admission import Admission, Pool, Turn, Waits
from service.errors import Refused
from service.keys import Keyring
from service.rates import Rates

IDLE_S = 10.0
"""Longest silence in the middle of a body."""


class Phase(Enum):
    """The life of a server. `LEAVING` still serves: load balancers need time to see that it is not ready."""

    STARTING = auto()
    OPEN = auto()
    LEAVING = auto()
    CLOSED = auto()


class Gate:
    """Admission to the routes that score. A keyring without keys lets everybody in."""

    def __init__(
        self,
        *,
        admission: Admission,
        timeout_s: float,
        most_bytes: int,
        body_idle_s: float = IDLE_S,
        keyring: Keyring | None = None,
        rates: Rates | None = None,
    ) -> None:
        self.phase = Phase.STARTING
        self.body_idle_s = body_idle_s
        self._admission = admission
        self._timeout_s = timeout_s
        self._most_bytes = most_bytes
        self._keyring = keyring or Keyring()
        self._rates = rates
        self._inside: set[asyncio.Timeout] = set()
        self._changed = asyncio.Event()

    @property
    def pools(self) -> Mapping[Waits, Pool]:
        """The places, by what is waited for."""
        return self._admission.pools

    @asynccontextmanager
    async def enter(self, headers: Mapping[str, str]) -> AsyncIterator[Turn]:
        """Hold a place until the block ends or the deadline passes, which is told by the clock of the loop.

        Raises `Refused`, `InvalidInput`.
        """
        self._check_key(headers)
        self._check_phase()
        until = asyncio.get_running_loop().time() + _deadline(headers, self._timeout_s)
        timeout = asyncio.timeout_at(until)
        place = self._admission.enter(announced=_announced(headers, self._most_bytes))
        self._inside.add(timeout)
        try:
            async with timeout:
                yield Turn(until, place)
        except TimeoutError:
            if not timeout.expired():
                raise
            self._check_phase()
            raise Refused("deadline_passed", "the request was given up when its deadline passed") from None
        finally:
            place.leave()
            self._inside.discard(timeout)
            self._changed.set()

    def check_room(self) -> None:
        """The cheapest refusal, before anything else is looked at. Raises `Refused`."""
        self._admission.check()

    def check_ready(self) -> None:
        """Raises `Refused` unless new requests should be sent here."""
        self._check_phase()
        if self.phase is Phase.LEAVING:
            raise Refused("draining", "the server is about to stop", retry_after=1)

    def open(self) -> None:
        """Everything is loaded."""
        self.phase = Phase.OPEN

    def leave(self) -> None:
        """Say that no more requests should come, and serve those that do."""
        self.phase = Phase.LEAVING

    async def close(self, *, grace_s: float) -> None:
        """Let nobody in, wait for whoever is inside, and end what takes longer than `grace_s`."""
        self.phase = Phase.CLOSED
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._emptied()
        for timeout in self._inside:
            timeout.reschedule(asyncio.get_running_loop().time())
        await self._emptied()

    async def _emptied(self) -> None:
        while self._inside:
            self._changed.clear()
            await self._changed.wait()

    def _check_phase(self) -> None:
        if self.phase is Phase.STARTING:
            raise Refused("starting", "the server is not ready yet", retry_after=1)
        if self.phase is Phase.CLOSED:
            raise Refused("draining", "the server is stopping; another one may answer", retry_after=1)

    def _check_key(self, headers: Mapping[str, str]) -> None:
        if not self._keyring.needed:
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        if not given:
            raise Refused("key_missing", "send `Authorization: Bearer KEY` or `X-API-Key: KEY`")
        owner = self._keyring.owner(given.encode("latin-1", "replace"))
        if owner is None:
            raise Refused("key_wrong", "the key is none of those that may score")
        if self._rates:
            self._rates.check(owner)


def _announced(headers: Mapping[str, str], most: int) -> int:
    """Bytes that a body will have, as far as its headers say; what is packed is several times as large."""
    length = headers.get("content-length", "")
    size = int(length) if length.isascii() and length.isdigit() and len(length) <= _MOST_DIGITS else 0
    return min(most, size * _UNPACKED if "content-encoding" in headers else size)


_UNPACKED = 4
"""How much larger a body is unpacked, before anybody knows: text is packed to a quarter."""

_DEADLINE = "x-request-timeout-ms"
_MOST_DIGITS = 12


def _deadline(headers: Mapping[str, str], most_s: float) -> float:
    """Seconds for one request: what the client gives it, but no more than the server does."""
    given = headers.get(_DEADLINE)
    if given is None:
        return most_s
    if not (given.isascii() and given.isdigit() and len(given) <= _MOST_DIGITS and int(given)):
        raise InvalidInput((Fault("header X-Request-Timeout-Ms", "is not a whole number of milliseconds"),))
    return min(most_s, int(given) / 1e3)
