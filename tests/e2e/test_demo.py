"""`make demo` as a user runs it: from a process to a table of scored rollouts, and a clean end."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
DEMO = [sys.executable, str(ROOT / "examples" / "demo.py")]
GROUPS = [json.loads(line) for line in (ROOT / "examples" / "groups.jsonl").read_text().splitlines()]


def demo():
    return subprocess.run(
        DEMO, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL, cwd=ROOT
    )


def address(output):
    return re.search(r"http://127\.0\.0\.1:\d+", output)[0]


def test_without_a_terminal_every_example_is_scored_and_the_service_stops_cleanly():
    ran = demo()
    assert ran.returncode == 0, ran.stderr
    for group in GROUPS:
        assert group["id"].removeprefix("examples/") in ran.stdout
    rows = [line for line in ran.stdout.splitlines() if re.search(r" k\d +(\d|–)", line)]
    assert len(rows) == sum(len(group["rollouts"]) for group in GROUPS)
    assert "0.940" in ran.stdout
    assert "stopped cleanly" in ran.stdout
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{address(ran.stdout)}/healthz")


def test_forced_colors_are_not_taken_for_a_terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert demo().returncode == 0


def test_a_taken_port_does_not_stop_the_demo():
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 8000))
            taken.listen()
        except OSError:
            pass  # somebody else has it, which is as good
        ran = demo()
    assert ran.returncode == 0, ran.stderr
    assert not address(ran.stdout).endswith(":8000")


def test_a_service_that_does_not_start_is_a_failure_with_its_reason(monkeypatch):
    monkeypatch.setenv("CAIRN_PROFILE", "no-such-profile")
    ran = demo()
    assert ran.returncode == 1
    assert "CAIRN_PROFILE" in ran.stderr


def test_in_a_terminal_it_serves_until_ctrl_c_and_the_line_to_try_works():
    ours, theirs = pty.openpty()
    with subprocess.Popen(DEMO, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT) as process:
        try:
            os.close(theirs)
            line = re.search(r"curl -s .*", read_until(ours, "Serving until Ctrl-C"))[0]
            words = shlex.split(line)
            url, body = words[2], words[-1]
            reply = httpx.post(url, content=body, headers={"Content-Type": "application/json"})
            assert reply.status_code == 200, reply.text
            assert [rollout["rubric"]["hits"] for rollout in reply.json()["rollouts"]] == [4, 1]
            process.send_signal(signal.SIGINT)
            read_until(ours, "stopped cleanly")
            assert process.wait(30) == 0
        finally:
            process.terminate()  # which stops its service, too
            os.close(ours)


def read_until(terminal, words, *, seconds=90):
    """What the terminal showed, without its colors, up to and with `words`."""
    shown, deadline = b"", time.monotonic() + seconds
    while words not in plain(shown):
        assert time.monotonic() < deadline, plain(shown)
        shown += os.read(terminal, 65536)
    return plain(shown)


def plain(shown):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode(errors="replace")).replace("\r\n", "\n")
