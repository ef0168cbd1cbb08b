"""What can go wrong while scoring, cut by what the caller does next; an error is never a score.

- `InvalidInput`: fix the request; sending it again cannot help.
- `InvalidRubric`: the same, and it is the rubric that must be fixed.
- `CannotScore`: this one rollout has no score; `retryable` says whether asking again can help.
"""

from __future__ import annotations

from dataclasses import dataclass


class CairnError(Exception):
    """The root of every error that Cairn raises on purpose."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request: where (a JSON path such as `$.rubric.entities[2].name`) and what."""

    path: str
    message: str


class InvalidInput(CairnError):
    """The request cannot be scored as it is. Carries every fault found, never the text of the request."""

    kind = "invalid_request"

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(f"{fault.path}: {fault.message}" for fault in faults))
        self.faults = faults

    def __reduce__(self) -> tuple[type[InvalidInput], tuple[tuple[Fault, ...]]]:
        return type(self), (self.faults,)


class InvalidRubric(InvalidInput):
    """The rubric has an entity that nothing could ever match, or that contradicts itself."""

    kind = "invalid_rubric"


class NotJson(InvalidInput):
    """The body is not JSON at all."""

    kind = "not_json"


class CannotScore(CairnError):
    """One rollout could not be judged: its reward is `null`, and its group goes on without it."""

    def __init__(self, kind: str, detail: str, *, retryable: bool = False) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.retryable = retryable

    def __reduce__(self) -> tuple[object, ...]:
        return _cannot_score, (self.kind, self.detail, self.retryable)


def _cannot_score(kind: str, detail: str, retryable: bool) -> CannotScore:  # noqa: FBT001 (pickle passes positions)
    return CannotScore(kind, detail, retryable=retryable)
