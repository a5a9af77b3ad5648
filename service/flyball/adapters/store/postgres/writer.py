"""Group commit on PostgreSQL: one thread that writes, and one commit for all who are waiting.

As on SQLite (`adapters.store.writer`), each work runs inside a savepoint of its own, and callers are told only after
the commit. What differs is that the connection can break at any moment:

    before COMMIT was sent     the server undoes the transaction: the same works are run again on a new connection
    after COMMIT was sent      nobody was told what came of it. With each group a mark of ours is written, and the
                               transaction's number is asked for. Once the server says that the transaction of that
                               number has ended (`pg_xact_status`), the mark is looked for: if it is not there, the
                               works are run again. Their callers wait until that is known

The number alone would not do: a server that crashed gives the numbers of transactions that left no trace to others, and
tells of those. So a work is carried out once, or its caller is told that nothing of it was kept.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, Transaction, event

from flyball.adapters.store.errors import StoreError
from flyball.adapters.store.postgres.connect import driver_of, say
from flyball.adapters.store.postgres.errors import StoreUnreachable, is_lost, is_passing, translate
from flyball.adapters.store.postgres.marks import Marks
from flyball.adapters.store.works import GroupLostError, Job, WriterThread
from flyball.model.errors import Stopping

Hook = Callable[[Connection, set[str]], None]
"""Gets the connection and the names of the tables that were written to."""

_WRITES: Final = re.compile(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)")

# Each work costs the server a subtransaction; beyond 64 of them, it has to look them up on disk for other readers.
GROUP_WORKS: Final = 60
GROUP_SECONDS: Final = 0.025
PATIENCE: Final = 10.0
"""Seconds for which works wait for a database that cannot be reached, before their callers are told so."""

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0


class Writer(WriterThread):
    """Writes to one database, which may go away and come back.

    Args:
        engine: of one connection; its transactions hold the ledger's lock.
        place: the address as it is shown.
        connect: opens a further connection of the driver's, to ask what became of a transaction.
        before_commit: run at the end of each group that wrote something, in its transaction.
    """

    def __init__(
        self,
        engine: Engine,
        place: str,
        *,
        connect: Callable[[], psycopg.Connection[Any]],
        patience: float = PATIENCE,
    ) -> None:
        super().__init__(engine)
        self.before_commit: Hook | None = None
        self._place = place
        self._connect = connect
        self._patience = patience
        self._marks = Marks()
        self._held: deque[Job] = deque()  # taken from the queue, and not begun
        self._inside_savepoint = False
        self._touched: set[str] = set()
        event.listen(engine, "before_cursor_execute", self._note_tables)
        self._start()

    def _serve(self) -> None:
        while (first := self._next()) is not None:
            self._group([first])

    def _next(self) -> Job | None:
        if self._held:
            return self._held.popleft()
        return None if self._ended else self._queue.get()

    def _arriving(self) -> Iterator[Job]:
        """What else has arrived by the time it is asked for, up to the bounds of a group."""
        ends = time.monotonic() + GROUP_SECONDS
        for _ in range(GROUP_WORKS - 1):
            if time.monotonic() >= ends:
                return
            job = self._held.popleft() if self._held else self._arrived()
            if job is None:
                return
            yield job

    def _group(self, jobs: list[Job]) -> None:
        """Runs and commits one group, as often as the connection breaks, then tells its callers."""
        pause = _FIRST_PAUSE
        more: Iterable[Job] = self._arriving()
        while jobs:
            ran: list[Job] = []
            waiting = itertools.chain(jobs, more)
            try:
                self._transaction(waiting, ran)
            except BaseException as error:  # noqa: BLE001 - the thread must go on, and each caller hears what happened
                ran.extend(jobs[len(ran) :])
                cause = error.__cause__ or error if isinstance(error, GroupLostError) else error
                if not (is_lost(cause) or is_passing(cause)):
                    self._lose(ran, cause)
                    break
                jobs = self._patient(ran, cause)
                more = ()
                time.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            self.trouble = None
            self.commits += 1
            self._tell(ran)
            return

    def _transaction(self, waiting: Iterable[Job], ran: list[Job]) -> None:
        with self.engine.connect() as connection:
            driver = driver_of(connection)
            number: str | None = None
            committing = False
            try:
                transaction = connection.begin()
                self._inside_savepoint = False
                self._touched = set()
                for job in waiting:
                    ran.append(job)
                    self._run(job, connection, driver, transaction)
                if self.before_commit is not None and self._touched:
                    self.before_commit(connection, self._touched)
                number = self._marks.write(driver)
                committing = True
                transaction.commit()
            except BaseException as error:
                if committing and is_lost(error):
                    connection.invalidate()
                    if number is None or self._was_committed(number, error):
                        return
                    raise
                with contextlib.suppress(Exception):
                    driver.rollback()
                connection.invalidate()
                raise

    def _run(self, job: Job, connection: Connection, driver: psycopg.Connection[Any], transaction: Transaction) -> None:
        """Runs one work inside a savepoint, set through the driver."""
        say(driver, b"RELEASE work; SAVEPOINT work" if self._inside_savepoint else b"SAVEPOINT work")
        self._inside_savepoint = True
        self._inside_work = True
        job.error = None
        try:
            job.result = job.work(connection)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's
            job.error = error
        finally:
            self._inside_work = False
        whole = driver.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)
        if not (whole and transaction.is_active and connection.get_transaction() is transaction):
            raise GroupLostError from job.error
        if job.error is not None:
            if is_lost(job.error) or is_passing(job.error):
                raise GroupLostError from job.error
            say(driver, b"ROLLBACK TO work")
            job.error = translate(job.error, self._place) or job.error
            self._remember(job.error)
        elif driver.info.transaction_status is TransactionStatus.INERROR:
            say(driver, b"ROLLBACK TO work")
            job.error = RuntimeError("the work went on after an error of the database without a savepoint")

    def _was_committed(self, number: str, error: BaseException) -> bool:
        """What became of a transaction whose commit was not answered; asked until it is told."""
        pause = _FIRST_PAUSE
        while True:
            try:
                with self._connect() as connection:
                    row = connection.execute("SELECT pg_xact_status(%s::text::xid8)", [number]).fetchone()
                    if row is not None and row[0] != "in progress":
                        return self._marks.is_there(connection)
            except psycopg.errors.InvalidParameterValue:
                return False  # this server never got so far: what was committed elsewhere is not in its ledger
            except psycopg.Error as trouble:
                self._remember(translate(trouble, self._place))
                if self._closing.is_set() and pause >= _LONGEST_PAUSE:
                    message = f"the ledger at {self._place} broke off in a commit, and whether it was kept is not known"
                    raise StoreError(message) from error
            self._tell(self._expired(self._drained(), error))
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _drained(self) -> list[Job]:
        """What waits now; held back, so that it can be told in time."""
        while (job := self._arrived()) is not None:
            self._held.append(job)
        waiting = list(self._held)
        self._held.clear()
        return waiting

    def _expired(self, jobs: Iterable[Job], error: BaseException) -> list[Job]:
        """Those that have waited long enough, with what to tell them; the others are held back."""
        gone: list[Job] = []
        now = time.monotonic()
        for job in jobs:
            if now - job.arrived < self._patience and not self._closing.is_set():
                self._held.append(job)
                continue
            job.error = translate(error, self._place) or StoreUnreachable(str(error))
            gone.append(job)
        return gone

    def _patient(self, ran: list[Job], error: BaseException) -> list[Job]:
        """Nothing of these was kept: those that are to be run again. The others are told that they were not done."""
        self._remember(translate(error, self._place))
        waiting = [*ran, *self._drained()]
        gone = self._expired(waiting, error)
        self._tell(gone)
        again = list(self._held)
        for job in again:
            job.error = None  # what it met counts no more: should it not be begun again, it hears why
        self._held = deque(again[GROUP_WORKS:])
        return again[:GROUP_WORKS]

    def _lose(self, ran: list[Job], cause: BaseException) -> None:
        """Tells everybody in a lost transaction that nothing was written; who failed in it by itself hears its own."""
        for job in ran:
            if job.error is None or job.error is cause:
                told = cause if isinstance(cause, Stopping) else translate(cause, self._place)
                if told is None:
                    told = StoreError(f"the ledger at {self._place} lost a transaction; nothing was written: {cause!r}")
                    told.__cause__ = cause
                job.error = told
            self._remember(job.error)
        self._tell(ran)

    def _note_tables(self, _connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        found = _WRITES.match(statement)
        if found is not None:
            self._touched.add(found[1])
