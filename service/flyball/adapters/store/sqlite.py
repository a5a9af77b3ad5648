"""The embedded store: a SQLite file in the data folder, owned by one daemon.

Writes go through one thread that commits them in groups (`writer`); reads run beside it on connections that cannot
write, each on one snapshot. A command line may look on, or leave a row for the daemon, while the daemon runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from flyball.adapters.store.connect import reading_engine, writing_engine
from flyball.adapters.store.errors import StoreError, refusal, translate
from flyball.adapters.store.lock import FolderLock
from flyball.adapters.store.place import prepare_folder, refuse_network
from flyball.adapters.store.schema import bring_up, is_current, require_current
from flyball.adapters.store.shell import READERS, LedgerStore
from flyball.adapters.store.writer import Writer
from flyball.model.errors import ConfigError

T = TypeVar("T")

LEDGER_NAME: Final = "ledger.sqlite"


class SqliteStore(LedgerStore[Writer]):
    """A `Store` over one SQLite file; made by `open`."""

    def __init__(self, path: Path, *, lock: FolderLock | None, writable: bool, passing: bool = False) -> None:
        super().__init__(
            reading_engine(path, connections=READERS),
            Writer(writing_engine(path, passing=passing), path) if writable else None,
        )
        self.path = path
        self._lock = lock

    @classmethod
    async def open(cls, path: Path, *, read_only: bool = False, guest: bool = False, passing: bool = False) -> Self:
        """Opens the ledger `path`, by default as its owner: the daemon.

        The owner makes the folder and the file if need be, holds the folder's lock until `close`, and brings the schema
        up. A `guest` writes beside an owner, for the command line's rows: it holds no lock, except while it makes or
        brings up a ledger that nobody owns. With `read_only` nothing is made or changed, and `write` is an error. A
        `passing` ledger is thrown away afterwards, so that nothing waits for the disk.

        Raises ConfigError, with the place and the remedy: `AlreadyRunning`, `NoLedger` (`read_only`), a folder that is
        read-only or on a network file system, a file that is damaged, foreign, or of another schema.
        """
        lock = await asyncio.to_thread(_enter, path, read_only=read_only, guest=guest)
        store = cls(path, lock=lock, writable=not read_only, passing=passing)
        try:
            await store.read(lambda _: None)  # a first connection for reading, which a full disk would not allow later
        except BaseException as error:
            await store.close()
            if isinstance(error, StoreError):
                raise ConfigError(str(error)) from error
            raise
        return store

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
        super()._shut()
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
