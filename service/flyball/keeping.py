"""The keeper: clears away old history, gives room back to the disk, and says when the ledger has grown too large."""

from __future__ import annotations

import asyncio
from functools import partial

import structlog

from flyball.adapters.store import room
from flyball.ledger.retention import LEAST, Ages, clear, find_old
from flyball.model.errors import FlyballError
from flyball.model.ports import Clock, Store

log = structlog.get_logger()
EVERY = 3600.0  # seconds between two rounds
BREATH = 0.05  # seconds between two portions: others write, too
ROWS = 2000  # deleted in one work, of each table
PAGES = 2000  # given back in one work: 8 MB


class Keeper:
    """Keeps one ledger within its bounds.

    Args:
        store: the ledger.
        clock: the time.
        ages: from which age on history may go.
        most_mb: how many MB the ledger may have; 0 for any number.

    Attributes:
        trouble: why the ledger is too large, for the readiness; None while it is not.
    """

    def __init__(self, store: Store, clock: Clock, ages: Ages, most_mb: int) -> None:
        self._store = store
        self._clock = clock
        self._ages = ages
        self._most = most_mb
        self.trouble: str | None = None

    async def run(self) -> None:
        """A round each hour, until cancelled."""
        while True:
            await self.step()
            await asyncio.sleep(EVERY)

    async def step(self) -> int:
        """One round; how many rows went. A ledger that cannot be written just now is left for the next one."""
        try:
            gone = await self._clear(self._ages)
            if await self._is_large():
                gone += await self._clear(self._ages.at_most(LEAST))
            self._judge(await self._store.read(room.size))
        except FlyballError as error:
            log.warning("ledger.not_cleared", reason=str(error))
            return 0
        if gone:
            log.info("ledger.cleared", rows=gone)
        return gone

    async def _clear(self, ages: Ages) -> int:
        gone = 0
        while old := await self._store.read(partial(find_old, ages=ages, now=self._clock.now(), limit=ROWS)):
            gone += await self._store.write(partial(clear, old=old))
            await asyncio.sleep(BREATH)
        left = -1
        while gone and left:
            before, left = left, await self._store.write(partial(room.give_back, pages=PAGES))
            if left == before:
                break
            await asyncio.sleep(BREATH)
        return gone

    async def _is_large(self) -> bool:
        return bool(self._most) and await self._store.read(room.size) > self._most * 1_000_000

    def _judge(self, size: int) -> None:
        most = self._most
        if not most or size <= most * 1_000_000:
            self.trouble = None
            return
        self.trouble = (
            f"the ledger has {size / 1_000_000:,.0f} MB, more than the {most:,} MB of `keep.max_mb`, although history "
            "older than a day was cleared: raise the limit, or let the rules look at less"
        )
        log.warning("ledger.large", bytes=size, most_mb=most)
