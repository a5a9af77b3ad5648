"""The store in PostgreSQL: as `adapters.store.sqlite`, and shared by any number of processes.

Writes go through one thread that commits them in groups (`writer`), under the ledger's lock; reads run beside it on
connections that cannot write, each on one snapshot. A database that restarts, or a network that is cut, is waited out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Final, Self, TypeVar

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from flyball.adapters.store.postgres.connect import (
    NAME,
    Begin,
    open_connection,
    plainly,
    reading_engine,
    writing_engine,
)
from flyball.adapters.store.postgres.errors import is_lost, refusal, translate
from flyball.adapters.store.postgres.schema import bring_up, require_current
from flyball.adapters.store.postgres.writer import PATIENCE, Hook, Writer
from flyball.configfile.addresses import fault_of, shown
from flyball.model.errors import ConfigError, Stopping

T = TypeVar("T")

# Reads that may run at once. Each holds a connection of the server, of which it has about a hundred.
_READERS: Final = 3


class PostgresStore:
    """A `Store` over one database; made by `open`, used from the event loop that opened it.

    A work runs in another thread, inside a savepoint, and may be run again when the connection broke before anything
    of it was kept. It returns plain values, does not commit or roll back the connection, and touches nothing that the
    loop may change meanwhile.
    """

    def __init__(self, address: str, *, name: str, writable: bool, begin: Begin, patience: float) -> None:
        self.address = address
        self.place = shown(address)
        self._patience = patience
        self._closed = False
        self.other_trouble: str | None = None
        """What another connection of this process met last, while nothing is read or written here."""
        self._reading_trouble: str | None = None
        self._away_since: float | None = None  # since when reads have failed, monotonic
        self._loop = asyncio.get_running_loop()
        self._reading = reading_engine(address, name=name, connections=_READERS)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="ledger-reader")
        self._writing = writing_engine(address, name=name, begin=begin) if writable else None
        connect = partial(open_connection, address, name=name)
        self._writer = (
            Writer(self._writing, self.place, connect=connect, patience=patience) if self._writing is not None else None
        )

    @classmethod
    async def open(
        cls,
        address: str,
        *,
        name: str = NAME,
        read_only: bool = False,
        begin: Begin = plainly,
        patience: float = PATIENCE,
    ) -> Self:
        """Opens the ledger at `address`.

        Unless `read_only`, the tables are made, or brought up, under the ledger's lock.

        Args:
            address: `postgresql://…`, with the password in it.
            name: what the server shows of this process (`application_name`).
            read_only: make and change nothing; `write` is an error.
            begin: begins each transaction that writes.
            patience: seconds for which a work waits for a database that cannot be reached.

        Raises ConfigError, with the place and the remedy, and without the password.
        """
        place = shown(address)
        fault = fault_of(address)
        if fault is not None:
            raise ConfigError(f"`store`: {fault}")
        try:
            await asyncio.to_thread(_enter, address, place, name=name, read_only=read_only)
        except (psycopg.Error, DBAPIError) as error:
            told = refusal(error, place)
            if told is None:
                raise
            raise told from None  # the driver's own texts may hold the address
        return cls(address, name=name, writable=not read_only, begin=begin, patience=patience)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` in the next group and returns its result once that is durable.

        A caller that is cancelled while it waits stops waiting; its work is done all the same. Raises what `work`
        raised, `StoreError` when nothing of it was kept, `Stopping` after `close`.
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

    def before_commit(self, hook: Hook) -> None:
        """Run `hook` at the end of each group that wrote something, in its transaction."""
        if self._writer is not None:
            self._writer.before_commit = hook

    @property
    def trouble(self) -> str | None:
        """Why the last writes or reads failed, for `/readyz`; None since it went well again."""
        return (self._writer.trouble if self._writer else None) or self._reading_trouble or self.other_trouble

    @property
    def works(self) -> int:
        """Works run since `open`."""
        return self._writer.works if self._writer else 0

    @property
    def commits(self) -> int:
        """Groups committed since `open`."""
        return self._writer.commits if self._writer else 0

    def _read(self, work: Callable[[Connection], T]) -> T:
        pause = 0.05
        while True:
            try:
                with self._reading.connect() as connection, connection.begin():
                    found = work(connection)
            except StopIteration as error:  # which a future cannot carry
                raise RuntimeError("the work raised StopIteration") from error
            except (psycopg.Error, DBAPIError) as error:
                told = translate(error, self.place)
                if told is None:
                    raise
                self._reading_trouble = str(told)
                since = self._away_since = self._away_since or time.monotonic()
                # Who comes when the database has been away for long does not wait as long again.
                if not is_lost(error) or self._closed or time.monotonic() - since > self._patience:
                    raise told from error
                self._reading.dispose()  # the others of the pool broke with it
                time.sleep(pause)
                pause = min(pause * 2, 1.0)
                continue
            self._reading_trouble = self._away_since = None
            return found

    def _shut(self) -> None:
        if self._writer is not None:
            self._writer.join()
        self._readers.shutdown()
        self._reading.dispose()
        if self._writing is not None:
            self._writing.dispose()


def _enter(address: str, place: str, *, name: str, read_only: bool) -> None:
    """Sees to it that the ledger can be opened as asked."""
    engine = (
        reading_engine(address, name=name, connections=1)
        if read_only
        else writing_engine(address, name=name, begin=plainly)
    )
    try:
        if not read_only:
            bring_up(engine, place)
            return
        with engine.connect() as connection, connection.begin():
            require_current(connection, place)
    finally:
        engine.dispose()
