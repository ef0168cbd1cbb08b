"""The server counts code points, a browser UTF-16 units: highlights must stand on their evidence."""

from __future__ import annotations

import httpx
import orjson
import pytest

ENTITIES = [
    {"name": "Lady Gaga"},
    {"name": "静かの海"},
    {"name": "Tétouan"},
    {"name": "Владимир Высоцкий"},
    {"name": "서울"},
    {"name": "1,250 km", "kind": "number"},
    {"name": "Saturn V", "confusables": ["Saturn IB"]},
]
NAMED = "Lady Gaga, 静かの海, Tétouan, Владимир Высоцкий, 서울은 and 1250 km; Saturn IB is another"
TEXTS = {
    "emoji": f"🌕🚀 {NAMED} 👩🏿‍🚀",
    "families and flags": f"👨‍👩‍👧‍👦🇲🇦 {NAMED}🇲🇦 👨‍👩‍👧‍👦 {NAMED}",
    "rare Han": f"𠮷野家で𩸽を食べた。{NAMED}",
    "combining marks": "Z\u0337\u0322a\u0334l\u0335g\u0336o\u0334\u034e "
    + NAMED.replace("é", "e\u0301")
    + " n\u0303",
    "right to left": f"\u202eمرحبا {NAMED} שלום\u202c",
    "line ends": f"\r\n\u2028{NAMED}\r\r\n\x0b{NAMED}\x85",
    "thinking": f"<think>🧠 {NAMED}</think>🌕 {NAMED}",
    "far away": f"{'🌕 and so on. ' * 9000}{NAMED}\n" + "x" * 30_000 + "🚀",
    "no line end": f"{'🌕' * 40_000} {NAMED}",
}
READ = """() => [...document.querySelectorAll("#responses details.field")].map((details) => {
  const texts = [...details.querySelectorAll(".chunk")].map((each) => each.textContent);
  const marks = [...details.querySelectorAll("mark")].map((mark) => {
    const before = document.createRange();
    before.selectNodeContents(details.querySelector(".text"));
    before.setEndBefore(mark);
    const start = [...before.toString()].length;
    return { ids: mark.dataset.marks.split(" "), start, text: mark.textContent, stage: mark.dataset.stage };
  });
  return { field: details.dataset.field, text: texts.join(""), marks };
})"""


@pytest.fixture(scope="module")
def shown(site, browser):
    """Every text, opened at once: what the browser shows of each, and what the server said of it."""
    body = {
        "rubric": {"entities": ENTITIES},
        "rollouts": [{"id": name, "response": text, "outcome": 1.0} for name, text in TEXTS.items()],
        "fields": ["content", "reasoning"],
    }
    reply = httpx.post(site + "/score", json=body, timeout=60)
    reply.raise_for_status()
    page = browser.new_page()
    page.goto(site)
    pair = {"name": "pair.json", "mimeType": "application/json"}
    pair["buffer"] = orjson.dumps({"request": body, "reply": reply.json()})
    page.set_input_files("#file", [pair])
    read = {}
    for at, name in enumerate(TEXTS):
        page.locator(f'#picker button[data-rollout="{at}"]').click()
        page.locator(f'#responses article[data-rollout="{at}"]').wait_for()
        read[name] = page.evaluate(READ)
    yield reply.json(), read
    page.close()


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_shown_whole(shown, name):
    _, read = shown
    reasoning, _, content = TEXTS[name].rpartition("</think>")
    texts = {each["field"]: each["text"] for each in read[name]}
    assert texts == {"content": content, **({"reasoning": reasoning} if reasoning else {})}


@pytest.mark.parametrize("name", TEXTS)
def test_every_highlight_stands_on_its_evidence(shown, name):
    reply, read = shown
    at = list(TEXTS).index(name)
    criteria = reply["rollouts"][at]["criteria"]
    assert sum(each["hit"] for each in criteria) == len(ENTITIES) - 1
    found = {}
    for field in read[name]:
        for mark in field["marks"]:
            for one in mark["ids"]:
                places = found.setdefault(
                    one, {"field": field["field"], "start": mark["start"], "surface": ""}
                )
                places["surface"] += mark["text"]
    evidence = [each if each["hit"] else each["near_miss"] for each in criteria]
    assert found == {
        f"m{at}-{index}": {name: each[name] for name in ("field", "start", "surface")}
        for index, each in enumerate(evidence)
        if each
    }


def test_a_refused_name_does_not_look_like_a_hit(shown):
    _, read = shown
    stages = {mark["text"]: mark["stage"] for field in read["emoji"] for mark in field["marks"]}
    assert stages["Lady Gaga"] == "exact"
    assert stages["1250 km"] == "number"
    assert [text for text, stage in stages.items() if stage == "near"] == ["Saturn IB"]


def test_marks_that_overlap_are_all_told(page):
    painted = page.evaluate(
        """async () => {
          const { painted } = await import("/inspector/marks.js");
          const mark = (criterion, start, end) => {
            const told = { criterion, start, end, stage: "exact", entity: `e${criterion}`, detail: "" };
            return { id: `m0-${criterion}`, mark: told };
          };
          const chunks = painted("Paris, Texas, USA", [mark(0, 0, 12), mark(1, 0, 5), mark(2, 7, 17)]);
          return chunks.flatMap((each) => [...each.querySelectorAll("mark")])
            .map((each) => [each.textContent, each.dataset.marks]);
        }"""
    )
    assert painted == [["Paris", "m0-0 m0-1"], [", ", "m0-0"], ["Texas", "m0-0 m0-2"], [", USA", "m0-2"]]
