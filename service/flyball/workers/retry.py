"""When to try again: pure functions from what is known of an effect to a number of seconds."""

from __future__ import annotations

import hashlib

FIRST = 30.0  # seconds before the second attempt
LONGEST = 3600.0  # seconds at the most
ATTEMPTS = 8  # in all, for failures of one request in particular
WEATHER_FIRST = 5.0  # the same while the site is away, or does not accept the key: it may be back any moment, and
WEATHER_LONGEST = 300.0  # once it is, nothing should wait long


def delay(attempt: int, *, first: float = FIRST, longest: float = LONGEST, key: str = "") -> float:
    """Seconds to wait after the `attempt`-th failed attempt (counted from 1).

    Doubles from `first` to `longest`; spread by up to a quarter by the effect's own key, so that effects which failed
    together do not come back together, and a given effect always waits the same time.
    """
    plain = min(longest, first * 2.0 ** min(max(attempt, 1) - 1, 30))
    return plain * (1 - _spread(key, attempt) / 4)


def obeyed(wait: float, *, attempt: int = 1, key: str = "") -> float:
    """Seconds to wait where the site said how many: never less, and spread over up to a quarter and a second more."""
    return wait + _spread(key, attempt) * (1 + wait / 4)


def exhausted(failures: int, allowed: int = ATTEMPTS) -> bool:
    """Whether a transient failure is final now."""
    return failures >= allowed


def _spread(key: str, attempt: int) -> float:
    """A number from 0 up to 1, always the same for the same effect and attempt."""
    return int.from_bytes(hashlib.blake2b(f"{key}/{attempt}".encode(), digest_size=2).digest(), "big") / 65536
