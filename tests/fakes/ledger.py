"""The ledger in memory, behind the store's port: as good as a file, except that it ends with the test."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from fakes.faults import Killed
from flyball.ledger.tables import metadata

T = TypeVar("T")

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


class MemoryLedger:
    """A store whose works run at once, in the caller's thread.

    Attributes:
        dead: every call ends in `Killed`, as after a kill; nothing is written any more.
        errors: raised by the next writes, one each, before anything is done; None: that write goes well.
        kill_after: the ledger is dead after so many further writes; None: it lives on.
        gate: writes wait for it, when it is set to an event.
        writes: works that were written.
    """

    def __init__(self) -> None:
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
