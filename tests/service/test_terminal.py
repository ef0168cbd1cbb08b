"""What is highlighted is what was matched, in any script; what is shown is harmless."""

from __future__ import annotations

import json

import pytest

from rubric.intake import parse_score
from rubric.score import score_group
from service.terminal import STAGE_STYLES, Mark, evidence, highlighted, reward_in_words, safe, texts_of


def scored(response, *entities, **fields):
    body = {
        "question": "",
        "answer": "x",
        "rubric": {"entities": list(entities)},
        "rollouts": [{"response": response}],
    }
    request = parse_score(json.dumps(body | fields).encode())
    return request, score_group(request)


def styled(text):
    """The pieces of a text that have a style, in its order."""
    return [(text.plain[span.start : span.end], str(span.style)) for span in text.spans if str(span.style)]


def highlights(response, *entities):
    request, reply = scored(response, *entities)
    shown = evidence(reply.rollouts[0], texts_of(request.rollouts[0]), request.fields, whole=True)
    return [(piece, style) for piece, style in styled(shown) if style in STAGE_STYLES.values()]


EXACT = STAGE_STYLES["exact"]


@pytest.mark.parametrize(
    ("response", "entity", "surface"),
    [
        ("It was RedOne.", "RedOne", "RedOne"),
        ("😀😀 It was 👩‍👩‍👧 RedOne 🎉.", "RedOne", "RedOne"),
        ("源氏は京都に行った。", "京都", "京都"),
        ("𝔸 and 🇫🇷 then Beyoncé sang", "Beyonce", "Beyoncé"),
        ("e\u0301e\u0301 😀 Beyonce\u0301!", "Beyoncé", "Beyonce\u0301"),
        ("In der Lange Straße 5", "Lange Strasse", "Lange Straße"),
        ("<think>RedOne</think>\n\n😀 RedOne", "RedOne", "RedOne"),
    ],
)
def test_the_highlight_stands_on_the_matched_characters(response, entity, surface):
    assert highlights(response, entity) == [(surface, EXACT)]


def test_an_escaped_character_before_a_surface_does_not_move_its_highlight():
    assert highlights("\x1b\x1b\x07\u202e RedOne", "RedOne") == [("RedOne", EXACT)]


def test_an_alias_is_told_from_the_name():
    found = highlights("Stefani Germanotta", {"name": "Lady Gaga", "aliases": ["Stefani Germanotta"]})
    assert found == [("Stefani Germanotta", STAGE_STYLES["alias"])]


def test_marks_that_overlap_do_not_repeat_the_text():
    shown = highlighted("abcdef", [Mark(1, 4, "red"), Mark(2, 5, "green")])
    assert shown.plain == "abcdef"


def test_a_long_text_keeps_what_stands_around_the_evidence():
    text = "a" * 5000 + "RedOne" + "b" * 5000
    shown = highlighted(text, [Mark(5000, 5006, "red")])
    assert "aaRedOnebb" in shown.plain
    assert len(shown.plain) < 2500
    assert highlighted(text, [Mark(5000, 5006, "red")], whole=True).plain == text


@pytest.mark.parametrize(
    "character", ["\x1b", "\x07", "\x9b", "\u202e", "\u2066", "\u200b", "\ufeff", "\x7f"]
)
def test_what_could_hide_or_move_text_is_spelled_out(character):
    shown = safe(f"a{character}b").plain
    assert character not in shown
    assert shown.startswith("a\\")


def test_emoji_and_their_joiners_are_left_whole():
    assert safe("👩‍👩‍👧 नि ❤️").plain == "👩‍👩‍👧 नि ❤️"


def test_line_breaks_do_not_break_a_cell_and_are_kept_in_a_text():
    assert safe("a\nb").plain == "a\\nb"
    assert safe("a\nb", lines=True).plain == "a\nb"


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        ({"name": "outcome"}, "reward 1 = o"),
        ({"name": "longtrace", "eta": 0.5}, "reward 0.75 = (1 − η)·o + η·ŝ = 0.5 · 1 + 0.5 · 0.5"),
        ({"name": "longtrace", "gate": "negative"}, "reward 1 = o"),
        ({"name": "e-grpo"}, "reward 1: the outcome is right"),
        ({"name": "c-grpo"}, "reward 0.85 = (1 − α)·o + α·o·ŝ = 0.7 · 1 + 0.3 · 1 · 0.5"),
        ({"name": "rar"}, "reward 0.5 = Σ weight·credit / Σ weight"),
        ({"name": "healthbench"}, "reward 0.5 = Σ points met / Σ positive points"),
        ({"name": "gear"}, "reward 0.5 = Σ weight·q"),
    ],
)
def test_every_scheme_is_explained_with_the_numbers_it_used(scheme, words):
    _, reply = scored("The answer is x. RedOne.", "RedOne", "Lady Gaga", scheme=scheme)
    assert words in reward_in_words(reply.rollouts[0], reply).plain


def test_a_wrong_answer_behind_the_gate_is_explained():
    _, reply = scored("RedOne.", "RedOne")
    assert "reward 0: the outcome is not positive" in reward_in_words(reply.rollouts[0], reply).plain


def test_a_truncated_rollout_is_explained_by_its_status():
    _, reply = scored("", "RedOne", rollouts=[{"response": "RedOne", "status": "truncated"}])
    assert "reward 0: the rollout was truncated" in reward_in_words(reply.rollouts[0], reply).plain


def test_the_groups_maximum_stands_in_the_explanation():
    rollouts = [{"response": "x RedOne"}, {"response": "x RedOne, Lady Gaga"}]
    _, reply = scored("", "RedOne", "Lady Gaga", "A", "B", rollouts=rollouts)
    assert "normalized ŝ = 0.25 / 0.5 = 0.5" in reward_in_words(reply.rollouts[0], reply).plain
