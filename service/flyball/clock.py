"""The real clock. Time neither jumps nor runs back for as long as a process lives, whatever is done to the machine's.

A due time that was an hour ago must not be an hour ahead because somebody corrected the clock, and a minute's wait must
be a minute. So the present is the machine's time at the start and what has passed since then, sleep of the machine
included; what its clock says meanwhile is approached by a tenth. Only a difference beyond `FOLLOWED` is taken over at
once: the clock was plainly wrong before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

SLEWED: Final = 0.1  # of the time that passes
FOLLOWED: Final = 3600.0  # seconds


def _passing() -> float:
    """Seconds that never jump, sleep of the machine included where the system counts it (Linux)."""
    return time.clock_gettime(_SOURCE)


_SOURCE: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The machine's time, in UTC.

    Args:
        wall: what the machine's clock says, seconds since the epoch.
        passing: seconds that never jump.
    """

    def __init__(self, wall: Callable[[], float] = time.time, passing: Callable[[], float] = _passing) -> None:
        self._wall = wall
        self._passing = passing
        self._lock = threading.Lock()
        self._seen = passing()
        self._told = wall()

    def now(self) -> datetime:
        """The present."""
        with self._lock:
            seen, wall = self._passing(), self._wall()
            passed = seen - self._seen
            expected = self._told + passed
            off = wall - expected
            most = passed * SLEWED
            self._told = wall if abs(off) > FOLLOWED else expected + max(-most, min(most, off))
            self._seen = seen
            return _EPOCH + timedelta(microseconds=round(self._told * 1_000_000))

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
