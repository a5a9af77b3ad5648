"""procrastinate's door. It carries one thing from the transaction that stored it to a worker: "look at this now".

A job names looks that are due, by their keys, and nothing more: what is to be decided stands in the ledger, and a job
that comes twice, late or not at all changes nothing but the time. It is deferred on the ledger's own connection, in the
transaction that stores the looks, and deleted when a worker has dealt with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import procrastinate
import psycopg
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import Connection

from flyball.adapters.store.postgres.connect import LEDGER_LOCK, driver_of, lock_keys, open_connection
from flyball.adapters.store.postgres.errors import StoreUnreachable, refusal
from flyball.configfile.addresses import shown
from flyball.ledger.looking import LookKey

TASK: Final = "flyball.look"
QUEUE: Final = "looks"
TOGETHER: Final = 200
"""Looks in one job: a page of changes is decided in few transactions, a single change in one of its own."""

_MOST: Final = 20  # jobs that wait, beyond which no more are handed out
_WORKERS: Final = 3  # jobs at once in one replica: while one is stored, the next is read
_POLL: Final = 1.0  # seconds; should a notification be lost
_BEAT: Final = 2.0
_STALLED: Final = 6.0

logging.getLogger("procrastinate").setLevel(logging.CRITICAL)  # its ends are told by us, in our own words
Handler = Callable[[Sequence[LookKey]], Awaitable[None]]


class LookQueue:
    """The queue of looks of one replica.

    Args:
        address: of the database.
        name: what the server shows of its connections.
        handle: decides some looks.
    """

    def __init__(self, address: str, name: str, handle: Handler) -> None:
        pool: dict[str, Any] = {"conninfo": address, "min_size": 1, "max_size": 4, "timeout": 3.0}
        pool |= {"kwargs": {"application_name": name, "connect_timeout": 5}, "reconnect_timeout": 5.0}
        self._connector = procrastinate.PsycopgConnector(**pool, pool_factory=_quiet_pool)
        self._app = procrastinate.App(connector=self._connector)
        # Failures are not retried here: the looks stand in the ledger, and are handed out again.
        self._app.task(name=TASK, queue=QUEUE)(self._work)
        # Never opened: what it defers goes over the ledger's connection, which is not an asynchronous one.
        self._deferring = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())
        self._handle = handle

    def defer(self, connection: Connection, keys: Sequence[LookKey]) -> None:
        """Tell the workers of these looks, when and if the transaction of `connection` is committed."""
        parts = [keys[start : start + TOGETHER] for start in range(0, len(keys), TOGETHER)]
        deferrer = self._deferring.configure_task(TASK, queue=QUEUE, connection=driver_of(connection))
        jobs: list[dict[str, Any]] = [{"looks": [list(key) for key in part]} for part in parts]
        deferrer.batch_defer(*jobs)

    def is_full(self, connection: Connection) -> bool:
        """Whether as many jobs wait as the workers soon deal with; more would come twice before their turn."""
        query = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo' AND queue_name = %s"
        row = driver_of(connection).execute(query, [QUEUE]).fetchone()
        return row is not None and row[0] >= _MOST

    async def run(self) -> None:
        """Work until cancelled.

        Raises:
            StoreUnreachable: the connection to the database broke, as it does when that restarts.
        """
        try:
            async with self._app.open_async():
                await self._app.run_worker_async(
                    queues=[QUEUE],
                    name="replica",
                    concurrency=_WORKERS,
                    install_signal_handlers=False,
                    fetch_job_polling_interval=_POLL,
                    delete_jobs="always",
                    update_heartbeat_interval=_BEAT,
                    stalled_worker_timeout=_STALLED,
                    shutdown_graceful_timeout=2.0,
                )
        except (procrastinate.exceptions.ConnectorException, psycopg.Error, TimeoutError) as error:
            raise StoreUnreachable(f"the queue of looks broke off: {error.__cause__ or error}") from error
        raise StoreUnreachable("the queue of looks ended")

    async def reap(self) -> int:
        """Give back what workers hold that are gone; how many jobs. Their looks are handed out again besides.

        Raises:
            StoreUnreachable: the database does not answer.
        """
        manager = self._app.job_manager
        try:
            jobs = list(await manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=_STALLED))
            for job in jobs:
                await manager.retry_job(job)
        except procrastinate.exceptions.AppNotOpen:
            return 0  # our own worker is about to begin again
        except (procrastinate.exceptions.ConnectorException, psycopg.Error, TimeoutError) as error:
            raise StoreUnreachable(f"the queue of looks broke off: {error.__cause__ or error}") from error
        return len(jobs)

    async def _work(self, looks: list[list[str]]) -> None:
        job = asyncio.current_task()
        if job is not None:
            job.add_done_callback(_look_at)
        await self._handle([LookKey(*key) for key in looks])


def bring_up_queue(address: str) -> None:
    """Makes procrastinate's tables, or takes the steps that its present version has added, under the ledger's lock.

    Raises ConfigError, as opening the ledger does: the database may have gone away since.
    """
    try:
        _take_steps(address, sorted(_steps()))
    except psycopg.Error as error:
        told = refusal(error, shown(address))
        if told is None:
            raise
        raise told from None  # the driver's own texts may hold the address


def _take_steps(address: str, steps: Sequence[tuple[str, str]]) -> None:
    with open_connection(address) as connection, connection.transaction():
        connection.execute(f"SELECT pg_advisory_xact_lock({lock_keys(LEDGER_LOCK)})".encode())
        connection.execute("CREATE TABLE IF NOT EXISTS flyball_queue_schema (step text NOT NULL)")
        row = connection.execute("SELECT max(step) FROM flyball_queue_schema").fetchone()
        known = row[0] if row else None
        if known is None:
            connection.execute(procrastinate.schema.SchemaManager.get_schema().encode())
        for name, text in steps:
            if known is not None and name > known:
                connection.execute(text.encode())
        if known != steps[-1][0]:
            connection.execute("INSERT INTO flyball_queue_schema (step) VALUES (%s)", [steps[-1][0]])


def _steps() -> list[tuple[str, str]]:
    """Procrastinate's migrations: name → SQL."""
    from pathlib import Path  # noqa: PLC0415 - only here

    folder = Path(procrastinate.schema.SchemaManager.get_migrations_path())
    return [(file.name, file.read_text(encoding="utf-8")) for file in folder.glob("*.sql")]


def _look_at(job: asyncio.Task[Any]) -> None:
    """Take note of how a job ended. One that was dealt with and not struck off because the database went away
    is given back when its worker is gone (`reap`). Nobody else looks, and Python would say so with a traceback.
    """
    if not job.cancelled():
        job.exception()


def _quiet_pool(**arguments: Any) -> AsyncConnectionPool[Any]:
    return AsyncConnectionPool(**arguments)
