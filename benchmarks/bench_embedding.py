"""How many texts a second does the batcher embed, beside plain `SentenceTransformer.encode` per request?

    make bench ARGS='embedding'
    make bench ARGS='embedding --device cuda --random-weights'      where the model is not installed

A request asks for the spans of one rollout, 1-6 words each, and the names of its rubric. Eight requests have
a rubric in common, as the rollouts of one question do: three spans of five come from a stock of that
question. `apart` is the same with nothing in common. Both sides answer the same requests in turns and on the
same threads, nothing is remembered from an earlier turn, and their vectors are compared. Plain encode takes
one request at a time: from several threads it is slower.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from measure import write
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer

from service.batching import Batcher
from service.embedding.backend import Backend, Choice, tokens_of
from service.embedding.builtin import find_files
from service.embedding.direct import Direct, steps_of
from service.embedding.loading import load

Request = list[str]
Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Rate:
    """Over rounds: medians per second, and of a request's latency in ms."""

    texts: float
    tokens: float
    latency_ms: float


def main(
    device: Annotated[str, typer.Option(help="`cpu` or `cuda`.")] = "cpu",
    threads: Annotated[int, typer.Option(help="Threads of torch on the CPU.")] = 2,
    requests: Annotated[int, typer.Option(help="Requests in a round.")] = 64,
    spans: Annotated[int, typer.Option(help="Spans in a request.")] = 48,
    rounds: Annotated[int, typer.Option(help="Rounds of each side.")] = 3,
    *,
    random_weights: Annotated[
        bool, typer.Option("--random-weights", help="Make a model of that shape.")
    ] = False,
) -> None:
    """Take turns, compare the vectors, print the tables, keep the results."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = _made_folder(Path(scratch)) if random_weights else find_files()["tokenizer.json"].parent
        choice = Choice(str(folder), device=device, threads=threads)
        backend = load(choice)
        dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
        plain = SentenceTransformer(str(folder), device=device, model_kwargs={"dtype": dtype})
        words = _words(folder)
        results: dict[str, Any] = {"device": _name_of(device), "threads": threads, "precision": str(dtype)}
        for name, stock, under_way in (("shared", 0.6, (1, 8, 64)), ("apart", 0.0, (64,))):
            asked = _requests(words, requests, spans=spans, stock=stock)
            results[name] = _compare(backend, plain, asked, under_way=under_way, rounds=rounds)
        results["engine"] = _engine(backend, folder, words, device, dtype)
        results["bands"] = _bands(choice, words)
    _print(results)
    print("written:", write(f"embedding_{device.partition(':')[0]}", results))


# --- what is asked ----------------------------------------------------------------------------------------


def _requests(words: list[str], count: int, *, spans: int, stock: float) -> list[Request]:
    chance = random.Random(1)
    return [
        request
        for question in range(-(-count // 8))
        for request in _question(words, random.Random(f"{question}/{chance.random()}"), spans, stock)
    ][:count]


def _question(words: list[str], chance: random.Random, spans: int, stock: float) -> list[Request]:
    """Eight rollouts of one question: names of the rubric, spans of the common stock, spans of their own."""
    common = [_span(words, chance) for _ in range(spans)]
    names = [_span(words, chance) for _ in range(12)]
    return [
        [
            *(names if stock else [_span(words, chance) for _ in names]),
            *(
                chance.choice(common) if chance.random() < stock else _span(words, chance)
                for _ in range(spans)
            ),
        ]
        for _ in range(8)
    ]


def _span(words: list[str], chance: random.Random) -> str:
    """One to six words; three of ten are rare ones, of two pieces."""
    return " ".join(
        chance.choice(words) + (chance.choice(words) if chance.random() < 0.3 else "")
        for _ in range(chance.randint(1, 6))
    )


def _words(folder: Path) -> list[str]:
    vocabulary = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    return [word for word in vocabulary if word.isascii() and word.isalpha() and len(word) > 3][:8000]


# --- the two sides ----------------------------------------------------------------------------------------


def _compare(
    backend: Backend,
    plain: SentenceTransformer,
    requests: list[Request],
    *,
    under_way: tuple[int, ...],
    rounds: int,
) -> dict[str, Any]:
    """Rates of both, with so many requests under way at once."""
    tokens = sum(map(tokens_of, backend.prepare([text for request in requests for text in request])))
    found: dict[str, Any] = {}
    for concurrency in under_way:
        taken: dict[str, list[Rate]] = {"batcher": [], "plain": []}
        for _ in range(rounds):
            ours, rate = asyncio.run(_through_batcher(backend, requests, concurrency, tokens))
            taken["batcher"].append(rate)
            theirs, rate = asyncio.run(_through_plain(plain, requests, concurrency, tokens))
            taken["plain"].append(rate)
        apart = max(float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True))
        found[str(concurrency)] = {name: _median(rates) for name, rates in taken.items()}
        found[str(concurrency)]["times"] = (
            found[str(concurrency)]["batcher"]["texts"] / found[str(concurrency)]["plain"]["texts"]
        )
        found[str(concurrency)]["largest_difference"] = apart
    return found


async def _through_batcher(
    backend: Backend, requests: list[Request], concurrency: int, tokens: int
) -> tuple[list[Vectors], Rate]:
    batcher = Batcher(_Kept(backend))

    async def embed(request: Request) -> Vectors:
        return (await batcher.embed(request)).vectors

    try:
        return await _drive(embed, requests, concurrency, tokens)
    finally:
        await batcher.close()


async def _through_plain(
    plain: SentenceTransformer, requests: list[Request], concurrency: int, tokens: int
) -> tuple[list[Vectors], Rate]:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as thread:

        async def embed(request: Request) -> Vectors:
            return await loop.run_in_executor(thread, _encode, plain, request)

        return await _drive(embed, requests, concurrency, tokens)


def _encode(plain: SentenceTransformer, request: Request) -> Vectors:
    return np.asarray(plain.encode(request, normalize_embeddings=True, show_progress_bar=False))


async def _drive(
    embed: Callable[[Request], Awaitable[Vectors]], requests: list[Request], concurrency: int, tokens: int
) -> tuple[list[Vectors], Rate]:
    """Answer all requests, so many of them under way at once."""
    turns = asyncio.Semaphore(concurrency)
    latencies: list[float] = []

    async def one(request: Request) -> Vectors:
        async with turns:
            began = time.perf_counter()
            vectors = await embed(request)
            latencies.append(time.perf_counter() - began)
            return vectors

    began = time.perf_counter()
    vectors = await asyncio.gather(*map(one, requests))
    seconds = time.perf_counter() - began
    texts = sum(map(len, requests))
    return vectors, Rate(texts / seconds, tokens / seconds, statistics.median(latencies) * 1e3)


class _Kept:
    """A backend that outlives the batcher of a round."""

    def __init__(self, backend: Backend) -> None:
        self.identity, self.dimensions = backend.identity, backend.dimensions
        self.band, self.step_tokens = backend.band, backend.step_tokens
        self.prepare, self.encode, self.encode_alone = backend.prepare, backend.encode, backend.encode_alone

    def close(self) -> None:
        """The next round needs it."""


def _median(rates: list[Rate]) -> dict[str, float]:
    return {
        name: statistics.median(getattr(rate, name) for rate in rates)
        for name in ("texts", "tokens", "latency_ms")
    }


# --- the engine by itself ---------------------------------------------------------------------------------


def _engine(
    backend: Backend, folder: Path, words: list[str], device: str, dtype: torch.dtype
) -> dict[str, float]:
    """Tokens a second in full steps, and what share of the device's matrix rate their dense layers are."""
    chance = random.Random(2)
    inputs = backend.prepare([_span(words, chance) for _ in range(12 * backend.step_tokens // 6)])
    steps = steps_of(inputs, backend.step_tokens)
    best = min(_seconds(lambda: [backend.encode(step) for step in steps], device) for _ in range(3))
    tokens = sum(map(tokens_of, inputs))
    weights = load_file(folder / "model.safetensors")
    dense = sum(each.numel() for name, each in weights.items() if "encoder.layer" in name and each.dim() == 2)
    rate = _matrix_rate(device, dtype)
    return {
        "tokens_per_second": tokens / best,
        "tokens_per_step": backend.step_tokens,
        "matrix_flops": rate,
        "share": tokens / best * 2 * dense / rate,
    }


def _matrix_rate(device: str, dtype: torch.dtype) -> float:
    """Floating-point operations a second of the device's own matrix product, at the size where it is good."""
    size = 8192 if device.startswith("cuda") else 1536
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best = min(_seconds(lambda: [a @ b for _ in range(5)], device) for _ in range(5))
    return 5 * 2 * size**3 / best


def _seconds(run: Callable[[], object], device: str) -> float:
    began = time.perf_counter()
    run()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - began


def _bands(choice: Choice, words: list[str]) -> dict[str, float]:
    """How far similarities of a batch are from those decided alone; and those, from the CPU's."""
    chance = random.Random(3)
    texts = [_span(words, chance) for _ in range(400)]
    found = {}
    for precision in ("float32", "bfloat16"):
        direct = Direct(load(replace(choice, precision=precision)))
        alone, together = direct.embed_alone(texts), direct.embed(texts)
        found[precision] = _apart(together, alone)
    cpu = Direct(load(replace(choice, device="cpu"))).embed_alone(texts)
    found["alone, beside the CPU"] = _apart(alone, cpu)
    return found


def _apart(one: Vectors, other: Vectors) -> float:
    return float(np.abs(one @ one.T - other @ other.T).max())


# --- a model without a download ---------------------------------------------------------------------------


def _made_folder(folder: Path) -> Path:
    """The shape of all-MiniLM-L6-v2 with random weights and made-up words."""
    from transformers import BertConfig, BertModel, BertTokenizerFast  # noqa: PLC0415 - only here

    chance = random.Random(0)
    made = ["".join(chance.choices("aeiourstlnmdpk", k=chance.randint(3, 8))) for _ in range(14_000)]
    letters = "abcdefghijklmnopqrstuvwxyz"
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = dict.fromkeys([*special, *letters, *made, *(f"##{each}" for each in [*letters, *made])])
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    BertTokenizerFast({each: at for at, each in enumerate(pieces)}, model_max_length=256).save_pretrained(
        folder
    )
    return folder


# --- the tables -------------------------------------------------------------------------------------------


def _print(results: dict[str, Any]) -> None:
    table = Table(title=f"{results['device']}, {results['precision']}, {results['threads']} threads")
    for column in (
        "requests",
        "under way",
        "texts/s",
        "tokens/s",
        "median ms",
        "plain: texts/s",
        "ms",
        "times",
    ):
        table.add_column(column, justify="right")
    for name in ("shared", "apart"):
        for concurrency, found in results[name].items():
            ours, plain = found["batcher"], found["plain"]
            numbers = (ours["texts"], ours["tokens"], ours["latency_ms"], plain["texts"], plain["latency_ms"])
            table.add_row(name, concurrency, *(f"{each:,.0f}" for each in numbers), f"{found['times']:.1f}")
    Console().print(table)
    engine = results["engine"]
    step = engine["tokens_per_step"]
    print(
        f"encoder alone: {engine['tokens_per_second']:,.0f} tokens/s in steps of {step:,}: "
        f"{engine['share']:.0%} of the {engine['matrix_flops'] / 1e12:.2f} TFLOP/s of plain matrix products"
    )
    for name, band in results["bands"].items():
        print(f"largest difference of a similarity, {name}: {band:.1e}")


def _name_of(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "CPU"


if __name__ == "__main__":
    typer.run(main)
