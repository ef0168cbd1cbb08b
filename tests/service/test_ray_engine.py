"""A real Ray on the loopback writes what one machine writes, whatever dies meanwhile."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from service.bootstrap import build_parts
from service.offline import Journal, score_items
from service.ray_engine import Refused, _read, _steps, cluster, score_files
from service.rows import Choices, Notices
from service.scorers import Here
from service.settings import Settings
from service.stored import read_groups
from tests.service.serving import children

pytest.importorskip("ray")
pyarrow = pytest.importorskip("pyarrow")
pytestmark = pytest.mark.filterwarnings(r"ignore::DeprecationWarning:ray\.")  # Ray's own, at each copy
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", name="ray")
def start_ray():
    """One for the module, since it takes seconds to start; an actor has no worker processes of its own."""
    with cluster(Settings(workers=0)) as it:
        yield it


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


def on_one_machine(files, out):
    notices, scorer = Notices(), Here(build_parts(Settings(workers=0)))
    items = (item for file in files for item in read_groups(file, choices=Choices(), notices=notices))
    with Journal(out, settings="s") as journal:
        for _ in score_items(items, scorer=scorer, journal=journal):
            pass
    scorer.close()
    return str(notices)


def on_ray(files, out, on, notices=None):
    with Journal(out, settings="s") as journal:
        yield from score_files(files, choices=Choices(), notices=notices or Notices(), on=on, journal=journal)


def below(process):
    return {each for child in children(process) for each in (child, *below(child))}


def actors():
    """The processes of this Ray that score."""
    named = ((each, Path(f"/proc/{each}/cmdline")) for each in below(os.getpid()))
    return {each for each, line in named if line.exists() and b"_Actor" in line.read_bytes()}


def test_an_actor_that_dies_costs_no_group_and_no_number(tmp_path, ray):
    files = stored(tmp_path, files=8, groups=3, filler=20_000)
    told = on_one_machine(files, tmp_path / "one.jsonl")
    notices, killed = Notices(), set()
    for step in on_ray(files, tmp_path / "ray.jsonl", ray, notices):
        if step.place.line == 1 and not killed:
            killed = actors()
            for each in killed:
                os.kill(each, signal.SIGKILL)
    assert killed
    assert (tmp_path / "ray.jsonl").read_bytes() == (tmp_path / "one.jsonl").read_bytes()
    assert str(notices) == told == "not used: `unread` of a group"


@pytest.mark.usefixtures("ray")
def test_a_run_that_one_machine_began_is_gone_on_with_by_the_command(tmp_path):
    import ray as it  # noqa: PLC0415 - an extra

    files = stored(tmp_path)
    one, torn = tmp_path / "one.jsonl", tmp_path / "torn.jsonl"
    ran = score(*files, "--out", one, "--workers", 1)
    torn.write_bytes(one.read_bytes()[: one.stat().st_size // 2])
    address = it.get_runtime_context().gcs_address
    again = score(*files, "--out", torn, "--engine", "ray", "--ray-address", address)
    assert torn.read_bytes() == one.read_bytes()
    assert (ran.returncode, again.returncode) == (1, 1)  # three lines are no groups
    assert [line for line in again.stdout.splitlines() if line.startswith("mean")] == [
        line for line in ran.stdout.splitlines() if line.startswith("mean")
    ]
    assert "ray.data" not in again.stderr


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
    ran = score(stored(tmp_path)[0], "--engine", "ray", start=["-c", program])
    assert (ran.returncode, "cairn-rm[ray]" in ran.stderr) == (2, True)


def score(*arguments, start=("-m", "service")):
    command = [sys.executable, *start, "score", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
