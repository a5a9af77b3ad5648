"""Checks a crontab line and a zone. When they are due is worked out elsewhere (`triggers`)."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from flyball.configfile.suggest import instead

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of the month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("weekday", 0, 7, _DAYS),
)
_PART = re.compile(r"(\*|[a-z0-9]+(?:-[a-z0-9]+)?)(?:/([0-9]{1,4}))?")


def check_cron(line: str) -> str:
    """The line with single blanks, in lower case.

    Raises:
        ValueError: with the field that is wrong.
    """
    fields = line.lower().split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"{line[:60]!r} has {len(fields)} fields; a schedule has five: minute, hour, day, month, weekday"
        )
    for text, (name, low, high, names) in zip(fields, _FIELDS, strict=True):
        for part in text.split(","):
            _check_part(part, name, low, high, names)
    return " ".join(fields)


def _check_part(part: str, name: str, low: int, high: int, names: list[str]) -> None:
    found = _PART.fullmatch(part)
    if found is None:
        raise ValueError(f"the {name} {part!r} makes no sense; write *, a number, a-b, or these with /step")
    span, step = found[1], found[2]
    if step is not None and not 1 <= int(step) <= high:
        raise ValueError(f"the {name}'s step {step} is out of range; it goes from 1 to {high}")
    if span == "*":
        return
    ends = [_number(word, name, low, high, names) for word in span.split("-")]
    if ends[0] > ends[-1]:
        raise ValueError(f"the {name} {span!r} runs backwards; write the smaller one first")


def _number(word: str, name: str, low: int, high: int, names: list[str]) -> int:
    if word.isdigit():
        number = int(word) if len(word) < 5 else high + 1
        if not low <= number <= high:
            raise ValueError(f"the {name} {word} is out of range; it goes from {low} to {high}")
        return number
    if word[:3] in names and len(word) == 3:
        return names.index(word) + low if names is _MONTHS else names.index(word)
    hint = f"; {instead(word, names)}" if names else ""
    raise ValueError(f"the {name} {word!r} is no number from {low} to {high}{hint}")


def check_zone(name: str) -> str:
    """The zone's name.

    Raises:
        ValueError: there is no such zone.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name[:60]!r}; {instead(name, _zones())}") from None
    return name


def _zones() -> list[str]:
    return [zone for zone in available_timezones() if "/" in zone or zone == "UTC"]
