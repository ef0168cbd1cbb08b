from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rubric.entity import Entity, Field, Kind, Rubric, Stage
from rubric.errors import InvalidRubric
from rubric.exact import MOST_MENTIONS, Mentions, _Reading, find
from rubric.lexical import read
from rubric.marking import mark
from rubric.names import compile_names, compiled
from rubric.text import fold
from tests.rubric.finding import found, refused, rubric


@pytest.mark.parametrize(
    ("gold", "text"),
    [
        ("Iran", "He lives in Tirana."),
        ("Oman", "a woman in Rome"),
        ("Mali", "the coast of Somalia"),
        ("World War I", "the end of World War II"),
        ("EC 6", "EC 60 was opened"),
        ("Windows 1", "it runs on Windows 10"),
        ("Windows 1", "it runs on Windows 1.5"),
        ("Just Dance", "It will be just. Dance now!"),
        ("Just Dance", "It is only just! Dance now!"),
        ("Just Dance", "- just\n\nDance now"),
        ("Just Dance", "* just\n* dance"),
        ("Just Dance", "only just - dance"),
        ("Just Dance", "just, dance"),
        ("Øre", "the bonds were re-rated"),
        ("Nvidia (Germany)", "at Nvidia (France)"),
        ("An Giang University", "at Kien Giang University"),
        ("Just Dance (song)", "**Just Dance** (video game)"),
        ("Halloween (1978)", "Halloween (2018)"),
        ("C++", "vitamin C is good"),
        ("C", "written in C++ and C#"),
        ("N/A", "I went on a run"),
        ("P!nk", "a pink dress"),
        ("AC/DC", "the air conditioner, direct current"),
        ("AT", "shares of AT&T"),
        ("US", "give it to us"),
        ("It", "and it was good"),
        ("The Fame", "she rose to fame"),
        ("Fame (song)", "she rose to fame"),
        ("か", "がく"),
        ("3.5", "scores of 3, 5 and 7"),
        ("42", "in 1942"),
        ("1000", "10000 people, or 1,000,000"),
        ("Nobel", "Nobels"),
        ("ML", "HTML5"),
        ("Москва", "the bonds of anything"),
        ("Москва", "жители Москвабада"),
    ],
)
def test_a_name_is_not_found_in_other_words(gold: str, text: str) -> None:
    assert found(text, gold) == {}


@pytest.mark.parametrize(
    ("gold", "text", "surface"),
    [
        ("Nvidia (Germany)", "at Nvidia (Germany), too", "Nvidia (Germany)"),
        ("Nvidia (Germany)", "at Nvidia, too", "Nvidia"),
        ("Just Dance (song)", "Just Dance (2008) was", "Just Dance"),
        ("Just Dance (song)", "Just Dance (a song of 2008) was", "Just Dance"),
        ("Beyonce", "by Beyoncé.", "Beyoncé"),
        ("Beyoncé", "by Beyonce\u0301.", "Beyonce\u0301"),
        ("Straße", "in der STRASSE", "STRASSE"),
        ("Москва", "в Москва\u0301.", "Москва\u0301"),
        ("東京", "東京都に住む", "東京"),
        ("トヨタ", "トヨタ自動車", "トヨタ"),
        ("BTS", "BTS는 좋다", "BTS"),
        ("서울", "나는 서울에서 왔다", "서울에서"),
        ("القاهرة", "في القاهرة.", "القاهرة"),
        ("हिन्दी", "वह हिन्दी है", "हिन्दी"),
        ("the Solent", "across Solent water", "Solent"),
        ("Solent", "across the Solent", "Solent"),
        ("St. Louis", "in Saint Louis", "Saint Louis"),
        ("Saint Louis", "in St Louis", "St Louis"),
        ("Mount Everest", "up Mt. Everest", "Mt. Everest"),
        ("Simon & Garfunkel", "by Simon and Garfunkel", "Simon and Garfunkel"),
        ("Simon and Garfunkel", "by Simon & Garfunkel", "Simon & Garfunkel"),
        ("J.K. Rowling", "by J. K. Rowling", "J. K. Rowling"),
        ("J. K. Rowling", "by JK Rowling", "JK Rowling"),
        ("George W. Bush", "by George W Bush", "George W Bush"),
        ("US Open", "the U.S. Open", "U.S. Open"),
        ("Avengers: Endgame", "in Avengers Endgame", "Avengers Endgame"),
        ("O'Brien", "by O’Brien", "O’Brien"),
        ("Panic! at the Disco", "Panic at the Disco", "Panic at the Disco"),
        ("C++", "in C++, of course", "C++"),
        ("C", "vitamin C.", "C"),
        ("AC/DC", "AC/DC's song", "AC/DC"),
        ("P!nk", "sung by P!nk.", "P!nk"),
        (".NET", "on .NET today", ".NET"),
        ("US", "the US-led, or us", "US"),
        ("It", "“It” is a novel", "It"),
        ("The Fame", "on Fame, her album", "Fame"),
        ("Just Dance (song)", "was Just Dance", "Just Dance"),
        ("Lady Gaga", "Lady Gaga's song", "Lady Gaga"),
        ("Lady Gaga", "**Lady** *Gaga*", "Lady** *Gaga"),
        ("Lady Gaga", "https://en.wikipedia.org/wiki/Lady_Gaga?x", "Lady_Gaga"),
        ("Lady Gaga", "[Lady Gaga](https://x)", "Lady Gaga"),
        ("Lady Gaga", "Lady\n   Gaga", "Lady\n   Gaga"),
        ("Spider-Man", "Spider Man", "Spider Man"),
        ("Spider Man", "Spider‑Man", "Spider‑Man"),
        ("Iran", "the Iran–Iraq war", "Iran"),
        ("1000", "some 1,000 people", "1,000"),
        ("1,000", "some 1000 people", "1000"),
        ("3.5", "3.50 percent", "3.50"),
        ("1998", "from 1998-2001", "1998"),
        ("May 5, 2008", "on 2008-05-05", "2008-05-05"),
        ("2008-05-05", "on the 5th of May, 2008", "5th of May, 2008"),
        ("5 May 2008", "on May 5th 2008.", "May 5th 2008"),
    ],
)
def test_a_name_is_found_however_it_is_written(gold: str, text: str, surface: str) -> None:
    assert found(text, gold) == {gold: surface}


def test_the_longest_name_wins() -> None:
    assert found("the end of World War II", "World War I", "World War II", "World War") == {
        "World War II": "World War II"
    }


def test_a_name_inside_its_confusable_is_not_named() -> None:
    gold = {"name": "The Fame", "confusables": ("The Fame Monster",)}
    assert found("on The Fame Monster", gold) == {}
    assert found("on The Fame Monster and on The Fame", gold) == {"The Fame": "The Fame"}
    assert refused("on The Fame Monster", gold) == {
        "The Fame": "names a different entity: “The Fame Monster”"
    }


def test_the_near_miss_says_which_longer_name_took_the_place() -> None:
    assert refused("World War II", "World War I", "World War II", "World War") == {
        "World War": "part of a longer name: “World War II”"
    }


def test_names_that_overlap_are_both_found() -> None:
    assert set(found("in Paris, Texas, USA", "Paris, Texas", "Texas, USA")) == {"Paris, Texas", "Texas, USA"}


def test_neighbors_are_both_found() -> None:
    assert set(found("Lady Gaga RedOne", "Lady Gaga", "RedOne")) == {"Lady Gaga", "RedOne"}


def test_an_alias_says_that_it_is_one() -> None:
    looked_for = rubric({"name": "Lady Gaga", "aliases": ("Stefani Germanotta",)})
    mentions = read(compiled(looked_for), "Stefani Germanotta", field=Field.CONTENT)
    assert mentions.matches[0][0].stage is Stage.ALIAS


def test_one_name_of_two_entities_counts_for_both() -> None:
    assert set(found("in Paris", {"name": "Paris, Texas", "aliases": ("Paris",)}, "Paris")) == {
        "Paris, Texas",
        "Paris",
    }


@pytest.mark.parametrize("name", ["$$$", "", "   ", "...", "👍", "\u0301", "\u200b"])
def test_an_entity_with_nothing_matchable_is_refused(name: str) -> None:
    with pytest.raises(InvalidRubric, match=r"entities\[1\].name"):
        compiled(rubric("Iran", name))


def test_an_unmatchable_name_with_a_matchable_alias_is_scored() -> None:
    assert found("triple dollar", {"name": "$$$", "aliases": ("Triple Dollar",)}) == {"$$$": "triple dollar"}


def test_an_entity_that_is_its_own_confusable_is_refused() -> None:
    with pytest.raises(InvalidRubric, match=r"confusables\[0\]"):
        compiled(rubric({"name": "The Fame", "confusables": ("the fame",)}))


@pytest.mark.parametrize("kind", [Kind.NUMBER, Kind.DATE])
def test_a_kind_that_the_name_does_not_have_is_refused(kind: Kind) -> None:
    with pytest.raises(InvalidRubric, match=r"entities\[0\].name"):
        compiled(rubric({"name": "Lady Gaga", "kind": kind}))


def test_a_number_inside_a_name_of_the_rubric_is_not_named() -> None:
    assert found("Apollo 11 flew", "11", "Apollo 11") == {"Apollo 11": "Apollo 11"}
    assert set(found("Apollo 11 flew 11 times", "11", "Apollo 11")) == {"Apollo 11", "11"}


def test_mentions_are_bounded() -> None:
    mentions = read(compiled(rubric("Iran")), "Iran " * 1000, field=Field.CONTENT)
    assert len(mentions.matches[0]) == MOST_MENTIONS


# --- against a slow, obviously right twin ------------------------------------------------------------------

ALPHABET = "bc .,-*_\n'1éж"


def _word(character: str) -> bool:
    return character.isalnum()


def slow_units(text: str) -> list[str]:
    """Each character as what it means to the matcher: itself, or " " where it may separate a name's words."""
    folded, units = fold(text).text, []
    for at, character in enumerate(folded):
        before = folded[at - 1] if at else ""
        after = folded[at + 1] if at + 1 < len(folded) else ""
        soft = character == " " or (character == "\n" and "\n" not in {before, after})
        soft |= character == "-" and bool(before and after) and _word(before) and _word(after)
        soft |= character in "*_" and not (before in {"", " ", "\n"} and after in {"", " ", "\n"})
        units.append(" " if soft else character)
    return units


def slow_find(names: list[str], text: str) -> set[tuple[str, int, int]]:
    """Try every piece of the text against every name; drop what lies inside a longer one."""
    units = slow_units(text)
    spelled = {name: "".join(slow_units(name)) for name in names}
    hits = set()
    for start in range(len(units)):
        for end in range(start + 1, len(units) + 1):
            piece = "".join(units[start:end])
            starts = not _word(piece[0]) or start == 0 or not _word(units[start - 1])
            ends = not _word(piece[-1]) or end == len(units) or not _word(units[end])
            if starts and ends:
                spelling = re.sub(" +", " ", piece)
                hits |= {(name, start, end) for name, spelled_as in spelled.items() if spelled_as == spelling}
    return {
        hit for hit in hits if not any(o[1] <= hit[1] and hit[2] <= o[2] and o[1:] != hit[1:] for o in hits)
    }


NAMES = st.lists(
    st.lists(st.sampled_from(["c", "b", "cb", "bc", "b1", "é", "ж"]), min_size=1, max_size=3).map(" ".join),
    min_size=1,
    max_size=4,
    unique=True,
)


@given(NAMES, st.text(ALPHABET, max_size=24))
def test_the_automaton_finds_what_the_slow_twin_finds(names: list[str], text: str) -> None:
    entities = [Entity(id=str(index), name=name, kind=Kind.NAME) for index, name in enumerate(names)]
    compiled_names, marked = compile_names(list(enumerate(entities))), mark(fold(text))
    spellings = [owners[0].form.text for owners in compiled_names.owners.values()]
    got = set()
    for number, start, end in _Reading(compiled_names, marked, Field.CONTENT, Mentions())._found():
        span = marked.span(start, end, field=Field.CONTENT)
        got.add((spellings[number], span.start, span.end))
    assert got == slow_find(spellings, text)


@given(NAMES, st.text("bc -.", max_size=60), st.randoms(use_true_random=False))
def test_the_order_of_entities_changes_nothing(names: list[str], text: str, order: random.Random) -> None:
    shuffled = order.sample(names, len(names))
    assert found(text, *names) == found(text, *shuffled)


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_name_is_found_in_any_text_that_has_it_between_spaces(before: str, after: str) -> None:
    text = f"{before} . Lady Gaga . {after}"
    assert "Lady Gaga" in found(text, "Lady Gaga")


@given(st.text(min_size=1, max_size=30))
def test_any_name_is_found_in_itself(name: str) -> None:
    try:
        hits = found(f"x {' '.join(name.split())} y", {"name": name, "kind": Kind.NAME})
    except InvalidRubric:
        return
    assert name in hits


def test_marking_keeps_the_fast_and_the_wide_path_alike() -> None:
    text = "Lady Gaga's **Just** Dance, AC/DC -- 1,000\n\nx_y"
    names = ("Lady Gaga", "Just Dance", "AC/DC", "x y", "1000")
    ascii_hits, wide_hits = found(text, *names), found(text + " ж", *names)
    assert ascii_hits == wide_hits
    assert set(ascii_hits) == set(names)
    assert isinstance(mark(fold(text)).text, bytes)
    assert isinstance(mark(fold(text + " ж")).text, str)


def test_hostile_names_do_not_multiply_the_work() -> None:
    """Names nested in one another, over a text of nothing else: matches stay below the words of the text."""
    entities = tuple(Entity(id=str(size), name=" ".join(["a"] * size)) for size in range(1, 60))
    names = compiled(Rubric(entities))
    text = fold("a " * 20_000)
    scanned = names.narrow[1].find_matches_as_indexes(mark(text).text)
    assert len(scanned) <= 20_000
    mentions = find(names, mark(text), field=Field.CONTENT)
    assert sum(map(len, mentions.matches.values())) <= 60 * MOST_MENTIONS
