"""Coverage-guided fuzzing of the targets, a fixed number of inputs each, and one table at the end.

    python -m tests.fuzz.run                         # what continuous integration runs
    python -m tests.fuzz.run exact fuzzy --runs 5000000 --seed 0 --keep .fuzz

A target's inputs grow from `corpus/TARGET`. An input that breaks a target is kept and shown: it belongs into
the corpus, under a name, once it is understood. Exit code 1 where there is one, 2 where nothing was fuzzed.
"""

# ruff: noqa: T201 - a script shows its table

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MOST_BYTES = {"wire": 600, "text": 96, "exact": 112, "typed": 96, "fuzzy": 96}
RUNS = 100_000
ROUND = 34_000
"""Inputs of one process: what follows the branches keeps some memory of each."""
HANGS_AFTER_S = 10
MOST_MB = 4096


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a target."""

    target: str
    runs: int = 0
    seconds: float = 0.0
    features: int = 0
    corpus: int = 0
    broken: str = ""


def main() -> None:
    given = _arguments()
    if find_spec("atheris") is None:
        print(
            "NOT FUZZED: there is no atheris for this Python or machine (pip install atheris)",
            file=sys.stderr,
        )
        sys.exit(2)
    with TemporaryDirectory() as scratch, ThreadPoolExecutor(given.jobs) as threads:
        keep = Path(given.keep or scratch)
        told = list(threads.map(lambda target: _fuzzed(target, keep, given), given.targets))
    print(_table(told))
    sys.exit(any(each.broken for each in told))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fuzz the pure core.")
    parser.add_argument("targets", nargs="*", default=list(MOST_BYTES), help=", ".join(MOST_BYTES))
    parser.add_argument("--runs", type=int, default=RUNS, help="inputs for each target")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="targets at once")
    parser.add_argument("--seed", type=int, default=1, help="0 for another one each time")
    parser.add_argument("--keep", help="a folder in which inputs that led somewhere are kept from run to run")
    given = parser.parse_args()
    if unknown := set(given.targets) - MOST_BYTES.keys():
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    return given


def _fuzzed(target: str, keep: Path, given: argparse.Namespace) -> Told:
    """Rounds until all inputs are through, or one breaks the target."""
    folder, found = keep / target, keep / "found" / target
    for each in (folder, found):
        each.mkdir(parents=True, exist_ok=True)
    told = Told(target)
    for turn, runs in enumerate(_rounds(given.runs)):
        seed = given.seed and given.seed + turn
        command = [sys.executable, "-m", "tests.fuzz.drive", target, *_options(target, runs, seed)]
        command += [f"-artifact_prefix={found}/", str(folder), str(HERE / "corpus" / target)]
        told = _round(told, command, found)
        print(f"{target}: {told.runs} of {given.runs} inputs", flush=True)
        if told.broken:
            break
    return replace(told, corpus=len(list(folder.iterdir())))


def _rounds(runs: int) -> Iterator[int]:
    while runs > 0:
        yield min(runs, ROUND)
        runs -= ROUND


def _options(target: str, runs: int, seed: int) -> Sequence[str]:
    return [
        *(f"-runs={runs}", f"-max_len={MOST_BYTES[target]}", f"-timeout={HANGS_AFTER_S}"),
        *(f"-rss_limit_mb={MOST_MB}", f"-seed={seed}", "-verbosity=1", "-print_final_stats=1"),
    ]


def _round(told: Told, command: Sequence[str], found: Path) -> Told:
    before = set(found.iterdir())
    started = time.monotonic()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    broken = ""
    if done.returncode:
        inputs = [f"{each}: {each.read_bytes()!r}" for each in sorted(set(found.iterdir()) - before)]
        broken = "\n".join([*_reason(done.stderr + done.stdout), *inputs])
    return replace(
        told,
        runs=told.runs + _last(r"number_of_executed_units: (\d+)", done.stderr),
        seconds=told.seconds + time.monotonic() - started,
        features=max(told.features, _last(r" ft: (\d+)", done.stderr)),
        broken=broken,
    )


def _last(pattern: str, said: str) -> int:
    found = re.findall(pattern, said)
    return int(found[-1]) if found else 0


def _reason(said: str) -> list[str]:
    """The error and where it was raised, out of all that libFuzzer says."""
    lines = said.splitlines()
    wanted = [
        line
        for line in lines
        if re.match(r"\s+File .*/(rubric|tests)/|\w*(Error|Exception)\b|==\d+== ERROR", line)
    ]
    return wanted[-12:] or lines[-12:]


def _table(told: Sequence[Told]) -> str:
    rows = [f"{'target':8}{'inputs':>10}{'seconds':>9}{'a second':>10}{'features':>10}{'corpus':>8}  result"]
    for each in told:
        speed = each.runs / each.seconds if each.seconds else 0
        rows.append(
            f"{each.target:8}{each.runs:>10,}{each.seconds:>9.0f}{speed:>10.0f}{each.features:>10,}{each.corpus:>8,}"
            f"  {'BROKEN' if each.broken else 'well'}"
        )
    return "\n".join([*rows, *(f"\n{each.target}:\n{each.broken}" for each in told if each.broken)])


if __name__ == "__main__":
    main()
