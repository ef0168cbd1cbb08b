"""Vectors for plans: what the embedding stage needs of a model, asked for everybody at once.

settled = await Semantics(batcher, calibration, identity=backend.identity).settle(plans, known={})
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rubric import pair, semantic
from rubric.embedder import Vectors
from rubric.entity import Verdict
from rubric.errors import CannotScore
from rubric.score import Asking, Plan, settle
from service.batching import Batcher
from service.store.vectors import Row, vectors_key


@dataclass(frozen=True, slots=True)
class Calibration:
    """Which scorer decides on the vectors, by its file, and the digest that it must have.

    No path is the scorer that comes with Cairn. It is small enough to travel with every piece of work.
    """

    path: Path | None
    digest: str
    exhaustive: bool = False


@lru_cache(maxsize=4)
def read_asking(calibration: Calibration) -> Asking:
    """The scorer from its file, once per process. Raises `ValueError` where it is another one by now."""
    asking = Asking(read_scorer(calibration.path), exhaustive=calibration.exhaustive)
    if asking.scorer.digest != calibration.digest:
        raise ValueError(f"{calibration.path} has changed since the server was started")
    return asking


def read_scorer(path: Path | None) -> pair.Scorer:
    """Raises `ValueError` where the file holds none, `OSError` where it cannot be read."""
    return pair.parse(path.read_text(encoding="utf-8")) if path else pair.builtin()


@dataclass(frozen=True, slots=True)
class Settled:
    """A verdict per plan, in order; and the vectors of names that were encoded alone or known before."""

    verdicts: list[Verdict | CannotScore]
    names: Mapping[str, Row]


def names_of(plans: Iterable[Plan]) -> set[str]:
    """The names of the rubric that the candidates are compared with."""
    asked = [each for plan in plans for each in plan.candidates if each.veto is None]
    return {each.name for each in asked} | {rival.name for each in asked for rival in each.rivals}


class Semantics:
    """Asks the model. All parts are given; nothing is started or closed here."""

    def __init__(self, batcher: Batcher, calibration: Calibration, *, identity: str) -> None:
        self.calibration = calibration
        self._batcher = batcher
        self._identity = identity
        self._scorer = read_asking(calibration).scorer

    @property
    def dimensions(self) -> int:
        """Of the model's vectors."""
        return self._batcher.dimensions

    def key(self, rubric: str) -> str:
        """Under which the vectors of a rubric's names are remembered; `rubric` is its digest."""
        return vectors_key(rubric, identity=self._identity)

    async def settle(self, plans: Sequence[Plan], *, known: Mapping[str, Row]) -> Settled:
        """`known` are vectors of names. A text that the model cannot take costs the rollouts that need it.

        Raises `Refused` where the queue of the model is full or the server stops.
        """
        near = await self._embed([semantic.texts(plan.candidates) for plan in plans], known, alone=False)
        finals = [
            each
            if isinstance(each, CannotScore)
            else semantic.finalists(plan.candidates, each, self._scorer, band=self._batcher.band)
            for plan, each in zip(plans, near, strict=True)
        ]
        needed = [[] if isinstance(each, CannotScore) else semantic.texts(each) for each in finals]
        alone = await self._embed(needed, known, alone=True)
        verdicts = [self._settled(*each) for each in zip(plans, finals, alone, strict=True)]
        names = names_of(plans)
        found = {text: row for each in alone if isinstance(each, dict) for text, row in each.items()}
        return Settled(verdicts, {text: row for text, row in found.items() if text in names})

    def _settled(
        self,
        plan: Plan,
        finals: tuple[semantic.Candidate, ...] | CannotScore,
        alone: dict[str, Vectors] | CannotScore,
    ) -> Verdict | CannotScore:
        if isinstance(finals, CannotScore):
            return finals
        return alone if isinstance(alone, CannotScore) else settle(plan, finals, alone, self._scorer)

    async def _embed(
        self, wanted: Sequence[Sequence[str]], known: Mapping[str, Row], *, alone: bool
    ) -> list[dict[str, Vectors] | CannotScore]:
        """The vectors of each list of texts, or why one of them has none; equal texts are asked for once."""
        texts = list(dict.fromkeys(text for text in _flat(wanted) if text not in known))
        if not texts:
            return [{text: known[text] for text in each} for each in wanted]
        embedded = await self._batcher.embed(texts, alone=alone)
        vectors = {**known, **dict(zip(texts, embedded.vectors, strict=True))}
        failures = {texts[at]: why for at, why in embedded.failures.items()}
        return [
            next((failures[text] for text in each if text in failures), None)
            or {text: vectors[text] for text in each}
            for each in wanted
        ]


def _flat(lists: Iterable[Iterable[str]]) -> Iterable[str]:
    return (text for each in lists for text in each)
