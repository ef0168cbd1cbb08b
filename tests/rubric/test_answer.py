from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    ],
)
def test_what_the_text_leaves_open_says_so(final: str, gold: str) -> None:
    assert not decide(final, answer=gold).decided


def test_how_it_was_decided_never_repeats_the_response() -> None:
    for _, final, gold in RIGHT + WRONG:
        how = decide(f"{final} HOSTILE", answer=gold).how
        assert how
        assert "HOSTILE" not in how


@given(st.text(max_size=80).filter(lambda text: "<" not in text and "answer" not in text.lower()))
def test_nothing_before_a_tagged_answer_changes_the_decision(before: str) -> None:
    assert decide(f"{before}\n<answer>Marie Curie</answer>", answer="Marie Curie").value == 1.0
    assert decide(f"{before}\n<answer>Niels Bohr</answer>", answer="Marie Curie").value == 0.0


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
    ],
    ids=["boxes", "tags", "said", "asked", "braces", "hedges", "one word", "denials"],
)
def test_hostile_text_is_decided_from_bounded_pieces(final: str) -> None:
    assert decide(final, answer="Rome").value == 0.0
