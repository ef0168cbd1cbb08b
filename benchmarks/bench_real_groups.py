"""Do the rubric scores of right and wrong responses part, on real rollouts, and how fast are they scored?

    python benchmarks/bench_real_groups.py --data FOLDER

Reads FOLDER/groups.jsonl. Shares are over the entities that the question does not name, since a response that
repeats the question has found nothing; `correct` says which responses are right, and those where it is null
are left out. All matchers, in the same run; no text is kept in the results.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from measure import machine, write
from rich.console import Console
from rich.progress import track
from rich.table import Table
from separation import Labelled, labelled, separate
from ways import WAYS, names

from rubric import flags
from rubric.intake import parse_score
from rubric.job import Defaults, Profile
from rubric.score import score_group
from service.stored import StoredGroup, read_groups


def main(data: Annotated[Path, typer.Option(help="Folder with groups.jsonl; see README.md.")]) -> None:
    """Measure, print the tables, keep the results."""
    file = data / "groups.jsonl"
    groups = [labelled(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
    parted = [_part(groups, *each) for each in track(list(_questions()), "matching", transient=True)]
    results = {"separation": parted, "throughput": _throughput(file)}
    _print(results)
    print("written:", write("real_groups", results))


# --- separation -------------------------------------------------------------------------------------------


_MATCHERS = {way: names(profile) for way, profile in WAYS.items()}


def _questions() -> Iterator[tuple[str, bool, str]]:
    """What finds the entities, in which text, and what decides that the question names them."""
    for content in (False, True):
        for matcher in _MATCHERS:
            for known in dict.fromkeys(("reference", matcher)):
                yield matcher, content, known


def _part(groups: Sequence[Labelled], matcher: str, content: bool, known: str) -> dict[str, Any]:  # noqa: FBT001
    parted = separate(groups, matcher, _MATCHERS[matcher], known=_MATCHERS[known], content=content)
    return parted | {"in question by": known}


# --- throughput -------------------------------------------------------------------------------------------


def _throughput(file: Path) -> dict[str, Any]:
    """Rollouts per second of one core: parse the body, match, decide the outcome, reward, serialize."""
    bodies = [item.body for item in read_groups(file) if isinstance(item, StoredGroup)]
    rates = {}
    failed = 0
    flags.prepare()
    for body in bodies[:20]:
        _score(body, Defaults())
    for profile in (Profile.LEGACY, Profile.STRICT, Profile.BALANCED):
        started = time.process_time()
        scored = [
            _score(body, Defaults(profile=profile)) for body in track(bodies, f"{profile}", transient=True)
        ]
        seconds = time.process_time() - started
        rates[profile.value] = round(sum(ok + bad for ok, bad in scored) / seconds)
        failed += sum(bad for _, bad in scored)
    characters = sum(map(len, bodies))
    return {"rollouts per core-second": rates, "failed": failed, "groups": len(bodies), "bytes": characters}


def _score(body: bytes, defaults: Defaults) -> tuple[int, int]:
    """Rollouts scored and failed."""
    reply = score_group(parse_score(body), defaults=defaults)
    reply.model_dump_json()
    failed = sum(rollout.status == "failed" for rollout in reply.rollouts)
    return len(reply.rollouts) - failed, failed


def _print(results: dict[str, Any]) -> None:
    table = Table(title=f"{results['throughput']['groups']} groups")
    heads = ("text", "matcher", "in question by", "right", "wrong", "AUC", "AUC within groups")
    for head in heads:
        table.add_column(head)
    for row in results["separation"]:
        numbers = (row[key] for key in ("right", "wrong", "auc", "auc within groups"))
        table.add_row(
            row["text"], row["matcher"], row["in question by"], *(f"{number:.3f}" for number in numbers)
        )
    console = Console()
    console.print(table)
    for profile, rate in results["throughput"]["rollouts per core-second"].items():
        console.print(f"{profile}: {rate:,} rollouts per core-second on {machine()['cpu']}")


if __name__ == "__main__":
    typer.run(main)
