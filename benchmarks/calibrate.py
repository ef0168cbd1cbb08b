"""Fit the pair scorer of the embedding stage, and show what it is worth: alone, and in texts.

    python benchmarks/calibrate.py --data FOLDER [--model builtin] [--out FILE] [--in-texts 4000]

Reads FOLDER/name_pairs.jsonl and FOLDER/groups.jsonl (see README.md). Negatives come from the first half of
the groups' responses, the texts of the measurement from the second half. Every figure is given twice: by
scorers that saw no name of the entity, and by the one that is written to `rubric/calibration/`, which did.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from calibration_plot import draw
from measure import write
from numpy.typing import NDArray
from pair_set import LONG_TEXT, Pair, macro
from rich.console import Console
from rich.table import Table
from semantic_set import Looked, look_at

from rubric import pair
from rubric.embedder import Embedder, Vectors
from rubric.likeness import FEATURES
from rubric.words import known_words
from service.calibration import Calibration, calibrate, read_pairs
from service.embedding.backend import Choice
from service.embedding.direct import Direct
from service.embedding.loading import load

SHIPPED = Path(pair.__file__).parent / "calibration"
TEXTS_TO_LEARN, TEXTS_TO_MEASURE = 8, 20
MOST_EXHAUSTIVE = 1500
CURVE = range(0, 6001, 250)

CONSOLE = Console(width=None if sys.stdout.isatty() else 140, highlight=False)


class Remembering:
    """An embedder that computes each text once, and keeps the vectors in a file if it is told one."""

    def __init__(self, inner: Embedder, file: Path | None) -> None:
        self._inner, self._file = inner, file
        self.identity, self.band = inner.identity, inner.band
        self._known: dict[str, Vectors] = {}
        if file and file.exists():
            stored = np.load(file)
            self._known = dict(zip(json.loads(str(stored["texts"])), stored["vectors"], strict=True))

    def embed(self, texts: Sequence[str]) -> Vectors:
        new = sorted({text for text in texts if text not in self._known}, key=lambda text: (len(text), text))
        if new:
            self._known |= dict(zip(new, self._inner.embed(new), strict=True))
            if self._file:
                vectors = np.array(list(self._known.values()))
                np.savez(self._file, texts=json.dumps(list(self._known)), vectors=vectors)
        return np.array([self._known[text] for text in texts])

    embed_alone = embed
    """Fitting needs no last bits; the service does what this stands for."""


def main(
    data: Annotated[Path, typer.Option(help="Folder with name_pairs.jsonl and groups.jsonl; see README.md.")],
    model: Annotated[str, typer.Option(help="Model to fit for, as in the settings.")] = "builtin",
    out: Annotated[Path | None, typer.Option(help="Where the calibration goes.")] = None,
    vectors: Annotated[Path | None, typer.Option(help="File that keeps vectors between runs (.npz).")] = None,
    in_texts: Annotated[int, typer.Option(help="Pairs that are looked for in texts; 0: all.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes.")] = len(os.sched_getaffinity(0)),
) -> None:
    """Fit, write the calibration, measure it, draw."""
    groups = [json.loads(line) for line in (data / "groups.jsonl").read_text(encoding="utf-8").splitlines()]
    pairs = read_pairs(data / "name_pairs.jsonl")
    embedder = Remembering(Direct(load(Choice(model, threads=2))), vectors)
    found = calibrate(
        pairs,
        embedder,
        words=known_words(),
        texts=_long_texts(groups[::2], TEXTS_TO_LEARN),
        bystanders=_names(groups),
    )
    target = out or SHIPPED / f"{model}.json"
    target.write_text(found.text, encoding="utf-8")
    CONSOLE.print(f"written: {target} ({len(found.text):,} characters, digest {found.scorer.digest})")

    drawn = [Pair(each.a, each.b, each.same, each.source) for each in pairs]
    chosen = drawn if not in_texts else random.Random(0).sample(drawn, in_texts)
    alone = look_at(drawn, _unseen(found, drawn), embedder, workers=workers)
    texts = _long_texts(groups[1::2], TEXTS_TO_MEASURE)
    unseen = look_at(chosen, _unseen(found, chosen), embedder, texts=texts, workers=workers)
    seen = look_at(chosen, [found.scorer] * len(chosen), embedder, texts=texts, workers=workers)
    rows = {
        "in a sentence, held out": _rates(drawn, alone),
        "in 20 KB, held out": _rates(chosen, unseen),
        "in 20 KB, in sample": _rates(chosen, seen),
        "in 20 KB, lexical stages alone": macro(chosen, [float(each.lexical) for each in unseen]),
    }
    _print(rows)
    lexical = {(each.a, each.b): looked.lexical for each, looked in zip(drawn, alone, strict=True)}
    curves = {
        "held out": _curve(found, found.held_out, lexical),
        "in sample": _curve(found, found.in_sample, lexical),
        "cosine alone": _curve(found, np.round(found.rows[:, pair.COSINE] * 6000).astype(np.int64), lexical),
    }
    fast = _against_exhaustive(found, drawn, embedder, workers=workers)
    results = {
        "fast search against every span": fast,
        "model": found.scorer.model,
        "digest": found.scorer.digest,
        "threshold": found.scorer.threshold,
        "rates": rows,
        "kinds": _kinds(found),
        "features": _told(found),
        "curves": curves,
        "examples of false hits": _false(chosen, unseen),
    }
    precision = {name: _precision(found, points) for name, points in _both(found).items()}
    CONSOLE.print("written:", str(write("pairs", results)), str(draw(curves, rows, precision)))


def _long_texts(groups: Sequence[Mapping[str, Any]], count: int) -> list[str]:
    responses = [each["rollouts"][0]["response"] for each in groups]
    chance = random.Random(7)
    return ["\n\n".join(chance.sample(responses, min(len(responses), 60)))[:LONG_TEXT] for _ in range(count)]


def _names(groups: Sequence[Mapping[str, Any]]) -> list[str]:
    entities = (entity for group in groups for entity in group["rubric"]["entities"])
    return sorted({name for entity in entities for name in (entity["name"], *entity["aliases"])})


def _unseen(found: Calibration, pairs: Sequence[Pair]) -> list[pair.Scorer]:
    """For each pair the scorer that saw no name of its entity."""
    entity = {each.name: each.entity for each in found.examples}
    return [found.folds[found.fold_of[entity[each.a]]] for each in pairs]


# --- figures ----------------------------------------------------------------------------------------------


def _rates(pairs: Sequence[Pair], looked: Sequence[Looked]) -> dict[str, Any]:
    opened = [each for each in looked if not each.lexical]
    elsewhere = sum(bool(each.elsewhere) for each in opened)
    return macro(pairs, [float(each.hit) for each in looked]) | {
        "hits elsewhere, share of texts": round(elsewhere / max(1, len(opened)), 5),
        "texts with an open entity": len(opened),
    }


def _curve(
    found: Calibration, points: NDArray[np.int64], lexical: Mapping[tuple[str, str], bool]
) -> list[dict[str, Any]]:
    """Recall and false hits of all stages by threshold, of two names alone."""
    numbers = [
        at
        for at, each in enumerate(found.examples)
        if each.kind == "pairs" and (each.name, each.surface) in lexical
    ]
    own = [found.examples[at] for at in numbers]
    pairs = [Pair(each.name, each.surface, each.same, each.source) for each in own]
    before = np.array([lexical[each.a, each.b] for each in pairs])
    veto = np.array([each.vetoed for each in own])
    rates = []
    for threshold in CURVE:
        hit = before | (~veto & (points[numbers] >= threshold))
        rates.append({"threshold": threshold, **macro(pairs, hit.astype(float).tolist())})
    return rates


def _precision(found: Calibration, points: NDArray[np.int64]) -> list[tuple[float, float]]:
    """(recall, precision) by threshold, of pairs and of what texts say beside them, where nothing vetoes."""
    used = np.array([each.kind in {"pairs", "texts"} and not each.vetoed for each in found.examples])
    labels = np.array([each.same for each in found.examples])[used]
    right = labels[np.argsort(-points[used], kind="stable")].cumsum()
    counts = np.arange(1, len(right) + 1)
    kept = np.unique(np.geomspace(20, len(right), 400).astype(int)) - 1
    return [(round(float(right[at] / right[-1]), 4), round(float(right[at] / counts[at]), 4)) for at in kept]


def _against_exhaustive(
    found: Calibration, pairs: Sequence[Pair], embedder: Embedder, *, workers: int
) -> dict[str, float]:
    """How many of the hits that a look at every span finds the fast search finds, too, in sentences."""
    same = random.Random(1).sample([each for each in pairs if each.same], MOST_EXHAUSTIVE)
    scorers = _unseen(found, same)
    fast = look_at(same, scorers, embedder, workers=workers)
    slow = look_at(same, scorers, embedder, exhaustive=True, workers=workers)
    hits = [one.there for one, other in zip(fast, slow, strict=True) if other.there]
    whole = [one.whole for one, other in zip(fast, slow, strict=True) if other.whole]
    return {
        "pairs": len(same),
        "hits of every span": len(hits),
        "of these found fast": sum(hits),
        "hits of every span at the whole name": len(whole),
        "of these at the whole name found fast": sum(whole),
        "hits of the fast search": sum(each.there for each in fast),
    }


def _kinds(found: Calibration) -> dict[str, dict[str, float]]:
    """Of each kind of different names that reach the scorer: how many, and the share over the threshold."""
    kinds: dict[str, dict[str, float]] = {}
    for kind in sorted({each.kind for each in found.examples}):
        at = [
            number
            for number, each in enumerate(found.examples)
            if each.kind == kind and not each.same and not each.vetoed
        ]
        over = {name: points[at] >= found.scorer.threshold for name, points in _both(found).items()}
        kinds[kind] = {"names": len(at)} | {
            name: round(float(each.mean()), 5) if len(at) else 0.0 for name, each in over.items()
        }
    return kinds


def _both(found: Calibration) -> dict[str, NDArray[np.int64]]:
    return {"held out": found.held_out, "in sample": found.in_sample}


def _told(found: Calibration) -> dict[str, int]:
    """What each feature tells: the mean of the points that hits would lose without it."""
    hits = [
        at
        for at, each in enumerate(found.examples)
        if each.same and not each.vetoed and found.in_sample[at] >= found.scorer.threshold
    ]
    lost = dict.fromkeys(FEATURES, 0)
    for at in random.Random(0).sample(hits, min(len(hits), 1000)):
        for reason in found.scorer.explain(found.rows[at], most=len(FEATURES)):
            lost[reason.feature] += reason.points
    return {feature: round(each / max(1, min(len(hits), 1000))) for feature, each in lost.items()}


def _false(pairs: Sequence[Pair], looked: Sequence[Looked]) -> dict[str, int]:
    """How many different names were taken for one, by source; their texts stay out of the results."""
    wrong = [each.source for each, found in zip(pairs, looked, strict=True) if found.there and not each.same]
    for each, found in zip(pairs, looked, strict=True):
        if found.elsewhere:
            CONSOLE.print(f"elsewhere: {each.a!r} at {', '.join(map(repr, found.elsewhere))}", markup=False)
        if found.there and not each.same:
            CONSOLE.print(f"false hit: {each.a!r} at {each.b!r}", markup=False)
    return {source: wrong.count(source) for source in sorted(set(wrong))}


def _print(rows: Mapping[str, Mapping[str, Any]]) -> None:
    for measure in ("recall", "false hits"):
        sources = sorted({source for each in rows.values() for source in each["sources"][measure]})
        table = Table(title=f"{measure} of the lexical stages with the embedding stage")
        for head in ("", "mean", *sources, "hits elsewhere"):
            table.add_column(head)
        for name, each in rows.items():
            cells = (f"{each['sources'][measure][source]:.4f}" for source in sources)
            elsewhere = each.get("hits elsewhere, share of texts")
            table.add_row(
                name, f"{each[measure]:.4f}", *cells, "–" if elsewhere is None else f"{elsewhere:.5f}"
            )
        CONSOLE.print(table)


if __name__ == "__main__":
    typer.run(main)
