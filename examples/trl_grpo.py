"""A real GRPO training on a CPU, with rewards from a live Cairn service: `python examples/trl_grpo.py`.

A Qwen3 of 66,000 parameters answers where the producer of a song was born, and names album, singer and
producer on the way. It is made on the spot; nothing is downloaded. A short supervised warm start on gossip
teaches it to speak (`trl_world.py`); its best guess is then wrong. From there on TRL's GRPOTrainer has only
rewards, which come over HTTP from a service in a process of its own.

A second run loses the service for some steps. Their rollouts are masked, and nothing is learned from them.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}  # noqa: TID251 - before they are read

import httpx
import torch
import typer
from datasets import Dataset
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from transformers import PreTrainedTokenizerFast, PrinterCallback, Qwen3ForCausalLM, TrainerCallback, set_seed
from transformers.utils import logging as transformers_logging
from trl import GRPOConfig, GRPOTrainer
from trl_world import World, best_guesses, new_policy, warm_start

from trainer_client.loops.trl import rubric_reward

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "trl_grpo.png"
GROUP = 8
WARM_STEPS = 600
READY_SECONDS = 60.0
AROUND = 10
"""Steps over which the ends of a curve are compared, and over which it is drawn smooth."""

console = Console(highlight=False)


def main(
    steps: Annotated[int, typer.Option(help="GRPO steps of a run; each has 16 groups of 8.")] = 200,
    seed: Annotated[int, typer.Option(help="The same seed gives the same curve.")] = 1,
    outage: Annotated[int, typer.Option(help="Steps without the service in a second run; 0 for none.")] = 12,
    picture: Annotated[Path, typer.Option(help="Where the picture goes.")] = PICTURE,
) -> None:
    """Train, draw the curves, print a table; fails when the reward did not rise."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the service ends with us
    transformers_logging.set_verbosity_error()
    logging.getLogger("trl").setLevel(logging.ERROR)  # it warns at each rollout that has no reward
    warnings.simplefilter("ignore", FutureWarning)  # of the libraries to each other
    runs = {"undisturbed": train(seed, steps, down=None)}
    if outage:
        begin = steps * 2 // 5
        runs["with an outage"] = train(seed, steps, down=range(begin, begin + outage))
    _print(runs)
    _draw(runs, picture)
    console.print(f"The curves: {picture}", soft_wrap=True)
    if not all(run.rose() for run in runs.values()):
        console.print("[red]The reward did not rise.[/red]")
        raise typer.Exit(1)


# --- a run ------------------------------------------------------------------------------------------------


@dataclass
class Run:
    """What became of one run, step by step; None or NaN where nothing was scored."""

    down: range | None
    log: list[dict[str, Any]] = field(default_factory=list)
    greedy: list[dict[str, float]] = field(default_factory=list)

    def curve(self, name: str) -> list[float]:
        return [math.nan if row.get(name) is None else float(row[name]) for row in self.log]

    def ends(self, name: str) -> tuple[list[float], list[float]]:
        known = [value for value in self.curve(name) if not math.isnan(value)]
        return known[:AROUND], known[-AROUND:]

    def rose(self) -> bool:
        """By more than ten standard errors of its ends."""
        first, last = self.ends("reward")
        error = math.hypot(*(statistics.stdev(end) / math.sqrt(len(end)) for end in (first, last)))
        return statistics.mean(last) - statistics.mean(first) > 10 * error


def train(seed: int, steps: int, *, down: range | None, warm_steps: int = WARM_STEPS) -> Run:
    """Warm start, GRPO, and what came of it; `down` are the steps without the service."""
    torch.set_num_threads(1)  # one order of additions
    set_seed(seed)
    world = World.of(seed)
    run = Run(down)
    with tempfile.TemporaryDirectory() as folder, Service() as service, _patience(service, down):
        tokenizer = world.tokenizer()
        policy = new_policy(tokenizer)
        with _bar("warm start on gossip", warm_steps) as advance:
            warm_start(policy, tokenizer, world, steps=warm_steps, advance=advance)
        run.greedy.append(_greedy(policy, tokenizer, world))
        trainer = GRPOTrainer(
            model=policy,
            reward_funcs=[rubric_reward],
            args=_arguments(folder, steps=steps, seed=seed, rows=len(world.rows)),
            train_dataset=Dataset.from_list(world.rows),
            processing_class=tokenizer,
        )
        trainer.remove_callback(PrinterCallback)
        with _bar("GRPO, and an outage" if down else "GRPO", steps) as advance:
            trainer.add_callback(Steps(service, down, advance))
            trainer.train()
        run.greedy.append(_greedy(policy, tokenizer, world))
        run.log = [row for row in trainer.state.log_history if "cairn/failed" in row]
    return run


def _greedy(policy: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, world: World) -> dict[str, float]:
    """The best guesses, scored like everything else."""
    columns = {name: [row[name] for row in world.rows] for name in ("prompt", "answer", "entities")}
    said = best_guesses(policy, tokenizer, columns["prompt"])
    found: dict[str, float] = {}
    asyncio.run(rubric_reward(columns.pop("prompt"), said, log_metric=found.__setitem__, **columns))
    return found


def _arguments(folder: str, *, steps: int, seed: int, rows: int) -> GRPOConfig:
    """Every step has every question once; the scheme of the reward is the service's own."""
    return GRPOConfig(
        output_dir=folder,
        max_steps=steps,
        seed=seed,
        per_device_train_batch_size=rows * GROUP,
        num_generations=GROUP,
        max_completion_length=48,
        learning_rate=5e-4,
        lr_scheduler_type="constant",
        beta=0.0,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )


class Steps(TrainerCallback):  # type: ignore[misc]
    """Moves the bar; ends the service before the first step of an outage and starts it after the last.

    A step in which nothing was scored has gradients of 0, and Adam would go on by its momentum all the same:
    without gradients it stands still.
    """

    def __init__(self, service: Service, down: range | None, advance: Callable[[], None]) -> None:
        self._service = service
        self._down = down
        self._advance = advance

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        del args, control
        if self._down and state.global_step == self._down.start:
            self._service.stop()
        if self._down and state.global_step == self._down.stop:
            self._service.start()

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any, **_: Any) -> None:
        del args, state, control
        if not any(each.grad is not None and each.grad.any() for each in model.parameters()):
            model.zero_grad(set_to_none=True)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        del args, state, control
        self._advance()


@contextmanager
def _patience(service: Service, down: range | None) -> Iterator[None]:
    """Where the service is. A planned outage is waited for briefly, and must not stop the run."""
    chosen = {"CAIRN_URL": service.url}
    if down:
        chosen |= {"CAIRN_TIMEOUT_S": "1", "CAIRN_FAILED_SHARE": "1"}
    before = {name: os.environ.pop(name, None) for name in chosen}  # noqa: TID251 - the client's settings
    os.environ.update(chosen)  # noqa: TID251
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)  # noqa: TID251
            if value is not None:
                os.environ[name] = value  # noqa: TID251


@contextmanager
def _bar(name: str, total: int) -> Iterator[Callable[[], None]]:
    columns = TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    if not console.is_terminal:
        console.print(f"{name}: {total} steps")
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=total)
        yield lambda: progress.advance(task)


# --- the service ------------------------------------------------------------------------------------------


class Service:
    """`cairn serve` in a process of its own, on the same port each time."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "service.cli",
            "serve",
            "--host",
            "127.0.0.1",
            "--port",
            str(self._port),
        ]
        environment = os.environ | {"CAIRN_WORKERS": "1"}  # noqa: TID251 - handed on to our own service
        self._process = subprocess.Popen(  # noqa: S603 - our own
            command,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + READY_SECONDS
        with httpx.Client(base_url=self.url, timeout=2.0) as client:
            while not _ready(client):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("the service did not start; `cairn serve` says why")
                time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()
            self._process = None


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx.TransportError:
        return False


# --- what came of it --------------------------------------------------------------------------------------


def _print(runs: dict[str, Run]) -> None:
    table = Table(title=f"Means of the first and the last {AROUND} steps")
    table.add_column("")
    for name in runs:
        table.add_column(name, justify="right")
    rows = {"reward": "reward", "hit rate": "cairn/hit_rate", "right answers": "cairn/outcome"}
    rows["degenerate groups"] = "cairn/degenerate"
    for row, metric in rows.items():
        ends = [[statistics.mean(end) for end in run.ends(metric)] for run in runs.values()]
        table.add_row(row, *(f"{first:.3f} → {last:.3f}" for first, last in ends))
    for row, metric in {"greedy: hit rate": "cairn/hit_rate", "greedy: right": "cairn/outcome"}.items():
        table.add_row(
            row, *(" → ".join(f"{each[metric]:.3f}" for each in run.greedy) for run in runs.values())
        )
    masked = [run.curve("cairn/failed") for run in runs.values()]
    table.add_row("masked rollouts", *(f"{statistics.mean(each):.1%}" for each in masked))
    table.add_row("steps without a reward", *(str(sum(share == 1 for share in each)) for each in masked))
    console.print(table)


def _draw(runs: dict[str, Run], path: Path) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - only here

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the backend is chosen

    panels = {
        "reward": "reward",
        "cairn/hit_rate": "entities named",
        "cairn/degenerate": "groups that teach nothing",
    }
    figure, axes = plt.subplots(1, len(panels), figsize=(12, 3.6), sharey=True, layout="constrained")
    for axis, (metric, title) in zip(axes, panels.items(), strict=True):
        for color, (name, run) in zip(("tab:blue", "tab:orange"), runs.items(), strict=False):
            curve = run.curve(metric)
            axis.plot(curve, color=color, alpha=0.25, linewidth=0.8)
            axis.plot(_smooth(curve), color=color, label=name)
            if run.down:
                failed = [at for at, share in enumerate(run.curve("cairn/failed")) if share]
                axis.axvspan(min(failed), max(failed) + 1, color="tab:red", alpha=0.12, label="service away")
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("GRPO step")
        axis.set_ylim(0, 1.02)
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8, loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _smooth(curve: Sequence[float]) -> list[float]:
    """Means of the last steps, of those that have a value; a gap where the step itself has none."""
    known = [
        [value for value in curve[max(0, at - AROUND + 1) : at + 1] if not math.isnan(value)]
        for at in range(len(curve))
    ]
    return [
        math.nan if math.isnan(value) else statistics.mean(last)
        for value, last in zip(curve, known, strict=True)
    ]


if __name__ == "__main__":
    typer.run(main)
