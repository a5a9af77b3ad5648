"""When to try again: a pure function from what is known of an effect to a number of seconds."""

from __future__ import annotations

import hashlib

FIRST = 30.0  # seconds before the second attempt
LONGEST = 3600.0  # seconds at the most
ATTEMPTS = 8  # in all, for transient failures


def delay(attempt: int, *, first: float = FIRST, longest: float = LONGEST, key: str = "") -> float:
    """Seconds to wait after the `attempt`-th failed attempt (counted from 1).

    Doubles from `first` to `longest`; spread by up to a quarter by the effect's own key, so that effects which failed
    together do not come back together, and a given effect always waits the same time.
    """
    plain = min(longest, first * 2.0 ** min(attempt - 1, 30))
    spread = int.from_bytes(hashlib.blake2b(f"{key}/{attempt}".encode(), digest_size=2).digest(), "big") / 65536
    return plain * (1 - spread / 4)


def exhausted(attempts: int, allowed: int = ATTEMPTS) -> bool:
    """Whether a transient failure is final now."""
    return attempts >= allowed
