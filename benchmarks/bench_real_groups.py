"""Do the rubric scores of right and wrong responses part, on real rollouts, and how fast are they scored?

    python benchmarks/bench_real_groups.py --data FOLDER

Reads FOLDER/groups.jsonl. Shares are over the entities that the question does not name, since a response that
repeats the question has found nothing; `correct` says which responses are right, and those where it is null
are left out. Both matchers, in the same run; no text is kept in the results.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from measure import machine, write
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from rubric import flags, legacy
from rubric.entity import Entity, Field, Rubric
from rubric.exact import find
from rubric.intake import parse_score
from rubric.job import Defaults, Profile
from rubric.names import compiled
from rubric.score import score_group
from rubric.text import Response, Texts, fold, split
from service.stored import StoredGroup, read_groups


def main(data: Annotated[Path, typer.Option(help="Folder with groups.jsonl; see README.md.")]) -> None:
    """Measure, print the tables, keep the results."""
    file = data / "groups.jsonl"
    groups = [_labelled(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
    parted = [_part(groups, *each) for each in track(list(_questions()), "matching", transient=True)]
    results = {"separation": parted, "throughput": _throughput(file)}
    _print(results)
    print("written:", write("real_groups", results))


# --- separation -------------------------------------------------------------------------------------------

Matcher = Callable[[Rubric, str], set[int]]
"""Which entities, by index, a text names."""


@dataclass(frozen=True, slots=True)
class _Labelled:
    rubric: Rubric
    question: str
    responses: tuple[Texts, ...]
    raw: tuple[str, ...]
    right: tuple[bool | None, ...]


def _labelled(stored: dict[str, Any]) -> _Labelled:
    entities = (
        Entity(f"e{index}", each["name"], tuple(each["aliases"]))
        for index, each in enumerate(stored["rubric"]["entities"])
    )
    raw = tuple(each["response"] for each in stored["rollouts"])
    return _Labelled(
        rubric=Rubric(tuple(entities)),
        question=stored["question"],
        responses=tuple(split(Response(each)) for each in raw),
        raw=raw,
        right=tuple(each["correct"] for each in stored["rollouts"]),
    )


def _strict(rubric: Rubric, text: str) -> set[int]:
    return set(find(compiled(rubric), fold(text), field=Field.CONTENT).matches)


def _reference(rubric: Rubric, text: str) -> set[int]:
    hits = legacy.entity_hits([entity.name for entity in rubric.entities], text)
    return {index for index, hit in enumerate(hits) if hit}


_MATCHERS: dict[str, Matcher] = {"reference": _reference, "strict": _strict}


def _questions() -> Iterator[tuple[str, str, str]]:
    """What finds the entities, in which text, and what decides that the question names them."""
    for text in ("whole response", "final content"):
        for matcher in _MATCHERS:
            for known in _MATCHERS:
                yield matcher, text, known


def _part(groups: Sequence[_Labelled], matcher: str, text: str, known: str) -> dict[str, Any]:
    right: list[float] = []
    wrong: list[float] = []
    within = []
    for group in groups:
        shares = _shares(
            group, matcher=_MATCHERS[matcher], known=_MATCHERS[known], whole=text.startswith("w")
        )
        labels = group.right[: len(shares)]
        of_right = [share for share, label in zip(shares, labels, strict=True) if label is True]
        of_wrong = [share for share, label in zip(shares, labels, strict=True) if label is False]
        right += of_right
        wrong += of_wrong
        if of_right and of_wrong:
            within.append(_auc(of_right, of_wrong))
    return {
        "matcher": matcher,
        "text": text,
        "in question by": known,
        "right": round(float(np.mean(right)), 4),
        "wrong": round(float(np.mean(wrong)), 4),
        "auc": round(_auc(right, wrong), 4),
        "auc within groups": round(float(np.mean(within)), 4),
        "responses": [len(right), len(wrong)],
        "groups with both": len(within),
    }


def _shares(group: _Labelled, *, matcher: Matcher, known: Matcher, whole: bool) -> list[float]:
    """Per response the share found of the entities that count; empty where the question names them all."""
    counted = set(range(len(group.rubric.entities))) - known(group.rubric, group.question)
    if not counted:
        return []
    texts = group.raw if whole else [each.content for each in group.responses]
    return [len(matcher(group.rubric, text) & counted) / len(counted) for text in texts]


def _auc(right: Sequence[float], wrong: Sequence[float]) -> float:
    """Chance that a right response scores above a wrong one; equal scores count half."""
    higher: NDArray[np.float64] = np.asarray(right)[:, None] - np.asarray(wrong)[None, :]
    return float((higher > 0).mean() + (higher == 0).mean() / 2)


# --- throughput -------------------------------------------------------------------------------------------


def _throughput(file: Path) -> dict[str, Any]:
    """Rollouts per second of one core: parse the body, match, decide the outcome, reward, serialize."""
    bodies = [item.body for item in read_groups(file) if isinstance(item, StoredGroup)]
    rates = {}
    failed = 0
    flags.prepare()
    for body in bodies[:20]:
        _score(body, Defaults())
    for profile in (Profile.LEGACY, Profile.STRICT):
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
