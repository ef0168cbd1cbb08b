"""Run a benchmark by name, or list them: `make bench`, `make bench ARGS='exact --kb 122'`."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent


def main(arguments: list[str]) -> None:
    """Run `bench_<name>.py` with the arguments that follow its name."""
    questions = {path.stem.removeprefix("bench_"): path for path in sorted(HERE.glob("bench_*.py"))}
    if not arguments or arguments[0] not in questions:
        _list(questions)
        sys.exit(bool(arguments))
    sys.argv = arguments
    sys.path.insert(0, str(HERE))
    runpy.run_path(str(questions[arguments[0]]), run_name="__main__")


def _list(questions: dict[str, Path]) -> None:
    table = Table(title="make bench ARGS='NAME …'")
    table.add_column("name")
    table.add_column("question")
    for name, path in questions.items():
        table.add_row(name, path.read_text().split('"""')[1].splitlines()[0])
    Console().print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
