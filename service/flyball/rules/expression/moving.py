"""Quantities that move with the present time: `now`, an age, the days since a scan.

They are numbers and dates like any other, and also know their slope, so that a comparison can work out when it will
turn out differently. They may be kept as the value of a name and still know it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Self


class Moving(float):
    """A number as it is now, with its change per second of passing time."""

    __slots__ = ("slope",)
    slope: float

    @classmethod
    def of(cls, value: float, slope: float) -> float:
        """A moving number, or a plain one when the slope is nothing."""
        if slope == 0.0:
            return float(value)
        number = cls(value)
        number.slope = slope
        return number


class MovingDate(datetime):
    """A date as it is now, moving on by `slope` seconds each second."""

    slope: float = 1.0

    @classmethod
    def of(cls, at: datetime, slope: float) -> Self:
        moved = cls(at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, at.tzinfo, fold=at.fold)
        moved.slope = slope
        return moved


def slope(value: object) -> float:
    """Change per second of passing time; 0 for everything that stands still."""
    return value.slope if isinstance(value, Moving | MovingDate) else 0.0
