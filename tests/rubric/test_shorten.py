from __future__ import annotations

import pytest

from rubric.shorten import MOST_VARIANTS, Omitted, legal_form_of, variants
from tests.rubric.finding import found, refused


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("the Solent", "Solent"),
        ("Mercury (planet)", "Mercury"),
        ("Siemens AG", "Siemens"),
        ("Walmart Inc.", "Walmart"),
        ("Crystalord Limited", "Crystalord"),
        ("Ikegami Co., Ltd. (Japan)", "Ikegami"),
        ("Ferrero S.p.A.", "Ferrero"),
        ("Stoke City FC", "Stoke City"),
        ("FC Inter Turku", "Inter Turku"),
        ("SK Slavia Praha", "Slavia Praha"),
        ("President James K. Polk", "James K. Polk"),
        ("Dr. Martin Luther King", "Martin Luther King"),
        ("James Graham, 1st Duke of Montrose", "James Graham"),
        ("William II, Duke of Bavaria", "Duke William II of Bavaria"),
        ("Karl Anton, Count of Prussia", "Karl Anton of Prussia"),
        ("Henry the Eighth", "Henry VIII"),
        ("Universidade de Campinas (UNICAMP)", "UNICAMP"),
        ("MIMOVE: Middleware on the Move", "MIMOVE"),
        ("National Aeronautics and Space Administration", "NASA"),
        ("CD Numancia", "Club Deportivo Numancia"),
    ],
)
def test_a_name_can_do_without_a_part(name: str, short: str) -> None:
    assert short in [variant.text for variant in variants(name)]


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Health Spa", "Health"),
        ("Tiffany & Co.", "Tiffany &"),
        ("The Who", "Who"),
        ("Lady Gaga", "Gaga"),
        ("President of the United States", "of the United States"),
        ("US Open", "Open"),
        ("CS Lewis", "Lewis"),
        ("General Motors", "Motors"),
        ("King Edward Hotel", "Edward Hotel"),
        ("William II, Duke of Bavaria", "William II"),
        ("Rio Tinto (USA)", "USA"),
        ("Rotary Club", "Rotary"),
    ],
)
def test_a_name_keeps_what_makes_it_one(name: str, short: str) -> None:
    assert short not in [variant.text for variant in variants(name)]


def test_what_was_left_out_is_remembered() -> None:
    siemens = variants("Siemens AG (Germany)")[-1]
    assert siemens.text == "Siemens"
    assert {each.kind: each.text for each in siemens.omissions} == {
        Omitted.QUALIFIER: "Germany",
        Omitted.LEGAL_FORM: "ag",
    }


@pytest.mark.parametrize(
    ("text", "gold", "reason"),
    [
        ("the Porsche SE", "Porsche AG", "stands with another legal form than “ag”"),
        ("Mercury (element)", "Mercury (planet)", "stands with another qualifier than “planet”"),
        (
            "James Graham, 3rd Duke of Montrose",
            "James Graham, 1st Duke of Montrose",
            "stands with another rank",
        ),
        ("He was born in Luzern.", "FC Luzern", "without “FC” it may be the place"),
    ],
)
def test_another_part_in_the_place_of_the_one_left_out_is_another_entity(
    text: str, gold: str, reason: str
) -> None:
    assert found(text, gold) == {}
    assert refused(text, gold)[gold].startswith(reason)


def test_a_club_is_found_by_its_short_name_and_its_long_one() -> None:
    for text in ("a goal for Luzern", "Luzern Football Club", "FC Luzern", "when Luzern won"):
        assert found(text, "FC Luzern"), text


def test_a_legal_form_needs_its_capitals() -> None:
    assert legal_form_of(", Inc.") == legal_form_of(" Corporation") == "corporation"
    assert legal_form_of(" GmbH & Co. KG") == "kg"
    assert legal_form_of(" as") == legal_form_of(" Spa") == legal_form_of(" ag") == ""


def test_a_name_of_many_parts_has_a_bounded_number_of_variants() -> None:
    name = "The President Dr. Mr. Sir King Charles III, 5th Duke of Edinburgh Inc. Ltd. GmbH FC (a) (b) (c)"
    assert len(variants(name)) <= MOST_VARIANTS
