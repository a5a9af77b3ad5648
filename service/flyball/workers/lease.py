"""The lease of a replica: until when it may act, by its own clock. Without a sign of life that arrived, it runs out.

The others declare a replica dead some seconds after its lease has ended. One that was stopped and goes on finds its
lease over before it sends anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable


def boot_clock() -> float:
    """Seconds on a clock that goes on while the process is stopped or the machine sleeps."""
    kind = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # Linux has it
    return time.clock_gettime(kind)


class Lease:
    """Whether this process may act.

    Args:
        seconds: how long one sign of life holds.
        clock: see `boot_clock`.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = boot_clock) -> None:
        self._seconds = seconds
        self._clock = clock
        self._until = float("-inf")

    def now(self) -> float:
        """To be asked before a sign of life is sent, and given to `renew`."""
        return self._clock()

    def renew(self, sent: float) -> None:
        """A sign of life that was sent at `sent` has arrived."""
        self._until = max(self._until, sent + self._seconds)

    def revoke(self) -> None:
        """Act no more, until the next sign of life arrives."""
        self._until = float("-inf")

    @property
    def holds(self) -> bool:
        """Whether this process may act now."""
        return self._clock() < self._until
