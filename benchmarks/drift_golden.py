"""Freeze what `balanced` gives to the golden set with the model and the scorer that come along.

    python benchmarks/drift_golden.py

Run it after a change of the scorer, the model or the matcher that is meant to move them, and read the
difference: every line that it changes is a reward that changes for somebody.
"""

from __future__ import annotations

import json
from pathlib import Path

from rubric import pair
from rubric.intake import parse_score
from rubric.job import Defaults
from rubric.score import Asking, Model, score_group
from service.drift import canary
from service.embedding.backend import Choice
from service.embedding.direct import Direct
from service.embedding.loading import load

FILE = Path(canary.__file__).with_name("golden_balanced.json")


def main() -> None:
    """Write the file."""
    model = Model(Direct(load(Choice("builtin", device="cpu"))), Asking(pair.builtin()))
    stored = {
        "parts": canary.balanced_parts(model.parts),
        "answers": {case.id: _answers(case, model) for case in canary.golden()},
    }
    FILE.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print("written:", FILE)


def _answers(case: canary.Case, model: Model) -> list[str]:
    request = parse_score(canary.body_of(case, canary.BALANCED))
    reply = score_group(request, defaults=Defaults(embedding=model.parts), model=model)
    return [canary.line_of(rollout) for rollout in reply.model_dump()["rollouts"]]


if __name__ == "__main__":
    main()
