"""Group commit: one thread that writes, and one trip to the disk for all who are waiting.

A commit costs a flush of the disk, whatever it holds. So the thread runs every work that has arrived, each inside a
savepoint of its own, commits once, and only then tells the callers. Nobody waits for company: a work that comes alone
is committed alone, and the next group gathers while the disk is busy with this one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

from sqlalchemy import Connection, Engine, Transaction

from flyball.adapters.store.connect import Driver
from flyball.adapters.store.errors import StoreError, StoreFull, translate
from flyball.adapters.store.works import GroupLostError, Job, WriterThread

# A group ends at either, so that the first caller in it does not wait for ever.
GROUP_WORKS: Final = 512
GROUP_SECONDS: Final = 0.025


class Writer(WriterThread):
    """Writes to the SQLite file `path`."""

    def __init__(self, engine: Engine, path: Path) -> None:
        super().__init__(engine)
        self._path = path
        self._start()

    def _serve(self) -> None:
        while not self._ended and (first := self._queue.get()) is not None:
            self._group(first)

    def _waiting(self, first: Job) -> Iterator[Job]:
        """`first` and whatever else has arrived by the time it is asked for, up to the bounds of a group."""
        ends = time.monotonic() + GROUP_SECONDS
        yield first
        for _ in range(GROUP_WORKS - 1):
            if time.monotonic() >= ends or (job := self._arrived()) is None:
                return
            yield job

    def _group(self, first: Job) -> None:
        """Runs and commits one group, then tells its callers.

        When the transaction is lost, those who had run in it get the error; those who had not are still in the queue.
        """
        waiting = self._waiting(first)
        ran: list[Job] = []
        try:
            with self.engine.connect() as connection:
                self._transaction(connection, waiting, ran)
        except BaseException as error:  # noqa: BLE001 - the thread must go on, and each caller hears what happened
            if not ran:  # not even a transaction could be begun: tell all who wait, for each try may take long
                ran.extend(waiting)
            self._lose(ran, error)
        self._tell(ran)

    def _transaction(self, connection: Connection, waiting: Iterator[Job], ran: list[Job]) -> None:
        transaction = connection.begin()
        driver = cast("Driver", connection.connection.dbapi_connection)
        before = driver.total_changes
        try:
            for job in waiting:
                ran.append(job)
                self._run(job, connection, driver, transaction)
            transaction.commit()
        except BaseException as error:
            # Roll back first: a connection closed with a statement still open would keep the write lock.
            with contextlib.suppress(Exception):
                driver.rollback()
            if not isinstance(translate(error.__cause__ or error, self._path), StoreFull):
                connection.invalidate()  # a full disk leaves the connection sound; after anything else, take a new one
            raise
        self.commits += 1
        if driver.total_changes != before:
            self.trouble = None

    def _run(self, job: Job, connection: Connection, driver: Driver, transaction: Transaction) -> None:
        """Runs one work inside a savepoint, set through the driver: SQLAlchemy's own takes three times as long."""
        driver.execute("SAVEPOINT work").close()
        self._inside_work = True
        try:
            job.result = job.work(connection)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's
            job.error = error
        finally:
            self._inside_work = False
        # SQLite ends the whole transaction by itself after some errors (full disk, input/output, memory).
        if not (driver.in_transaction and transaction.is_active and connection.get_transaction() is transaction):
            raise GroupLostError from job.error
        if job.error is not None:
            driver.execute("ROLLBACK TO work").close()
            job.error = translate(job.error, self._path) or job.error
            self._remember(job.error)
        driver.execute("RELEASE work").close()

    def _lose(self, ran: list[Job], error: BaseException) -> None:
        """Tells everybody in a lost transaction that nothing was written; who failed in it by itself hears its own."""
        cause = error.__cause__ if isinstance(error, GroupLostError) else error
        for job in ran:
            if job.error is not None and job.error is not cause:
                continue
            told = translate(cause, self._path) if cause is not None else None
            if told is None and job.error is None:
                why = "a work ended it" if cause is None else repr(cause)
                told = StoreError(f"the ledger {self._path} lost a transaction, and nothing in it was written: {why}")
                told.__cause__ = cause
            job.error = told or job.error
            self._remember(job.error)
