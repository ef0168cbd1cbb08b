"""How much is asked of the judge at once and in a minute, and when nobody is asked at all.

Own code rather than a limiter off the shelf: those let a whole minute's worth go at once, and then wait
without knowing for how long. Here a turn is an instant on a line of time, so that a rollout which cannot get
one before its deadline is told so at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from service import breaker
from service.breaker import Clock
from service.judge.failures import CallFailed, Kind, cannot_judge
from service.judge.options import JudgeOptions

_log = structlog.get_logger("cairn")


class Turns:
    """Who may ask, and when: so many at once, so many requests and tokens a minute."""

    def __init__(self, options: JudgeOptions, *, clock: Clock = time.monotonic) -> None:
        self._permits = asyncio.Semaphore(options.concurrency)
        self._requests = Pace(options.requests_per_minute, clock=clock)
        self._tokens = Pace(options.tokens_per_minute, clock=clock)
        self._held_until = 0.0
        self._clock = clock

    @asynccontextmanager
    async def permit(self) -> AsyncIterator[None]:
        """One of those who ask at once, in the order in which they came."""
        async with self._permits:
            yield

    async def wait(self, tokens: int, *, until: float) -> None:
        """Wait for the turn of a request of so many tokens.

        Raises `CannotScore` at once where it would come too late.
        """
        while True:
            wait = max(self._requests.wait(), self._tokens.wait())
            if self._clock() + wait > until:
                raise cannot_judge(Kind.TIMEOUT, "the judge's limits leave no turn before the deadline")
            self._requests.take(1)
            self._tokens.take(tokens)
            if not wait:
                return
            await asyncio.sleep(wait)
            if self._clock() >= self._held_until:
                return

    def settle(self, *, reserved: int, used: int | None) -> None:
        """Give back what a request was counted for and did not use."""
        if used is not None:
            self._tokens.take(used - reserved)

    def hold(self, seconds: float) -> None:
        """The endpoint wants to be left alone for so long: whoever has a turn in that time gets another."""
        if seconds:
            self._held_until = max(self._held_until, self._clock() + min(seconds, _LONGEST_HOLD_S))
            self._requests.put_off(self._held_until)


_LONGEST_HOLD_S = 60.0
"""A header that asks for hours is a mistake, or a quota by another name: one a minute finds out."""


class Pace:
    """So many units a minute, evenly: what is taken moves the instant at which the next may start.

    What was taken by somebody who then went away is not given back.
    """

    def __init__(self, per_minute: float | None, *, clock: Clock = time.monotonic) -> None:
        self._seconds_per_unit = 60 / per_minute if per_minute else 0.0
        self._free_at = 0.0
        self._clock = clock

    def wait(self) -> float:
        """Seconds until the next may start."""
        return max(0.0, self._free_at - self._clock())

    def take(self, units: int) -> None:
        """Use units; less than none gives some back."""
        self._free_at = max(self._free_at, self._clock()) + units * self._seconds_per_unit

    def put_off(self, instant: float) -> None:
        """Nothing starts before this instant."""
        self._free_at = max(self._free_at, instant)


class Breaker:
    """Spares an endpoint that is down, and those who would wait for it.

    After so many failed calls in a row, or one that says that the account is empty, nobody is asked for a
    while; then one is let through, and its success lets everybody in again.
    """

    def __init__(self, *, failures: int, rest_s: float, clock: Clock = time.monotonic) -> None:
        self._breaker = breaker.Breaker(failures=failures, rest_s=rest_s, clock=clock)
        self._rest_s = rest_s
        self._why: CallFailed | None = None

    @property
    def is_open(self) -> bool:
        """Whether the endpoint is left alone."""
        return self._breaker.is_open

    def admit(self) -> None:
        """Raises `CannotScore` while nobody is to be asked."""
        if self._why is not None and not self._breaker.admits():
            detail = f"{self._why.detail}; it is left alone for {self._rest_s:g} s at a time"
            raise cannot_judge(self._why.kind, detail)

    def succeeded(self) -> None:
        """The endpoint is well."""
        if self._breaker.succeeded():
            _log.info("judge_is_back")

    def failed(self, error: CallFailed) -> None:
        """Count a call that failed; what is not the endpoint's fault tells that it is well."""
        if not error.down:
            self.succeeded()
            return
        self._why = error
        if self._breaker.failed(at_once=error.kind is Kind.QUOTA):
            _log.warning("judge_left_alone", type=error.kind.value, detail=error.detail)
