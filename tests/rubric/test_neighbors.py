from __future__ import annotations

import pytest

from rubric.neighbors import longer_name
from tests.rubric.finding import found, refused


@pytest.mark.parametrize(
    ("gold", "text"),
    [
        ("Shrek", "He saw Shrek 2 in a cinema."),
        ("Back to the Future", "Back to the Future Part II came later."),
        ("Henry", "It was Henry VIII who left Rome."),
        ("Rocky", "Rocky IV is the one with the Russian."),
        ("Symphony", "The Symphony No. 9 was his last."),
        ("George Grenfell", "George Grenfell-Baines founded it."),
        ("Austria", "the fall of Austria-Hungary"),
        ("Hungary", "the fall of Austria-Hungary"),
        ("Teen Titans", "She voiced a part in Teen Titans Go! for years."),
        ("Thurgood Marshall College", "a grant by the Thurgood Marshall College Fund, in 2001"),
        ("Robert Bosch", "He works at the Robert Bosch Hospital."),
        ("Paris", "the heiress Paris Hilton"),
        ("Mexico", "born in New Mexico"),
        ("Korea", "a diplomat of North Korea"),
        ("Mexico", "oil in the Gulf of Mexico"),
        ("Oxford", "He taught at the University of Oxford."),
        ("the Africa Institute", "The leading Nordic Africa Institute is in Uppsala."),
        ("Guinea", "in Papua New Guinea"),
        ("York", "She sailed to New\nYork."),
        ("Bath", "Bath Towels and Robes"),
        ("Dune", "Villeneuve said that Dune: Part Two would be longer."),
        ("The Hague", "William Hague resigned."),
    ],
)
def test_a_part_of_a_longer_name_is_no_mention(gold: str, text: str) -> None:
    assert found(text, gold) == {}
    assert "name" in refused(text, gold)[gold]


@pytest.mark.parametrize(
    ("gold", "text"),
    [
        ("Barack Obama", "He met President Barack Obama."),
        ("Beyoncé", "the singer Beyoncé"),
        ("Germany", "She spoke to Germany Chancellor Angela Merkel."),
        ("Paris", "In Paris, France"),
        ("Paris", "He lives in Paris. London is far."),
        ("Paris", "**Paris** France"),
        ("Paris", "a Paris-based firm"),
        ("Paris", "In Paris 3 people died."),
        ("Titanic", "Titanic 1997 is a film."),
        ("Arsenal", "Arsenal 2-1 Chelsea"),
        ("Siemens", "the share of Siemens AG fell"),
        ("Aberdeen", "a match of Aberdeen Football Club"),
        ("Denmark", "In Denmark I felt at home."),
        ("Denmark", "The Kingdom of Denmark"),
        ("Jenggawah", "between Indonesia and East Timor. Jenggawah is a district."),
        ("London", "in London May 5 was cold"),
        ("Lange Straße", "In der Lange Straße 5"),
        ("Newton", "Although Newton knew"),
        ("Berlin", "In Berlin Isherwood rented a room."),
        ("Washington", "It was WASHINGTON HIMSELF"),
    ],
)
def test_what_stands_beside_a_name_is_not_always_a_part_of_it(gold: str, text: str) -> None:
    assert gold in found(text, gold)


def test_a_name_of_the_rubric_beside_another_is_no_part_of_it() -> None:
    assert found("in Paris Texas", "Paris") == {}
    assert found("in Paris Texas", "Paris", "Texas") == {"Paris": "Paris", "Texas": "Texas"}


def test_what_may_be_a_longer_name_is_doubtful() -> None:
    text = "It was Simon & Garfunkel"
    doubt = longer_name(text, 7, 12)
    assert doubt is not None
    assert not doubt.certain
    heading = "Robert Bosch Goes Where Nobody Else Goes"
    doubt = longer_name(heading, 0, 12)
    assert doubt is not None
    assert not doubt.certain
    assert longer_name("It was Simon, and Garfunkel", 7, 12) is None


def test_a_name_with_its_place_is_the_name() -> None:
    """Two entities of one rubric, one written with its state: the text names both."""
    assert set(found("in Tucson, Arizona.", "Tucson", "Tucson, Arizona")) == {"Tucson", "Tucson, Arizona"}
    assert set(found("in the Army", "Army", "the Army")) == {"Army", "the Army"}
