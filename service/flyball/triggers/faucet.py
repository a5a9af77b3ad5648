"""How many deliveries of one hook are taken: a generous burst, then so many a second.

A sender that runs wild must not fill the ledger. Only deliveries whose signature is right count: whoever does not know
the secret can neither store anything nor use up what the others may send.
"""

from __future__ import annotations

import math
from typing import Final

BURST: Final = 20_000  # a site's whole history replayed at once still gets in
PER_SECOND: Final = 200.0


class Faucet:
    """Lets a burst through, then a steady flow. Time is an argument; any monotonic clock will do.

    Args:
        burst: deliveries that may come at once.
        per_second: how many more each second allows.
    """

    def __init__(self, burst: int = BURST, per_second: float = PER_SECOND) -> None:
        self._burst = float(burst)
        self._per_second = per_second
        self._left = self._burst
        self._last: float | None = None

    def wait(self, now: float) -> int:
        """0 when one more may pass, which it then does; else in how many whole seconds to ask again."""
        if self._last is not None:
            self._left = min(self._burst, self._left + (now - self._last) * self._per_second)
        self._last = now
        if self._left >= 1.0:
            self._left -= 1.0
            return 0
        return max(1, math.ceil((1.0 - self._left) / self._per_second))
