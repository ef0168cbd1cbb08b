"""Readers of stored rollouts: whatever trainers keep becomes groups in the form of a `/score` body.

    {"question": …, "rubric": {"entities": […]}, "rollouts": […]}                      a `/score` body
    {"label": …, "metadata": {"extra_reward_info": {"question": …, "rubrics": […]}}, "response": …}
                                                                                       a row of LongTraceRL
    {"rollout_id": 3, "samples": [{"group_index": 0, "response": …, "status": …}, …]}  a rollout dump of slime

A shape is recognized by its keys and never guessed. Files are streamed (JSONL, gzip or not); nothing is
unpickled. A line that cannot be read becomes a `BadLine`, and the lines around it are read all the same.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any, cast

import orjson

from rubric import wire
from rubric.errors import CairnError
from service.rows import Choices, Notices, Unfit, items, mapping, outcome_of, read_row

MOST_LINE_BYTES = 1 << 30
"""A longer line is not read: one line must fit into memory."""


class Unreadable(CairnError):
    """The file is in no form that can be read safely; nothing in it was scored."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a group begins."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """One group: `body` is what `/score` would be sent; `position` is how far the file was read, in bytes."""

    place: Place
    id: str
    body: bytes
    position: int


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is not a group, and why; `body` is a digest that recognizes it."""

    place: Place
    reason: str
    body: bytes
    position: int


def read_groups(
    path: Path, *, choices: Choices | None = None, notices: Notices | None = None
) -> Iterator[StoredGroup | BadLine]:
    """The groups of one file, in its order. Raises `Unreadable` for a file that is refused as a whole."""
    reader = _Reader(choices or Choices(), notices if notices is not None else Notices())
    for line in _lines(path):
        yield from reader.read(line)
    yield from reader.close()


# --- lines ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    place: Place
    raw: bytes
    position: int
    problem: str | None = None


def _lines(path: Path) -> Iterator[_Line]:
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        _refuse_pickles(path, magic)
        if magic.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=file) as plain:
                yield from _split_lines(path, cast("IO[bytes]", plain), file)
        else:
            yield from _split_lines(path, file, file)


def _refuse_pickles(path: Path, magic: bytes) -> None:
    """A torch file runs code when it is unpickled: the person who trusts it must convert it."""
    if not magic.startswith(_PICKLES) and path.suffix not in {".pt", ".pth", ".pkl"}:
        return
    kept = ("group_index", "index", "prompt", "response", "label", "metadata", "reward", "status")
    program = (
        f"import json, sys, torch; [print(json.dumps({{k: s.get(k) for k in {kept}}})) "
        "for s in torch.load(sys.argv[1], weights_only=True)['samples']]"
    )
    raise Unreadable(
        f"{path} is a pickle (torch.save), and unpickling runs whatever code is in it, so Cairn loads none. "
        "Convert it where it was written; `weights_only=True` runs no code of the file:\n"
        f'  python -c "{program}" {path.name} > {path.stem}.jsonl'
    )


_PICKLES = (b"PK\x03\x04", b"\x80")


def _split_lines(path: Path, plain: IO[bytes], file: IO[bytes]) -> Iterator[_Line]:
    """One item per line that is not blank; a value printed over many lines is one item."""
    number = 0
    while True:
        number += 1
        place = Place(str(path), number)
        try:
            raw = plain.readline(MOST_LINE_BYTES)
            if number == 1 and raw.strip() in {b"{", b"["}:
                raw += plain.read(MOST_LINE_BYTES)
            too_long = len(raw) >= MOST_LINE_BYTES
            while too_long and not raw.endswith(b"\n") and raw:
                raw = plain.readline(MOST_LINE_BYTES)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            yield _Line(place, b"", file.tell(), "the compressed file is damaged or ends too early")
            return
        if not raw and not too_long:
            return
        if too_long:
            yield _Line(place, b"", file.tell(), f"a line of {MOST_LINE_BYTES} bytes or more")
        elif raw.strip():
            yield _Line(place, raw, file.tell())


# --- shapes -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Open:
    """A group whose rows are still coming."""

    place: Place
    key: bytes | None
    group: dict[str, Any]
    rollouts: list[dict[str, Any]]
    position: int


class _Reader:
    """Turns lines into groups. Rows of a group stand together, so that only one group is ever open."""

    def __init__(self, choices: Choices, notices: Notices) -> None:
        self._choices = choices
        self._notices = notices
        self._open: _Open | None = None
        self._closed: set[bytes] = set()

    def read(self, line: _Line) -> Iterator[StoredGroup | BadLine]:
        try:
            stored = _object(line)
            if "rollouts" in stored and "rubric" in stored:
                yield from self.close()
                yield self._group(stored, line)
            elif isinstance(stored.get("samples"), list):
                yield from self._dump(stored, line)
            else:
                yield from self._row(stored, line, prefix="")
        except Unfit as error:
            yield BadLine(line.place, str(error), _digest(line.raw), line.position)

    def close(self) -> Iterator[StoredGroup]:
        """The open group, complete now that something else begins."""
        if self._open is None:
            return
        group, self._open = self._open, None
        if group.key:
            self._closed.add(group.key)
        ids = [each.get("id") for each in group.rollouts]
        if len(set(ids)) != len(ids):  # several samples of one rollout: numbered by their places
            group.rollouts = [{key: each[key] for key in each if key != "id"} for each in group.rollouts]
        yield self._finished(group.group | {"rollouts": group.rollouts}, group.place, group.position)

    def _finished(self, body: dict[str, Any], place: Place, position: int) -> StoredGroup:
        group_id = body.get("id")
        name = group_id if isinstance(group_id, str) else f"line-{place.line}"
        return StoredGroup(place, name, orjson.dumps(body | dict(self._choices.overrides)), position)

    # a `/score` body

    def _group(self, stored: dict[str, Any], line: _Line) -> StoredGroup:
        body = self._known(stored, wire.ScoreRequest, "a group")
        rubric = mapping(stored["rubric"], "`rubric`")
        body["rubric"] = self._known(rubric, wire.RubricIn, "a rubric") | {
            "entities": [
                self._known(each, wire.EntityIn, "an entity") if isinstance(each, dict) else each
                for each in items(rubric.get("entities"), "`rubric.entities`")
            ]
        }
        if isinstance(stored.get("answer"), dict):
            body["answer"] = self._known(stored["answer"], wire.AnswerIn, "an answer")
        body["rollouts"] = [
            self._known(mapping(each, "a rollout"), wire.RolloutIn, "a rollout")
            | outcome_of(each, choices=self._choices, notices=self._notices)
            for each in items(stored["rollouts"], "`rollouts`")
        ]
        return self._finished(body, line.place, line.position)

    def _known(self, stored: dict[str, Any], model: type[wire.Wire], of: str) -> dict[str, Any]:
        """The fields that the wire knows; the others are noted."""
        for name in stored:
            taken = model is wire.RolloutIn and name == self._choices.outcome_root
            if name not in model.model_fields and not taken:
                self._notices.dropped(name, of=of)
        return {name: value for name, value in stored.items() if name in model.model_fields}

    # rows and samples

    def _dump(self, stored: dict[str, Any], line: _Line) -> Iterator[StoredGroup | BadLine]:
        """A dump of slime: `save_debug_rollout_data` keeps `{"rollout_id", "samples"}`."""
        yield from self.close()
        outside, self._closed = self._closed, set()
        number = stored.get("rollout_id")
        for name in stored:
            if name not in {"rollout_id", "samples"}:
                self._notices.dropped(name, of="a dump")
        for index, sample in enumerate(stored["samples"]):
            try:
                yield from self._row(
                    mapping(sample, "a sample"), line, prefix="" if number is None else f"{number}/"
                )
            except Unfit as error:
                digest = _digest(orjson.dumps(sample))
                yield BadLine(line.place, f"sample {index}: {error}", digest, line.position)
        yield from self.close()
        self._closed = outside

    def _row(self, stored: dict[str, Any], line: _Line, *, prefix: str) -> Iterator[StoredGroup]:
        row = read_row(stored, prefix=prefix, choices=self._choices, notices=self._notices)
        if self._open is not None and row.key is not None and row.key == self._open.key:
            if row.group != self._open.group:
                raise Unfit("the row has another rubric, label or setting than its group")
            self._open.rollouts.append(row.rollout)
            self._open.position = line.position
            return
        if row.key in self._closed:
            raise Unfit("rows of one group must stand together: sort the file by its group index")
        yield from self.close()
        self._open = _Open(line.place, row.key, row.group, [row.rollout], line.position)


def _object(line: _Line) -> dict[str, Any]:
    if line.problem:
        raise Unfit(line.problem)
    try:
        stored = orjson.loads(line.raw)
    except orjson.JSONDecodeError as error:
        raise Unfit(f"not JSON: {error.msg} (column {error.colno})") from None
    if isinstance(stored, list):
        raise Unfit("an array: write one object per line")
    return mapping(stored, "the line")


def _digest(raw: bytes) -> bytes:
    return blake2b(raw, digest_size=16).digest()
