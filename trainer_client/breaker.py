"""When to stop a run: too many rollouts without a reward, and training goes on with what is left over."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable

from rubric.wire import Failure
from trainer_client.errors import StopRun


class Breaker:
    """Watches the share of failed rollouts among the last `window`. Once open it stays open.

    It says nothing before a quarter of the window has been seen. `share` 1 never opens it.
    """

    def __init__(self, *, share: float, window: int) -> None:
        self._share = share
        self._least = max(1, window // 4)
        self._last: deque[Failure | None] = deque(maxlen=window)
        self._failed = 0
        self._why: str | None = None
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raises `StopRun` once too many have failed."""
        if self._why is not None:
            raise StopRun("too_many_failures", self._why)

    def note(self, failures: Iterable[Failure | None]) -> None:
        """Count rollouts that were scored (None) or failed. Raises `StopRun`."""
        with self._lock:
            for failure in failures:
                if len(self._last) == self._last.maxlen:
                    self._failed -= self._last[0] is not None
                self._last.append(failure)
                self._failed += failure is not None
            seen = len(self._last)
            if self._why is None and seen >= self._least and self._failed > self._share * seen:
                self._why = self._story()
        self.check()

    def _story(self) -> str:
        failures = [failure for failure in self._last if failure is not None]
        kinds = Counter(failure.type for failure in failures).most_common(3)
        listed = ", ".join(f"{count} x {kind}" for kind, count in kinds)
        return (
            f"{self._failed} of the last {len(self._last)} rollouts have no reward ({listed}), more than the "
            f"share of {self._share:g} that CAIRN_FAILED_SHARE allows; the last one: {failures[-1].detail}. "
            "The run is stopped rather than trained on what is left over."
        )
