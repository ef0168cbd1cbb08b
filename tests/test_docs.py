"""What the documents promise is what the project does today."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from rubric.intake import parse_score
from rubric.score import score_group
from rubric.version import VERSION
from service.faults import ask_both

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")])
README = (ROOT / "README.md").read_text()


def test_the_faults_table_of_the_readme_is_what_the_command_finds_now() -> None:
    rows = [
        f"| {each.fault.kind} | {each.fault.gold} | {each.fault.text} | {each.reference} | {each.cairn} |"
        for each in ask_both()
    ]
    assert "\n".join(rows) in README


def test_the_curl_of_the_readme_scores_as_the_readme_says() -> None:
    body = shlex.split(re.search(r"curl -s .*?^}'$", README, re.DOTALL | re.MULTILINE)[0])[-1]  # type: ignore[index]
    reply = score_group(parse_score(body.encode()))
    assert [rollout.reward for rollout in reply.rollouts] == [1.0, pytest.approx(0.85), 0.0]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_every_benchmark_that_is_written_down_exists() -> None:
    named = set(re.findall(r"`(bench_\w+\.py)`", (ROOT / "benchmarks" / "README.md").read_text()))
    assert named == {path.name for path in (ROOT / "benchmarks").glob("bench_*.py")}


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        for target in re.findall(r"(?:`|^)make ([\w-]+)", document.read_text(), re.MULTILINE):
            assert target in targets, (document, target)


def test_the_numbers_of_the_readme_are_those_of_the_results() -> None:
    results = {
        path.stem: json.loads(path.read_text())["results"]
        for path in (ROOT / "benchmarks" / "results").glob("*.json")
    }
    rates = results["evaluate"]["rollouts_per_second"]
    times = results["exact"]["milliseconds"]
    speeds = results["real_groups"]["throughput"]["rollouts per core-second"]
    verifier = results["verifier"]["all"]
    quality, pairs = results["quality"], results["quality"]["name_pairs"]
    usual = next(
        row
        for row in results["matching"]["rollouts per core-second"]
        if (row["characters"], row["entities"]) == (122_000, 16)
    )
    numbers = [
        *(f"{times[kind]['exact stage']:.2f} ms" for kind in ("ASCII", "Unicode")),
        *(f"{rates[name]['median']:.0f}" for name in ("cairn", "reference")),
        *(f"{speeds[profile]}" for profile in ("strict", "legacy")),
        *(f"{verifier[rate]:.3f}" for rate in ("agreement", "recall", "precision")),
        *(f"{row['auc']:.3f}" for row in quality["real_groups"][:2]),
        *(
            f"{quality[half]['summary']['balanced']['precision']:.3f}"
            for half in ("mentions", "mentions_blind")
        ),
        *(f"{pairs[f'{way}, carriers']['recall']:.3f}" for way in ("reference", "strict", "balanced")),
        *(f"{usual[way]:.0f} rollouts/s" for way in ("balanced",)),
    ]
    assert [number for number in numbers if number not in README] == []


def test_results_are_kept_with_their_machine() -> None:
    for path in (ROOT / "benchmarks" / "results").glob("*.json"):
        machine = json.loads(path.read_text())["machine"]
        assert set(machine) == {"cpu", "cores", "python", "cairn", "date"}
        assert machine["cairn"] == VERSION
