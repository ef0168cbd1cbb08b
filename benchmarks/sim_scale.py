"""How long does a training step wait for its rewards, with so many pods, and what is full first?

    python benchmarks/sim_scale.py --measure      (measures on this machine first, two minutes)
    python benchmarks/sim_scale.py                (simulates with what was measured last)

Either writes the tables of docs/scaling.md anew.

A simulation (`sim_model.py`) of bursts against replicas, with the figures of measurements (`sim_figures.py`).
The burst that was measured is simulated too, and both are kept side by side.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from measure import RESULTS, write
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scale_plot import draw
from scale_tables import filled
from sim_figures import Figures, read
from sim_measure import SIZES_KB, measured
from sim_model import Plant, Step, World

PODS = (1, 2, 4, 8, 16, 32, 64, 100)
STEPS = (
    Step(rollouts=128, group=8),
    Step(rollouts=1_024, group=8),
    Step(rollouts=16_384, group=16),
)
TRAINERS: Mapping[str, tuple[int, Callable[[int], int], bool]] = {
    "1 process": (1, lambda _: 32, False),
    "32 processes": (32, lambda _: 32, False),
    "32, tuned": (32, lambda pods: max(1, min(32, pods // 4)), False),
    "32, tuned, spread": (32, lambda pods: max(1, min(32, pods // 4)), True),
}
"""Processes that ask, `CAIRN_CONCURRENCY` of each for so many pods, and whether a proxy spreads requests.

Tuned, about 8 requests are under way in each pod.
"""
_PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"
POD_OVERHEAD_S = 5.0
"""Until a container of an image that is there runs: scheduling, network, mounts. An assumption."""


def main(
    *,
    measure: Annotated[bool, typer.Option(help="Measure on this machine first.")] = False,
    seeds: Annotated[int, typer.Option(help="Simulations of each case, of which the median counts.")] = 3,
) -> None:
    """Simulate, print tables, draw, keep the results."""
    logging.getLogger("cairn").setLevel(logging.ERROR)  # what the client says of a busy service
    seen = measured() if measure else json.loads((RESULTS / "scale.json").read_text())["results"]["measured"]
    figures = read(seen)
    results = {
        "measured": seen,
        "per_core": per_core(figures),
        "beside_the_real": beside_the_real(seen),
        "bursts": [_case(figures, *each, seeds) for each in track(list(_cases()), "bursts", transient=True)],
        "streams": [_stream(figures, pods, seeds) for pods in (1, 2, 4, 8)],
        "autoscaled": autoscaled(figures, seen),
        "redis": redis_of(seen),
    }
    _print(results)
    print("written:", write("scale", results), draw(results), _PAGE)
    _PAGE.write_text(filled(_PAGE.read_text(), results))


def per_core(figures: Figures) -> dict[str, dict[str, float]]:
    """Rollouts per second of one busy core of each part, by KB."""
    return {
        f"{kb:g} KB": {
            "worker": 1 / figures.mean_worker_s(kb),
            "front": 1 / figures.front_s([kb * 1000]),
            "client": 1 / figures.client_s([kb * 1000]),
        }
        for kb in SIZES_KB
    }


# --- bursts -----------------------------------------------------------------------------------------------


def _cases() -> Iterator[tuple[Step, Plant]]:
    for step in STEPS:
        for kb in (8.0, 122.0):
            sized = Step(rollouts=step.rollouts, group=step.group, kb=kb)
            for trainer in TRAINERS:
                for pods in PODS:
                    yield sized, _plant(trainer, pods=pods)


def _plant(trainer: str, *, pods: int) -> Plant:
    clients, concurrency, spread = TRAINERS[trainer]
    return Plant(pods=pods, clients=clients, concurrency=concurrency(pods), balanced=spread, trainer=trainer)


def _case(figures: Figures, step: Step, plant: Plant, seeds: int) -> dict[str, Any]:
    """The median run of several: its wait, how busy each part was, and what Redis had of it."""
    runs = sorted((_run(figures, step, plant, seed) for seed in range(seeds)), key=lambda run: run["wait_s"])
    return runs[len(runs) // 2]


def _run(figures: Figures, step: Step, plant: Plant, seed: int) -> dict[str, Any]:
    world = World(plant, figures, seed=seed)
    (wait_s,) = world.run(step)
    whole_s = world.env.now
    busy = busy_shares(world, whole_s)
    return {
        "rollouts": step.rollouts,
        "kb": step.kb,
        "pods": plant.pods,
        "trainer": plant.trainer,
        "wait_s": wait_s,
        "busy": busy,
        "full_first": _full_first(busy, refusals=world.refusals),
        "refusals": world.refusals,
        "lost": world.lost,
        "redis_commands_per_s": world.redis_commands / whole_s,
        "redis_mb_per_s": world.redis_bytes / whole_s / 1e6,
    }


def _full_first(busy: Mapping[str, float], *, refusals: int) -> str:
    """The busiest part; or the places of pods, where requests were refused and no part had too much to do."""
    busiest = max(busy, key=lambda name: busy[name])
    return "places" if refusals and busy[busiest] < _FULL else busiest


_FULL = 0.85


def busy_shares(world: World, seconds: float) -> dict[str, float]:
    """Share of the time that each part was busy; of pods and clients the busiest."""
    return {
        "client": max(client.cpu.busy for client in world.clients) / seconds,
        "link": world.link.busy / seconds,
        "front": max(pod.front.busy for pod in world.pods) / seconds,
        "workers": max(pod.workers.busy / pod.workers.servers for pod in world.pods) / seconds,
        "redis": world.redis.busy / seconds,
        "redis link": world.redis_link.busy / seconds,
    }


def _stream(figures: Figures, pods: int, seeds: int) -> dict[str, Any]:
    """Generation apart from training: groups come over two minutes."""
    step = Step(rollouts=16_384, group=16, generation_s=120.0)
    return _case(figures, step, _plant("32, tuned", pods=pods), seeds)


# --- beside the real --------------------------------------------------------------------------------------


def beside_the_real(seen: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The bursts that were measured, simulated: one pod of two workers, plain texts, no network.

    Once with the cores that other processes of the machine left, once as if each part had its own.
    """
    return [
        {
            "kb": burst["kb"],
            "real_s": burst["seconds"],
            "cores_left": burst["cores_left"],
            "simulated_s": _again(seen, burst, cores=burst["cores_left"]),
            "simulated_alone_s": _again(seen, burst, cores=math.inf),
        }
        for burst in seen["bursts"]
    ]


def _again(seen: Mapping[str, Any], burst: Mapping[str, Any], *, cores: float) -> float:
    whole = 0 if math.isinf(cores) else math.ceil(cores)
    figures = read(seen, kinds=("ASCII",)).slower(whole / cores if whole else 1.0)
    plant = Plant(pods=1, cores=seen["workers"], one_machine=whole, round_trip_s=0.0001, link_bytes_s=4e9)
    step = Step(rollouts=seen["groups"] * seen["rollouts_per_group"], group=seen["rollouts_per_group"])
    return World(plant, figures).run(replace(step, kb=burst["kb"]))[0]


# --- the autoscaler ---------------------------------------------------------------------------------------


def autoscaled(figures: Figures, seen: Mapping[str, Any]) -> dict[str, Any]:
    """Steps, one every two minutes, with pods that are always there and with an autoscaler."""
    step, start_s = Step(rollouts=16_384, group=16), seen["pods"][-1]["start_s"] + POD_OVERHEAD_S
    found: dict[str, Any] = {"every_s": 120.0, "pod_start_s": start_s, "ways": {}}
    for name, pods, most in (("2 pods", 2, 0), ("2 to 100 pods", 2, 100), ("16 pods", 16, 0)):
        plant = Plant(pods=pods, clients=32, concurrency=2, most_pods=most, pod_start_s=start_s)
        world = World(plant, figures)
        waits = world.run(step, steps=_STEPS_IN_A_ROW, every_s=found["every_s"])
        found["ways"][name] = {
            "waits_s": waits,
            "pods": world.pod_counts,
            "pod_hours": pod_hours(world.pod_counts, until=world.env.now),
        }
    return found


_STEPS_IN_A_ROW = 10


def pod_hours(counts: list[tuple[float, int]], *, until: float) -> float:
    """What the pods of a run cost."""
    ends = [at for at, _ in counts[1:]] + [until]
    return sum((end - at) * pods for (at, pods), end in zip(counts, ends, strict=True)) / 3600


# --- Redis ------------------------------------------------------------------------------------------------


def redis_of(seen: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a step leaves in Redis, and moves, with verdicts of the longest texts."""
    each = seen["redis"][-1]
    cold = each["per_rollout"]["cold"]
    return [
        {
            "rollouts": step.rollouts,
            "mb_kept": step.rollouts * each["bytes_per_verdict"]["growth of used_memory"] / 1e6,
            "mb_moved": step.rollouts * (cold["bytes_in"] + cold["bytes_out"]) / 1e6,
            "commands": step.rollouts * cold["commands"],
            "server_cpu_s": step.rollouts * cold["server_cpu_ms"] / 1e3,
        }
        for step in STEPS
    ]


# --- saying it --------------------------------------------------------------------------------------------


def _print(results: Mapping[str, Any]) -> None:
    console = Console()
    real = Table(title="Real and simulated, seconds")
    for head in (
        "KB",
        "real, fastest",
        "real, median",
        "cores left",
        "simulated with them",
        "simulated alone",
    ):
        real.add_column(head, justify="right")
    for row in results["beside_the_real"]:
        times = (*row["real_s"].values(), row["cores_left"], row["simulated_s"], row["simulated_alone_s"])
        real.add_row(str(row["kb"]), *(f"{each:.2f}" for each in times))
    console.print(real)
    table = Table(title="Seconds until the last reward")
    for head in ("rollouts", "KB", "trainer", "pods", "seconds", "full first", "busiest", "refused"):
        table.add_column(head, justify="right")
    for row in results["bursts"]:
        cells = (row["rollouts"], f"{row['kb']:g}", row["trainer"], row["pods"], f"{row['wait_s']:.2f}")
        busiest = f"{max(row['busy'].values()):.0%}"
        table.add_row(*map(str, cells), row["full_first"], busiest, str(row["refusals"]))
    console.print(table)
    for name, way in results["autoscaled"]["ways"].items():
        waits = ", ".join(f"{each:.1f}" for each in way["waits_s"])
        print(f"{name}: {waits}; {way['pod_hours']:.2f} pod-hours")
    print(json.dumps(results["redis"], indent=1))


if __name__ == "__main__":
    typer.run(main)
