"""Numbers with what they count: 1,000 = one thousand, $3 billion = three billion dollars, 12 % = 12 percent.

quantity("US$3bn") == Quantity(Decimal("3E+9"), "usd")
quantity("42") == Quantity(Decimal(42), "")
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from rubric.lexicon import CURRENCIES, CURRENCY_SIGNS, MEASURES, SCALE_WORDS, SHORT_SCALES
from rubric.numerals import spoken_number
from rubric.text import fold


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value, and the unit it is given in: a currency, a measure, "%", or nothing."""

    value: Decimal
    unit: str


@lru_cache(maxsize=4096)
def quantity(text: str) -> Quantity | None:
    """The quantity that a text is, and nothing else, or None."""
    match = _QUANTITY.fullmatch(" ".join(fold(text).text.split()))
    if not match:
        return None
    value = _value(match["figure"], match["spoken"])
    sign, word = match["sign"], match["word"]
    unit = CURRENCY_SIGNS.get(sign or "") or unit_named(word or "")
    if value is None or (sign and word and unit_named(word) != unit):
        return None
    scale = match["scale"]
    power = SCALE_WORDS.get(scale or "", SHORT_SCALES.get(scale or "", 0))
    if scale in SHORT_SCALES and unit not in CURRENCY_SIGNS.values():
        unit, power = unit_named(scale), 0  # 5 m is a length, $5 m an amount
        return Quantity(value, unit) if unit and not word else None
    return Quantity(_scaled(value, power), unit) if not word or unit else None


def read_behind(value: Decimal, behind: str, *, before: str) -> tuple[Quantity, int, int] | None:
    """What a figure in a folded text stands for, and where behind it its scale and its unit end.

    None where the letters behind it make something else of it: 42nd, 1990s.
    """
    sign = _SIGN_BEFORE.search(before)
    currency = CURRENCY_SIGNS[sign[1]] if sign else ""
    scale = _SCALE_BEHIND.match(behind) or (_SHORT_BEHIND.match(behind) if currency else None)
    taken = whole = scale.end() if scale else 0
    power = {**SCALE_WORDS, **SHORT_SCALES}[scale[1]] if scale else 0
    unit = _UNIT_BEHIND.match(behind, taken)
    if not taken and not unit and behind[:1].isalnum():
        return None
    named = unit_named(unit[1]) if unit else ""
    if named and (not currency or named == currency):
        whole = unit.end() if unit else taken
    return Quantity(_scaled(value, power), currency or named), taken, whole


def same_unit(one: str, other: str) -> bool:
    """Whether two units can be the same; pounds are money or a weight."""
    return one == other or {one, other} in ({"gbp", "pound"}, {"lb", "pound"})


def unit_named(word: str) -> str:
    """The unit that a folded word or sign names, or nothing."""
    return _UNITS.get(word, "")


def _value(figure: str | None, spoken: str | None) -> Decimal | None:
    if figure:
        return Decimal(figure.replace(",", ""))
    value = spoken_number(spoken or "")
    return None if value is None else Decimal(value)


def _scaled(value: Decimal, power: int) -> Decimal:
    return value.scaleb(power) if power else value


def _any(words: object) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))  # type: ignore[call-overload]


_UNITS = {word: unit for table in (CURRENCIES, MEASURES) for unit, words in table.items() for word in words}
_SIGN = _any(CURRENCY_SIGNS)
_FIGURE = r"-?(?:\d{1,3}(?:,\d{3}){1,10}|\d{1,30})(?:\.\d{1,30})?"
_SCALE = _any((*SCALE_WORDS, *SHORT_SCALES))
_QUANTITY = re.compile(
    rf"(?P<sign>{_SIGN})? ?"
    rf"(?:(?P<figure>{_FIGURE})(?:[ -]?(?P<scale>{_SCALE})(?![a-z]))?|(?P<spoken>[a-z][a-z -]*?))"
    rf"(?:[ -]?(?P<word>{_any(_UNITS)}))?"
)
_SIGN_BEFORE = re.compile(rf"({_SIGN}) ?$")
_SCALE_BEHIND = re.compile(rf"[ -]?({_any(SCALE_WORDS)})(?!\w)")
_SHORT_BEHIND = re.compile(rf" ?({_any(SHORT_SCALES)})(?!\w)")
_UNIT_BEHIND = re.compile(rf"[ -]?({_any(_UNITS)})(?![\w/])")
