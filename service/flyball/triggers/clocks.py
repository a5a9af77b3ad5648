"""What a site's own stamps say of its clock. Pure.

`settle`, `since` and ages go by the site's clock. The Date header tells it, when it is there and when the server that
sends it is the one that stamps the data. So the stamps of fresh changes are held against it: a change that one round
brought and the round before did not was stamped in between. Where header and stamps disagree, the stamps are believed.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

SLACK = timedelta(seconds=2)
"""What commits and whole seconds of the header may blur."""

KEPT = 20
"""Observations that count; older ones are forgotten, since clocks are mended."""


class ClockEstimate:
    """How far the clock behind a site's stamps is ahead of ours."""

    def __init__(self) -> None:
        self._seen: deque[tuple[timedelta, timedelta]] = deque(maxlen=KEPT)

    def observe(self, stamp: datetime, since: datetime, until: datetime) -> None:
        """A change stamped `stamp` by the site came between `since` and `until` by our clock."""
        self._seen.append((stamp - until, stamp - since))

    def skew(self, header: timedelta) -> timedelta:
        """The best guess.

        Args:
            header: what the Date header says; zero where there is none.
        """
        if not self._seen:
            return header
        least = max(low for low, _ in self._seen)  # an old stamp that came late says nothing; the freshest says most
        most = max(high for _, high in self._seen)
        for guess in (header, timedelta(0)):
            if least - SLACK <= guess <= most + SLACK:
                return guess
        return least
