from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rubric.forms import MOST_FORMS, Case, forms


def spellings(name: str) -> set[str]:
    return {form.text for form in forms(name)}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("St. Louis", {"st. louis", "st louis", "saint louis"}),
        ("J.K. Rowling", {"j.k. rowling", "j. k. rowling", "jk rowling", "j k rowling"}),
        ("Simon & Garfunkel", {"simon & garfunkel", "simon and garfunkel"}),
        ("AC/DC", {"ac/dc", "ac dc", "acdc"}),
        ("O'Brien", {"o'brien", "obrien"}),
        ("Just Dance (song)", {"just dance (song)", "just dance"}),
        ("The Solent", {"the solent", "solent"}),
        ("World War II", {"world war ii", "world war two", "world war 2"}),
        ("Henry VIII", {"henry viii", "henry the eighth", "henry 8"}),
        ("Super Bowl XLII", {"super bowl 42"}),
        ("21st Century", {"21st century", "twenty-first century"}),
        ("AD 79", {"ad 79", "79 ce", "79 ad"}),
        ("YouTube", {"youtube", "you-tube"}),
        ("Coca-Cola", {"coca-cola", "cocacola"}),
        ("EC 6", {"ec 6", "ec6"}),
        ("Sammy Davis Jr.", {"sammy davis, junior", "sammy davis jr"}),
        ("Nobel Prize", {"nobel prizes"}),
        ("George Orwell", {"orwell, george"}),
        ("River Thames", {"thames river"}),
        ("Tiffany & Co.", {"tiffany and company"}),
    ],
)
def test_optional_parts_are_optional(name: str, expected: set[str]) -> None:
    assert expected <= spellings(name)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("C++", "c"),
        ("P!nk", "pink"),
        ("Help!", "help"),
        ("N/A", "na"),
        ("The Who", "who"),
        ("3.5", "35"),
        ("William", "williams"),
        ("John Adams", "john adam"),
        ("Malcolm X", "malcolm the tenth"),
        ("co-op", "coop"),
        ("re-sign", "resign"),
        ("(What's the Story) Morning Glory?", "what's the story"),
    ],
)
def test_what_carries_the_name_is_not_optional(name: str, wrong: str) -> None:
    assert wrong not in spellings(name)


@pytest.mark.parametrize(
    ("name", "text", "case"),
    [
        ("US", "us", Case.SAME),
        ("It", "it", Case.SAME),
        ("it", "it", Case.ANY),
        ("The Fame", "fame", Case.CAPITAL),
        ("The Fame", "the fame", Case.CAPITAL),
        ("Apple", "apple", Case.CAPITAL),
        ("iPhone", "iphone", Case.ANY),
        ("NASA", "nasa", Case.CAPITALS),
        ("Lady Gaga (singer)", "lady gaga", Case.ANY),
    ],
)
def test_one_word_that_could_be_anybodys_needs_its_capitals(name: str, text: str, case: Case) -> None:
    assert {form.text: form.case for form in forms(name)}[text] is case


@given(st.text(max_size=200))
def test_forms_are_few_and_start_with_the_name_itself(name: str) -> None:
    found = forms(name)
    assert len(found) <= 4 * MOST_FORMS
    assert len({form.text for form in found}) == len(found)
    assert forms(name) == found
