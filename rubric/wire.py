"""The wire of `/score` and `/evaluate`: strict models, parsed from raw bytes in one pass.

    parse_score(b'{"question": "...", "rubric": {"entities": ["RedOne"]}, "rollouts": [{"response": "..."}]}')

A leaf: pydantic and the error tree, nothing else of ours, so that the trainer's side can load it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rubric.errors import Fault, InvalidInput

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

API_VERSION = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a request may be. Each is a setting of the service; sizes in characters unless named."""

    body_bytes: int = 64 * 1024 * 1024
    rollouts: int = 1024
    entities: int = 4096
    aliases: int = 256
    name_chars: int = 1024
    text_chars: int = 8 * 1024 * 1024
    question_chars: int = 1024 * 1024
    messages: int = 1024
    labels: int = 3
    label_chars: int = 128
    id_chars: int = 512
    faults: int = 50


DEFAULT_LIMITS = Limits()


class NotJson(InvalidInput):
    """The body is not JSON at all."""

    kind = "not_json"


class Wire(BaseModel):
    """Strict, frozen, closed: unknown fields are refused, nothing is coerced, every number is finite."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )


# --- the request ------------------------------------------------------------------------------------------


class EntityIn(Wire):
    """One gold entity: a string, or an object."""

    name: str
    aliases: list[str] = Field(default_factory=list)
    confusables: list[str] = Field(default_factory=list)
    weight: float = 1.0
    kind: Literal["auto", "name", "number", "date", "chunk"] = "auto"
    id: str | None = None
    hop: int | None = None
    requires: list[str] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value


class RubricIn(Wire):
    """The gold entities, at least one for every scheme but `outcome`."""

    entities: list[EntityIn]


class AnswerIn(Wire):
    """The gold answer: a string, or an object with other ways to say it."""

    value: str
    aliases: list[str] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _from_value(cls, value: object) -> object:
        return {"value": value} if isinstance(value, str) else value


class Message(BaseModel):
    """A chat message. Only the three fields below are read; others (tool calls, names) are left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, hide_input_in_errors=True)

    role: str
    content: str | None = None
    reasoning_content: str | None = None


class RolloutIn(Wire):
    """One response, as raw text or as chat messages; the thinking stands before the last `</think>`."""

    id: str | None = None
    response: str | None = None
    messages: list[Message] | None = None
    status: Literal["completed", "truncated", "aborted", "ill_formed"] = "completed"
    outcome: float | None = Field(default=None, ge=0.0, le=1.0)

    @model_validator(mode="after")
    def _one_text(self) -> Self:
        if (self.response is None) == (self.messages is None):
            message = "give either `response` or `messages`"
            raise ValueError(message)
        return self


class Dropout(Wire):
    """Rubric dropout: leave out a share of the positive criteria, the same ones for the whole group.

    Source: arXiv 2608.11669. At least three are kept; the mask is seeded by (group id, step).
    """

    share: float = Field(ge=0.0, lt=1.0)
    step: int = Field(default=0, ge=0)


class SchemeBase(Wire):
    """What every scheme can have."""

    dropout: Dropout | None = None


Normalize = Literal["group_max", "gated_max", "none"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Outcome(SchemeBase):
    """r = o."""

    name: Literal["outcome"] = "outcome"


class LongTrace(SchemeBase):
    """r = (1 - eta) * o + eta * s, behind a gate. arXiv 2605.31584."""

    name: Literal["longtrace"] = "longtrace"
    eta: Share = 0.3
    gate: Literal["positive", "negative", "none"] = "positive"
    normalize: Normalize = "group_max"
    empty_rubric: Literal["outcome_only", "scaled"] = "outcome_only"


class EGrpo(SchemeBase):
    """1 if right, alpha * s if wrong. arXiv 2510.24694."""

    name: Literal["e-grpo"] = "e-grpo"
    alpha: Share = 0.3
    normalize: Normalize = "group_max"


class CGrpo(SchemeBase):
    """(1 - alpha) * o + alpha * o * s. arXiv 2601.06021; its released trainer has `normalize = none`."""

    name: Literal["c-grpo"] = "c-grpo"
    alpha: Share = 0.3
    normalize: Normalize = "group_max"


class LongRlvr(SchemeBase):
    """o + eta * F + (1 - eta) * o * F, F over chunk ids. arXiv 2603.02146."""

    name: Literal["longrlvr"] = "longrlvr"
    eta: Share = 0.1
    beta: float = Field(default=2.0, gt=0.0, le=100.0)
    counting: Literal["sets", "repeats"] = "sets"


class Rar(SchemeBase):
    """sum(w * c) / sum(w). arXiv 2507.17746."""

    name: Literal["rar"] = "rar"


class HealthBench(SchemeBase):
    """sum(points met) / sum(positive points). arXiv 2505.08775."""

    name: Literal["healthbench"] = "healthbench"
    clip: bool = True


class Gear(SchemeBase):
    """Credit scaled by prerequisites: q_i = p_i * prod_j(q_j + (1 - q_j) * lam). arXiv 2606.03361."""

    name: Literal["gear"] = "gear"
    lam: Share = Field(default=0.0, alias="lambda")

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


Scheme = Annotated[
    Outcome | LongTrace | EGrpo | CGrpo | LongRlvr | Rar | HealthBench | Gear, Field(discriminator="name")
]


class VerifierIn(Wire):
    """How the outcome is decided where the trainer did not say it."""

    name: Literal["match", "judge", "none"]


class ScoreRequest(Wire):
    """One prompt group: a question, its rubric, G rollouts."""

    id: str | None = None
    question: str = ""
    answer: AnswerIn | None = None
    rubric: RubricIn
    rollouts: Annotated[list[RolloutIn], Field(min_length=1)]
    fields: Annotated[list[Literal["content", "reasoning"]], Field(min_length=1)] = ["content"]
    profile: Literal["legacy", "strict", "balanced"] | None = None
    scheme: Scheme | None = None
    verifier: VerifierIn | None = None
    explain: bool = True
    labels: dict[str, str] = Field(default_factory=dict)


# --- the reply --------------------------------------------------------------------------------------------


class OutcomeOut(Wire):
    """How right the answer is, in [0, 1], who said so, and why."""

    value: float | None
    status: Literal["ok", "failed"]
    verifier: str | None
    detail: str | None


class RubricOut(Wire):
    """Share of the rubric that was found: `score` in [0, 1], `normalized` by the group where that is done."""

    score: float
    normalized: float
    hits: int
    total: int


class NearMissOut(Wire):
    """The closest surface that was refused."""

    surface: str
    field: str
    start: int
    end: int
    similarity: float | None
    reason: str


class CriterionOut(Wire):
    """What was decided for one entity, with the evidence: `surface == text[start:end]` of `field`."""

    id: str
    entity: str
    hit: bool
    credit: float
    stage: str | None
    surface: str | None
    field: str | None
    start: int | None
    end: int | None
    similarity: float | None
    flags: list[str]
    near_miss: NearMissOut | None


class Failure(Wire):
    """Why a rollout has no reward."""

    type: str
    retryable: bool
    detail: str


class RolloutOut(Wire):
    """A reward, or a typed failure; never both, never neither unless masked."""

    id: str
    status: Literal["ok", "failed", "masked"]
    reward: float | None
    outcome: OutcomeOut | None
    rubric: RubricOut | None
    criteria: list[CriterionOut] | None
    flags: list[str]
    failure: Failure | None


class GroupOut(Wire):
    """Over the scored rollouts; `reward_std` with n - 1, `null` for fewer than two."""

    size: int
    scored: int
    score_max: float | None
    reward_mean: float | None
    reward_std: float | None
    degenerate: bool


class ScoreReply(Wire):
    """The answer to one group, in the order of the request."""

    id: str | None
    rollouts: list[RolloutOut]
    group: GroupOut
    scheme: dict[str, Any]
    profile: str
    degraded: list[str]
    fingerprint: str
    timings_ms: dict[str, float]


# --- `/evaluate`, as LongTraceRL's own server takes it -----------------------------------------------------


class Lenient(BaseModel):
    """What other people's trainers send: fields that nobody reads are left alone."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )


class ExtraRewardInfo(Lenient):
    """The gold data and the switches of one rollout; what is needed depends on `rubric_reward_ratio`."""

    rubric_reward_ratio: float
    dataset_name: Any
    question: Any = None
    rubrics: Any = Field(default_factory=list)
    rubric_use_reasoning_content: Any = None
    rubric_use_content: Any = None


class EvaluateRequest(Lenient):
    """One rollout, as a chat (`history`) or as raw text (`response`); a chat goes first where both are."""

    label: Any
    extra_reward_info: ExtraRewardInfo
    history: list[Message] | None = None
    response: str | None = None


class EvaluateReply(Wire):
    """Three numbers and nothing else."""

    reward: float
    outcome_reward: float
    rubric_reward: float


# --- raw bytes to a request, in one pass ------------------------------------------------------------------

_W = TypeVar("_W", bound=BaseModel)


def parse_score(raw: bytes, *, limits: Limits = DEFAULT_LIMITS) -> ScoreRequest:
    """The request in `raw` (JSON, UTF-8), with ids filled in (`e0`, `k0` … by position).

    Raises `NotJson` for what is not JSON, and `InvalidInput` with every fault and its JSON path otherwise.
    """
    request = parse(ScoreRequest, raw, limits=limits)
    faults = tuple(_over_limits(request, limits))
    if faults:
        raise InvalidInput(faults[: limits.faults])
    named = _with_ids(request)
    faults = tuple(_id_faults(named))
    if faults:
        raise InvalidInput(faults[: limits.faults])
    return named


def parse_evaluate(raw: bytes, *, limits: Limits = DEFAULT_LIMITS) -> EvaluateRequest:
    """The request in `raw`. Raises `NotJson`, and `InvalidInput` where the reference server answers 500."""
    request = parse(EvaluateRequest, raw, limits=limits)
    faults = (*_evaluate_faults(request), *_evaluate_over_limits(request, limits))
    if faults:
        raise InvalidInput(faults[: limits.faults])
    return request


def _evaluate_faults(request: EvaluateRequest) -> Iterator[Fault]:
    info, at = request.extra_reward_info, "$.extra_reward_info"
    eta = info.rubric_reward_ratio
    if "history" in request.model_fields_set:
        yield from _history_faults(request)
    elif request.response is None:
        yield Fault("$.response", "give either `history` or `response`")
    if eta < 1 and "question" not in info.model_fields_set:
        yield Fault(f"{at}.question", "is needed for the outcome where `rubric_reward_ratio` is below 1")
    for name in ("rubric_use_reasoning_content", "rubric_use_content"):
        if eta > 0 and name not in info.model_fields_set:
            yield Fault(f"{at}.{name}", "is needed for the rubric where `rubric_reward_ratio` is above 0")
    if eta > 0:
        yield from _rubrics_faults(info.rubrics, of_chunks=info.dataset_name == "longrlvr")


def _history_faults(request: EvaluateRequest) -> Iterator[Fault]:
    """Messages that the numbers need and that are not texts."""
    if not request.history:
        yield Fault("$.history", "needs at least one message")
        return
    info, last = request.extra_reward_info, len(request.history) - 1
    matched = info.rubric_reward_ratio > 0
    for index, message in enumerate(request.history):
        if message.role != "assistant":
            continue
        judged = index == last and info.rubric_reward_ratio < 1
        used = {
            "content": judged or (matched and bool(info.rubric_use_content)),
            "reasoning_content": matched and bool(info.rubric_use_reasoning_content),
        }
        for name, needed in used.items():
            if needed and name in message.model_fields_set and getattr(message, name) is None:
                yield Fault(f"$.history[{index}].{name}", "is null; leave it out, or send a text")


def _rubrics_faults(rubrics: object, *, of_chunks: bool) -> Iterator[Fault]:
    at = "$.extra_reward_info.rubrics"
    if not isinstance(rubrics, list):
        yield Fault(at, "is not a list")
        return
    for index, each in enumerate(rubrics):
        if of_chunks and isinstance(each, list | dict):
            yield Fault(f"{at}[{index}]", "is not the id of a chunk")
        elif not of_chunks and not isinstance(each, str):
            yield Fault(f"{at}[{index}]", "is not a text")


def _evaluate_over_limits(request: EvaluateRequest, limits: Limits) -> Iterator[Fault]:
    rubrics = request.extra_reward_info.rubrics
    if isinstance(rubrics, list):
        at = "$.extra_reward_info.rubrics"
        yield from _count(at, rubrics, limits.entities)
        for index, each in enumerate(rubrics):
            yield from _length(f"{at}[{index}]", each if isinstance(each, str) else None, limits.text_chars)
    yield from _length("$.response", request.response, limits.text_chars)
    yield from _count("$.history", request.history or (), limits.messages)


def parse(model: type[_W], raw: bytes, *, limits: Limits = DEFAULT_LIMITS) -> _W:
    """`raw` as `model`. Raises `NotJson` or `InvalidInput`; neither repeats what stood in the body."""
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        raise _not_json(raw, found[0]["msg"])
    raise InvalidInput(tuple(Fault(_path(fault["loc"]), _message(fault)) for fault in found[: limits.faults]))


def _not_json(raw: bytes, message: str) -> InvalidInput:
    """A lone surrogate is legal JSON that no UTF-8 text can hold: it gets its path; nothing else does."""
    if "hex escape" in message or "surrogate" in message:
        try:
            paths = list(_surrogates(json.loads(raw), ()))
        except (ValueError, RecursionError):
            paths = []
        if paths:
            return InvalidInput(tuple(Fault(_path(path), "has a lone surrogate") for path in paths[:50]))
    return NotJson((Fault("$", message),))


def _surrogates(value: object, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, str):
        if _SURROGATE.search(value):
            yield path
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _surrogates(item, (*path, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _surrogates(key, path)
            yield from _surrogates(item, (*path, key))


_SURROGATE = re.compile("[\ud800-\udfff]")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")


def _path(loc: tuple[str | int, ...]) -> str:
    """`$.rollouts[1].outcome`. A key that is not a plain word is the sender's text, and is not repeated."""
    if loc[:1] == ("scheme",) and len(loc) > 2:  # noqa: PLR2004 (the tag of the union stands second)
        loc = (loc[0], *loc[2:])
    return "$" + "".join(
        f"[{key}]" if isinstance(key, int) else f".{key}" if _PLAIN_KEY.fullmatch(key) else "[…]"
        for key in loc
    )


def _message(fault: ErrorDetails) -> str:
    if fault["type"] == "union_tag_invalid":
        return f"is none of {fault['ctx']['expected_tags']}"
    return fault["msg"].removeprefix("Value error, ")


def _over_limits(request: ScoreRequest, limits: Limits) -> Iterator[Fault]:
    entities, rollouts = request.rubric.entities, request.rollouts
    yield from _count("$.rubric.entities", entities, limits.entities)
    yield from _count("$.rollouts", rollouts, limits.rollouts)
    yield from _count("$.labels", request.labels, limits.labels)
    yield from _length("$.id", request.id, limits.id_chars)
    yield from _length("$.question", request.question, limits.question_chars)
    for key, label in request.labels.items():
        yield from _length("$.labels", key, limits.label_chars)
        yield from _length(_path(("labels", key)), label, limits.label_chars)
    if request.answer:
        yield from _count("$.answer.aliases", request.answer.aliases, limits.aliases)
        yield from _length("$.answer.value", request.answer.value, limits.name_chars)
        for index, alias in enumerate(request.answer.aliases):
            yield from _length(f"$.answer.aliases[{index}]", alias, limits.name_chars)
    for index, entity in enumerate(entities[: limits.entities]):
        yield from _entity_over_limits(f"$.rubric.entities[{index}]", entity, limits)
    for index, rollout in enumerate(rollouts[: limits.rollouts]):
        yield from _rollout_over_limits(f"$.rollouts[{index}]", rollout, limits)


def _entity_over_limits(path: str, entity: EntityIn, limits: Limits) -> Iterator[Fault]:
    yield from _length(f"{path}.name", entity.name, limits.name_chars)
    yield from _length(f"{path}.id", entity.id, limits.id_chars)
    yield from _count(f"{path}.requires", entity.requires, limits.entities)
    for key, names in (("aliases", entity.aliases), ("confusables", entity.confusables)):
        yield from _count(f"{path}.{key}", names, limits.aliases)
        for index, name in enumerate(names):
            yield from _length(f"{path}.{key}[{index}]", name, limits.name_chars)


def _rollout_over_limits(path: str, rollout: RolloutIn, limits: Limits) -> Iterator[Fault]:
    yield from _length(f"{path}.id", rollout.id, limits.id_chars)
    yield from _length(f"{path}.response", rollout.response, limits.text_chars)
    yield from _count(f"{path}.messages", rollout.messages or (), limits.messages)
    for index, message in enumerate(rollout.messages or ()):
        yield from _length(f"{path}.messages[{index}].content", message.content, limits.text_chars)
        yield from _length(
            f"{path}.messages[{index}].reasoning_content", message.reasoning_content, limits.text_chars
        )


def _count(path: str, items: Sized, most: int) -> Iterator[Fault]:
    if len(items) > most:
        yield Fault(path, f"has {len(items)} items; at most {most} are allowed")


def _length(path: str, text: str | None, most: int) -> Iterator[Fault]:
    if text is not None and len(text) > most:
        yield Fault(path, f"has {len(text)} characters; at most {most} are allowed")


def _with_ids(request: ScoreRequest) -> ScoreRequest:
    """Ids by position where the sender gave none."""
    entities = [
        entity if entity.id is not None else entity.model_copy(update={"id": f"e{index}"})
        for index, entity in enumerate(request.rubric.entities)
    ]
    rollouts = [
        rollout if rollout.id is not None else rollout.model_copy(update={"id": f"k{index}"})
        for index, rollout in enumerate(request.rollouts)
    ]
    return request.model_copy(update={"rubric": RubricIn(entities=entities), "rollouts": rollouts})


def _id_faults(request: ScoreRequest) -> Iterator[Fault]:
    yield from _repeated("$.rubric.entities", [entity.id for entity in request.rubric.entities])
    yield from _repeated("$.rollouts", [rollout.id for rollout in request.rollouts])
    if len(set(request.fields)) != len(request.fields):
        yield Fault("$.fields", "names a field twice")


def _repeated(path: str, ids: Sequence[str | None]) -> Iterator[Fault]:
    first: dict[str | None, int] = {}
    for index, each in enumerate(ids):
        if first.setdefault(each, index) != index:
            yield Fault(f"{path}[{index}].id", f"is the same as that of item {first[each]}")
