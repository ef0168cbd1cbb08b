"""Days, months and years: read from a name, and written out in every usual way.

    date_value("May 5, 2008") == date(2008, 5, 5)
    period_value("May 2008") == Period(2008, 5)

An order that could be two days (05/06/2008) is no date: it matches nothing but itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import product

from rubric.numerals import ordinal
from rubric.text import fold


@dataclass(frozen=True, slots=True)
class Period:
    """A month of a year, or a whole year."""

    year: int
    month: int | None = None


def date_value(text: str) -> date | None:
    """The day that a text names, or None: also for orders that could be two days (05/06/2008)."""
    folded = " ".join(re.sub(r"[,.]|\bof\b|\bthe\b", " ", fold(text.strip()).text).split())
    for pattern in _DATES:
        match = pattern.fullmatch(folded)
        if match:
            return _day(match["year"], match["month"], match["day"])
    match = _NUMERIC_DATE.fullmatch(fold(text.strip()).text)
    return _unambiguous(match) if match else None


def period_value(text: str) -> Period | None:
    """The year or the month that a text names, or None."""
    folded = " ".join(re.sub(r"[,.]|\bof\b", " ", fold(text.strip()).text).split())
    match = _PERIOD.fullmatch(folded)
    if not match:
        return None
    month = _month(match["month"] or match["number"]) if match["month"] or match["number"] else None
    return Period(int(match["year"] or match["of"]), month) if (month or 1) <= _MONTHS_A_YEAR else None


def month_of(before: str, behind: str) -> int | None:
    """The month of the date that a year is a part of, by the folded text around it; None: of none."""
    iso = _ISO_BEHIND.match(behind)
    if iso:
        return int(iso[1])
    named = _MONTH_BEFORE.search(before)
    if named:
        return _month(named["month"])
    return None


def in_a_day(before: str, behind: str) -> bool:
    """Whether a year is a part of a whole date: "May 5, 2008"."""
    iso = _ISO_BEHIND.match(behind)
    named = _MONTH_BEFORE.search(before)
    return bool(
        (iso and iso[2]) or (named and (named["first"] or named["second"])) or _FIGURES.search(before)
    )


def date_forms(day: date) -> Iterator[str]:
    """Every usual way to write a day whose order of day and month cannot be mistaken."""
    number, counted = str(day.day), ordinal(day.day)
    month = _MONTHS[day.month - 1]
    for name, figure in product(
        (month, month[:3], f"{month[:3]}.", *_OTHER_NAMES.get(month, ())), (number, counted)
    ):
        yield from (f"{name} {figure}, {day.year}", f"{name} {figure} {day.year}")
        yield from (f"{figure} {name} {day.year}", f"{figure} {name}, {day.year}")
        yield from (f"{figure} of {name} {day.year}", f"{figure} of {name}, {day.year}")
        yield f"{name} the {figure}, {day.year}"
    yield from _numeric_forms(day)


def month_forms(period: Period) -> Iterator[str]:
    """Every usual way to write a month of a year."""
    month = _MONTHS[(period.month or 1) - 1]
    for name in (month, month[:3], f"{month[:3]}.", *_OTHER_NAMES.get(month, ())):
        yield from (f"{name} {period.year}", f"{name}, {period.year}", f"{name} of {period.year}")


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

_MONTH_NAMES = "|".join(f"{month}|{month[:3]}" for month in _MONTHS) + "|sept"
_DATES = (
    re.compile(rf"(?P<month>{_MONTH_NAMES}) (?P<day>\d{{1,2}})(?:st|nd|rd|th)? (?P<year>\d{{3,4}})"),
    re.compile(rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th)? (?P<month>{_MONTH_NAMES}) (?P<year>\d{{3,4}})"),
    re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"),
)
_NUMERIC_DATE = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})")


def _day(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), _month(month), int(day))
    except ValueError:
        return None


def _unambiguous(match: re.Match[str]) -> date | None:
    first, second = int(match[1]), int(match[3])
    if first > _MONTHS_A_YEAR or first == second:
        return _day(match[4], str(second), str(first))
    return _day(match[4], str(first), str(second)) if second > _MONTHS_A_YEAR else None


_PERIOD = re.compile(
    rf"(?:(?P<month>{_MONTH_NAMES}) )?(?P<year>[12]\d{{3}})|(?P<of>[12]\d{{3}})-(?P<number>\d\d)"
)
_ISO_BEHIND = re.compile(r"[-/.](\d{1,2})(?:[-/.](\d{1,2}))?(?!\d)")
_MONTH_BEFORE = re.compile(
    rf"(?<!\w)(?:(?P<first>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? )?(?P<month>{_MONTH_NAMES})\.?"
    r"(?: (?:the )?(?P<second>\d{1,2})(?:st|nd|rd|th)?)?,? (?:of )?$"
)
_FIGURES = re.compile(r"(?<!\d)\d{1,2}[/.-]\d{1,2}[/.-]$")


def _month(text: str) -> int:
    return int(text) if text.isdigit() else 1 + [name[:3] for name in _MONTHS].index(text[:3])
