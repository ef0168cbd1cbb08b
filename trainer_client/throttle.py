"""How much one process asks of the service at once, and how often again: no storm on one that is in trouble.

Own code rather than a library's retry decorator: those know one call, and a storm is made of all of them.
Shared by every thread and loop of a process, so that a wait is a number of seconds and never a lock held.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

from trainer_client.protocol import Next, Trouble, backoff

_log = logging.getLogger("cairn")


class Throttle:
    """A window over attempts under way, as TCP has it, and a budget for those that are not the first.

    A busy service halves the window and gets one more at a time; one that answers nobody is asked by a single
    attempt, less and less often, while the others wait. `limit` is the widest that the window may be.
    """

    def __init__(self, *, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.trouble: Trouble | None = None
        """Why the window is narrow, while nothing goes well."""
        self._limit = float(limit)
        self._width = float(limit)
        self._busy_at = float(limit)
        self._under_way = 0
        self._narrowed_at = float("-inf")
        self._bad_rounds = 0
        self._not_before = float("-inf")
        self._retries = RETRIES_AT_ONCE
        self._counted_at = clock()
        self._clock = clock
        self._lock = threading.Lock()

    def enter(self, *, again: bool) -> float | None:
        """0 for an attempt that may go, which is then under way; else seconds after which to ask once more.

        None for another attempt of the same call (`again`) where there have been too many of those.
        """
        with self._lock:
            now = self._clock()
            if now < self._not_before:
                return self._not_before - now
            if self._under_way >= int(self._width):
                return _ASK_AGAIN_S
            if not self._paid(now, again=again):
                return None
            self._under_way += 1
            return 0.0

    def leave(self, trouble: Trouble | None, *, started: float) -> None:
        """An attempt is over that started then; `trouble` is why it brought no score."""
        with self._lock:
            self._under_way -= 1
            if trouble is None or trouble.next is Next.FIX:
                self._went_well()
            elif trouble.down and started > self._narrowed_at:
                self._narrow(trouble)

    def abandon(self) -> None:
        """An attempt is over and says nothing: its caller went away."""
        with self._lock:
            self._under_way -= 1

    def _paid(self, now: float, *, again: bool) -> bool:
        """First attempts and time earn what further attempts cost, so that all are at most 1.1 of the first.

        To that come `RETRIES_AT_ONCE`, so that a few calls may try several times.
        """
        earned = (now - self._counted_at) * _RETRIES_PER_S + (0.0 if again else _RETRIES_PER_CALL)
        self._retries = min(RETRIES_AT_ONCE, self._retries + earned)
        self._counted_at = now
        if again and self._retries < 1:
            return False
        self._retries -= again
        return True

    def _went_well(self) -> None:
        if self._bad_rounds > 1:
            _log.warning("the reward service answers again")
        self._bad_rounds = 0
        self.trouble = None
        self._width = min(
            self._limit, self._width + (1.0 if self._width < self._busy_at else 1 / self._width)
        )
        self._busy_at = max(self._busy_at, self._width)

    def _narrow(self, trouble: Trouble) -> None:
        """Once for all attempts that were under way together; more when nothing went well since the last."""
        now = self._clock()
        self._narrowed_at = now
        self.trouble = trouble
        self._bad_rounds += 1
        self._width = max(1.0, self._width // 2) if self._bad_rounds == 1 else 1.0
        if trouble.busy:
            self._busy_at = self._width
        if self._bad_rounds > 1:
            pause = backoff(self._bad_rounds - 1, spread=random.random())  # noqa: S311 - spreads, hides nothing
            self._not_before = now + max(pause, min(trouble.after_s or 0.0, _LONGEST_HOLD_S))
        if self._bad_rounds == 2:  # noqa: PLR2004 - the first could have been chance
            _log.warning("the reward service does not answer, and is asked less: %s", trouble.detail)


RETRIES_AT_ONCE = 50.0
_RETRIES_PER_CALL = 0.1
_RETRIES_PER_S = 0.25
"""A single call that waits for a service to come back may go on asking."""
_ASK_AGAIN_S = 0.02
_LONGEST_HOLD_S = 30.0
"""All wait because of one answer; one that asks for an hour may be a mistake."""
