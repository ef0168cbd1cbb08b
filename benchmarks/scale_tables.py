"""The tables of docs/scaling.md, from the results: the page is held to them by a test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_PODS = (1, 4, 16, 100)


def tables(results: Mapping[str, Any]) -> dict[str, list[str]]:
    """Rows of Markdown, by table."""
    return {
        "steps": list(_steps(results["bursts"])),
        "cores": list(_cores(results)),
        "memory": list(_memory(results["measured"]["pods"])),
        "redis": list(_redis(results)),
        "real": list(_real(results["beside_the_real"])),
        "autoscaler": list(_autoscaler(results["autoscaled"]["ways"])),
    }


def _steps(bursts: list[Mapping[str, Any]]) -> Iterator[str]:
    """A row for each step and kind of trainer: seconds with so many pods, and what is full at the end."""
    cases: dict[tuple[int, float, str], dict[int, Mapping[str, Any]]] = {}
    for row in bursts:
        cases.setdefault((row["rollouts"], row["kb"], row["trainer"]), {})[row["pods"]] = row
    for (rollouts, kb, trainer), rows in cases.items():
        waits = " | ".join(f"{rows[pods]['wait_s']:.2f}" for pods in _PODS)
        full = " → ".join(dict.fromkeys(rows[pods]["full_first"] for pods in _PODS))
        yield f"| {rollouts:,} | {kb:g} KB | {trainer} | {waits} | {full} |"


def _cores(results: Mapping[str, Any]) -> Iterator[str]:
    for kb, rates in results["per_core"].items():
        yield f"| {kb} | {rates['worker']:,.0f} | {rates['front']:,.0f} | {rates['client']:,.0f} |"


def _memory(pods: list[Mapping[str, Any]]) -> Iterator[str]:
    for pod in pods:
        model = pod.get("embedding_model", "none")
        yield f"| {pod['workers']} | {model} | {pod['memory_mb']:,.0f} MB | {pod['start_s']:.1f} s |"


def _redis(results: Mapping[str, Any]) -> Iterator[str]:
    for row in results["redis"]:
        yield (
            f"| {row['rollouts']:,} | {row['mb_kept']:.1f} MB | {row['mb_moved']:.1f} MB "
            f"| {row['commands']:,.0f} | {row['server_cpu_s']:.2f} s |"
        )


def _real(rows: list[Mapping[str, Any]]) -> Iterator[str]:
    for row in rows:
        real = row["real_s"]
        yield (
            f"| {row['kb']} KB | {real['fastest']:.2f} | {real['median']:.2f} | {row['cores_left']:.1f} "
            f"| {row['simulated_s']:.2f} | {row['simulated_alone_s']:.2f} |"
        )


def _autoscaler(ways: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, way in ways.items():
        waits = sorted(way["waits_s"])
        most = max(pods for _, pods in way["pods"])
        usual, worst = waits[len(waits) // 2], waits[-1]
        yield f"| {name} | {most} | {usual:.1f} s | {worst:.1f} s | {way['pod_hours']:.2f} |"


def filled(page: str, results: Mapping[str, Any]) -> str:
    """The page with these tables under their heads; a comment says where each stands."""
    for name, rows in tables(results).items():
        before, mark, after = page.partition(f"<!-- table: {name} -->\n")
        lines = after.split("\n")
        end = next(at for at, line in enumerate(lines) if not line.startswith("|"))
        page = before + mark + "\n".join([*lines[:2], *rows, *lines[end:]])
    return page
