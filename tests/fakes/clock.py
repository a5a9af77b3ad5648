"""A clock that only tests move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


class FakeClock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime = START) -> None:
        self.time = now
        self.seconds = 1000.0

    def now(self) -> datetime:
        """The present, UTC."""
        return self.time

    def monotonic(self) -> float:
        """Seconds that move along."""
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.time += timedelta(seconds=seconds)
        self.seconds += seconds

    def advance_to(self, time: datetime) -> None:
        """Let time pass until then; a time that has passed changes nothing."""
        if time > self.time:
            self.advance((time - self.time).total_seconds())
