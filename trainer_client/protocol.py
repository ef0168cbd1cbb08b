"""What is said to the service and what its answers mean. Pure: no connection, no clock, no chance.

    body = score_body(request)
    trouble = read_refusal(Answer(503, {"retry-after": "1"}, b"..."), now=datetime.now(UTC))
    pause([trouble], remaining_s=12.0, spread=0.5)  # seconds until the next attempt, or None

`client.py` drives it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, StrEnum, auto
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ValidationError

from rubric.errors import Fault
from rubric.wire import (
    EvaluateReply,
    EvaluateRequest,
    Failure,
    RolloutIn,
    RolloutOut,
    ScoreReply,
    ScoreRequest,
)
from trainer_client.errors import ClientError, FixRequest, StopRun, TryLater

_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Scored:
    """What became of one group: per rollout, in the order of the request, a reward or a typed failure.

    `reply` has the rest of what the service said (evidence, group, fingerprint); None where it said nothing.
    """

    rollouts: tuple[RolloutOut, ...]
    reply: ScoreReply | None = None

    @property
    def rewards(self) -> tuple[float | None, ...]:
        """One per rollout; None for those that failed or are masked. Never a 0 that nobody gave."""
        return tuple(rollout.reward for rollout in self.rollouts)

    @property
    def failures(self) -> tuple[Failure | None, ...]:
        """One per rollout; None for those that did not fail."""
        return tuple(rollout.failure for rollout in self.rollouts)

    def raise_for_failure(self) -> Self:
        """For loops that leave out what raises. Raises `TryLater` or `FixRequest` for the first failure."""
        for failure in self.failures:
            if failure is not None:
                raise (TryLater if failure.retryable else FixRequest)(failure.type, failure.detail)
        return self


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one attempt; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Broken(Exception):
    """Nothing came back for one attempt: `how`, and the name of the library's error."""

    def __init__(self, how: Break, detail: str) -> None:
        super().__init__(f"{how}: {detail}")
        self.how = how
        self.detail = detail


class Break(StrEnum):
    """The ways in which nothing comes back. Only of the first is it certain that nothing arrived."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    CUT = "cut"


class Next(Enum):
    """What an answer without a score means for the same request."""

    AGAIN = auto()
    FIX = auto()
    STOP = auto()


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why one attempt brought no score.

    `after_s`: the service asks for so much patience. `busy`: it is well and has too much to do. `down`: other
    requests would fare no better. `suspect`: this one may be the reason, so it is not tried for ever.
    """

    kind: str
    detail: str
    next: Next = Next.AGAIN
    after_s: float | None = None
    busy: bool = False
    down: bool = False
    suspect: bool = False
    faults: tuple[Fault, ...] = ()

    def error(self) -> ClientError:
        """What it is for the caller once nobody tries again."""
        error = {Next.AGAIN: TryLater, Next.FIX: FixRequest, Next.STOP: StopRun}[self.next]
        return error(self.kind, self.detail, faults=self.faults)


# --- what is sent -----------------------------------------------------------------------------------------


def read_request(given: ScoreRequest | Mapping[str, object]) -> ScoreRequest:
    """A request as the wire has it. Raises `FixRequest` with every fault."""
    if isinstance(given, ScoreRequest):
        return given
    try:
        return ScoreRequest.model_validate(given)
    except ValidationError as error:
        faults = tuple(Fault(_path(each["loc"]), each["msg"]) for each in error.errors(include_input=False))
        raise FixRequest("invalid_request", _listed(faults), faults=faults) from None


def score_body(request: ScoreRequest) -> bytes:
    """The body of `/score`. What is left to its default is left out, so that an older service can read it.

    A scheme is sent in full: its numbers are a choice of the sender's.
    """
    return _written(request) + b"}"


def score_head(request: ScoreRequest) -> bytes:
    """The body of `/score` up to what a lone rollout does not share with others, still open."""
    return _written(request, aside={"id", "rollouts", "alone"})


def joined_body(head: bytes, *, group_id: str | None, rollouts: Iterable[RolloutIn]) -> bytes:
    """The body of `/score` for rollouts that only travel together, named by their position."""
    named = b"" if group_id is None else b',"id":' + json.dumps(group_id).encode()
    parts = [b'{"id":"k%d",%s' % (at, _json(each, {"id"})[1:]) for at, each in enumerate(rollouts)]
    return b'%s%s,"alone":true,"rollouts":[%s]}' % (head, named, b",".join(parts))


def _written(request: ScoreRequest, *, aside: Collection[str] = ()) -> bytes:
    """As JSON, without the brace at its end."""
    raw = _json(request, {*aside, "scheme"})[:-1]
    if request.scheme is None:
        return raw
    scheme = request.scheme.model_dump_json(by_alias=True, exclude_none=True).encode()
    return b'%s,"scheme":%s' % (raw, scheme)


def _json(model: BaseModel, aside: Collection[str]) -> bytes:
    """At once as bytes: a text that was made a `str` first would be copied twice."""
    return model.__pydantic_serializer__.to_json(model, exclude=set(aside), exclude_defaults=True)


def evaluate_body(request: EvaluateRequest | Mapping[str, object]) -> bytes:
    """The body of `/evaluate`."""
    if isinstance(request, EvaluateRequest):
        return request.model_dump_json(exclude_unset=True).encode()
    return json.dumps(request, ensure_ascii=False).encode()


def headers(*, budget_s: float, trace: str, span: str, encoding: str | None = None) -> dict[str, str]:
    """The headers of one attempt. `trace` (32 hex digits) is one call, `span` (16) one attempt of it.

    The service is told a little less time than there is, so that its own answer comes before the line is cut.
    """
    said = {
        "content-type": "application/json",
        "x-request-timeout-ms": str(max(1, int(budget_s * 1e3 * _SERVICE_SHARE))),
        "x-request-id": trace,
        "traceparent": f"00-{trace}-{span}-01",
    }
    return said | ({"content-encoding": encoding} if encoding else {})


_SERVICE_SHARE = 0.95


# --- what comes back --------------------------------------------------------------------------------------


def read_score(raw: bytes, *, ids: Sequence[str]) -> Scored | Trouble:
    """A 200 of `/score`; it must answer just the rollouts that were sent, in their order."""
    reply = _read(ScoreReply, raw)
    if isinstance(reply, Trouble):
        return reply
    if [rollout.id for rollout in reply.rollouts] != list(ids):
        return _unreadable("it answers other rollouts than those that were sent")
    if not all(map(_sound, reply.rollouts)):
        return _unreadable("a rollout is scored without a reward, or has one without being scored")
    return Scored(tuple(reply.rollouts), reply)


def read_evaluate(raw: bytes) -> EvaluateReply | Trouble:
    """A 200 of `/evaluate`."""
    return _read(EvaluateReply, raw)


def read_refusal(answer: Answer, *, now: datetime) -> Trouble:
    """Any other status. Words other than the service's own are those of a proxy, which come and go."""
    status, problem = answer.status, _problem(answer.body)
    kind = problem.get("type", "")
    ours = isinstance(kind, str) and kind.startswith(_PROBLEM)
    kind = kind.removeprefix(_PROBLEM) if ours else f"http_{status}"
    detail = f"the answer was {status}" + (f": {problem.get('detail')}" if ours else "")
    if status in _STOP or status < _FIRST_4XX or (ours and status in _STOP_IF_OURS):
        return Trouble(kind, f"{detail}. Are CAIRN_URL and CAIRN_API_KEY right?", Next.STOP)
    if status in _AGAIN or status in _STOP_IF_OURS or status >= _FIRST_5XX:
        return Trouble(
            kind,
            detail,
            after_s=retry_after(answer.headers, now=now),
            busy=status == _BUSY,
            down=status in _DOWN,
            suspect=status not in _PATIENT or kind == "worker_lost",
        )
    return Trouble(kind, detail, Next.FIX, faults=_faults(problem))


def read_broken(broken: Broken) -> Trouble:
    """No answer at all. What never reached the service says nothing about the request."""
    what = {
        Break.UNREACHABLE: "no connection could be made",
        Break.TIMEOUT: "no answer came in the time of one attempt",
        Break.CUT: "the connection was lost before the answer",
    }[broken.how]
    suspect = broken.how is not Break.UNREACHABLE
    return Trouble(broken.how.value, f"{what} ({broken.detail})", down=True, suspect=suspect)


def failed(ids: Iterable[str], trouble: Trouble) -> Scored:
    """The result of a group that nobody scored: a failure for each rollout, and no number."""
    failure = failure_of(trouble)
    return Scored(
        tuple(
            RolloutOut(
                id=name,
                status="failed",
                reward=None,
                outcome=None,
                rubric=None,
                criteria=None,
                flags=[],
                failure=failure,
            )
            for name in ids
        )
    )


def failure_of(trouble: Trouble) -> Failure:
    """A trouble in the words of the wire."""
    return Failure(type=trouble.kind, retryable=trouble.next is Next.AGAIN, detail=trouble.detail)


def rollout_ids(request: ScoreRequest) -> list[str]:
    """The ids of the rollouts; the service names those without one by their position."""
    return [f"k{index}" if each.id is None else each.id for index, each in enumerate(request.rollouts)]


_PROBLEM = "urn:cairn:problem:"
_BUSY = 429
_FIRST_4XX = 400
_FIRST_5XX = 500
_STOP = frozenset({401, 403})
_STOP_IF_OURS = frozenset({404, 405})
"""Said by the service itself, the address is wrong; an ingress says it while the service behind it starts."""
_AGAIN = frozenset({408, 425, 429})
_PATIENT = frozenset({429, 502, 503})
_DOWN = frozenset({408, 429, 502, 503, 504})


def _read(model: type[_M], raw: bytes) -> _M | Trouble:
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        unknown = [each["loc"] for each in faults if each["type"] == "extra_forbidden"]
        if len(unknown) < len(faults):
            first = next(each for each in faults if each["type"] != "extra_forbidden")
            return _unreadable(f"{_path(first['loc'])}: {first['msg']}")
    return model.model_validate_json(json.dumps(_without(json.loads(raw), unknown)))


def _sound(rollout: RolloutOut) -> bool:
    """A reward, or a failure, or neither where it is masked."""
    scored, has_failed = rollout.status == "ok", rollout.status == "failed"
    return scored == (rollout.reward is not None) and has_failed == (rollout.failure is not None)


def _without(data: Any, places: Sequence[tuple[int | str, ...]]) -> Any:
    """What a newer service says beyond what is known here is left unread."""
    for *parents, name in places:
        inner = data
        for parent in parents:
            inner = inner[parent]
        del inner[name]
    return data


def _unreadable(why: str) -> Trouble:
    detail = f"the answer is no reply of a Cairn service that this client knows ({why})"
    return Trouble("bad_reply", detail, suspect=True)


def _problem(raw: bytes) -> dict[str, Any]:
    """RFC 9457 problem details; empty for everything else."""
    try:
        problem = json.loads(raw)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _faults(problem: Mapping[str, Any]) -> tuple[Fault, ...]:
    listed = problem.get("errors")
    return tuple(
        Fault(str(each.get("path")), str(each.get("message")))
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict)
    )


def _listed(faults: Sequence[Fault]) -> str:
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{faults[0].path}: {faults[0].message}{more}"


def _path(place: Sequence[int | str]) -> str:
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)


def retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Seconds to wait, from `Retry-After` as seconds or as a date; None for nonsense."""
    given = headers.get("retry-after", "").strip()
    if given.isascii() and given.isdigit():
        return float(given)
    try:
        date = parsedate_to_datetime(given)
    except ValueError:
        return None
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


# --- whether to try again ---------------------------------------------------------------------------------

MOST_SUSPECT = 3
"""Attempts that the request itself may have spoiled: what kills a server is not sent for ever."""


def pause(troubles: Sequence[Trouble], *, remaining_s: float, spread: float) -> float | None:
    """Seconds until the next attempt of a call that has had these troubles; None where none is made.

    `spread` in [0, 1] is chance: calls that failed together do not come back together. What the service asks
    for is kept, and where that is later than the deadline nobody waits for it.
    """
    last = troubles[-1]
    suspected = sum(trouble.suspect for trouble in troubles)
    if last.next is not Next.AGAIN or suspected >= MOST_SUSPECT:
        return None
    wait = (last.after_s or 0.0) + backoff(len(troubles), spread=spread)
    return wait if wait < remaining_s else None


def backoff(times: int, *, spread: float) -> float:
    """Twice as long each time up to a bound, of which half is up to chance."""
    longest: float = min(_LONGEST_S, _FIRST_S * 2 ** min(times - 1, 30))
    return longest * (1 + spread) / 2


_FIRST_S = 0.2
_LONGEST_S = 5.0
