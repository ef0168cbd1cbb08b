"""What the strict profile says of every example, pinned: a reward that moves is a breaking change.

When this fails on purpose, raise `NORMALIZER_VERSION` (or let the digest of the tables do it), write it under
Reward in CHANGELOG.md, and pin again by hand what moved, reading each line.
"""

from __future__ import annotations

import json
from pathlib import Path

from rubric.intake import parse_score
from rubric.job import Profile, matcher_parts
from rubric.score import score_group

ROOT = Path(__file__).parents[2]
GOLDEN = json.loads((ROOT / "tests" / "golden" / "verdicts.json").read_text())


def verdicts() -> dict[str, dict[str, str]]:
    """Per rollout: its reward, and each entity's stage and surface or the reason of its near miss."""
    said: dict[str, dict[str, str]] = {}
    for line in (ROOT / "examples" / "groups.jsonl").read_text().splitlines():
        reply = score_group(parse_score(line.encode()))
        for rollout in reply.rollouts:
            mine = said.setdefault(f"{reply.id}/{rollout.id}", {"reward": f"{rollout.reward:.9f}"})
            for each in rollout.criteria or ():
                near = f"refused: {each.near_miss.reason}" if each.near_miss else "–"
                found = f"{each.stage}: {each.surface} @{each.start}" if each.hit else near
                mine[each.entity] = " ".join([found, *each.flags])
    return said


def test_no_verdict_moves_unannounced() -> None:
    assert verdicts() == GOLDEN["verdicts"]


def test_the_pinned_verdicts_are_those_of_this_matcher() -> None:
    parts = matcher_parts(Profile.STRICT)
    del parts["unicode"]  # of the Python that runs; the examples need none of the newest characters
    assert parts == GOLDEN["matcher"]
