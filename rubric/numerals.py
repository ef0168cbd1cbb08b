"""One number, said in different ways: 21, twenty-one, XXI, 21st, twenty-first.

spoken(1_234) == "one thousand two hundred thirty-four"
roman(14) == "XIV"
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from rubric.lexicon import ORDINALS, SCALES, TENS, UNITS

MOST_ROMAN = 89
"""Beyond it, and for XL, LI and the like, a run of capitals is more often an abbreviation than a numeral."""


def spoken(number: int) -> str:
    """A whole number from 0 up to 10^15, in words, as an American says it (without "and")."""
    if number < len(UNITS):
        return UNITS[number]
    if number < _HUNDRED:
        return TENS[number // 10] + (f"-{UNITS[number % 10]}" if number % 10 else "")
    if number < _THOUSAND:
        return _joined(f"{UNITS[number // _HUNDRED]} hundred", number % _HUNDRED)
    scale, power = next(each for each in reversed(SCALES.items()) if number >= 10 ** each[1])
    return _joined(f"{spoken(number // 10**power)} {scale}", number % 10**power)


def all_spoken(number: int) -> Iterator[str]:
    """Every usual way to say a whole number: with "and", with "a" for one, hundreds beyond a thousand."""
    plain = spoken(number)
    british = re.sub(r"hundred (?=\w)", "hundred and ", plain)
    british = re.sub(r"(thousand|million|billion|trillion) (?=[\w-]+$)", r"\1 and ", british)
    for text in dict.fromkeys((plain, british)):
        yield text
        if text.startswith("one ") and (number % 10**3 == 0 or number < 2 * _HUNDRED):
            yield "a" + text[3:]
    if _THOUSAND < number < _TEN * _THOUSAND and number % _HUNDRED == 0 and number % _THOUSAND:
        yield f"{spoken(number // _HUNDRED)} hundred"
    elif 1100 < number < 2100 and number % _HUNDRED >= _TEN:  # noqa: PLR2004 (years)
        yield f"{spoken(number // _HUNDRED)} {spoken(number % _HUNDRED)}"


def spoken_number(text: str) -> int | None:
    """The value of a whole number in words ("two hundred and five", "fifteen hundred"), or None."""
    words = text.replace("-", " ").split()
    words = ["one", *words[1:]] if words[:1] == ["a"] and len(words) > 1 else words
    total = group = last = 0
    for word in words:
        if word in SCALES or word == "hundred":
            power = 10 ** SCALES.get(word, 2)
            if not group or (word == "hundred" and group >= _HUNDRED):
                return None
            group, total = (group * power, total) if word == "hundred" else (0, total + group * power)
            last = power
        elif word in _spoken_values():
            value = _spoken_values()[word]
            tens_before = last in range(2 * _TEN, _HUNDRED) and last % _TEN == 0
            if last and last < _HUNDRED and not (tens_before and 0 < value < _TEN):
                return None
            group, last = group + value, value or _TEN - 1
        elif word != "and" or not last:
            return None
    return total + group if words and words[-1] != "and" else None


def ordinal(number: int) -> str:
    """`21st`."""
    ending = "th" if 10 < number % _HUNDRED < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")  # noqa: PLR2004
    return f"{number}{ending}"


def spoken_ordinal(number: int) -> str:
    """`twenty-first`."""
    head, dash, last = spoken(number).rpartition("-")
    if not dash:
        head, dash, last = spoken(number).rpartition(" ")
    return f"{head}{dash}{_as_ordinal(last)}"


def roman(number: int) -> str:
    """`XIV`, up to `MOST_ROMAN`."""
    return _ROMAN_TENS[number // 10] + _ROMAN_UNITS[number % 10]


def roman_value(text: str) -> int | None:
    """The value of a Roman numeral in capitals, or None for anything else."""
    return _romans().get(text)


def spoken_value(text: str) -> int | None:
    """The value of a number word or of a hyphenated pair below one hundred, or None."""
    return _spoken_values().get(text)


def ordinal_value(text: str) -> int | None:
    """The value of `21st` or `twenty-first` below one hundred, or None."""
    return _ordinal_values().get(text)


_TEN, _HUNDRED, _THOUSAND, _SHORT_ROMAN = 10, 100, 1000, 2
_ROMAN_TENS = ("", "X", "XX", "XXX", "XL", "L", "LX", "LXX", "LXXX")
_ROMAN_UNITS = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")


def _joined(head: str, rest: int) -> str:
    return f"{head} {spoken(rest)}" if rest else head


def _as_ordinal(word: str) -> str:
    if word in ORDINALS:
        return ORDINALS[word]
    return f"{word[:-1]}ieth" if word.endswith("y") else f"{word}th"


@cache
def _romans() -> dict[str, int]:
    numerals = {roman(number): number for number in range(1, MOST_ROMAN + 1)}
    return {text: number for text, number in numerals.items() if "L" not in text or len(text) > _SHORT_ROMAN}


@cache
def _spoken_values() -> dict[str, int]:
    return {spoken(number): number for number in range(_HUNDRED)}


@cache
def _ordinal_values() -> dict[str, int]:
    values = {spoken_ordinal(number): number for number in range(1, _HUNDRED)}
    return values | {ordinal(number): number for number in range(1, _HUNDRED)}
