"""What can go wrong on the trainer's side, cut by what the caller does next; an error is never a score.

- `FixRequest`: sending the same again cannot help; mend the request, or leave it out.
- `TryLater`: nobody could score it in its time; the same request may be scored later.
- `StopRun`: nothing will be scored until a person acts; training on must not go on without rewards.

All of them can be pickled, since loops raise them in one process and read them in another.
"""

from __future__ import annotations

from typing import Self

from rubric.errors import CairnError, Fault


class ClientError(CairnError):
    """The root. `kind` is the service's word (`invalid_rubric`) or the client's own (`unreachable`)."""

    def __init__(self, kind: str, detail: str, *, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.faults = faults

    def __reduce__(self) -> tuple[object, ...]:
        return self._again, (self.kind, self.detail, self.faults)

    @classmethod
    def _again(cls, kind: str, detail: str, faults: tuple[Fault, ...]) -> Self:
        return cls(kind, detail, faults=faults)


class NotScored(ClientError):
    """This request has no reward; others may have one."""


class FixRequest(NotScored):
    """Sending the same again cannot help: mend the request, or leave it out. `faults` say what is wrong."""


class TryLater(NotScored):
    """Nobody could score it in its time; the same request may be scored later."""


class StopRun(ClientError):
    """Nothing will be scored until a person acts: a wrong key or address, or too many failures in a row."""
