"""What a run over stored groups adds up to: counted line by line, shown as one table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Mean:
    """A running mean; `None` is not counted."""

    total: float = 0.0
    count: int = 0

    def add(self, value: float | None) -> None:
        if value is not None:
            self.total += value
            self.count += 1

    def __str__(self) -> str:
        return f"{self.total / self.count:.4f}" if self.count else "–"


@dataclass(slots=True)
class Tally:
    """Counts over the lines of an output. Means are over the rollouts that have a value."""

    groups: int = 0
    resumed: int = 0
    rollouts: int = 0
    fresh_rollouts: int = 0
    status: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    degraded: Counter[str] = field(default_factory=Counter)
    criteria: int = 0
    near_misses: int = 0
    compared_groups: int = 0
    degenerate: int = 0
    reward: Mean = field(default_factory=Mean)
    rubric: Mean = field(default_factory=Mean)
    outcome: Mean = field(default_factory=Mean)
    errors: list[str] = field(default_factory=list)
    error_count: int = 0

    @property
    def complete(self) -> bool:
        """Whether every group was read and every rollout scored."""
        return not self.error_count and not self.status["failed"]

    def add(self, line: dict[str, Any], *, resumed: bool) -> None:
        """Count one line of the output."""
        self.resumed += resumed
        if line["error"] is not None:
            self._add_error(line)
            return
        self.groups += 1
        self.rollouts += len(line["rollouts"])
        self.fresh_rollouts += 0 if resumed else len(line["rollouts"])
        self.degraded.update(line["degraded"])
        if line["group"]["scored"] > 1:  # one reward alone is always equal to itself
            self.compared_groups += 1
            self.degenerate += line["group"]["degenerate"]
        for rollout in line["rollouts"]:
            self._add_rollout(rollout)

    def _add_error(self, line: dict[str, Any]) -> None:
        source, error = line["source"], line["error"]
        self.error_count += 1
        self.failures[f"group: {error['type']}"] += 1
        if len(self.errors) < _MOST_ERRORS:
            self.errors.append(f"{source['file']}:{source['line']}: {error['detail']}")

    def _add_rollout(self, rollout: dict[str, Any]) -> None:
        self.status[rollout["status"]] += 1
        self.flags.update(rollout["flags"])
        if rollout["failure"] is not None:
            self.failures[rollout["failure"]["type"]] += 1
        self.reward.add(rollout["reward"])
        self.rubric.add(rollout["rubric"] and rollout["rubric"]["score"])
        self.outcome.add(rollout["outcome"] and rollout["outcome"]["value"])
        for criterion in rollout["criteria"] or ():
            self.criteria += 1
            self.near_misses += criterion["near_miss"] is not None
            self.flags.update(criterion["flags"])
            if criterion["stage"] is not None:
                self.stages[criterion["stage"]] += 1


_MOST_ERRORS = 20
