"""Everything that wants to know of a group that was answered, told once.

watch = Watch(metrics, windows, recheck=recheck)
watch.remembered(job, keys, known, verdicts)
watch.scored(job, verdicts, reply)
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Protocol

import structlog

from rubric.entity import Verdict
from rubric.job import Job
from rubric.wire import ScoreReply
from service.drift.recheck import Recheck
from service.drift.signals import Signals, of_group
from service.drift.windows import Windows

_log = structlog.get_logger("cairn")


class Counts(Protocol):
    """Somebody who counts, as `service.metrics.Metrics` does."""

    def observed(self, signals: Signals) -> None: ...

    def failed(self, kind: str) -> None: ...


class Watch:
    """Counts a group, adds it to its window, and says so where it shows that the policy has changed."""

    def __init__(self, counts: Counts, windows: Windows, *, recheck: Recheck) -> None:
        self._counts = counts
        self._windows = windows
        self._recheck = recheck

    def remembered(
        self, job: Job, keys: Sequence[str | None], known: Container[str], verdicts: Sequence[object]
    ) -> None:
        """The verdicts of a group, with their keys; those that are `known` came from the cache."""
        for key, response, verdict in zip(keys, job.responses, verdicts, strict=True):
            if key in known and response is not None and isinstance(verdict, Verdict):
                self._recheck.offer(job.task, response, verdict)

    def scored(self, job: Job, verdicts: Sequence[object], reply: ScoreReply) -> None:
        """A group of a trainer; the canary's are not told."""
        signals = of_group(job, verdicts, reply)
        self._counts.observed(signals)
        for rollout in reply.rollouts:
            if rollout.failure:
                self._counts.failed(rollout.failure.type)
        if alarm := self._windows.add(signals):
            causes = [f"{each.feature} {'up' if each.up else 'down'}" for each in alarm.causes]
            labels = self._windows.listed(signals.labels)
            _log.warning("policy changed", causes=causes, since=alarm.since, labels=labels)
