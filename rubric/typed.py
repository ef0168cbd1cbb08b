"""Values in a text: quantities, years and months, compared by what they are and not by how they are written.

Figures are read off the text, where a rubric asks for one, since they have endless spellings. Days and spoken
numbers are written out by `names.py` and looked for by the automaton like names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from itertools import islice

from rubric.dates import Period, in_a_day, month_of
from rubric.entity import Field, Match, NearMiss, Stage
from rubric.lexicon import CURRENCIES, SCALE_WORDS, UNITS
from rubric.quantity import Quantity, quantity, read_behind, same_unit
from rubric.text import Folded

MOST_FIGURES = 16_384
"""Figures read in one text: a bound for texts that repeat a wanted one for ever."""


@dataclass(frozen=True)
class Values:
    """What is wanted: quantities by value, with the index of their entity, their unit and whether they are
    written as years are; and periods by year, with the index of theirs.
    """

    quantities: dict[Decimal, list[tuple[int, str, bool]]] = field(default_factory=dict)
    years: dict[int, list[tuple[int, Period]]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.quantities or self.years)

    @cached_property
    def digits(self) -> re.Pattern[str]:
        """What a text must hold for a value to be there: figures that have no such digits are not read."""
        wanted = {*map(_significant, self.quantities), *(str(year) for year in self.years)}
        return re.compile("|".join(sorted(wanted, key=len, reverse=True)))

    def add(self, entity: int, value: Quantity | Period, *, name: str) -> None:
        """Look for a value on behalf of an entity."""
        if isinstance(value, Quantity):
            wanted = (entity, value.unit, bool(_YEAR_LIKE.fullmatch(name.strip())))
            self.quantities.setdefault(value.value, []).append(wanted)
        else:
            self.years.setdefault(value.year, []).append((entity, value))


def find_values(values: Values, text: Folded, *, field: Field) -> Iterator[Match | tuple[int, NearMiss]]:
    """Every mention of a wanted value, in text order; and near misses with the index of their entity."""
    folded = text.text
    for start, end, value in islice(_figures(values, folded), MOST_FIGURES):
        before, behind = folded[max(0, start - _REACH) : start], folded[end : end + _REACH]
        for entity, period in values.years.get(int(value) if end - start == _YEAR else -1, ()):
            if period.month in {None, month_of(before, behind)}:
                yield Match(entity, Stage.DATE, text.span(start, end, field=field))
        found = read_behind(value, behind, before=before)
        if found is None:
            continue
        read, scaled, whole = found
        for entity, unit, year in values.quantities.get(read.value, ()):
            span = text.span(start, end + (whole if unit else scaled), field=field)
            reason = _other_unit(read, unit, folded[start:end])
            if reason is None and year:
                reason = _no_year(read, before, behind)
            yield (entity, NearMiss(span, reason)) if reason else Match(entity, Stage.NUMBER, span)


def _no_year(read: Quantity, before: str, behind: str) -> str | None:
    """Why a number that is like a year is none: in a date, or an amount of money."""
    if in_a_day(before, behind):
        return "a part of a date; the kind `date` would count it"
    return f"an amount: {read.unit}" if read.unit in CURRENCIES else None


def spoken_refusal(name: str, before: str, behind: str) -> str | None:
    """Why a number in words does not count where it stands: "three" in "three billion"."""
    wanted = quantity(name)
    if _MORE_BEFORE.search(before) or _MORE_BEHIND.match(behind):
        return "a part of another number"
    found = read_behind(wanted.value, behind, before=before) if wanted else None
    if wanted is None or found is None:
        return "a part of another word"
    return _other_unit(found[0], wanted.unit, name)


def _figures(values: Values, folded: str) -> Iterator[tuple[int, int, Decimal]]:
    """(start, end, value) of figures that may be wanted and stand alone: not in 3:2, 1/2, v3.5.2 or A4."""
    reach = 0
    for found in values.digits.finditer(folded):
        start = found.start()
        if start < reach:
            continue
        while start and folded[start - 1] in _OF_FIGURES:
            start -= 1
        match = _FIGURE.search(folded, start) or found
        start, reach = match.span()
        end = reach - (len(match[0]) - len(match[0].rstrip(".,")))
        written = folded[start:end]
        before, second, behind = (
            folded[start - 1 : start],
            folded[start - 2 : start - 1],
            folded[end : end + 2],
        )
        glued = before.isalnum() or before == "_" or (before in {":", "/", "."} and second.isdigit())
        goes_on = behind[:1] in {":", "/", "_"} and behind[1:].isalnum()
        dialed = before == "-" and second.isdigit() and written[0] == "0"
        if glued or goes_on or dialed or not _PLAIN.fullmatch(written):
            continue
        if before == "-" and not (second.isalnum() or second in {")", "]"}):
            start, written = start - 1, f"-{written}"
        yield start, end, Decimal(written.replace(",", ""))


def _significant(value: Decimal) -> str:
    """A pattern for the digits that every way to write a value has in a row, whatever stands between them."""
    digits = "".join(map(str, value.as_tuple().digits)).strip("0")
    return "[.,]?".join(digits) or "0"


_OF_FIGURES = frozenset("0123456789.,")
_REACH, _YEAR = 32, 4
_YEAR_LIKE = re.compile(r"[12]\d{3}")
_FIGURE = re.compile(r"\d[\d.,]*")
_PLAIN = re.compile(r"(?:\d{1,3}(?:,\d{3}){1,10}|\d{1,30})(?:\.\d{1,30})?")
_NUMBER_WORDS = "|".join(
    (*UNITS, "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
)
_MORE_BEFORE = re.compile(rf"(?:{_NUMBER_WORDS}|hundred|{'|'.join(SCALE_WORDS)})(?:[ -]+| and )$|\d[ -]$")
_MORE_BEHIND = re.compile(
    rf"[ -]+(?:and )?(?:{_NUMBER_WORDS}|hundred|{'|'.join(SCALE_WORDS)})(?!\w)| point | and a half"
)


def _other_unit(read: Quantity, unit: str, written: str) -> str | None:
    """A plain number is named whatever it counts; a quantity only with its own unit."""
    if not unit or same_unit(read.unit, unit):
        return None
    return f"units differ: {unit} / {read.unit or f'none, at {written}'}"
