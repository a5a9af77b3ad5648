"""How far a site's clock is ahead of ours, by the Date of its answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_SAME_TIME: Final = timedelta(seconds=2)  # Date has whole seconds: a smaller difference of the clocks cannot be told


class SiteClock:
    """The clock of one site.

    Args:
        now: the present in UTC, by our clock.

    Attributes:
        ahead: of ours, by the Date of its last answer; 0 within two seconds.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.ahead = timedelta(0)
        self._now = now
        self._last: str | None = None

    def see(self, date: str | None) -> None:
        """Takes in the Date header of an answer. One that is no date, or has no zone, says nothing."""
        if date is None or date == self._last:  # a second has hundreds of answers
            return
        self._last = date
        try:
            there = parsedate_to_datetime(date)
        except ValueError:
            return
        if there.tzinfo is not None:
            ahead = there - self._now()
            self.ahead = ahead if abs(ahead) > _SAME_TIME else timedelta(0)
