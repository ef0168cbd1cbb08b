from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rubric.entity import Field
from rubric.text import fold
from rubric.typed import date_forms, date_value, find_numbers, number_value
from tests.rubric.finding import found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,000", "1000"),
        ("1000", "1000"),
        ("3.50", "3.5"),
        (" 42 ", "42"),
        ("-5", "-5"),
        ("007", "7"),
        ("１２", "12"),
    ],
)
def test_a_number_has_one_value_however_it_is_written(text: str, value: str) -> None:
    assert number_value(text) == Decimal(value)


@pytest.mark.parametrize(
    "text", ["", "x", "1,00", "3, 5", "1.2.3", "12 %", "2008-05-05", "1,0000", "4th", "½"]
)
def test_what_is_not_one_number_has_no_value(text: str) -> None:
    assert number_value(text) is None


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("scores of 3, 5 and 7", {3, 5, 7}),
        ("3.5, 1,000; 42.", {Decimal("3.5"), 1000, 42}),
        ("in 1942 and 10000", {1942, 10000}),
        ("v3.5.2 and 3.5.2", set()),
        ("on 2008-05-05", set()),
        ("from 1998-2001", {1998, 2001}),
        ("at 10:30, won 3:2", set()),
        ("minus -5, x-5", {-5, 5}),
        ("$42 (7)", {42, 7}),
        ("HTML5 42nd", set()),
    ],
)
def test_numbers_are_read_whole(text: str, values: set[Decimal]) -> None:
    wanted = {Decimal(number): [number] for number in range(-10, 11_000)} | {Decimal("3.5"): [-99]}
    hits = find_numbers(wanted, fold(text), field=Field.CONTENT)
    assert {Decimal("3.5") if number == -99 else number for number in hits} == values


@given(st.integers(min_value=0, max_value=10**12), st.sampled_from(["{}", "{:,}", "{}.0", "{:,}.00", "{}."]))
def test_a_number_is_found_in_every_spelling(number: int, spelling: str) -> None:
    assert found(f"about {spelling.format(number)} of them", str(number))


@given(st.integers(min_value=0, max_value=99_999), st.integers(min_value=0, max_value=99_999))
def test_a_number_is_not_found_in_another(number: int, other: int) -> None:
    assert bool(found(f"about {other} of them", str(number))) == (number == other)


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
