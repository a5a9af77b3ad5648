"""The embedded store: a SQLite file in the data folder, owned by one daemon.

Writes go through one thread that commits them in groups (`writer`); reads run beside it on connections that cannot
write, each on one snapshot. A command line may look on, or leave a row for the daemon, while the daemon runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from flyball.adapters.store.connect import reading_engine, writing_engine
from flyball.adapters.store.errors import StoreError, refusal, translate
from flyball.adapters.store.lock import FolderLock
from flyball.adapters.store.place import prepare_folder, refuse_network
from flyball.adapters.store.schema import bring_up, is_current, require_current
from flyball.adapters.store.writer import Writer
from flyball.model.errors import ConfigError, Stopping

T = TypeVar("T")

LEDGER_NAME: Final = "ledger.sqlite"

# Reads that may run at once: enough for the daemon's own and a page, small enough for the memory promised.
_READERS: Final = 3


class SqliteStore:
    """A `Store` over one SQLite file; made by `open`, used from the event loop that opened it.

    A work runs in another thread, inside a savepoint. It returns plain values (a result set would outlive its
    transaction), does not commit or roll back the connection, and touches nothing that the loop may change meanwhile.
    """

    def __init__(self, path: Path, *, lock: FolderLock | None, writable: bool) -> None:
        self.path = path
        self._lock = lock
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._reading = reading_engine(path, connections=_READERS)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="ledger-reader")
        self._writing = writing_engine(path) if writable else None
        self._writer = Writer(self._writing, path) if self._writing else None

    @classmethod
    async def open(cls, path: Path, *, read_only: bool = False, guest: bool = False) -> Self:
        """Opens the ledger `path`, by default as its owner: the daemon.

        The owner makes the folder and the file if need be, holds the folder's lock until `close`, and brings the schema
        up. A `guest` writes beside an owner, for the command line's rows: it holds no lock, except while it makes or
        brings up a ledger that nobody owns. With `read_only` nothing is made or changed, and `write` is an error.

        Raises ConfigError, with the place and the remedy: `AlreadyRunning`, `NoLedger` (`read_only`), a folder that is
        read-only or on a network file system, a file that is damaged, foreign, or of another schema.
        """
        lock = await asyncio.to_thread(_enter, path, read_only=read_only, guest=guest)
        store = cls(path, lock=lock, writable=not read_only)
        try:
            await store.read(lambda _: None)  # a first connection for reading, which a full disk would not allow later
        except BaseException as error:
            await store.close()
            if isinstance(error, StoreError):
                raise ConfigError(str(error)) from error
            raise
        return store

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` in the next group and returns its result once that is on the disk.

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
        """Carries out what was accepted, then gives back the file and the folder. May be called again."""
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
        """Works run since `open`."""
        return self._writer.works if self._writer else 0

    @property
    def commits(self) -> int:
        """Groups committed since `open`."""
        return self._writer.commits if self._writer else 0

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._reading.connect() as connection, connection.begin():
                return work(connection)
        except StopIteration as error:  # which a future cannot carry
            raise RuntimeError("the work raised StopIteration") from error
        except (sqlite3.Error, DBAPIError) as error:
            told = translate(error, self.path)
            if told is None:
                raise
            raise told from error

    def _shut(self) -> None:
        if self._writer is not None:
            self._writer.join()
        self._readers.shutdown()
        self._reading.dispose()
        if self._writing is not None:
            self._writing.dispose()  # the last one out copies the log back into the file
        if self._lock is not None:
            self._lock.release()


def _enter(path: Path, *, read_only: bool, guest: bool) -> FolderLock | None:
    """Sees to it that `path` can be opened as asked; gives the owner its lock."""
    try:
        if read_only:
            refuse_network(path.parent)
            require_current(path)
            return None
        prepare_folder(path.parent)
        if guest and is_current(path):
            return None
        with contextlib.ExitStack() as undo:
            lock = undo.enter_context(FolderLock.take(path.parent))
            bring_up(path)
            if guest:
                return None
            undo.pop_all()
            return lock
    except (OSError, sqlite3.Error, DBAPIError) as error:
        told = refusal(error, path)
        if told is None:
            raise
        raise told from error
