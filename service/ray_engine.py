"""Score stored groups past one machine, on Ray Data: the service's own parts in each of many actors.

    files ─► readers, one a file ─► actors, a service without HTTP in each ─► lines ─► the journal, here

Groups stay on the cluster; what comes here are finished lines, in the order of the input. Lines
and their digest are those of a run without Ray, so that either goes on with what the other began. An actor
that dies is replaced and its groups are scored again; a group has the line that it should have, or none yet.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rubric.errors import CairnError
from service.bootstrap import build_parts
from service.logs import start_logs
from service.offline import Item, Journal, OtherRun, Step, digest_of, in_order, line_of
from service.rows import Choices, Notices
from service.scorers import Here, Stopped
from service.settings import Settings
from service.stored import BadLine, Place, StoredGroup, Unreadable, read_groups

Table = Any
"""Of pyarrow, which has no types."""


class MissingRay(CairnError):
    """Ray Data is not installed."""

    def __init__(self) -> None:
        super().__init__("--engine ray needs Ray: pip install 'cairn-rm[ray]'")


class Refused(CairnError):
    """A node cannot read a file, or would give other numbers."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Ray that was reached, and what makes the numbers on its nodes; an actor with others refuses."""

    settings: Settings
    fingerprint: dict[str, str]


@contextmanager
def cluster(settings: Settings, *, address: str | None = None) -> Iterator[Cluster]:
    """Ray at this address, or one on this machine for as long as the block runs.

    `settings` are those of each actor, which takes a CPU for each of `settings.workers`. Raises `MissingRay`,
    `Stopped`, and what keeps the parts from being built there.
    """
    if find_spec("ray") is None or find_spec("pyarrow") is None:
        raise MissingRay
    ray = _quiet_ray()
    try:
        _knock(address)
        options: Any = {} if address else {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise Stopped(f"no Ray at {address or 'this machine'}: {error}") from None
    try:
        yield Cluster(settings, _fingerprint_there(settings))
    finally:
        ray.shutdown()


def _knock(address: str | None) -> None:
    """Ray tries for minutes where nobody listens. Raises `OSError`."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=_KNOCK_S).close()


_KNOCK_S = 5.0


def _quiet_ray() -> Any:
    """Ray, without usage reports, and without logs of its own between our lines."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # noqa: TID251 - Ray asks the environment alone
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # noqa: TID251 - the same
    import_module("ray.data")
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    return import_module("ray")


def score_files(
    files: Sequence[Path], *, choices: Choices, notices: Notices, on: Cluster, journal: Journal
) -> Iterator[Step]:
    """Score what the journal does not have yet and write it there, in the order of `files`.

    Every node reads the files at the same paths. Raises `OtherRun`, `Refused`, `Stopped`.
    """
    if len(set(files)) < len(files):
        raise OtherRun("--engine ray reads each file once: one is given twice")
    done = journal.written()
    tasks = [_Task(str(file), str(file.absolute()), done[str(file)]) for file in files]
    yield from _steps(_lines(tasks, choices=choices, on=on, settings=journal.settings), notices, journal)


def _steps(rows: Iterable[dict[str, Any]], notices: Notices, journal: Journal) -> Iterator[Step]:
    for row in rows:
        notices.names.update(dict.fromkeys(row["notices"] or ()))
        if row["refusal"] is not None:
            raise Refused(row["refusal"])
        if row["digest"] is not None:
            yield _step(row, journal)
    journal.check_end()


def _step(row: dict[str, Any], journal: Journal) -> Step:
    place = Place(row["file"], row["number"])
    done = journal.done(place, digest=row["digest"])
    if done is not None:
        return Step(place, row["position"], done, resumed=True)
    if row["line"] is None:
        raise OtherRun(f"{place} was to have a line already: the output has changed meanwhile")
    return Step(place, row["position"], journal.write(row["line"]), resumed=False)


# --- the pipeline -----------------------------------------------------------------------------------------

_BLOCK_BYTES = 16 * 1024 * 1024
"""What travels at once between a reader and an actor: about a hundred long rollouts."""
_ACTORS_PER_READER = 4
"""A reader parses and sends about four times what an actor of one worker scores."""


@dataclass(frozen=True, slots=True)
class _Task:
    """A file by the name it was given, where it lies, and how many of its groups have a line already."""

    name: str
    path: str
    done: int


def _lines(tasks: Iterable[_Task], *, choices: Choices, on: Cluster, settings: str) -> Iterator[Any]:
    """Rows of lines, in the order of the input. Raises `CairnError`."""
    ray: Any = import_module("ray")
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    context.target_max_block_size = _BLOCK_BYTES
    readers = max(1, int(ray.cluster_resources().get("CPU", 1)) // _ACTORS_PER_READER)
    rows = [{"name": task.name, "path": task.path, "done": task.done} for task in tasks]
    lines = (
        ray.data.from_items(rows, override_num_blocks=len(rows))
        .map_batches(
            _read,
            fn_args=(choices,),
            batch_size=1,
            batch_format="pyarrow",
            compute=ray.data.TaskPoolStrategy(size=readers),
            num_cpus=0,  # it must run where actors have taken every CPU and wait for it
        )
        .map_batches(
            _Actor,
            fn_constructor_args=(on.settings, on.fingerprint, settings),
            batch_size=None,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(min_size=1),
            **_needs(on.settings),
        )
    )
    try:
        for batch in lines.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            yield from batch.to_pylist()
    except ray.exceptions.RayError as error:
        raise _told(error) from None


def _needs(settings: Settings) -> dict[str, float]:
    """What an actor takes of a node. `auto` finds a CPU there: Ray shows a GPU to those who ask for one."""
    on_gpu = bool(settings.embedding_model) and settings.device.startswith("cuda")
    return {"num_cpus": max(1, settings.workers), "num_gpus": 1 if on_gpu else 0}


def _told(error: Exception) -> CairnError:
    """What an actor had to say, or that it could say nothing any more; never more than a sentence."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, CairnError):
        return cause
    return Stopped(f"the cluster gave up ({type(cause or error).__name__})")


# --- on a node: reading -----------------------------------------------------------------------------------


def _read(tasks: Table, choices: Choices) -> Iterator[Table]:
    """The groups of a file, in its order, and at its end a row that says what was not used of it."""
    for task in tasks.to_pylist():
        notices, refusal = Notices(), None
        try:
            groups = read_groups(Path(task["path"]), choices=choices, notices=notices)
            for index, item in enumerate(groups):
                yield _stored(item, file=task["name"], wanted=index >= task["done"])
        except Unreadable as error:
            refusal = str(error)
        except OSError as error:
            refusal = f"{task['name']} cannot be read on {socket.gethostname()}: {error.strerror}"
        yield _table("stored", file=task["name"], refusal=refusal, notices=list(notices.names))


def _stored(item: Item, *, file: str, wanted: bool) -> Table:
    group = {"id": item.id} if isinstance(item, StoredGroup) else {"reason": item.reason}
    return _table(
        "stored",
        file=file,
        number=item.place.line,
        position=item.position,
        body=item.body,
        wanted=wanted,
        **group,
    )


def _item(row: dict[str, Any]) -> Item:
    place = Place(row["file"], row["number"])
    if row["reason"] is not None:
        return BadLine(place, row["reason"], row["body"], row["position"])
    return StoredGroup(place, row["id"], row["body"], row["position"])


# --- on a node: scoring -----------------------------------------------------------------------------------


class _Actor:
    """The service's parts, as `cairn score` has them on one machine. Ray makes one, and sends it blocks."""

    def __init__(self, settings: Settings, fingerprint: dict[str, str], digest: str) -> None:
        self._digest = digest
        self._refusal: str | None = None
        start_logs(level="error")
        try:
            parts = build_parts(settings)
        except CairnError as error:
            self._refusal = f"{socket.gethostname()}: {error}"
            return
        if dict(parts.fingerprint) != fingerprint:
            self._refusal = f"{socket.gethostname()} would give other numbers: its Cairn or model differs"
            return
        self._scorer = Here(parts)

    def __call__(self, stored: Table) -> Iterator[Table]:
        if self._refusal is not None:
            yield _table("line", refusal=self._refusal)
            return
        rows = stored.to_pylist()
        scored = in_order((_item(row) for row in rows if row["wanted"]), scorer=self._scorer)
        for row in rows:
            digest = line = None
            if row["body"] is not None:
                digest = digest_of(_item(row), settings=self._digest)
            if row["wanted"]:
                line = line_of(*next(scored), settings=self._digest)
            kept = {name: row[name] for name in ("file", "number", "position", "notices", "refusal")}
            yield _table("line", digest=digest, line=line, **kept)


def _fingerprint_there(settings: Settings) -> dict[str, str]:
    """What makes the numbers on a node of the cluster. Raises `CairnError`."""
    ray: Any = import_module("ray")
    asked = ray.remote(**_needs(settings))(_fingerprint_here)
    try:
        found: dict[str, str] = ray.get(asked.remote(settings))
    except ray.exceptions.RayError as error:
        raise _told(error) from None
    return found


def _fingerprint_here(settings: Settings) -> dict[str, str]:
    start_logs(level="error")
    return dict(build_parts(settings).fingerprint)


# --- rows -------------------------------------------------------------------------------------------------


def _table(kind: str, **row: Any) -> Table:
    """One row, typed, so that nothing is pickled on its way."""
    pa: Any = import_module("pyarrow")
    both = {
        "file": pa.string(),
        "number": pa.int64(),
        "position": pa.int64(),
        "notices": pa.list_(pa.string()),
        "refusal": pa.string(),
    }
    own = {
        "stored": {"id": pa.string(), "body": pa.large_binary(), "reason": pa.string(), "wanted": pa.bool_()},
        "line": {"digest": pa.string(), "line": pa.large_binary()},
    }
    return pa.Table.from_pylist([row], schema=pa.schema(both | own[kind]))
