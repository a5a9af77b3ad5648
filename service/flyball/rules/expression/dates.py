"""Dates: which fields hold them, how their text is read, and what may be done with them.

A date without a zone is unknown: read in the wrong zone, a scan moves by up to a day.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from flyball.rules.expression.context import Run
from flyball.rules.expression.moving import Moving, MovingDate, slope
from flyball.rules.expression.values import Unknown

FIELDS: Final = frozenset({"timestamp", "created", "modified", "date_of_birth"})
"""Field names whose text is a date wherever they stand in a document."""

SECONDS: Final = {
    "minutes": 60.0,
    "hours": 3_600.0,
    "days": 86_400.0,
    "years": 365.25 * 86_400.0,
}
"""Seconds in each unit; a year is 365.25 days."""


def read_date(text: str, name: str) -> datetime | Unknown:
    """The date that `text` spells in ISO 8601; unknown when it spells none or has no zone."""
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return Unknown(f"{name} is text {text[:40]!r}, a date in ISO 8601 is needed", "unusable")
    if date.tzinfo is None:
        return Unknown(f"{name} is the date {text[:40]!r} without a zone", "unusable")
    return date


def has_zone(date: datetime) -> bool:
    return date.tzinfo is not None


def seconds_between(later: datetime, earlier: datetime) -> float:
    """`later` minus `earlier` in seconds; moves when one of them does."""
    return Moving.of((later - earlier).total_seconds(), slope(later) - slope(earlier))


def shifted(date: datetime, seconds: float) -> datetime | None:
    """`date` moved by `seconds`; None outside of the calendar."""
    try:
        moved = date + timedelta(seconds=float(seconds))
    except OverflowError:
        return None
    pace = slope(date) + slope(seconds)
    if pace:
        return MovingDate.of(moved, pace)
    return still(moved)


def still(date: datetime) -> datetime:
    """`date` as a plain one that no longer moves."""
    if date.__class__ is datetime:
        return date
    return datetime(
        date.year,
        date.month,
        date.day,
        date.hour,
        date.minute,
        date.second,
        date.microsecond,
        date.tzinfo,
        fold=date.fold,
    )


def note_crossing(run: Run, left: Any, right: Any) -> None:
    """Notes when two comparable quantities will be equal, if one of them moves."""
    closing = slope(left) - slope(right)
    if closing == 0.0:
        return
    apart = (right - left).total_seconds() if isinstance(left, datetime) else float(right) - float(left)
    run.turns(apart / closing)
