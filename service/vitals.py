"""Whether this process can still do its work: a device that fails at every step is not healed by waiting."""

from __future__ import annotations

from typing import Protocol

STICKS = 16
"""Steps in a row without a single vector after which a device is taken for stuck. Texts that give no number
do not count: they may be at fault themselves."""


class Done(Protocol):
    """One step of the embedding model; `broken` of its texts met an error of the device."""

    @property
    def texts(self) -> int: ...

    @property
    def broken(self) -> int: ...


class Vitals:
    """What the liveness probe asks. `elsewhere`: the model is another server's, and no restart heals that."""

    def __init__(self, *, elsewhere: bool) -> None:
        self._elsewhere = elsewhere
        self._failed_steps = 0

    @property
    def stuck(self) -> bool:
        """Whether only a new process may help."""
        return self._failed_steps >= STICKS

    def stepped(self, step: Done) -> None:
        """Note a step of the embedding model."""
        lost = step.broken == step.texts and not self._elsewhere
        self._failed_steps = self._failed_steps + 1 if lost else 0
