"""A published rate is only worth what its carriers and its means are."""

from __future__ import annotations

import random

import pytest
from pair_set import CARRIERS, Pair, _hide, _names_there, _say, macro
from ways import Seen

from rubric.entity import Field, Span

LONG = "The first sentence. The second one! Does the third name Oslo? It does."


@pytest.mark.parametrize("name", ["Oslo", "{}", "Smith [sic]", "St. Mary's"])
@pytest.mark.parametrize("carrier", CARRIERS.values(), ids=CARRIERS)
def test_a_name_does_not_stand_elsewhere_than_its_offsets_say(carrier, name):
    said = _say(name, carrier)
    hidden = _hide(said, LONG, random.Random(1))
    for placed in (said, hidden):
        assert placed.text[placed.start : placed.end] == name
    assert hidden.text.replace(f"{said.text} ", "", 1) == LONG


@pytest.mark.parametrize(
    ("at", "counted"), [((4, 8), True), ((0, 5), True), ((0, 4), False), ((8, 12), False)]
)
def test_a_mention_beside_the_name_is_not_credited_to_it(at, counted):
    said = _say("Oslo", "At, {}, it")
    start, end = said.start + at[0] - 4, said.start + at[1] - 4
    found = Seen({0: (Span(Field.CONTENT, start, end, said.text[start:end]),)})
    assert _names_there(found, said) is counted
    assert not _names_there(Seen({}), said)


def test_a_large_source_does_not_outvote_a_small_one():
    pairs = [Pair("a", "b", same=True, source="large")] * 9 + [Pair("a", "b", same=True, source="small")]
    rates = macro([*pairs, Pair("a", "c", same=False, source="small")], [1.0] * 9 + [0.0, 0.5])
    assert (rates["recall"], rates["false hits"]) == (0.5, 0.5)
    assert rates["sources"] == {"recall": {"large": 1.0, "small": 0.0}, "false hits": {"small": 0.5}}
