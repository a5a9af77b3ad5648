"""The ledger in memory, behind the store's port: as good as a file, except that it ends with the test."""

from __future__ import annotations

import asyncio
import functools
import os
import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

from fakes.faults import Killed
from flyball.adapters.store.postgres.connect import open_connection
from flyball.ledger.tables import metadata
from support.server import Server

T = TypeVar("T")
ON_POSTGRES = os.environ.get("FLYBALL_TEST_LEDGER") == "postgres"
"""The whole of the ledger's tests on the other database, on demand: FLYBALL_TEST_LEDGER=postgres."""

# One engine for all ledgers, so that statements are compiled once; every connection of it is a database of its own.
_ENGINE = create_engine("sqlite://", poolclass=NullPool)


@functools.cache
def _blank() -> Connection:
    """A database with the tables and nothing in them, to be copied."""
    connection = _ENGINE.connect()
    metadata.create_all(connection)
    connection.commit()
    return connection


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


@functools.cache
def _shared() -> Engine:
    """Databases on a real PostgreSQL, with the tables and nothing in them: one for each connection that is open."""
    return create_engine("postgresql+psycopg://", creator=_new_database, max_overflow=-1, use_native_hstore=False)


def _new_database() -> Any:
    connection = open_connection(Server.shared().new_database())
    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, use_native_hstore=False)
    metadata.create_all(engine)
    connection.autocommit = False
    return connection


def _emptied() -> Connection:
    """A connection to one, after the rows of earlier tests were taken away."""
    connection = _shared().connect()
    tables = ", ".join(table.name for table in metadata.sorted_tables)
    connection.exec_driver_sql(f"TRUNCATE {tables} RESTART IDENTITY")
    connection.commit()
    return connection


class MemoryLedger:
    """A store whose works run at once, in the caller's thread.

    Args:
        postgres: keep it in a real PostgreSQL, emptied before, in place of memory.

    Attributes:
        dead: every call ends in `Killed`, as after a kill; nothing is written any more.
        errors: raised by the next writes, one each, before anything is done; None: that write goes well.
        kill_after: the ledger is dead after so many further writes; None: it lives on.
        gate: writes wait for it, when it is set to an event.
        writes: works that were written.
    """

    def __init__(self, *, postgres: bool = ON_POSTGRES) -> None:
        if postgres:
            self._connection = _emptied()
        else:
            self._connection = _ENGINE.connect()
            _driver(_blank()).backup(_driver(self._connection))
        self.dead = False
        self.errors: list[BaseException | None] = []
        self.kill_after: int | None = None
        self.gate: asyncio.Event | None = None
        self.writes = 0

    def do(self, work: Callable[[Any], T]) -> T:
        """Run a work in a transaction."""
        if self.dead:
            raise Killed
        with self._connection.begin():
            return work(self._connection)

    async def write(self, work: Callable[[Any], T]) -> T:
        """Likewise, as the port has it."""
        if self.gate is not None:
            await self.gate.wait()
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        if self.kill_after == 0:
            self.dead, self.kill_after = True, None
        done = self.do(work)
        self.writes += 1
        if self.kill_after is not None:
            self.kill_after -= 1
        return done

    async def read(self, work: Callable[[Any], T]) -> T:
        """Likewise."""
        return self.do(work)

    async def close(self) -> None:
        """Release the memory."""
        self._connection.close()
