"""The table of faults names tests that exist, and every test of this folder."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ROWS = [line for line in (HERE / "README.md").read_text().splitlines() if line.startswith("|")][2:]
TESTS = re.compile(r"`(tests/\S+\.py)::(\w+)`")
OF_THE_FOLDER_ITSELF = {"test_proxy.py", "test_table.py"}


def _tests_in(path):
    return set(re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE))


def test_every_row_of_the_table_names_a_test_that_exists():
    for row in ROWS:
        named = TESTS.findall(row)
        assert named, row
        for path, test in named:
            assert test in _tests_in(ROOT / path), f"{path}::{test}"


def test_every_test_of_this_folder_stands_in_the_table():
    named = {test for row in ROWS for _, test in TESTS.findall(row)}
    files = [path for path in HERE.glob("test_*.py") if path.name not in OF_THE_FOLDER_ITSELF]
    assert set().union(*map(_tests_in, files)) <= named
