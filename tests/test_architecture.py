"""The arrows of ARCHITECTURE.md, held in the source by import-linter and in a running interpreter."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("rubric", "service", "trainer_client")
PYDANTIC = {"pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"}
HEAVY = {"fastapi", "httpx", "prometheus_client", "redis", "spacy", "starlette", "torch", "uvicorn"}


def test_no_module_imports_what_stands_above_it():
    checked = _lint(ROOT)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("module", "wrong"),
    [
        ("rubric/text.py", "import rubric.score"),
        ("rubric/errors.py", "import rubric.text"),
        ("rubric/entity.py", "import pydantic"),
        ("rubric/score.py", "import logging"),
        ("rubric/flags.py", "import torch"),
        ("rubric/exact.py", "import spacy"),
        ("rubric/exact.py", "import service"),
        ("service/settings.py", "import service.app"),
        ("service/cache.py", "import service.workers"),
        ("service/__init__.py", "import trainer_client"),
        ("trainer_client/__init__.py", "import service"),
        ("rubric/shortcut.py", ""),
        ("service/shortcut.py", ""),
    ],
)
def test_a_wrong_arrow_cannot_hide_in_the_contracts(tmp_path, module, wrong):
    for name in PACKAGES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    for name in (module, f"{wrong.removeprefix('import ').replace('.', '/')}.py"):
        if name.startswith(PACKAGES) and "/" in name:
            (tmp_path / name).touch()  # a module that nobody has written yet is guarded already
    with (tmp_path / module).open("a", encoding="utf-8") as source:
        source.write(f"\n{wrong}\n")
    checked = _lint(tmp_path)
    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert "1 broken" in checked.stdout or "2 broken" in checked.stdout


def test_the_wire_loads_nothing_but_pydantic():
    assert _third_parties("import rubric.wire") <= PYDANTIC


def test_the_pure_library_loads_no_server_and_no_model():
    every = sorted(
        f"rubric.{path.stem}" for path in (ROOT / "rubric").glob("*.py") if path.stem != "__init__"
    )
    assert not _third_parties(f"import {', '.join(every)}") & HEAVY


def test_an_import_that_loads_more_than_it_should_is_noticed():
    assert "pluggy" in _third_parties("import pluggy")


def _lint(folder):
    command = [
        sys.executable,
        "-c",
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))",
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def _third_parties(statement):
    """Foreign top-level packages that the statement loads in a fresh interpreter."""
    program = (
        "import json, sys; before = set(sys.modules)\n"
        f"{statement}\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    foreign = set(json.loads(ran.stdout)) - sys.stdlib_module_names - set(PACKAGES)
    return {name for name in foreign if not name.startswith("_sysconfigdata")}  # the interpreter's own build
