"""How asking a judge can fail: five types, each a `CannotScore` whose detail has no text of anybody.

| type                | when                                                              | retryable |
|---------------------|-------------------------------------------------------------------|-----------|
| `judge_unreachable` | no connection, a cut reply, 408 or 5xx to the last try; only 429   | yes       |
| `judge_timeout`     | no verdict before the deadline of the rollout                     | yes       |
| `judge_unparsable`  | replies, to the last try, that are no clear yes or no             | no        |
| `judge_refused`     | another 4xx (key, model, length), a content filter, a refusal     | no        |
| `judge_quota`       | the account has nothing left: a person must act                   | no        |
"""

from __future__ import annotations

from enum import StrEnum

from rubric.errors import CannotScore


class Kind(StrEnum):
    """The types of failures, as the wire has them."""

    UNREACHABLE = "judge_unreachable"
    TIMEOUT = "judge_timeout"
    UNPARSABLE = "judge_unparsable"
    REFUSED = "judge_refused"
    QUOTA = "judge_quota"


RETRYABLE = frozenset({Kind.UNREACHABLE, Kind.TIMEOUT})


class CallFailed(Exception):
    """One call that brought no verdict, and what it means for the next.

    `again`: the same rollout may be tried again, not before `after_s` where the endpoint said so.
    `busy`: the endpoint is well and asks for patience, which takes no try away.
    `down`: the endpoint itself is at fault, and others will fare no better.
    """

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        again: bool = False,
        busy: bool = False,
        down: bool = False,
        after_s: float | None = None,
    ) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.again = again
        self.busy = busy
        self.down = down
        self.after_s = after_s

    def failure(self) -> CannotScore:
        """What the rollout has in place of an outcome."""
        return cannot_judge(self.kind, self.detail)


def cannot_judge(kind: Kind, detail: str) -> CannotScore:
    """A rollout without an outcome."""
    return CannotScore(kind.value, detail, retryable=kind in RETRYABLE)
