"""Start the service, score the example groups through it over HTTP, and show every rollout: `make demo`.

In a terminal the service goes on until Ctrl-C; anywhere else it is stopped, and must stop cleanly.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import httpx
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from service.terminal import safe

EXAMPLES = Path(__file__).parent / "groups.jsonl"
PORT = 8000
SETTINGS = {"CAIRN_PROFILE": "balanced", "CAIRN_EMBEDDING_MODEL": "builtin", "HF_HUB_OFFLINE": "1"}
"""All the matching there is, with the embedding model that comes along; nothing is fetched."""
READY_SECONDS, STOP_SECONDS = 60.0, 30.0
TRY_IT = {
    "question": "What is the nationality of the producer of Just Dance and Poker Face?",
    "answer": "Moroccan-Swedish",
    "rubric": {"entities": ["Lady Gaga", "The Fame", "Just Dance", "RedOne"]},
    "rollouts": [
        {"response": "Lady Gaga sang Just Dance on The Fame, and RedOne produced it: Moroccan-Swedish."},
        {"response": "The praise was just. Dance music took Lady Gaga to fame: Moroccan-Swedish."},
    ],
}


class DemoFailed(Exception):
    """The demo cannot go on, and why."""


def main() -> int:
    """Run the demo; the exit code."""
    console = Console(highlight=False)
    for ending in (signal.SIGTERM, signal.SIGINT):  # also where a shell started it with SIGINT ignored
        signal.signal(ending, signal.default_int_handler)
    try:
        with _service(console) as url:
            _print_table(console, _score_all(console, url))
            _print_address(console, url)
            if sys.stdout.isatty():
                _wait_for_ctrl_c(console)
    except DemoFailed as error:
        Console(stderr=True).print(safe(f"demo: {error}", style="red", lines=True), soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


# --- the service ------------------------------------------------------------------------------------------


@contextmanager
def _service(console: Console) -> Iterator[str]:
    """The service in a process of its own, serving; stopped when the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        process = _start(PORT, log)
        try:
            with console.status("Starting the service") if console.is_terminal else nullcontext():
                url = _address(process, log)
                if url is None:  # somebody else has the usual port
                    process = _start(0, log)
                    url = _address(process, log)
            console.print(f"The service is ready at {url}")
            yield url
        except BaseException:
            _end(process)
            raise
        code = _end(process)
        if code != 0:
            raise DemoFailed(f"the service stopped with exit code {code}:\n{_tail(log)}")
        console.print("The service has stopped cleanly.")


def _start(port: int, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "service.cli", "serve", "--host", "127.0.0.1", "--port", str(port)]
    environment = SETTINGS | os.environ  # noqa: TID251 (what the user has set wins)
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 (our own)
            command, env=environment, stdout=output, stderr=output, start_new_session=True
        )


def _address(process: subprocess.Popen[bytes], log: Path) -> str | None:
    """Where it serves, as its log says; None where it ended because its port is taken."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        ended, said = process.poll() is not None, _read(log)
        if serving := _SERVING.search(said):
            return f"http://{serving[1]}"
        if ended and "address already in use" in said:
            return None
        if ended:
            raise DemoFailed(f"the service ended with exit code {process.returncode}:\n{_tail(log)}")
        time.sleep(0.05)
    raise DemoFailed(f"the service was not ready after {READY_SECONDS:.0f} s:\n{_tail(log)}")


_SERVING = re.compile(r'"addresses": \["([\d.:]+)"\]')


def _end(process: subprocess.Popen[bytes]) -> int:
    """Ask the service to stop, and wait; its exit code."""
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _tail(log: Path) -> str:
    return "\n".join(_read(log).splitlines()[-20:])


def _read(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


# --- the rollouts -----------------------------------------------------------------------------------------


def _score_all(console: Console, url: str) -> list[dict[str, Any]]:
    bodies = EXAMPLES.read_bytes().splitlines()
    with httpx.Client(base_url=url, timeout=60.0, headers={"Content-Type": "application/json"}) as client:
        if not console.is_terminal:
            console.print(f"Scoring {len(bodies)} groups of {EXAMPLES.name} through it")
        shown = track(bodies, "Scoring", console=console, transient=True, disable=not console.is_terminal)
        return [_score(client, body) for body in shown]


def _score(client: httpx.Client, body: bytes) -> dict[str, Any]:
    try:
        reply = client.post("/score", content=body)
    except httpx.TransportError as error:
        raise DemoFailed(f"the service does not answer: {type(error).__name__}") from error
    if not reply.is_success:
        raise DemoFailed(f"POST /score answered {reply.status_code}: {reply.text}")
    scored: dict[str, Any] = reply.json()
    for rollout in scored["rollouts"]:
        if rollout["status"] == "failed":
            raise DemoFailed(f"{scored['id']} {rollout['id']} was not scored: {rollout['failure']}")
    return scored


def _print_table(console: Console, replies: list[dict[str, Any]]) -> None:
    table = Table(title="Scored rollouts", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("group", "rollout"):
        table.add_column(head, no_wrap=True)
    for head in ("outcome", "hits", "reward"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("found, and [red]refused[/red]")
    for reply in replies:
        for rollout in reply["rollouts"]:
            first = rollout is reply["rollouts"][0]
            name = str(reply["id"]).removeprefix("examples/") if first else ""
            table.add_row(safe(name, style="bold"), *_cells(rollout))
        table.add_section()
    console.print(table)


def _cells(rollout: dict[str, Any]) -> Iterator[Text]:
    reward, outcome, rubric = rollout["reward"], rollout["outcome"], rollout["rubric"]
    yield safe(rollout["id"])
    yield Text(f"{outcome['value']:g}" if outcome else "–")
    yield Text(f"{rubric['hits']}/{rubric['total']}" if rubric else "–")
    yield Text("–" if reward is None else f"{reward:.3f}", "bold green" if reward else "bold")
    yield _evidence(rollout["criteria"] or [], outcome)


def _evidence(criteria: list[dict[str, Any]], outcome: dict[str, Any] | None) -> Text:
    if not criteria and outcome and outcome["detail"]:
        return safe(outcome["detail"], style="dim")
    parts = [_one_line(each["surface"]) for each in criteria if each["hit"] and each["surface"]]
    for each in criteria:
        if each["near_miss"]:
            near = each["near_miss"]
            parts.append(_one_line(f"{each['entity']} ≠ {near['surface']} ({near['reason']})", style="red"))
    return Text(", ").join(parts) if parts else Text("–", "dim")


def _one_line(text: str, *, style: str = "") -> Text:
    return safe(" ".join(text.split()), style=style)


def _print_address(console: Console, url: str) -> None:
    console.print(f"\nLook into a group: {url}/#example   API: {url}/openapi.json   metrics: {url}/metrics")
    if not sys.stdout.isatty():
        url = f"http://127.0.0.1:{PORT}"
        console.print("Without a terminal it is stopped now; `make serve` starts it again.")
    body = shlex.quote(json.dumps(TRY_IT))
    console.print("Try it:\n")
    console.print(safe(f"curl -s {url}/score -H 'Content-Type: application/json' -d {body}"), soft_wrap=True)
    console.print()


def _wait_for_ctrl_c(console: Console) -> None:
    console.print("Serving until Ctrl-C.")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print()


if __name__ == "__main__":
    sys.exit(main())
