"""Raw bytes to a checked request in one pass; every fault has its JSON path, and none repeats the text.

parse_score(b'{"question": "...", "rubric": {"entities": ["RedOne"]}, "rollouts": [{"response": "..."}]}')
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence, Sized
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from rubric.errors import Fault, InvalidInput, NotJson
from rubric.wire import (
    DEFAULT_LIMITS,
    EntityIn,
    EvaluateRequest,
    Limits,
    RolloutIn,
    ScoreRequest,
)

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

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
    if _crowded(raw):
        raise InvalidInput((Fault("$", f"has more than {MOST_VALUES} values"),))
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        raise _not_json(raw, found[0]["msg"])
    raise InvalidInput(tuple(Fault(_path(fault["loc"]), _message(fault)) for fault in found[: limits.faults]))


def _crowded(raw: bytes) -> bool:
    """Whether there are so many values that reading them, or listing what is wrong with each, takes long.

    They are counted by the commas outside of texts, where there are that many at all.
    """
    return raw.count(b",") > MOST_VALUES and _TEXT.sub(b"", raw).count(b",") > MOST_VALUES


MOST_VALUES = 131_072
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""Also one that never ends, or every quotation mark behind it would be tried in vain."""


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
    return request.model_copy(
        update={"rubric": request.rubric.model_copy(update={"entities": entities}), "rollouts": rollouts}
    )


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
