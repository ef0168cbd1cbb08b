from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rubric.dates import Period, date_forms, date_value, period_value
from rubric.entity import Field, Match
from rubric.numerals import (
    all_spoken,
    ordinal,
    ordinal_value,
    roman,
    roman_value,
    spoken,
    spoken_number,
    spoken_ordinal,
)
from rubric.quantity import Quantity, quantity
from rubric.text import fold
from rubric.typed import Values, find_values
from tests.rubric.finding import found, refused


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("1,000", "1000", ""),
        ("1000", "1000", ""),
        ("one thousand", "1000", ""),
        ("3.50", "3.5", ""),
        (" 42 ", "42", ""),
        ("-5", "-5", ""),
        ("007", "7", ""),
        ("１２", "12", ""),
        ("twenty-one", "21", ""),
        ("two hundred and five", "205", ""),
        ("fifteen hundred", "1500", ""),
        ("1.5 million", "1500000", ""),
        ("12 %", "12", "%"),
        ("12%", "12", "%"),
        ("twelve per cent", "12", "%"),
        ("$3 billion", "3000000000", "usd"),
        ("US$3bn", "3000000000", "usd"),
        ("three billion dollars", "3000000000", "usd"),
        ("3 billion US dollars", "3000000000", "usd"),
        ("€3m", "3000000", "eur"),
        ("5 km", "5", "km"),
        ("3m", "3", "m"),
        ("250,000 pounds", "250000", "pound"),
        ("5 kilometres", "5", "km"),
        ("16 years", "16", "yr"),
    ],
)
def test_a_quantity_has_one_value_however_it_is_written(text: str, value: str, unit: str) -> None:
    assert quantity(text) == Quantity(Decimal(value), unit)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "x",
            "1,00",
            "3, 5",
            "1.2.3",
            "2008-05-05",
            "1,0000",
            "4th",
            "½",
            "3b",
            "May",
            "one of",
            "$5 euros",
        ),
        *("five dogs", "ten twenty", "and five", "five and", "hundred", "21st"),
    ],
)
def test_what_is_not_one_quantity_has_no_value(text: str) -> None:
    assert quantity(text) is None


@given(st.integers(min_value=0, max_value=10**15 - 1))
def test_a_number_in_words_is_read_back(number: int) -> None:
    for words in all_spoken(number):
        assert spoken_number(words) == number or words.split()[0] in {"a", *map(spoken, range(11, 21))}, words
    assert spoken_number(spoken(number)) == number


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (15, "fifteen"),
        (40, "forty"),
        (101, "one hundred one"),
        (2000, "two thousand"),
        (1_234_567, "one million two hundred thirty-four thousand five hundred sixty-seven"),
    ],
)
def test_a_number_is_said_as_people_say_it(number: int, words: str) -> None:
    assert spoken(number) == words


@pytest.mark.parametrize(
    ("number", "figure", "word", "numeral"),
    [
        (1, "1st", "first", "I"),
        (12, "12th", "twelfth", "XII"),
        (23, "23rd", "twenty-third", "XXIII"),
        (8, "8th", "eighth", "VIII"),
        (30, "30th", "thirtieth", "XXX"),
        (19, "19th", "nineteenth", "XIX"),
    ],
)
def test_an_ordinal_has_one_value(number: int, figure: str, word: str, numeral: str) -> None:
    assert (ordinal(number), spoken_ordinal(number), roman(number)) == (figure, word, numeral)
    assert ordinal_value(figure) == ordinal_value(word) == roman_value(numeral) == number


def values_in(text: str) -> set[Decimal]:
    wanted = Values()
    numbers = [*map(Decimal, range(-10, 11_000)), Decimal("3.5")]
    for index, number in enumerate(numbers):
        wanted.add(index, Quantity(number, ""), name=str(number))
    hits = find_values(wanted, fold(text), field=Field.CONTENT)
    return {numbers[each.entity] for each in hits if isinstance(each, Match)}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("scores of 3, 5 and 7", {3, 5, 7}),
        ("3.5, 1,000; 42.", {Decimal("3.5"), 1000, 42}),
        ("in 1942 and 10000", {1942, 10000}),
        ("v3.5.2 and 3.5.2", set()),
        ("on 2008-05-05, on May 5, 2008, on 5 May 2008", {5}),
        ("in May 2008", {2008}),
        ("from 1998-2001", {1998, 2001}),
        ("at 10:30, won 3:2", set()),
        ("minus -5, x-5", {-5, 5}),
        ("$42 (7)", {42, 7}),
        ("HTML5 42nd 1990s", set()),
        ("3 million, 4 thousand", {4000}),
        ("5 km, 6%", {5, 6}),
    ],
)
def test_figures_are_read_whole(text: str, values: set[Decimal]) -> None:
    assert values_in(text) - {8, 2} == values - {8, 2}


@given(st.integers(min_value=0, max_value=10**12), st.sampled_from(["{}", "{:,}", "{}.0", "{:,}.00", "{}."]))
def test_a_number_is_found_in_every_spelling(number: int, spelling: str) -> None:
    assert found(f"about {spelling.format(number)} of them", str(number))


@given(st.integers(min_value=2, max_value=10**12))
def test_a_number_is_found_in_words(number: int) -> None:
    for words in all_spoken(number):
        assert found(f"about {words} of them", str(number)), words


@given(st.integers(min_value=0, max_value=99_999), st.integers(min_value=0, max_value=99_999))
def test_a_number_is_not_found_in_another(number: int, other: int) -> None:
    assert bool(found(f"about {other} of them", str(number))) == (number == other)
    assert bool(found(f"about {spoken(other)} of them", str(number))) == (number == other and number != 1)


@pytest.mark.parametrize(
    ("gold", "text"),
    [
        ("12 %", "about 12 percent of them"),
        ("12 %", "12% of them"),
        ("12 percent", "twelve per cent"),
        ("$3 billion", "three billion dollars"),
        ("$3 billion", "worth $3,000,000,000."),
        ("$3 billion", "US$3bn"),
        ("three billion dollars", "$3 billion"),
        ("5 km", "a 5-kilometer run"),
        ("5 km", "five kilometres"),
        ("16 years", "a sixteen-year reign of 16 years"),
        ("1000", "one thousand"),
        ("1 day", "one day later"),
        ("£250,000", "250,000 pounds"),
        ("8,849 m", "8849 metres, or so"),
        ("July 1969", "in July of 1969"),
        ("1848", "in 1848"),
        ("1,848", "for $1,848"),
        ("1998", "It ended.1998 came."),
        ("0.5", "a share of 0.50"),
        ("1200", "1,200.0 of them"),
        ("3,000,000", "3 million"),
    ],
)
def test_a_quantity_is_found_with_its_unit(gold: str, text: str) -> None:
    assert found(text, gold)


@pytest.mark.parametrize(
    ("gold", "text"),
    [
        ("12 %", "12 points"),
        ("12 %", "12.5 %"),
        ("12 %", "12"),
        ("$3 billion", "€3 billion"),
        ("$3 billion", "$3 million"),
        ("$3 billion", "three billion people"),
        ("$3", "$3 billion"),
        ("3", "three billion"),
        ("3", "3 billion"),
        ("5 km", "5 m"),
        ("5 km", "5 miles"),
        ("5 km", "5 km/h"),
        ("2", "twenty-two"),
        ("20", "twenty-two"),
        ("100", "one hundred and five"),
        ("1", "one of them"),
        ("42", "in 1942"),
        ("3.5", "3, 5"),
        ("1848", "for $1,848"),
        ("112", "call 555-0112"),
    ],
)
def test_another_quantity_is_not_taken_for_it(gold: str, text: str) -> None:
    assert not found(text, gold)


def test_why_a_quantity_was_refused_is_said() -> None:
    assert refused("12 points", "12 %") == {"12 %": "units differ: % / none, at 12"}
    assert refused("on May 5, 2008", "2008") == {"2008": "a part of a date; the kind `date` would count it"}
    assert refused("three billion", "3") == {"3": "a part of another number"}


@pytest.mark.parametrize(
    ("gold", "text", "hit"),
    [
        ("1998", "on May 5, 1998", True),
        ("1998", "in 1998", True),
        ("1998", "on 1998-05-05", True),
        ("1998", "in 19980", False),
        ("May 1998", "on May 5, 1998", True),
        ("May 1998", "on 5 May 1998", True),
        ("May 1998", "on 1998-05-05", True),
        ("May 1998", "in May 1998", True),
        ("May 1998", "in June 1998", False),
        ("May 1998", "in 1998", False),
    ],
)
def test_a_period_holds_the_days_in_it_where_that_is_asked_for(gold: str, text: str, hit: bool) -> None:
    assert bool(found(text, {"name": gold, "kind": "date"})) is hit


@pytest.mark.parametrize(
    ("text", "period"), [("1998", Period(1998)), ("May 1998", Period(1998, 5)), ("1998-05", Period(1998, 5))]
)
def test_a_period_has_one_value(text: str, period: Period) -> None:
    assert period_value(text) == period


@pytest.mark.parametrize("text", ["", "998", "5 May 1998", "1998-13", "May", "3000"])
def test_what_is_no_period_has_no_value(text: str) -> None:
    assert period_value(text) is None


@given(st.dates(min_value=date(1000, 1, 1), max_value=date(2999, 12, 31)))
def test_a_day_is_found_in_every_spelling_and_the_next_day_in_none(day: date) -> None:
    for form in date_forms(day):
        assert found(f"it was {form}.", day.isoformat()), form
        assert not found(f"it was {form}.", (day + timedelta(days=1)).isoformat()), form


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("May 5, 2008", date(2008, 5, 5)),
        ("5th of May, 2008", date(2008, 5, 5)),
        ("2008-5-5", date(2008, 5, 5)),
        ("25/12/2008", date(2008, 12, 25)),
        ("12/25/2008", date(2008, 12, 25)),
        ("Sept. 3 1999", date(1999, 9, 3)),
    ],
)
def test_a_day_has_one_value(text: str, day: date) -> None:
    assert date_value(text) == day


@pytest.mark.parametrize(
    "text", ["05/06/2008", "May 2008", "2008", "31 February 2008", "May 5", "2008-13-01", ""]
)
def test_what_could_be_two_days_or_none_has_no_value(text: str) -> None:
    assert date_value(text) is None
