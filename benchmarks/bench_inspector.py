"""How long does the inspector take for a long group, and does it scroll smoothly?

    python benchmarks/bench_inspector.py [--rollouts 16] [--kb 130]

A headless Chromium opens a group with its reply, as from a file: thinking and content are both matched, so
that all of every text is painted. Times are by the page's own clock, up to the frame after the last change; a
browser without a GPU paints in software, which is the slow way. Frames are the time from one to the next, as
the page is scrolled from end to end; 60 in a second are 16.7 ms each.
"""

from __future__ import annotations

import statistics
from typing import Annotated, Any

import httpx
import orjson
import typer
from measure import machine, write
from rich.console import Console
from rich.table import Table
from texts import rubric_of, text_of

from service.logs import start_logs
from tests.inspector.browser import chromium, serving

ENTITIES = 16
FRAMES = 240

OPEN = """async (text) => {
  const settled = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
  const files = new DataTransfer();
  files.items.add(new File([text], "group.json", { type: "application/json" }));
  const input = document.getElementById("file");
  input.files = files.files;
  const start = performance.now();
  input.dispatchEvent(new Event("change"));
  while (!document.querySelector("#responses mark")) await settled();
  await settled();
  return performance.now() - start;
}"""

PRESS = """async (id) => {
  const start = performance.now();
  document.getElementById(id).click();
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
  return performance.now() - start;
}"""

SLIDE = """async () => {
  const slider = document.getElementById("eta");
  const taken = [];
  for (let at = 0; at <= 100; at += 5) {
    const start = performance.now();
    slider.value = String(at / 100);
    slider.dispatchEvent(new Event("input"));
    document.body.offsetHeight;
    taken.push(performance.now() - start);
    await new Promise(requestAnimationFrame);
  }
  return taken;
}"""

SCROLL = """async ({ across, frames }) => {
  const responses = document.getElementById("responses");
  const inside = across || responses.scrollHeight > responses.clientHeight + 1;
  const box = inside ? responses : document.scrollingElement;
  const far = across ? box.scrollWidth - box.clientWidth : box.scrollHeight - box.clientHeight;
  const times = [await new Promise(requestAnimationFrame)];
  for (let at = 1; at <= frames; at += 1) {
    box[across ? "scrollLeft" : "scrollTop"] = (far * at) / frames;
    times.push(await new Promise(requestAnimationFrame));
  }
  return times.slice(1).map((time, at) => time - times[at]);
}"""


PAINTED = """() => {
  const chunks = [...document.querySelectorAll(".chunk")];
  return chunks.reduce((sum, each) => sum + each.textContent.length, 0);
}"""


def main(
    rollouts: Annotated[int, typer.Option(help="Responses of the group.")] = 16,
    kb: Annotated[int, typer.Option(help="Length of each, in 1,000 characters.")] = 130,
    rounds: Annotated[int, typer.Option(help="How often each page is opened anew.")] = 5,
) -> None:
    """Measure, print a table, keep the results."""
    start_logs(level="error")
    with serving(limit_body_bytes=1 << 27) as url, chromium() as browser:
        pair = _pair(url, rollouts=rollouts, characters=kb * 1000)
        runs = [_run(browser, url, pair) for _ in range(rounds)]
    results = {name: _summed([run[name] for run in runs]) for name in runs[0]}
    _print(results, title=f"{rollouts} rollouts of {kb} KB, Chromium {browser.version}")
    told = {"rollouts": rollouts, "kb": kb, "chromium": browser.version, "milliseconds": results}
    print("written:", write("inspector", told))


def _pair(url: str, *, rollouts: int, characters: int) -> str:
    """A group and its verdict as JSON; every response names something near its beginning and near its end."""
    rubric = rubric_of(ENTITIES)
    entities = [{"name": each.name, "aliases": list(each.aliases)} for each in rubric.entities]
    last = rubric.entities[ENTITIES - 1].name
    texts = [text_of(rubric, characters - 2000, seed=seed) for seed in range(rollouts)]
    request = {
        "rubric": {"entities": entities},
        "rollouts": [{"response": _response(text, last), "outcome": 1.0} for text in texts],
        "fields": ["content", "reasoning"],
    }
    reply = httpx.post(f"{url}/score", json=request, timeout=120).raise_for_status().json()
    return orjson.dumps({"request": request, "reply": reply}).decode()


def _response(text: str, last: str) -> str:
    cut = len(text) * 9 // 10
    return f"<think>{text[:cut]}</think>{text[cut:]}\n\nIt was {last}."


def _run(browser: Any, url: str, pair: str) -> dict[str, list[float]]:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(url)
    opened = page.evaluate(OPEN, pair)
    slid = page.evaluate(SLIDE)
    stepped = [page.evaluate(PRESS, "match-after") for _ in range(10)]
    one = page.evaluate(SCROLL, {"across": False, "frames": FRAMES})
    together = page.evaluate(PRESS, "together")
    across = page.evaluate(SCROLL, {"across": True, "frames": FRAMES})
    down = page.evaluate(SCROLL, {"across": False, "frames": FRAMES})
    if page.evaluate(PAINTED) < 0.4 * len(pair):
        raise RuntimeError("not every response was painted")
    page.close()
    return {
        "open and paint": [opened],
        "η moved": slid,
        "next match": stepped,
        "frame, down one response": one,
        "all side by side": [together],
        "frame, across all responses": across,
        "frame, down all responses": down,
    }


def _summed(runs: list[list[float]]) -> dict[str, float]:
    values = sorted(value for run in runs for value in run)
    ranked = {
        "median": statistics.median(values),
        "p95": values[round(0.95 * (len(values) - 1))],
        "worst": values[-1],
    }
    return {name: round(value, 1) for name, value in ranked.items()}


def _print(results: dict[str, dict[str, float]], *, title: str) -> None:
    table = Table(title=f"{title}, {machine()['cpu']}")
    table.add_column("milliseconds")
    for rank in ("median", "p95", "worst"):
        table.add_column(rank, justify="right")
    for name, ranks in results.items():
        table.add_row(name, *(f"{ranks[rank]:,.1f}" for rank in ("median", "p95", "worst")))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
