"""One target in libFuzzer's loop, with the branches of `rubric` as its guide; started by `run.py`.

python -m tests.fuzz.drive exact -runs=1000 corpus/
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["rubric"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """The first argument is the target, the rest is libFuzzer's."""
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
