"""A judge before a double, with times that tests can wait for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rubric.errors import CannotScore
from service.judge.client import Judge
from service.judge.options import JudgeOptions
from tests.service.judge.double import Behavior, Double

KEY = "sk-very-secret"
FINAL = "The answer, I am sure, is Oslo."
CASE = {"question": "Which city is it?", "answer": "Rabat"}


@asynccontextmanager
async def judging(behavior: Behavior, **options: object) -> AsyncIterator[tuple[Judge, Double]]:
    async with Double(behavior) as double, asking(double.url, **options) as judge:
        yield judge, double


@asynccontextmanager
async def asking(url: str, **options: object) -> AsyncIterator[Judge]:
    judge = Judge(JudgeOptions(base_url=url, model="a-judge", api_key=KEY, **options))
    try:
        yield judge
    finally:
        await judge.close()


async def outcome(judge: Judge, final: str = FINAL, **more: object) -> float | str:
    """The number, or the type of the failure."""
    try:
        return (await judge.decide(final, **(CASE | more))).value
    except CannotScore as failure:
        return failure.kind


async def failure(judge: Judge, final: str = FINAL) -> CannotScore:
    try:
        decided = await judge.decide(final, **CASE)
    except CannotScore as error:
        return error
    raise AssertionError(f"a number was made up: {decided}")
