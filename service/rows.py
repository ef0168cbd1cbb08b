"""One rollout that was stored on its own, and what its row says about its group.

    {"label": "…", "metadata": {"extra_reward_info": {"question": "…", "rubrics": ["…"]}}, "response": "…"}

Rows of LongTraceRL and samples of slime's dumps differ in what stands beside this: a sample has a `status`
and a `group_index`, too. The fields are those of `Sample.to_dict` (slime/utils/types.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, cast

import orjson


class Unfit(Exception):
    """This line, row or sample cannot be read; the message says why, without its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the person at the terminal decided for every group.

    `outcome_field` (dots lead inside) is the field of a stored rollout that holds the trainer's outcome.
    `overrides` are fields of a `/score` body that win over what is stored (`profile`, `scheme`).
    """

    outcome_field: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def outcome_root(self) -> str | None:
        """The field of a rollout that the outcome is in."""
        return self.outcome_field.split(".")[0] if self.outcome_field else None


@dataclass(slots=True)
class Notices:
    """What was stored and not read. Each name is noted once, in the order of appearance."""

    names: dict[str, None] = field(default_factory=dict)

    def dropped(self, name: str, *, of: str) -> None:
        """Note that a field is not part of what is scored."""
        self.names[f"`{name}` of {of}"] = None

    def read_as(self, status: str, *, instead: str) -> None:
        """Note that a status is not one of the wire's."""
        self.names[f"status `{status}` (read as `{instead}`)"] = None

    def absent(self, name: str) -> None:
        """Note that an outcome is null, so that the verifier decides."""
        self.names[f"`{name}` where it is null (left to the verifier)"] = None

    def __str__(self) -> str:
        names = list(self.names)
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        return f"not used: {', '.join(names[:_MOST_NAMES])}{more}" if names else ""


_MOST_NAMES = 60


@dataclass(frozen=True, slots=True)
class Row:
    """One rollout of a `/score` body, and the fields of the group it belongs to.

    Rows with the same `key` are one group; None is a group of its own.
    """

    key: bytes | None
    group: dict[str, Any]
    rollout: dict[str, Any]


def read_row(stored: dict[str, Any], *, prefix: str, choices: Choices, notices: Notices) -> Row:
    """One row or sample; `prefix` goes before its group's id. Raises `Unfit`."""
    info = _extra_reward_info(stored)
    number = _group_number(stored)
    question = info.get("question", "")
    group = {
        "id": _text(number if number is not None else stored.get("id"), prefix),
        "question": question,
        "answer": _answer(stored.get("label")),
        "rubric": {"entities": _entities(info)},
        "fields": _fields(info),
    } | _scheme(info)
    rollout = {"id": _text(stored.get("index"), ""), "status": _status(stored, notices)} | _response(stored)
    _note(stored, info, choices, notices)
    key = None if number is None else blake2b(orjson.dumps([question, number]), digest_size=16).digest()
    return Row(key, _given(group), _given(rollout) | outcome_of(stored, choices=choices, notices=notices))


_STATUSES = ("completed", "truncated", "aborted", "ill_formed")
_UNFINISHED = ("pending", "failed")
_GROUP_NUMBERS = ("group_index", "group_id")
_ROW_FIELDS = {
    *("label", "metadata", "extra_reward_info", "response", "history", "status", "index", "id"),
    *_GROUP_NUMBERS,
}
_INFO_FIELDS = {
    "question",
    "rubrics",
    "rubric_reward_ratio",
    "dataset_name",
    "rubric_use_reasoning_content",
    "rubric_use_content",
}
_METADATA_FIELDS = {"extra_reward_info", *_GROUP_NUMBERS}


def _extra_reward_info(stored: dict[str, Any]) -> dict[str, Any]:
    metadata = stored.get("metadata")
    inside = metadata.get("extra_reward_info") if isinstance(metadata, dict) else None
    info = stored.get("extra_reward_info", inside)
    if not isinstance(info, dict) or ("response" not in stored and "history" not in stored):
        raise Unfit(
            "no known shape: neither a /score body (`rubric`, `rollouts`), nor a row or sample "
            "(`response`, `metadata.extra_reward_info.rubrics`), nor a dump (`samples`)"
        )
    return info


def _group_number(stored: dict[str, Any]) -> object:
    metadata = stored.get("metadata")
    for source in (stored, metadata if isinstance(metadata, dict) else {}):
        for name in _GROUP_NUMBERS:
            if source.get(name) is not None:
                return cast("object", source[name])
    return None


def _answer(label: Any) -> Any:
    """The gold answer. slime lets a label be any JSON; these are the forms that hold one answer."""
    if label is None or label in ("", []):
        return None
    if isinstance(label, str):
        return {"value": label}
    if isinstance(label, int | float) and not isinstance(label, bool):
        return {"value": str(label)}
    if isinstance(label, list) and all(isinstance(each, str) for each in label):
        return {"value": label[0], "aliases": label[1:]}
    if isinstance(label, dict) and "value" in label:
        return label
    raise Unfit("`label` is no answer: give a string, a number, or a list of strings")


def _entities(info: dict[str, Any]) -> list[Any]:
    rubrics = items(info.get("rubrics"), "`extra_reward_info.rubrics`")
    if info.get("dataset_name") != "longrlvr":
        return rubrics
    return [{"name": str(each), "kind": "chunk"} for each in rubrics]


def _fields(info: dict[str, Any]) -> list[str]:
    """Which texts the reference would match: the final content unless the row says otherwise."""
    wanted = {
        "reasoning": info.get("rubric_use_reasoning_content", False),
        "content": info.get("rubric_use_content", True),
    }
    return [name for name, use in wanted.items() if use]


def _scheme(info: dict[str, Any]) -> dict[str, Any]:
    """The row's own share of the rubric in the reward, where it has one."""
    share = info.get("rubric_reward_ratio")
    chunks = info.get("dataset_name") == "longrlvr"
    if share is None and not chunks:
        return {}
    name = "longrlvr" if chunks else "longtrace"
    return {"scheme": {"name": name} | ({} if share is None else {"eta": share})}


def _status(stored: dict[str, Any], notices: Notices) -> str:
    """`pending` and `failed` samples were never finished, like `aborted` ones."""
    status = stored.get("status", "completed")
    if status in _UNFINISHED:
        notices.read_as(status, instead="aborted")
        return "aborted"
    if status not in _STATUSES:
        raise Unfit(f"`status` is none of {', '.join(_STATUSES + _UNFINISHED)}")
    return str(status)


def _response(stored: dict[str, Any]) -> dict[str, Any]:
    if "response" in stored:
        return {"response": stored["response"]}
    return {"messages": stored["history"]}


def _text(value: object, prefix: str) -> str | None:
    return None if value is None else f"{prefix}{value}"


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _note(stored: dict[str, Any], info: dict[str, Any], choices: Choices, notices: Notices) -> None:
    for name in stored:
        if name not in _ROW_FIELDS and name != choices.outcome_root:
            notices.dropped(name, of="a row")
    metadata = stored.get("metadata")
    for name in metadata if isinstance(metadata, dict) else ():
        if name not in _METADATA_FIELDS and choices.outcome_root != "metadata":
            notices.dropped(f"metadata.{name}", of="a row")
    for name in info:
        if name not in _INFO_FIELDS:
            notices.dropped(f"extra_reward_info.{name}", of="a row")


def outcome_of(stored: dict[str, Any], *, choices: Choices, notices: Notices) -> dict[str, float]:
    """The trainer's own verdict, where a field of it was named; null leaves it to the verifier."""
    path = choices.outcome_field
    if path is None:
        return {}
    value: Any = stored
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            raise Unfit(f"a rollout has no field `{path}`")
        value = value[name]
    if value is None:
        notices.absent(path)
        return {}
    if not isinstance(value, bool | int | float) or not 0 <= value <= 1:
        raise Unfit(f"`{path}` of a rollout is no outcome: give true, false or a number from 0 to 1")
    return {"outcome": float(value)}


def mapping(value: Any, what: str) -> dict[str, Any]:
    """`value`, which must be an object."""
    if not isinstance(value, dict):
        raise Unfit(f"{what} is not an object")
    return value


def items(value: Any, what: str) -> list[Any]:
    """`value`, which must be a list."""
    if not isinstance(value, list):
        raise Unfit(f"{what} is not a list")
    return value
