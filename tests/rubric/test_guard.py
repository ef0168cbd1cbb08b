from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rubric.guard import difference
from rubric.words import known_words

WORDS = known_words()


@pytest.mark.parametrize(
    ("name", "surface", "reason"),
    [
        ("Apollo 11", "Apollo 12", "numbers differ: 11 / 12"),
        ("World War I", "World War II", "numbers differ: – / 2"),
        ("Henry VII", "Henry VIII", "numbers differ: 7 / 8"),
        ("1998 FIFA World Cup", "1994 FIFA World Cup", "numbers differ: 1998 / 1994"),
        ("Second Symphony", "Third Symphony", "numbers differ: 2 / 3"),
        ("North Korea", "South Korea", "directions differ: north / south"),
        ("Korea", "South Korea", "directions differ: – / south"),
        ("Upper Austria", "Lower Austria", "directions differ: upper / lower"),
        ("hypertension", "hypotension", "opposites: hypertension / hypotension"),
        ("J Smith", "M Smith", "initials differ: j / m"),
        ("Bunker Hill", "Banker Hill", "another known word: bunker / banker"),
        ("Gordon Brown", "Gordon Crown", "first letters differ: brown / crown"),
        ("Nikolai Ivanov", "Nikolai Ivanova", "endings differ: ivanov / ivanova"),
        ("Mario Draghi", "Maria Draghi", "endings differ: mario / maria"),
        ("Love Game", "Game Love", "the order of the words differs: love game / game love"),
        ("Kim Jong", "Jong Kim", "the order of the words differs: kim jong / jong kim"),
        ("Slovakia", "Slovenia", "words differ: slovakia / slovenia"),
        ("Pittsburgh", "Pittsburg", "another known word: pittsburgh / pittsburg"),
        ("Windows 2000", "Windows 2OOO", "numbers differ: 2000 / –"),
        ("Владимир Иванов", "Владимир Иванов-Петров", None),
        (
            "Владимир",
            "Владимер",
            "words differ, and there is no word list for their script: владимир / владимер",
        ),
    ],
)
def test_what_makes_another_entity_is_said(name: str, surface: str, reason: str | None) -> None:
    assert difference(name, surface, words=WORDS) == reason


@pytest.mark.parametrize(
    ("name", "surface"),
    [
        ("Shakespeare", "Shakespere"),
        ("Michael Jackson", "Micheal Jackson"),
        ("Massachusetts", "Massachussetts"),
        ("Tchaikovsky", "Chaikovsky"),
        ("Fyodor Dostoevsky", "Fyodor Dostoyevsky"),
        ("Albert Einstein", "Albert Einstien"),
        ("Samsung Electronics", "Samsong Electronics"),
        ("Cincinnati", "Cincinatti"),
        ("Philippines", "Phillipines"),
        ("World War II", "World War Two"),
        ("Beyoncé Knowles", "Beyonce Knowles"),
    ],
)
def test_a_typo_is_no_difference(name: str, surface: str) -> None:
    assert difference(name, surface, words=WORDS) is None


NAMES = st.lists(st.text("abcdefgiklmnoprstuvxyz", min_size=1, max_size=12), min_size=1, max_size=4).map(
    " ".join
)


@given(NAMES, NAMES)
def test_two_names_differ_from_each_other_alike(name: str, surface: str) -> None:
    one, other = difference(name, surface, words=WORDS), difference(surface, name, words=WORDS)
    assert (one is None) == (other is None)


def test_known_words_are_counted_as_the_list_counts_them() -> None:
    assert WORDS.zipf("the") > 7
    assert 3 < WORDS.zipf("shakespeare") < 5
    assert WORDS.zipf("shakespere") == WORDS.zipf("жизнь") == WORDS.zipf("a" * 30) == WORDS.zipf("") == 0.0
