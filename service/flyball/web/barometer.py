"""The last half hour of each site's weather, sample by sample: what the small charts of the status page show.

Kept in memory, from the start of the process; for longer times there is Prometheus.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

EVERY: Final = 10.0  # seconds between samples
KEPT: Final = 180  # samples: half an hour


@dataclass(frozen=True, slots=True)
class Totals:
    """Requests to one site since the start: all, those refused with 429, those without an answer or with 5xx."""

    requests: int = 0
    throttled: int = 0
    failed: int = 0


@dataclass(slots=True)
class _Series:
    before: Totals
    requests: deque[int] = field(default_factory=lambda: deque(maxlen=KEPT))
    throttled: deque[int] = field(default_factory=lambda: deque(maxlen=KEPT))
    failed: deque[int] = field(default_factory=lambda: deque(maxlen=KEPT))
    lag: deque[float | None] = field(default_factory=lambda: deque(maxlen=KEPT))


class Barometer:
    """The samples of all sites."""

    def __init__(self) -> None:
        self._series: dict[str, _Series] = {}

    def note(self, site: str, totals: Totals, lag_s: float | None) -> None:
        """Take a sample; the first of a site counts from zero.

        Args:
            site: its name.
            totals: requests since the start.
            lag_s: seconds since the last round that went through, None before the first.
        """
        series = self._series.setdefault(site, _Series(Totals()))
        before, series.before = series.before, totals
        series.requests.append(totals.requests - before.requests)
        series.throttled.append(totals.throttled - before.throttled)
        series.failed.append(totals.failed - before.failed)
        series.lag.append(None if lag_s is None else round(lag_s, 1))

    async def run(self, read: Callable[[], Mapping[str, tuple[Totals, float | None]]]) -> None:
        """Take a sample of every site now and every `EVERY` seconds, until cancelled."""
        while True:
            for site, (totals, lag_s) in read().items():
                self.note(site, totals, lag_s)
            await asyncio.sleep(EVERY)

    def shown(self) -> dict[str, Any]:
        """Site → `{"every_s", "requests", "throttled", "failed", "lag_s"}`: lists, oldest first, a number a sample."""
        return {
            site: {
                "every_s": EVERY,
                "requests": list(series.requests),
                "throttled": list(series.throttled),
                "failed": list(series.failed),
                "lag_s": list(series.lag),
            }
            for site, series in self._series.items()
        }
