"""The pace of one site where several replicas ask it: one rate for all of them together, and one pause.

Requests are leased in blocks of about 100 ms' worth, so that the shared row is asked some ten times a second by each
replica, whatever the rate. What is left of a block is used up before the next one is asked for; a block that was not
used for `_KEPT` seconds is let go, so that it does not come as a burst later. Concurrency and the falling and rising of
the rate under trouble stay each replica's own: each one sees the site's answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol

import structlog

from flyball.clients.exchange import Seen
from flyball.model.errors import FlyballError
from flyball.workers.pace import AdaptivePace

log = structlog.get_logger()
BLOCK_SECONDS: Final = 0.1
_KEPT: Final = 1.0
_AGAIN: Final = 0.5  # seconds until the database is asked again, when it did not answer


class Budget(Protocol):
    """The rate of one site, shared by all replicas."""

    async def lease(self, rate: float, number: int) -> float:
        """Take so many requests: seconds until they may go, 0 for now. Above 0, nothing was taken."""
        ...

    def pause(self, seconds: float) -> None:
        """The site asks everybody to wait so long; noted without waiting."""
        ...

    @property
    def paused(self) -> float:
        """Seconds for which nobody may ask the site, as far as is known here."""
        ...


class SharedPace:
    """An `AdaptivePace` within a budget.

    Args:
        pace: of this process.
        budget: of all.
        per_second: requests begun per second at most, all replicas together; None for no limit.
        clock, sleep: time, for tests.
    """

    def __init__(
        self,
        pace: AdaptivePace,
        budget: Budget,
        per_second: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._pace = pace
        self._budget = budget
        self._rate = per_second
        self._block = 1 if per_second is None else max(1, round(per_second * BLOCK_SECONDS))
        self._clock = clock
        self._sleep = sleep
        self._left = 0
        self._leased = float("-inf")
        self._asking = asyncio.Lock()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Waits for its turn; one request goes out inside."""
        while (pause := self._budget.paused) > 0:
            await self._sleep(pause)
        if self._rate is not None:
            await self._take(self._rate)
        async with self._pace.slot():
            yield

    def saw(self, seen: Seen, retry_after: float | None = None) -> None:
        """Takes in how one exchange ended; a Retry-After pauses the site for all replicas."""
        self._pace.saw(seen, retry_after)
        if retry_after is not None:
            self._budget.pause(retry_after)
        elif seen is Seen.BUSY and (paused := self._pace.snapshot().paused_s) > 0:
            self._budget.pause(paused)

    async def _take(self, rate: float) -> None:
        """One request out of the block; in the order in which they came."""
        async with self._asking:
            if self._clock() - self._leased > _KEPT:
                self._left = 0
            while self._left < 1:
                try:
                    wait = await self._budget.lease(rate, self._block)
                except FlyballError as error:
                    log.warning("budget.unknown", reason=str(error))
                    wait = _AGAIN
                if wait > 0:
                    await self._sleep(wait)
                    continue
                self._left, self._leased = self._block, self._clock()
            self._left -= 1
