"""Whoever has no mouse, a small screen or a dark room gets the whole page."""

from __future__ import annotations

import httpx
import orjson
import pytest

from tests.service.bodies import FIVE, FOUR, group

LONG = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogoch" * 4
FOCUS = """() => {
  const at = document.activeElement;
  const style = getComputedStyle(at);
  const outline = `${style.outlineStyle} ${style.outlineWidth}`;
  return { id: at.id, tag: at.localName, text: at.textContent.trim(), outline };
}"""
NAMELESS = """() => {
  const named = (each) => each.textContent.trim() || each.ariaLabel || each.labels?.length || each.title;
  const all = [...document.querySelectorAll("button, input, select, textarea")];
  return all.filter((each) => !named(each)).map((each) => each.outerHTML);
}"""
TOO_WIDE = """() => {
  const wide = document.scrollingElement.scrollWidth > document.documentElement.clientWidth;
  const past = [...document.querySelectorAll("body *")].filter((each) => {
    const box = each.getBoundingClientRect();
    return box.width && box.right > innerWidth + 1 && !each.closest(".scroll, #responses, .hidden, dialog");
  });
  return wide ? past.map((each) => each.outerHTML.slice(0, 120)).concat(["the page is too wide"]) : [];
}"""


def _open(page, value):
    file = {"name": "group.json", "mimeType": "application/json", "buffer": orjson.dumps(value)}
    page.set_input_files("#file", [file])
    page.locator("#responses article").first.wait_for()


def _wordy(site):
    body = group(f"{LONG} {FOUR} " + "x" * 3000, FIVE, FOUR, id=LONG, question=LONG)
    body["rubric"] = {
        "entities": [*body["rubric"]["entities"], {"name": LONG, "id": LONG, "aliases": [LONG + "n"]}]
    }
    body["rollouts"] = [{**each, "id": f"{LONG}{at}"} for at, each in enumerate(body["rollouts"])]
    reply = (
        httpx.post(site + "/score", json=body | {"labels": {"source": "longqa"}}).raise_for_status().json()
    )
    return {"request": body, "reply": reply}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_is_never_scrolled_sideways(open_page, site, scheme):
    page = open_page(f"{site}/#example", width=360, height=740, color_scheme=scheme)
    page.locator("#reward-sums .agrees").wait_for()
    assert page.evaluate(TOO_WIDE) == []
    _open(page, _wordy(site))
    assert page.evaluate(TOO_WIDE) == []
    page.locator("#together").click()
    assert page.evaluate(TOO_WIDE) == []
    page.locator("#compare-profile").click()
    page.locator("#comparison .found").wait_for()
    assert page.evaluate(TOO_WIDE) == []
    page.get_by_role("tab", name="Drift").click()
    page.locator("#drift-windows h3").first.wait_for()
    assert page.evaluate(TOO_WIDE) == []


def test_matches_are_walked_through_by_keys(page):
    page.get_by_role("button", name="Example", exact=True).click()
    page.locator("#reward-sums .agrees").wait_for()
    page.locator("body").click(position={"x": 2, "y": 2})
    seen = []
    for _ in range(3):
        page.keyboard.press("n")
        seen.append(page.evaluate(FOCUS)["text"])
    assert seen == ["Apollo 11", "20 July 1969", "Mare Tranquillitatis"]
    page.keyboard.press("p")
    assert page.evaluate(FOCUS)["text"] == "20 July 1969"
    assert "20 July 1969" in page.locator("mark.current").inner_text()
    assert "2 of" in page.locator("#announcer").inner_text()
    page.keyboard.press("j")
    page.locator('#picker [data-rollout="1"][aria-pressed="true"]').wait_for()


def test_a_match_in_folded_thinking_is_opened(page):
    body = group(f"<think>{FOUR}</think>Nothing.", fields=["reasoning"])
    page.fill("#source", orjson.dumps(body).decode())
    page.keyboard.press("Control+Enter")
    page.locator("#responses mark").first.wait_for()
    page.locator('details[data-field="reasoning"] summary').click()
    page.locator("#match-after").click()
    assert page.locator("mark.current").is_visible()


def test_letters_that_are_typed_into_a_field_move_nothing(page):
    page.get_by_role("button", name="Example", exact=True).click()
    page.locator("#reward-sums .agrees").wait_for()
    page.locator("#key").focus()
    page.keyboard.type("njs?p")
    assert page.input_value("#key") == "njs?p"
    assert page.locator("mark.current").count() == 0
    assert not page.locator("#help").is_visible()


def test_tabs_are_moved_by_arrows_and_say_which_is_chosen(page):
    page.get_by_role("tab", name="Groups").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", name="Drift").get_attribute("aria-selected") == "true"
    assert page.get_by_role("tabpanel", name="Drift").is_visible()
    page.keyboard.press("Home")
    assert page.get_by_role("tabpanel", name="Groups").is_visible()


def test_the_table_of_entities_is_one_stop_and_moved_in_by_arrows(page):
    page.get_by_role("button", name="Example", exact=True).click()
    page.locator("#reward-sums .agrees").wait_for()
    assert page.locator('#matrix button[tabindex="0"]').count() == 1
    page.locator('#matrix button[tabindex="0"]').focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
    assert page.evaluate("() => document.activeElement.getAttribute('aria-label')").startswith("Apollo 11")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    assert page.evaluate(FOCUS)["text"] == "Apollo 11"


def test_whatever_has_the_focus_shows_it_and_has_a_name(page):
    page.get_by_role("button", name="Example", exact=True).click()
    page.locator("#reward-sums .agrees").wait_for()
    page.locator(".skip").focus()
    passed = []
    for _ in range(80):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUS)
        if at["tag"] == "body":
            break
        assert not at["outline"].startswith("none"), at
        assert not at["outline"].endswith(" 0px"), at
        passed.append(at["id"])
    assert {"example", "score", "key", "eta", "scheme", "together", "compare-profile"} <= set(passed)
    assert page.evaluate(NAMELESS) == []


def test_help_is_opened_and_closed_by_keys(page):
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()


CONTRAST = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = (color) => {
    const [r, g, b] = [...rgba(color)].slice(0, 3).map((each) => {
      const share = each / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (rgba(color)[3] > 250) return color;
    }
    return getComputedStyle(document.documentElement).colorScheme.includes("dark") ? "black" : "white";
  };
  const owns = (each) => [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  const all = [...document.querySelectorAll("body *")];
  const shown = all.filter((each) => owns(each) && each.checkVisibility());
  return shown.flatMap((each) => {
    const style = getComputedStyle(each);
    const [one, other] = [light(style.color), light(ground(each))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    const told = `${each.localName}.${each.className} ${each.textContent.slice(0, 20)}`;
    return ratio < 4.5 ? [`${told} ${ratio.toFixed(2)}`] : [];
  });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_on_its_ground(open_page, site, scheme):
    page = open_page(f"{site}/#example", color_scheme=scheme)
    page.locator("#reward-sums .agrees").wait_for()
    for at in range(4):
        page.locator(f'#picker [data-rollout="{at}"]').click()
        assert page.evaluate(CONTRAST) == []
    page.locator("#compare-profile").click()
    page.locator("#comparison .found").wait_for()
    assert page.evaluate(CONTRAST) == []
