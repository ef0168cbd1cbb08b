"""Every way in which a request ends without a score, and its status: one table.

    raise Refused("queue_full", "64 requests are under way", retry_after=1)

A body is always RFC 9457 problem details, and never repeats what was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response

from rubric.errors import CairnError, InvalidInput


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of refusal: its status, and a title that never changes."""

    status: int
    title: str


PROBLEMS: Mapping[str, Problem] = {
    # fix the request
    "not_json": Problem(400, "The body is not JSON"),
    "bad_encoding": Problem(400, "The body is not what its Content-Encoding says"),
    "key_missing": Problem(401, "A key is required"),
    "key_wrong": Problem(403, "The key is not known"),
    "not_found": Problem(404, "There is nothing here"),
    "method_not_allowed": Problem(405, "This address has other methods"),
    "too_large": Problem(413, "The body is over the limit"),
    "unsupported_media_type": Problem(415, "The body must be application/json"),
    "unsupported_encoding": Problem(415, "The Content-Encoding is not known"),
    "invalid_request": Problem(422, "The request cannot be scored as it is"),
    "invalid_rubric": Problem(422, "The rubric cannot be matched"),
    # ask again
    "queue_full": Problem(429, "The server is busy"),
    "rate_limited": Problem(429, "The key asks too often"),
    "too_slow": Problem(408, "The body did not come in time"),
    "starting": Problem(503, "The server is starting"),
    "draining": Problem(503, "The server is stopping"),
    "device_stuck": Problem(503, "The model's device fails at every step"),
    "canary_differs": Problem(503, "The golden set is scored wrongly"),
    "worker_lost": Problem(503, "A worker process was lost"),
    "not_scored": Problem(503, "The rollout has no score"),
    "judge_failed": Problem(503, "The judge gave no outcome"),
    "deadline_passed": Problem(504, "The deadline passed"),
    # tell whoever runs the server
    "internal": Problem(500, "An unforeseen error"),
}

MEDIA_TYPE = "application/problem+json"


class Refused(CairnError):
    """The request is not scored; `kind` is one of `PROBLEMS`. `retry_after` in seconds, where it may help."""

    def __init__(self, kind: str, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after


def problem_of(error: Exception) -> tuple[str, Response]:
    """The kind of any error and the response that it becomes."""
    if isinstance(error, Refused):
        headers = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
        if error.kind == "key_missing":
            headers["www-authenticate"] = "Bearer"
        return error.kind, _problem(error.kind, error.detail, headers=headers)
    if isinstance(error, InvalidInput):
        return error.kind, _problem(error.kind, _summary(error), faults=error)
    if isinstance(error, HTTPException) and error.status_code in _KIND_OF_STATUS:
        kind = _KIND_OF_STATUS[error.status_code]
        return kind, _problem(kind, PROBLEMS[kind].title, headers=error.headers)
    return "internal", _problem("internal", "the log of the server says more, under the id of this request")


_KIND_OF_STATUS = {404: "not_found", 405: "method_not_allowed"}
"""What the router itself raises."""


def _summary(error: InvalidInput) -> str:
    first, more = error.faults[0], len(error.faults) - 1
    return f"{first.path}: {first.message}" + (f" (and {more} more)" if more else "")


def _problem(
    kind: str, detail: str, *, faults: InvalidInput | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    problem = PROBLEMS[kind]
    body: dict[str, object] = {
        "type": f"urn:cairn:problem:{kind}",
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
    }
    if faults:
        body["errors"] = [{"path": fault.path, "message": fault.message} for fault in faults.faults]
    return Response(orjson.dumps(body), problem.status, headers=headers, media_type=MEDIA_TYPE)
