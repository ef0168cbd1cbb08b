"""How far a run has come: a bar in a terminal, a plain line every few seconds anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

Advance = Callable[[int, int], None]
"""Called with the bytes read so far and the rollouts scored so far."""

_EVERY_SECONDS = 5.0


@contextmanager
def progress(console: Console, *, total: int) -> Iterator[Advance]:
    """Show progress over `total` bytes of input while the block runs."""
    if console.is_terminal:
        with _bar(console, total) as advance:
            yield advance
    else:
        yield _lines(console, total)


@contextmanager
def _bar(console: Console, total: int) -> Iterator[Advance]:
    started = time.monotonic()
    columns = (
        TextColumn("scoring"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[rollouts]:,} rollouts, {task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total, rollouts=0, rate=0.0)

        def advance(position: int, rollouts: int) -> None:
            rate = rollouts / (time.monotonic() - started)
            bar.update(task, completed=position, rollouts=rollouts, rate=rate)

        yield advance


def _lines(console: Console, total: int) -> Advance:
    started = last = time.monotonic()

    def advance(position: int, rollouts: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _EVERY_SECONDS:
            last = now
            share = position / total if total else 1.0
            rate = rollouts / (now - started)
            console.print(f"scoring: {share:.0%}, {rollouts:,} rollouts, {rate:,.0f}/s", highlight=False)

    return advance
