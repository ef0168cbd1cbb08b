"""A real Ray on the loopback writes what one machine writes, whatever dies meanwhile."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from service.offline import Journal
from service.ray_engine import Refused, _quiet_ray, _read, _steps
from service.rows import Choices, Notices
from tests.service.serving import children, wait_until
from tests.service.store.server import free_port

pytest.importorskip("ray")
pyarrow = pytest.importorskip("pyarrow")
pytestmark = pytest.mark.filterwarnings(r"ignore::DeprecationWarning:ray\.")  # Ray's own, at each copy
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def address():
    """Of a cluster of two CPUs; it takes seconds to start."""
    ray = _quiet_ray()  # it must not report its use
    found = ray.init(
        "local",
        num_cpus=2,
        object_store_memory=200 << 20,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.CRITICAL,
        _node_ip_address="127.0.0.1",
    )
    yield found.address_info["gcs_address"]
    ray.shutdown()


def stored(folder, *, files=3, groups=3, filler=1):
    """Files with groups of two, a line that is none, and a field that nobody reads."""
    paths = []
    for file in range(files):
        paths.append(folder / f"step_{file}.jsonl")
        rows = [json.dumps(group(f"{file}/{number}", filler)) for number in range(groups)]
        paths[-1].write_text("\n".join([rows[0], "not JSON", *rows[1:], ""]))
    return paths


def group(name, filler):
    return {
        "id": name,
        "unread": 1,
        "question": "Who produced it?",
        "answer": {"value": "RedOne"},
        "rubric": {"entities": ["RedOne", "Lady Gaga", "Just Dance"]},
        "rollouts": [
            {"response": f"{name}: " + "It was sung by Lady Gagga. " * filler + "RedOne."},
            {"response": f"{name}: " + "Nobody did. " * filler},
        ],
    }


def below(process):
    return {each for child in children(process) for each in (child, *below(child))}


def actors():
    """The processes of this Ray that score."""
    named = ((each, Path(f"/proc/{each}/cmdline")) for each in below(os.getpid()))
    return {each for each, line in named if line.exists() and b"_Actor" in line.read_bytes()}


def test_ray_goes_on_with_what_one_machine_began_and_a_dying_actor_costs_no_group_and_no_number(
    tmp_path, address
):
    files = stored(tmp_path, files=8, filler=20_000)
    one, torn = tmp_path / "one.jsonl", tmp_path / "torn.jsonl"
    alone = score(*files, "--out", one, "--workers", 1)
    torn.write_bytes(one.read_bytes()[: one.stat().st_size // 4])
    begun = torn.stat().st_size
    run = start("score", *files, "--out", torn, "--engine", "ray", "--ray-address", address)
    wait_until(lambda: torn.stat().st_size > begun or run.poll() is not None, seconds=120)
    killed = actors()
    for each in killed:
        os.kill(each, signal.SIGKILL)
    out, err = run.communicate(timeout=120)
    assert killed
    assert torn.read_bytes() == one.read_bytes()
    assert (run.returncode, alone.returncode) == (1, 1)  # a line of each file is no group
    assert told(out) == told(alone.stdout)
    assert "not used: `unread` of a group" in err
    assert "Traceback" not in err


def test_a_file_that_a_node_cannot_read_is_refused_by_its_name():
    task = {"name": "absent.jsonl", "path": "/absent/absent.jsonl", "done": 0}
    (row,) = [
        row for table in _read(pyarrow.Table.from_pylist([task]), Choices()) for row in table.to_pylist()
    ]
    assert re.fullmatch(r"absent\.jsonl cannot be read on \S+: No such file or directory", row["refusal"])
    with pytest.raises(Refused, match="absent"):
        list(_steps([row], Notices(), Journal(None, settings="s")))


def test_without_the_extra_the_error_names_it(tmp_path):
    program = "import sys; sys.modules['ray'] = None; from service.cli import main; main()"
    ran = score(stored(tmp_path)[0], "--engine", "ray", head=["-c", program])
    assert (ran.returncode, "cairn-rm[ray]" in ran.stderr) == (2, True)


def test_where_no_ray_listens_nobody_waits_for_minutes(tmp_path):
    ran = score(stored(tmp_path)[0], "--engine", "ray", "--ray-address", f"127.0.0.1:{free_port()}")
    assert (ran.returncode, "no Ray at 127.0.0.1" in ran.stderr) == (3, True)


def told(summary):
    """What the table says of rewards; Ray may tell of the dead actor beside it."""
    return [line for line in summary.splitlines() if line.startswith(("ok /", "mean", "hits", "failures"))]


def score(*arguments, head=("-m", "service")):
    run = start("score", *arguments, head=head)
    out, err = run.communicate(timeout=120)
    return subprocess.CompletedProcess(run.args, run.returncode, out, err)


def start(*arguments, head=("-m", "service")):
    command = [sys.executable, *head, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
