"""What every store does alike: works go to the writer's thread, reads to threads of their own, and all end in order."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from sqlalchemy import Connection, Engine

from flyball.adapters.store.works import WriterThread
from flyball.model.errors import Stopping

T = TypeVar("T")
W = TypeVar("W", bound=WriterThread)

READERS: Final = 3
"""Reads that may run at once: enough for the daemon's own and a page, small enough for the memory promised, and for a
PostgreSQL server, which has about a hundred connections."""


class LedgerStore(ABC, Generic[W]):
    """A `Store` with one thread that writes and a few that read, used from the event loop in which it was made.

    A work runs in another thread, inside a savepoint. It returns plain values (a result set would outlive its
    transaction), does not commit or roll back the connection, and touches nothing that the loop may change meanwhile.

    Args:
        reading: of `READERS` connections that cannot write; disposed of in `close`, as is the writer's engine.
        writer: None: the ledger is opened for reading.
    """

    def __init__(self, reading: Engine, writer: W | None) -> None:
        self._reading = reading
        self._writer = writer
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="ledger-reader")

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` in the next group and returns its result once that is durable.

        A caller that is cancelled while it waits stops waiting; its work is done all the same. Raises what `work`
        raised, `StoreError` when the ledger could not be written, `Stopping` after `close`.
        """
        if self._writer is None:
            raise RuntimeError("this ledger was opened for reading")
        return await self._writer.submit(work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` on one snapshot, which has all that was written before the call. Raises like `write`."""
        if self._closed:
            raise Stopping("the ledger is closed")
        return await self._loop.run_in_executor(self._readers, self._read, work)

    async def close(self) -> None:
        """Carries out what was accepted, then gives back the connections. May be called again."""
        self._closed = True
        if self._writer is not None:
            self._writer.stop_accepting()
        await asyncio.to_thread(self._shut)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def trouble(self) -> str | None:
        """Why the last writes failed (a full disk, say), for `/readyz`; None since something was written again."""
        return self._writer.trouble if self._writer else None

    @property
    def works(self) -> int:
        """Works run since the ledger was opened."""
        return self._writer.works if self._writer else 0

    @property
    def commits(self) -> int:
        """Groups committed since the ledger was opened."""
        return self._writer.commits if self._writer else 0

    # What follows runs in other threads than the loop's.

    @abstractmethod
    def _read(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` in a transaction that cannot write; its errors are the store's."""

    def _shut(self) -> None:
        if self._writer is not None:
            self._writer.join()
        self._readers.shutdown()
        self._reading.dispose()
        if self._writer is not None:
            self._writer.engine.dispose()  # last, for SQLite then copies its log back into the file
