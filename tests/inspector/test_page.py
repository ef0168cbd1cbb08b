"""What a person does with a group: open it, score it, look at it, ask what if, hold two verdicts together."""

from __future__ import annotations

import httpx
import orjson

from tests.inspector.browser import serving
from tests.service.bodies import FIVE, FOUR, group

SLIDE = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }"
WRONG = "Lady Gaga and RedOne, I think. The answer is Swedish."


def _shown(page):
    page.wait_for_function("() => !document.getElementById('shown').hidden")
    return page


def _file(name, *values):
    return {
        "name": name,
        "mimeType": "application/jsonl",
        "buffer": b"\n".join(orjson.dumps(each) for each in values),
    }


def _scored(site, body):
    reply = httpx.post(site + "/score", json=body)
    reply.raise_for_status()
    return reply.json()


def _score(page, body):
    page.fill("#source", orjson.dumps(body).decode())
    page.keyboard.press("Control+Enter")
    _shown(page)


def _rewards(page):
    """As they are shown, with every digit."""
    return page.locator("#reward-rows .worked").evaluate_all("all => all.map((each) => Number(each.title))")


def _asked(page):
    """The addresses of the page's requests, from now on."""
    seen = []
    page.on("request", lambda request: seen.append(request.url))
    return seen


def test_the_example_is_scored_and_highlighted_by_one_press(page):
    page.get_by_role("button", name="Example", exact=True).click()
    _shown(page)
    assert page.locator("#responses mark.mark").count() >= 5
    assert page.locator("#reward-sums .agrees").is_visible()


def test_the_example_has_an_address_of_its_own(open_page, site):
    _shown(open_page(f"{site}/#example"))


def test_a_pasted_group_is_scored_as_the_server_scores_it(page, site):
    body = group(FOUR, FIVE, WRONG)
    _score(page, body)
    assert _rewards(page) == [each["reward"] for each in _scored(site, body)["rollouts"]]


def test_a_large_paste_does_not_go_through_the_box(page):
    body = orjson.dumps(group(FOUR, "x " * 100_000)).decode()
    page.evaluate(
        """(text) => {
          const data = new DataTransfer();
          data.setData("text/plain", text);
          const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
          document.getElementById("source").dispatchEvent(event);
        }""",
        body,
    )
    _shown(page)
    assert page.input_value("#source") == ""


def test_what_is_no_group_is_told_and_not_sent(page):
    asked = _asked(page)
    for text, told in [("{", "not JSON"), ("[1]", "neither"), ("", "no text")]:
        page.fill("#source", text)
        page.get_by_role("button", name="Score", exact=False).first.click()
        page.get_by_role("alert").filter(has_text=told).wait_for()
    assert not [each for each in asked if "score" in each]


def test_a_fault_that_the_server_finds_is_told_with_its_path(page, complaints):
    complaints.expected = ("422",)
    page.fill("#source", orjson.dumps(group(FOUR, profil="strict")).decode())
    page.keyboard.press("Control+Enter")
    page.get_by_role("alert").filter(has_text="$.profil").wait_for()


def test_a_file_with_several_groups_is_walked_through(page):
    groups = [group(FOUR, id=f"group {at}", question=f"Question {at}?") for at in range(3)]
    page.set_input_files("#file", [_file("groups.jsonl", *groups)])
    page.locator("#question", has_text="Question 0?").wait_for()
    page.keyboard.press("]")
    page.locator("#question", has_text="Question 1?").wait_for()
    page.select_option("#group-list", "2")
    page.locator("#question", has_text="Question 2?").wait_for()


def test_a_stored_pair_is_shown_as_it_was_judged_then(page, site):
    body = group(FOUR, FIVE)
    reply = _scored(site, body)
    reply["rollouts"][0]["criteria"][0] |= {"stage": "alias"}
    asked = _asked(page)
    page.set_input_files("#file", [_file("pair.json", {"request": body, "reply": reply})])
    _shown(page)
    assert page.locator('#responses mark[data-stage="alias"]').first.inner_text() == "Lady Gaga"
    assert asked == []


def test_lines_of_offline_scoring_find_their_groups(page, site):
    groups = [group(FOUR, id="a"), group(FIVE, FOUR, id="b"), group(WRONG), group(FIVE)]
    lines = [_line(site, each) for each in groups]
    failed = {"source": {}, "id": "c", "rollouts": [], "scheme": None}
    failed |= {"error": {"type": "invalid_rubric", "detail": "no"}}
    asked = _asked(page)
    mixed = [lines[2], lines[1], failed, lines[3], lines[0]]  # those without an id find theirs by the order
    page.set_input_files("#file", [_file("groups.jsonl", *groups), _file("out.jsonl", *mixed)])
    for at, line in enumerate(lines):
        page.select_option("#group-list", str(at))
        assert _rewards(page) == [each["reward"] for each in line["rollouts"]]
        assert page.locator("#reward-sums .agrees").is_visible()
    assert asked == []


def _line(site, body):
    """As `cairn score --out` writes it."""
    source = {"file": "groups.jsonl", "line": 1, "digest": "", "settings": ""}
    return {"source": source, **_scored(site, body), "timings_ms": None, "error": None}


def test_lines_of_offline_scoring_are_shown_without_their_groups_too(page, site):
    page.set_input_files("#file", [_file("out.jsonl", _line(site, group(FOUR, FIVE, id="a")))])
    _shown(page)
    assert page.locator("#matrix tbody tr").count() == 5
    assert page.locator("#responses .criterion").count() == 5


def test_a_reply_to_another_group_is_not_passed_off_as_evidence(page, site):
    reply = _scored(site, group(FOUR, id="a"))
    page.set_input_files("#file", [_file("both.jsonl", group("Other text.", id="a"), reply)])
    page.locator("#responses .warning", has_text="does not stand in this text").wait_for()
    assert page.locator("#responses mark.mark").count() == 0


def test_the_key_is_asked_for_and_kept_nowhere(open_page, complaints):
    complaints.expected = ("401",)
    with serving(api_keys="open sesame") as url:
        page = open_page(url)
        page.get_by_role("button", name="Example", exact=True).click()
        page.get_by_role("alert").filter(has_text="Authorization").wait_for()
        page.keyboard.type("open sesame")  # the field has the focus
        page.get_by_role("button", name="Score", exact=False).first.click()
        _shown(page)
        kept = "() => [localStorage.length, sessionStorage.length, document.cookie, location.href]"
        assert page.evaluate(kept) == [0, 0, "", f"{url}/"]
        page.reload()
        assert page.input_value("#key") == ""


def test_a_kept_group_is_opened_by_its_id(open_page, site):
    _scored(site, group(FOUR, FIVE, id="step 12/prompt#3"))
    page = open_page(f"{site}/#group=step%2012%2Fprompt%233")
    _shown(page)
    assert page.locator("#picker button").count() == 2


def test_what_was_scored_a_moment_ago_is_on_the_list(page):
    for name in ("one", "two"):
        _score(page, group(FOUR, id=name, question=f"Question {name}?"))
        page.locator("#question", has_text=f"Question {name}?").wait_for()
    page.locator('#kept option[value="two"]').wait_for(state="attached")
    page.select_option("#kept", "one")
    page.locator("#question", has_text="Question one?").wait_for()


# --- what if ----------------------------------------------------------------------------------------------


def test_the_slider_gives_the_number_of_the_scheme(page, site):
    body = group(FOUR, FIVE, WRONG)
    _score(page, body)
    for eta in (0.0, 0.5, 0.77, 1.0):
        page.get_by_label("η").evaluate(SLIDE, str(eta))
        rewards = _rewards(page)
        asked = _scored(site, body | {"scheme": {"name": "longtrace", "eta": eta}})
        assert rewards == [each["reward"] for each in asked["rollouts"]]
        assert page.locator('#working [data-step="reward"] .sum').inner_text().endswith(f"{rewards[0]:.4g}")


def test_the_slider_is_moved_by_the_arrows_in_hundredths(page):
    page.get_by_role("button", name="Example", exact=True).click()
    _shown(page)
    page.get_by_label("η").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "PageUp"):
        page.keyboard.press(key)
    assert page.get_by_label("η").input_value() == "0.41"


def test_every_scheme_is_worked_out_as_the_server_would(page, site):
    body = group(FOUR, FIVE, WRONG, {"response": FOUR, "status": "truncated"})
    _score(page, body)
    for scheme in ("outcome", "longtrace", "e-grpo", "c-grpo", "rar", "healthbench", "gear"):
        page.select_option("#scheme", scheme)
        asked = _scored(site, body | {"scheme": {"name": scheme}})
        assert _rewards(page) == [each["reward"] for each in asked["rollouts"]], scheme


def test_what_only_the_server_can_count_is_asked_of_it(page):
    body = {
        "rubric": {"entities": [{"name": "chunk 1", "kind": "chunk"}, {"name": "chunk 2", "kind": "chunk"}]},
        "rollouts": [{"response": "As <chunk_1> says.", "outcome": 1.0}],
    }
    _score(page, body)
    page.select_option("#scheme", "longrlvr")
    page.locator("#working .warning").wait_for()
    page.get_by_role("button", name="Ask the server").click()
    page.locator('#working [data-step="reward"]').wait_for()


# --- two verdicts -----------------------------------------------------------------------------------------


def test_two_profiles_are_held_side_by_side(page):
    lovegame = FOUR.replace("Poker Face;", "Poker Face and LoveGame, no Just Dances;")
    _score(page, group(lovegame, FIVE))
    page.select_option("#other-profile", "legacy")
    page.get_by_role("button", name="Score with both").click()
    page.locator("#comparison .found").wait_for()
    assert page.locator("#comparison .side, #comparison dd b").all_inner_texts() == ["strict", "legacy"]
    flips = page.locator("#comparison .changes .flip")
    assert "Just Dance" in flips.first.inner_text()
    assert page.locator("#comparison .changed").count() > 0
    assert page.locator("#comparison .moved li").count() == 1


def test_equal_replies_show_no_change(page, site):
    body = group(FOUR, FIVE, id="a")
    reply = _scored(site, body)
    page.set_input_files("#file", [_file("pair.jsonl", body, reply, reply)])
    page.locator("#comparison .found", has_text="No criterion and no reward is different").wait_for()


def test_a_stored_reply_is_held_beside_the_one_that_is_shown(page, site):
    body = group(FOUR, FIVE, id="a")
    _score(page, body)
    page.set_input_files("#other-file", [_file("old.json", _scored(site, body | {"profile": "legacy"}))])
    page.locator("#comparison .found").wait_for()
    assert page.locator("#comparison dd b").all_inner_texts() == ["strict", "legacy"]


# --- the second tab ---------------------------------------------------------------------------------------


def test_the_drift_tab_shows_the_windows_of_the_server(page, site):
    for labels in ({"source": "longqa"}, {"source": "musique"}):
        _scored(site, group(FOUR, FIVE, WRONG, labels=labels))
    page.get_by_role("tab", name="Drift").click()
    page.locator("#drift-windows h3", has_text="source=longqa").wait_for()
    shown = page.locator("#drift-windows").inner_text()
    assert "All groups" in shown
    assert "score" in shown
    assert page.locator("#drift-windows svg").count() > 0


def test_the_drift_tab_goes_on_looking_until_it_is_left(page):
    page.clock.install()
    asked = _asked(page)
    page.get_by_role("tab", name="Drift").click()
    for _ in range(2):
        with page.expect_response("**/drift"):
            page.clock.run_for(5_000)
    page.get_by_role("tab", name="Groups").click()
    page.clock.run_for(1_000)
    before = len(asked)
    page.clock.run_for(20_000)
    assert len(asked) == before
