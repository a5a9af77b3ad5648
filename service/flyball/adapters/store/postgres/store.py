"""The store in PostgreSQL: as `adapters.store.sqlite`, and shared by any number of processes.

Writes go through one thread that commits them in groups (`writer`), under the ledger's lock; reads run beside it on
connections that cannot write, each on one snapshot. A database that restarts, or a network that is cut, is waited out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Self, TypeVar

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
from flyball.adapters.store.shell import READERS, LedgerStore
from flyball.configfile.addresses import fault_of, shown
from flyball.model.errors import ConfigError

T = TypeVar("T")


class PostgresStore(LedgerStore[Writer]):
    """A `Store` over one database; made by `open`.

    A work may be run again when the connection broke before anything of it was kept.
    """

    def __init__(self, address: str, *, name: str, writable: bool, begin: Begin, patience: float) -> None:
        place = shown(address)
        connect = partial(open_connection, address, name=name)
        super().__init__(
            reading_engine(address, name=name, connections=READERS),
            Writer(writing_engine(address, name=name, begin=begin), place, connect=connect, patience=patience)
            if writable
            else None,
        )
        self.address = address
        self.place = place
        self._patience = patience
        self.other_trouble: str | None = None
        """What another connection of this process met last, while nothing is read or written here."""
        self._reading_trouble: str | None = None
        self._away_since: float | None = None  # since when reads have failed, monotonic

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

    def before_commit(self, hook: Hook) -> None:
        """Run `hook` at the end of each group that wrote something, in its transaction."""
        if self._writer is not None:
            self._writer.before_commit = hook

    @property
    def trouble(self) -> str | None:
        """Why the last writes or reads failed, for `/readyz`; None since it went well again."""
        return super().trouble or self._reading_trouble or self.other_trouble

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
