from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rubric import answer
from rubric.answer import decide

RIGHT = [
    ("tag", "<answer>Marie Curie</answer>", "Marie Curie"),
    ("tag, any case, never closed", "so <ANSWER> marie curie", "Marie Curie"),
    ("the last tag counts", "<answer>Bohr</answer> no: <answer>Curie</answer>", "Curie"),
    ("JSON inside the tag", '<answer>{"thought": "x", "answer": "Curie"}</answer>', "Curie"),
    ("box", "So \\boxed{Paris}.", "Paris"),
    ("box with text", "$\\boxed{\\text{New York {City}}}$", "New York City"),
    ("box, number", "\\boxed{1,000}", "1000"),
    ("said", "So the answer is Marie Curie.", "Marie Curie"),
    ("said, bold", "**Answer:** Marie Curie", "Marie Curie"),
    ("said, bold around", "The final answer is: **Marie Curie**.", "Marie Curie"),
    ("said, on the next line", "Final answer:\n\nMarie Curie\n", "Marie Curie"),
    ("said, as JSON", '{"thought": "Bohr", "answer": "Curie"}', "Curie"),
    ("said, with more words", "The answer is the French physicist Marie Curie.", "Marie Curie"),
    ("said last", "The answer is Bohr. Wait. The answer is Curie.", "Curie"),
    ("last line", "First I looked.\n\nMarie Curie", "Marie Curie"),
    ("accents", "The answer is Beyonce.", "Beyoncé"),
    ("article", "The answer is Beatles", "The Beatles"),
    ("abbreviation", "The answer is Saint Louis.", "St. Louis"),
    ("date", "<answer>2008-05-05</answer>", "May 5, 2008"),
    ("number among words", "The answer is 42 people.", "42"),
    ("number spelled with a comma", "The answer is 12,000.", "12000"),
    ("yes", "Yes, both were born in Rome.", "yes"),
    ("no", "The answer is no.", "No"),
    ("false for no", "<answer>False</answer>", "no"),
    ("yes first", "The answer is yes: no other film is older.", "yes"),
    ("non-Latin", "Ответ:\nМосква", "Москва"),
    ("denied after another", "The answer is Paris, not Rome.", "Paris"),
    ("others denied behind", "The answer is Rome, not Paris or Oslo.", "Rome"),
    ("others denied before", "The answer is not Paris but Rome.", "Rome"),
    ("no doubt", "There is no doubt it is Rome.", "Rome"),
    ("none other", "The answer is none other than Rome.", "Rome"),
    ("unsure, of one only", "<answer>Possibly Rome</answer>", "Rome"),
    ("a place in its country", "<answer>Rome, Italy</answer>", "Rome"),
    ("said otherwise in brackets", "The answer is Rome (not Paris).", "Rome"),
    ("a name with or", "The answer is the film Truth or Dare.", "Truth or Dare"),
    ("a name with and", "<answer>Trinidad and Tobago</answer>", "Trinidad and Tobago"),
    ("a title before", "<answer>President Barack Obama</answer>", "Barack Obama"),
    ("a heading before", "### Final Answer\n\nMarie Curie", "Marie Curie"),
    ("an apostrophe at the end", "<answer>Railroadin'</answer>", "Railroadin'"),
    ("box with a TeX space", "\\boxed{ \\mathrm{Marie\\ Curie} }", "Marie Curie"),
    ("box with a thin space", "\\boxed{1\\,000}", "1000"),
    ("box inside the tag", "<answer>\\boxed{Rome}</answer>", "Rome"),
    ("number with what it counts", "42 people", "42"),
    ("a day of the year asked for", "<answer>12 May 1942</answer>", "1942"),
    ("not true is no", "<answer>not true</answer>", "no"),
    ("it is false", "So the statement is false.", "no"),
    ("no, it is not", "No, it is older.", "no"),
]

WRONG = [
    ("empty", "", "Marie Curie"),
    ("no letter or digit", "... !!! \n", "Marie Curie"),
    ("another", "The answer is Niels Bohr.", "Marie Curie"),
    ("named elsewhere only", "Not Marie Curie, I think.\n<answer>Niels Bohr</answer>", "Marie Curie"),
    ("denied", "The answer is not Rome.", "Rome"),
    ("denied before another", "The answer is Paris, not Rome.", "Rome"),
    ("denied behind", "Rome is wrong.", "Rome"),
    ("hedged", "The answer is Paris or Rome.", "Rome"),
    ("hedged with either", "<answer>either Rome or Paris</answer>", "Rome"),
    ("something of the gold's", "The answer is Rome's first emperor.", "Rome"),
    ("inside another word", "The answer is Tirana.", "Iran"),
    ("inside a longer number", "The answer is 1942.", "42"),
    ("inside a decimal", "The answer is 42.5", "42"),
    ("part of the gold", "The answer is Obama.", "Barack Obama"),
    ("no inside other words", "I know of nobody; the answer is unknown.", "no"),
    ("yes and no", "The answer is yes or no.", "yes"),
    ("number elsewhere only", "There were 42 of them.\nThe answer is 43.", "42"),
    ("number in the content only", "There were 42 of them.\nAnd they left.", "42"),
    ("gold without a letter", "The answer is $$$", "$$$"),
    ("a list", "<answer>Paris, Rome, and Madrid</answer>", "Rome"),
    ("a list, the gold first", "<answer>Rome, Paris, Madrid, Oslo</answer>", "Rome"),
    ("a list with bullets", "<answer>- Paris\n- Rome\n- Oslo</answer>", "Rome"),
    ("a numbered list", "<answer>1. Paris\n2. Rome</answer>", "Rome"),
    ("two with a slash", "<answer>Paris / Rome</answer>", "Rome"),
    ("two with a semicolon", "<answer>Paris; Rome</answer>", "Rome"),
    ("two with and", "<answer>Paris and Rome</answer>", "Rome"),
    ("two with an ampersand", "<answer>Paris & Rome</answer>", "Rome"),
    ("a longer name behind", "<answer>New York University</answer>", "New York"),
    ("a longer name before", "<answer>University of Rome</answer>", "Rome"),
    ("all but", "<answer>anything but Rome</answer>", "Rome"),
    ("cannot", "<answer>It cannot be Rome</answer>", "Rome"),
    ("a curly apostrophe in isn’t", "The answer isn’t Rome.", "Rome"),
    ("rather than", "The answer is Paris rather than Rome.", "Rome"),
    ("neither", "The answer is neither Rome nor Paris.", "Rome"),
    ("a range", "<answer>42-50</answer>", "42"),
    ("a range in words", "<answer>between 42 and 50</answer>", "42"),
    ("a bound", "<answer>more than 42</answer>", "42"),
    ("two numbers", "42 or 43", "42"),
    ("another sign", "<answer>-42</answer>", "42"),
    ("another day", "<answer>6 May 2008</answer>", "May 5, 2008"),
    ("a day in the content only", "It began on 5 May 2008.\nThat is all.", "May 5, 2008"),
    ("no such", "I know of no such thing.", "no"),
    ("no evidence", "No evidence was found.", "no"),
    ("no in a later part", "The answer is unknown, no data.", "no"),
    ("not true is not yes", "<answer>not true</answer>", "yes"),
    ("a name that ends with no", "<answer>Mr. No</answer>", "no"),
    ("in passing, in a short content", "Rome was mentioned.\nParis, I think.", "Rome"),
]


@pytest.mark.parametrize(("why", "final", "gold"), RIGHT, ids=[row[0] for row in RIGHT])
def test_a_right_answer_is_right(why: str, final: str, gold: str) -> None:
    assert decide(final, answer=gold).value == 1.0, why


@pytest.mark.parametrize(("why", "final", "gold"), WRONG, ids=[row[0] for row in WRONG])
def test_a_wrong_answer_is_wrong(why: str, final: str, gold: str) -> None:
    assert decide(final, answer=gold).value == 0.0, why


def test_an_alias_is_an_answer() -> None:
    assert (
        decide(
            "The answer is Swedish-Moroccan", answer="Moroccan-Swedish", aliases=["Swedish-Moroccan"]
        ).value
        == 1
    )


@pytest.mark.parametrize(
    ("final", "gold"),
    [
        ("The answer is Obama.", "Barack Obama"),
        ("The answer is Paris or Rome.", "Rome"),
        ("The answer is yes or no.", "yes"),
        ("Rome was mentioned. " + "And so it went on. " * 40, "Rome"),
        ("It was built in Rome.\nThat is all.", "Rome"),
        ("<answer>Paris, Rome, Madrid</answer>", "Rome"),
        ("<answer>Paris and Rome</answer>", "Rome"),
        ("<answer>Rome Airport</answer>", "Rome"),
        ("<answer>42-50</answer>", "42"),
        ("I know of no such thing.", "no"),
    ],
)
def test_what_the_text_leaves_open_says_so(final: str, gold: str) -> None:
    assert not decide(final, answer=gold).decided


def test_how_it_was_decided_never_repeats_the_response() -> None:
    for _, final, gold in RIGHT + WRONG:
        how = decide(f"{final} HOSTILE", answer=gold).how
        assert how
        assert "HOSTILE" not in how


@given(
    st.text(max_size=80) | st.sampled_from(["<answer>", "The answer is Rome.", "\\boxed{Rome}", "answer: "])
)
def test_nothing_before_a_tagged_answer_changes_the_decision(before: str) -> None:
    for tagged in ("<answer>Marie Curie</answer>", "<answer>Niels Bohr</answer>", "<answer>a or b</answer>"):
        assert decide(f"{before}\n{tagged}", answer="Marie Curie") == decide(tagged, answer="Marie Curie")


NAMES = st.text(st.characters(categories=["L", "N"], include_characters=" '-.,&()"), max_size=30)


@given(NAMES, st.text(max_size=60))
def test_the_gold_answer_in_the_tag_is_right(gold: str, before: str) -> None:
    assume(any(character.isalnum() for character in gold) and "answer" not in gold.lower())
    assert decide(f"{before}\n<answer>{gold}</answer>", answer=gold).value == 1.0


@given(st.sampled_from(["Beyoncé Knowles", "Łódź", "São Paulo", "Marie Curie", "Ångström"]), st.data())
def test_neither_case_nor_accents_make_an_answer_wrong(gold: str, data: st.DataObject) -> None:
    plain = gold.translate(str.maketrans("éŁóźãÅö", "eLozaAo"))
    written = data.draw(st.sampled_from([gold, plain, gold.upper(), plain.lower()]))
    assert decide(f"<answer>{written}</answer>", answer=gold).value == 1.0


@given(st.text(max_size=200), st.text(min_size=1, max_size=20))
def test_any_text_is_decided_or_left_open(final: str, gold: str) -> None:
    assert decide(final, answer=gold).value in {0.0, 1.0}


@pytest.mark.parametrize(
    "final",
    [
        "\\boxed{" * 50_000,
        "<answer>" * 50_000,
        "answer is " * 50_000,
        "answer to " * 50_000,
        "{" * 500_000,
        "Rome or " * 50_000,
        "a" * 1_000_000,
        "not " * 100_000 + "Rome",
        "answer" + " " * 100_000 + "x",
        ("answer" + " " * 50) * 2_000,
    ],
    ids=["boxes", "tags", "said", "asked", "braces", "hedges", "one word", "denials", "blank", "blanks"],
)
def test_hostile_text_is_decided_from_bounded_pieces(final: str) -> None:
    assert decide(final, answer="Rome").value == 0.0


def test_no_run_of_spaces_is_read_again_from_each_of_its_places() -> None:
    unbounded = re.findall(r"\\s[*+]|\[[^\]]*\][*+]", answer._SAYS.pattern)
    assert unbounded == []
