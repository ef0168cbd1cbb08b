from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rubric.entity import Field
from rubric.text import MARK, Message, Response, fold, fold_character, split


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Beyoncé", "beyonce"),
        ("Beyonce\u0301", "beyonce"),
        ("Straße STRASSE", "strasse strasse"),
        ("Łódź Øre Đakovo Ħamrun", "lodz ore dakovo hamrun"),
        ("Işık İstanbul", "isik istanbul"),
        ("Æthelred Œuvre", "aethelred oeuvre"),
        ("Ελλάδα Οδυσσεύς", "ελλαδα οδυσσευσ"),
        ("Ёлка Йогурт москва\u0301", "елка иогурт москва"),
        ("ﬁne ℌ Ⅷ ①", "fine h viii 1"),
        ("１２３ＡＢＣ", "123abc"),
        ("a\u200bb\u00adc\u0000d\ufeff", "abcd"),
        ("x\u00a0y\u2003z\tw", "x y z w"),
        ("one\u2028two", "one\ntwo"),
        ("‘a’ “b” «c» d′", '\'a\' "b" "c" d\''),
        ("a‐b‑c–d—e−f", "a-b-c-d-e-f"),
        ("Windows™ Cairn®", "windows cairn"),
        ("Hawaiʻi", "hawaii"),
        ("wait…", "wait..."),
        ("👍🏽 ok", "👍🏽 ok"),
    ],
)
def test_two_ways_to_write_a_letter_fold_to_one(text: str, folded: str) -> None:
    assert fold(text).text == folded


@pytest.mark.parametrize("pair", ["かが", "はぱ", "कक़", "पपी", "שׁשׂ", "กกำ", "가각"])
def test_marks_that_carry_meaning_are_kept(pair: str) -> None:
    assert fold(pair[0]).text != fold(pair[1:]).text


@pytest.mark.parametrize("text", ["が", "한국어", "क़ानून", "パリ", "ằ", "Ǻ", "שָּׁ"])
def test_composed_and_decomposed_text_fold_to_one(text: str) -> None:
    forms = {fold(unicodedata.normalize(form, text)).text for form in ("NFC", "NFD")}
    assert len(forms) == 1


def slow_fold(text: str) -> str:
    """The fold one character at a time, without the tables, the fast path and the offsets."""
    kept: list[str] = []
    for character in "".join(map(fold_character, text.encode("utf-8", "replace").decode())):
        mark = unicodedata.category(character)[0] == "M"
        letters = [each for each in kept if unicodedata.category(each)[0] != "M"]
        if mark and (not letters or not _carries(letters[-1])):
            continue
        kept.append(character)
    return unicodedata.normalize("NFD", "".join(kept))


def _carries(letter: str) -> bool:
    return letter.isalpha() and not unicodedata.name(letter, "").startswith(("LATIN ", "GREEK ", "CYRILLIC "))


TEXTS = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("aÀéßøﬁ…½カが゙고각ำ\u0301\u093c\u05b8\u0651\u064b\u200b\ufe0f –—’™"),
    ),
    max_size=40,
)


@given(TEXTS)
def test_the_tables_say_what_the_slow_fold_says(text: str) -> None:
    assert fold(text).text == slow_fold(text)


@given(TEXTS)
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text).text).text == fold(text).text


@given(TEXTS)
def test_offsets_lead_back_to_the_character_that_was_folded(text: str) -> None:
    folded = fold(text)
    assert len(folded.codes) == len(folded.kinds)
    for index, code in enumerate(folded.codes.tolist()):
        span = folded.span(index, index + 1, field=Field.CONTENT)
        assert span.surface == text[span.start : span.end]
        if folded.kinds[index] != MARK:
            assert chr(code) in fold(span.surface).text


@given(TEXTS, TEXTS)
def test_a_prefix_of_ascii_does_not_change_what_follows(text: str, other: str) -> None:
    ascii_only = other.encode("ascii", "ignore").decode() + " "
    assert fold(ascii_only + text).text == fold(ascii_only).text + fold(text).text


def test_a_combining_mark_belongs_to_the_surface_of_its_letter() -> None:
    assert fold("cafe\u0301 x").span(0, 4, field=Field.CONTENT).surface == "cafe\u0301"


def test_lone_surrogates_are_dropped_and_not_fatal() -> None:
    assert fold("a\ud800b").text == "ab"


def test_the_thinking_stands_before_the_last_closing_tag() -> None:
    texts = split(Response("<think>a</think>b</think> c"))
    assert (texts.reasoning, texts.content, texts.closings) == ("<think>a</think>b", " c", 2)


def test_thinking_that_never_ends_is_not_content() -> None:
    texts = split(Response("<think>the answer is 4"))
    assert (texts.content, texts.unclosed) == ("", True)


def test_text_without_thinking_is_content() -> None:
    assert split(Response("the answer is 4")).content == "the answer is 4"


def test_only_the_assistant_speaks_in_chat_messages() -> None:
    texts = split(
        Response(
            None,
            (
                Message("user", "Paris?"),
                Message("assistant", "<think>b</think>one", "a"),
                Message("tool", "Rome"),
                Message("assistant", "two"),
            ),
        )
    )
    assert (texts.reasoning, texts.content, texts.final) == ("a\n\n<think>b", "one\n\ntwo", "two")
