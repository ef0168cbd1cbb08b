"""Numbers and dates, compared by value: 1,000 = 1000, and May 5, 2008 = 2008-05-05.

Dates are written out in every usual way and looked for by the automaton; numbers have endless spellings and
are read off the text instead, only where a rubric asks for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from itertools import product

from rubric.entity import Field, Match, Stage
from rubric.text import Folded, fold

MOST_MENTIONS = 64
"""Mentions kept per number."""


def number_value(text: str) -> Decimal | None:
    """The value of a text that is a number and nothing else, or None."""
    match = _NUMBER.fullmatch(fold(text.strip()).text)
    return _value(match) if match and match["number"] else None


def date_value(text: str) -> date | None:
    """The day that a text names, or None: also for orders that could be two days (05/06/2008)."""
    folded = " ".join(re.sub(r"[,.]|\bof\b|\bthe\b", " ", fold(text.strip()).text).split())
    for pattern in _DATES:
        match = pattern.fullmatch(folded)
        if match:
            return _day(match["year"], match["month"], match["day"])
    match = _NUMERIC_DATE.fullmatch(fold(text.strip()).text)
    return _unambiguous(match) if match else None


def find_numbers(
    wanted: Mapping[Decimal, list[int]], text: Folded, *, field: Field
) -> dict[int, list[Match]]:
    """Mentions of the wanted values (value to entity indexes), by entity index, in text order."""
    mentions: dict[int, list[Match]] = {}
    for match in _NUMBER.finditer(text.text):
        if not match["number"]:
            continue
        for entity in wanted.get(_value(match), ()):
            found = mentions.setdefault(entity, [])
            if len(found) < MOST_MENTIONS:
                found.append(Match(entity, Stage.NUMBER, text.span(*match.span(), field=field)))
    return mentions


def date_forms(day: date) -> Iterator[str]:
    """Every usual way to write a day whose order of day and month cannot be mistaken."""
    number, ordinal = str(day.day), f"{day.day}{_suffix(day.day)}"
    month = _MONTHS[day.month - 1]
    for name, figure in product(
        (month, month[:3], f"{month[:3]}.", *_OTHER_NAMES.get(month, ())), (number, ordinal)
    ):
        yield from (f"{name} {figure}, {day.year}", f"{name} {figure} {day.year}")
        yield from (f"{figure} {name} {day.year}", f"{figure} {name}, {day.year}")
        yield from (f"{figure} of {name} {day.year}", f"{figure} of {name}, {day.year}")
        yield f"{name} the {figure}, {day.year}"
    yield from _numeric_forms(day)


def _numeric_forms(day: date) -> Iterator[str]:
    yield from (
        day.isoformat(),
        f"{day:%Y/%m/%d}",
        f"{day:%Y.%m.%d}",
        f"{day.year}年{day.month}月{day.day}日",
    )
    clear = day.day > _MONTHS_A_YEAR or day.day == day.month
    for mark in "/.-" if clear else "":
        for first, second in {(day.day, day.month), (day.month, day.day)}:
            yield from (
                f"{first}{mark}{second}{mark}{day.year}",
                f"{first:02}{mark}{second:02}{mark}{day.year}",
            )


# --- reading ----------------------------------------------------------------------------------------------

_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_MONTHS_A_YEAR = len(_MONTHS)
_OTHER_NAMES = {"september": ("sept", "sept.")}

_NUMBER = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}(?!\d)"
    r"|(?<![\w])(?<!\d[.,:/])(?P<number>(?:(?<![\w)\]])-)?"
    r"(?:\d{1,3}(?:,\d{3}){1,10}|\d{1,30})(?:\.\d{1,30})?)(?!\w)(?![.,:/]\d)"
)
_MONTH_NAMES = "|".join(f"{month}|{month[:3]}" for month in _MONTHS) + "|sept"
_DATES = (
    re.compile(rf"(?P<month>{_MONTH_NAMES}) (?P<day>\d{{1,2}})(?:st|nd|rd|th)? (?P<year>\d{{3,4}})"),
    re.compile(rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th)? (?P<month>{_MONTH_NAMES}) (?P<year>\d{{3,4}})"),
    re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"),
)
_NUMERIC_DATE = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})")


def _value(match: re.Match[str]) -> Decimal:
    return Decimal(match["number"].replace(",", ""))


def _day(year: str, month: str, day: str) -> date | None:
    number = int(month) if month.isdigit() else 1 + [name[:3] for name in _MONTHS].index(month[:3])
    try:
        return date(int(year), number, int(day))
    except ValueError:
        return None


def _unambiguous(match: re.Match[str]) -> date | None:
    first, second = int(match[1]), int(match[3])
    if first > _MONTHS_A_YEAR or first == second:
        return _day(match[4], str(second), str(first))
    return _day(match[4], str(first), str(second)) if second > _MONTHS_A_YEAR else None


def _suffix(day: int) -> str:
    return "th" if 10 < day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")  # noqa: PLR2004
