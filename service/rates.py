"""How often each key may ask: a bucket per key, which fills as time goes by.

Rates(per_minute=600).check("run-7")
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from service.errors import Refused

_MINUTE_S = 60.0


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Rates:
    """So many requests a minute for each owner of a key, all at once or spread out."""

    def __init__(self, *, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = max(1.0, per_minute)
        self._per_s = per_minute / _MINUTE_S
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def check(self, owner: str) -> None:
        """Count one request. Raises `Refused`, with when the next one may come."""
        now = self._clock()
        bucket = self._buckets.setdefault(owner, _Bucket(self._most, now))
        bucket.left = min(self._most, bucket.left + (now - bucket.at) * self._per_s)
        bucket.at = now
        if bucket.left < 1:
            after = math.ceil((1 - bucket.left) / self._per_s)
            raise Refused(
                "rate_limited", f"this key may ask {self._most:g} times a minute", retry_after=after
            )
        bucket.left -= 1
