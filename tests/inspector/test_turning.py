"""From group to group, from rollout to rollout: what is shown belongs together, taken apart as judged."""

from __future__ import annotations

import random

import httpx
import orjson

from rubric.entity import Field
from rubric.text import Message, Response, split

PIECES = ("<think>", "</think>", "\n", " ", "\x1c", "\ufeff", "\u3000", "a 🚀", "静か", "é", "\U00020bb7")


def test_texts_are_taken_apart_as_the_server_does_it(page):
    chance = random.Random(11)
    rollouts = [_rollout(chance) for _ in range(600)]
    told = page.evaluate(
        "async (all) => all.map((await import('/inspector/texts.js')).textsOf)",
        rollouts,
    )
    for rollout, found in zip(rollouts, told, strict=True):
        texts = split(_response(rollout))
        assert found == {each.value: texts.of(each) for each in Field}, rollout


def test_a_group_that_is_refused_does_not_stand_over_the_one_before(page, complaints):
    complaints.expected = ("422",)
    _opened(page, _group("good"))
    page.locator("#matrix table").wait_for()
    _opened(page, _group("bad") | {"profile": "none such"})
    page.get_by_role("alert").filter(has_text="$.profile").wait_for()
    assert not page.locator("#shown").is_visible()


def test_a_reply_without_its_request_does_not_lock_the_page(page, site):
    _opened(page, httpx.post(f"{site}/score", json=_group("lone")).json())
    page.get_by_text("without its request").wait_for()
    assert page.locator("#score").is_disabled()
    page.get_by_role("button", name="Example", exact=True).click()
    page.locator("#matrix").get_by_text("Apollo 11").wait_for()
    assert page.locator("#score").is_enabled()


def test_a_reply_without_its_request_is_never_scored_again(page, site):
    sent = []
    page.on("request", lambda request: sent.append(request.method))
    _opened(page, httpx.post(f"{site}/score", json=_group("lone")).json())
    page.get_by_text("without its request").wait_for()
    page.select_option("#profile", "legacy")
    page.locator("#matrix table").wait_for()
    assert "POST" not in sent


def test_the_rollout_that_is_looked_at_is_the_one_that_is_worked_out(page):
    _opened(page, _group("good"))
    page.locator("#picker button", has_text="k1").click()
    assert page.locator("#working ol").get_attribute("aria-label") == "How the reward of k1 comes about"
    page.locator("#responses").get_by_text("the wrong one").wait_for()


def _opened(page, *documents):
    text = b"\n".join(orjson.dumps(each) for each in documents)
    page.set_input_files("#file", {"name": "some.jsonl", "mimeType": "application/json", "buffer": text})


def _group(name):
    texts = ("RedOne. The answer is Oman.", "This is the wrong one: Peru.")
    rubric = {"entities": ["RedOne", "Lady Gaga"]}
    return {
        "id": name,
        "answer": "Oman",
        "rubric": rubric,
        "rollouts": [{"response": each} for each in texts],
    }


def _rollout(chance):
    if chance.random() < 0.5:
        return {"response": _text(chance)}
    return {"messages": [_message(chance) for _ in range(chance.randint(0, 4))]}


def _message(chance):
    fields = {"content": _text(chance), "reasoning_content": _text(chance)}
    kept = {name: value for name, value in fields.items() if chance.random() < 0.7}
    return {"role": chance.choice(["assistant", "assistant", "user"]), **kept}


def _text(chance):
    return "".join(chance.choices(PIECES, k=chance.randint(0, 9)))


def _response(rollout):
    messages = tuple(
        Message(each["role"], each.get("content", ""), each.get("reasoning_content", ""))
        for each in rollout.get("messages", ())
    )
    return Response(rollout.get("response"), messages)
