"""Score stored groups into a file that can be gone on with: one line per group, in the order of the input.

Each line says where its group came from and carries a digest of the group and of the settings. A run that was
killed leaves whole lines and at most one torn one: the next run cuts that off, checks that the lines
belong to the same input and settings, and goes on after them, without a gap or a double.
"""

from __future__ import annotations

import fcntl
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import orjson

from rubric.errors import CairnError
from service.scorers import Refusal, Scored, Scorer
from service.stored import BadLine, Place, StoredGroup

Item = StoredGroup | BadLine
Line = dict[str, Any]

_MOST_BYTES = 256 * 1024 * 1024


class OtherRun(CairnError):
    """The output belongs to another input, to other settings, or to a run that still goes on."""


@dataclass(frozen=True, slots=True)
class Step:
    """One group that is done: where it stood, its line, and whether an earlier run had done it."""

    place: Place
    position: int
    line: Line
    resumed: bool


def score_items(items: Iterable[Item], *, scorer: Scorer, journal: Journal) -> Iterator[Step]:
    """Score what the journal does not have yet and write it there, in the order of `items`.

    Raises `OtherRun`, and `Stopped` of the scorer.
    """
    rest = iter(items)
    for item in rest:
        done = journal.done(item.place, digest=digest_of(item, settings=journal.settings))
        if done is None:
            break
        yield Step(item.place, item.position, done, resumed=True)
    else:
        journal.check_end()
        return
    for each, scored in in_order(chain([item], rest), scorer=scorer):
        line = journal.write(line_of(each, scored, settings=journal.settings))
        yield Step(each.place, each.position, line, resumed=False)


def in_order(items: Iterable[Item], *, scorer: Scorer) -> Iterator[tuple[Item, Scored]]:
    """Each item with its score; at most `scorer.width` groups and 256 MiB are under way. Raises `Stopped`."""
    under_way: deque[_UnderWay] = deque()
    size = 0
    for item in items:
        under_way.append(_start(item, scorer))
        size += len(item.body)
        while len(under_way) > scorer.width or size > _MOST_BYTES:
            first = under_way.popleft()
            size -= len(first.item.body)
            yield first.item, first.scored.result()
    for each in under_way:
        yield each.item, each.scored.result()


@dataclass(frozen=True, slots=True)
class _UnderWay:
    item: Item
    scored: Future[Scored]


def _start(item: Item, scorer: Scorer) -> _UnderWay:
    if isinstance(item, StoredGroup):
        return _UnderWay(item, scorer.submit(item.body))
    refused: Future[Scored] = Future()
    refused.set_result(Scored(None, Refusal("unreadable", item.reason)))
    return _UnderWay(item, refused)


# --- the output -------------------------------------------------------------------------------------------

_NO_REPLY: Line = {
    "id": None,
    "rollouts": [],
    "group": None,
    "scheme": None,
    "profile": None,
    "degraded": [],
    "fingerprint": None,
    "timings_ms": None,
}
"""The keys of a reply, for a line without one: every line has the same keys."""


_TIMELESS: Line = {"timings_ms": None}
"""Two runs write the same lines."""


def line_of(item: Item, scored: Scored, *, settings: str) -> bytes:
    """What stands in the output for one group; `settings` is a digest of what else decides it."""
    reply = _NO_REPLY if scored.reply is None else orjson.loads(scored.reply) | _TIMELESS
    refusal = scored.refusal
    if scored.reply is None and isinstance(item, StoredGroup):
        reply = reply | {"id": item.id}
    source = {
        "file": item.place.file,
        "line": item.place.line,
        "digest": digest_of(item, settings=settings),
        "settings": settings,
    }
    error = None if refusal is None else {"type": refusal.type, "detail": refusal.detail}
    return orjson.dumps({"source": source, **reply, "error": error})


def digest_of(item: Item, *, settings: str) -> str:
    """Recognizes a group that was scored with the same settings."""
    return blake2b(item.body, digest_size=16, key=settings.encode()).hexdigest()


class Journal:
    """The output file, or nothing where none is wanted. One process at a time may hold it.

    `settings` is a digest of everything besides the group that decides the line.
    """

    def __init__(self, path: Path | None, *, settings: str, restart: bool = False) -> None:
        self.settings = settings
        self._path = path
        self._file: IO[bytes] | None = None
        self._done: Iterator[Line] = iter(())
        if path is not None:
            self._file = _taken(path)
            _cut(self._file, 0 if restart else _whole_lines(self._file))
            self._done = self._read(path)

    def written(self) -> Counter[str]:
        """How many lines an earlier run wrote for each file. Raises `OtherRun`."""
        lines = self._read(self._path) if self._path is not None else ()
        return Counter(line["source"]["file"] for line in lines)

    def done(self, place: Place, *, digest: str) -> Line | None:
        """The line that an earlier run wrote for this group. Raises `OtherRun` where another one stands."""
        line = next(self._done, None)
        if line is None:
            return None
        source = line["source"]
        if source["settings"] != self.settings:
            raise OtherRun(
                f"{self._path} was written with other settings ({source['settings']}, now {self.settings}): "
                "give the same ones, another --out, or --restart to begin again"
            )
        if source["digest"] != digest:
            raise OtherRun(
                f"{self._path} holds another group where {place} should stand: the input has changed; "
                "give another --out, or --restart to begin again"
            )
        return line

    def check_end(self) -> None:
        """Raises `OtherRun` when the file holds more lines than the input has groups."""
        if next(self._done, None) is not None:
            raise OtherRun(f"{self._path} holds more groups than the input: give another --out, or --restart")

    def write(self, line: bytes) -> Line:
        """Append one line, and flush it."""
        if self._file is not None:
            self._file.write(line + b"\n")
            self._file.flush()
        written: Line = orjson.loads(line)
        return written

    def _read(self, path: Path) -> Iterator[Line]:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                try:
                    line: Line = orjson.loads(raw)
                    line["source"]["settings"], line["source"]["digest"], line["source"]["file"]
                except (orjson.JSONDecodeError, KeyError, TypeError) as error:
                    raise OtherRun(
                        f"{path}:{number} was not written by this command: give another --out, or --restart"
                    ) from error
                yield line

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _taken(path: Path) -> IO[bytes]:
    """The file, locked, when it is empty or this command's. Nothing is cut off or appended to another one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.seek(0)
        head = file.read(len(_FIRST_BYTES))
    except BlockingIOError:
        file.close()
        raise OtherRun(f"{path} is being written by another run") from None
    if not _FIRST_BYTES.startswith(head):
        file.close()
        raise OtherRun(f"{path} was not written by this command: give another --out")
    return file


_FIRST_BYTES = b'{"source":{"file":'


def _cut(file: IO[bytes], size: int) -> None:
    file.truncate(size)
    file.seek(size)


def _whole_lines(file: IO[bytes]) -> int:
    """How many bytes stand before a last line that was torn."""
    step = 1 << 16
    end = file.seek(0, 2)
    while end > 0:
        start = max(0, end - step)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
