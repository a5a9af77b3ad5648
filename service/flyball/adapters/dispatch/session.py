"""A replica's own connection to the database: its signs of life, its locks, its share of a site's rate.

Nothing here waits for the ledger's lock. Session locks end with the connection, so they never outlive a process; those
of one that was stopped end when the others close its connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeVar

import psycopg

from flyball.adapters.store.postgres.connect import NAME, lock_keys, open_connection, plainly, say
from flyball.adapters.store.postgres.errors import Fenced, StoreUnreachable, translate
from flyball.configfile.addresses import shown

T = TypeVar("T")
CHANNEL: Final = "flyball"
_NOW: Final = "floor(extract(epoch from clock_timestamp()) * 1000000)::bigint"
"""The present by the database's clock, in microseconds: the same for all replicas."""


def _sql(text: str) -> bytes:
    return text.replace("NOW", _NOW).replace("PROGRAM", f"'{NAME} '").encode()


_JOIN: Final = _sql(
    "INSERT INTO replicas (id, host, process, version, started, seen) VALUES (%s, %s, %s, %s, NOW, NOW)"
)
_BEAT: Final = _sql(
    "WITH me AS (UPDATE replicas SET seen = NOW WHERE id = %(me)s RETURNING 1) "
    "SELECT (SELECT count(*) FROM me), (SELECT count(*) FROM replicas), "
    "(SELECT array_agg(id) FROM replicas WHERE seen < NOW - %(silence)s AND id <> %(me)s), "
    "(SELECT json_object_agg(site, (paused - NOW) / 1e6) FROM budgets WHERE paused > NOW)"
)
_END: Final = _sql(
    "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a WHERE a.application_name = ANY(%(names)s) "
    "AND NOT EXISTS (SELECT 1 FROM replicas r WHERE a.application_name = PROGRAM || split_part(r.id, '~', 1)"
    " AND r.seen >= NOW - %(silence)s)"
)
# One row holds until when the rate is given out; it may lie one second back, which is the burst allowed.
_LEASE: Final = _sql(
    "INSERT INTO budgets AS b (site, spent, paused) VALUES (%(site)s, NOW - 1000000 + %(step)s, 0) "
    "ON CONFLICT (site) DO UPDATE SET spent = greatest(b.spent, NOW - 1000000) + %(step)s "
    "WHERE greatest(b.spent, NOW - 1000000) + %(step)s <= NOW AND b.paused <= NOW RETURNING 1"
)
_WAIT: Final = _sql("SELECT greatest(spent + %(step)s, paused) - NOW FROM budgets WHERE site = %(site)s")
_PAUSE: Final = _sql(
    "INSERT INTO budgets AS b (site, spent, paused) VALUES (%(site)s, 0, NOW + %(us)s) "
    "ON CONFLICT (site) DO UPDATE SET paused = greatest(b.paused, NOW + %(us)s)"
)
_LOCK: Final = "SELECT pg_try_advisory_lock(KEYS)"
_ALIVE: Final = "SELECT 1 FROM replicas WHERE id = "


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a sign of life brought back.

    Attributes:
        alive: the others count on this replica.
        replicas: how many there are.
        silent: those that gave no sign of life for too long.
        pauses: site → seconds for which nobody may ask it.
    """

    alive: bool
    replicas: int
    silent: tuple[str, ...]
    pauses: dict[str, float]


class Session:
    """One replica's presence.

    Args:
        address: of the database.
        boot: names this process, and with it its connections.
        version: of this program.
        silence: after so long without a sign of life, a replica is dead.
    """

    def __init__(self, address: str, boot: str, version: str, silence: timedelta) -> None:
        self.id: str | None = None
        self.name = f"{NAME} {boot}"
        """What the server shows of this process' connections."""
        self._boot = boot
        self._joined = 0
        self.epoch = 0
        """Raised with each new connection: locks taken before are gone."""
        self._address = address
        self._place = shown(address)
        self._version = version
        self._silence = int(silence / timedelta(microseconds=1))
        self._connection: psycopg.Connection[Any] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="replica")

    # --- what the store asks, in its thread

    def begin(self, driver: psycopg.Connection[Any]) -> None:
        """Begins a transaction that writes, under the ledger's lock; not for a replica that was declared dead.

        Raises:
            Fenced: it was. Nothing is written.
        """
        ident = self.id
        plainly(driver)
        if ident is None:
            return
        if say(driver, f"{_ALIVE}'{ident}'".encode()).ntuples == 0:
            raise Fenced("the other replicas took this one for dead, and have its work")

    # --- presence

    async def join(self) -> str:
        """Become a replica, under a new name; the name. Until it is one, the old name counts, and its fence."""
        host, process = socket.gethostname(), os.getpid()
        self._joined += 1
        ident = f"{self._boot}~{self._joined}"

        values = [ident, host, process, self._version]
        await self._run(self._drop)
        await self._ask(lambda connection: connection.execute(_JOIN, values))
        self.id = ident
        return ident

    async def beat(self) -> Pulse:
        """Give a sign of life."""
        return await self._ask(self._beat)

    async def end(self, dead: Iterable[str]) -> None:
        """Close the connections of replicas, unless they are alive after all: what they hold is free then."""
        names = sorted({f"{NAME} {ident.rpartition('~')[0]}" for ident in dead})
        values = {"names": names, "silence": self._silence}
        await self._ask(lambda connection: connection.execute(_END, values))

    async def lock(self, what: str) -> bool:
        """Whether this replica has a lock for as long as its connection stands; asked for without waiting."""

        def work(connection: psycopg.Connection[Any]) -> bool:
            row = connection.execute(_LOCK.replace("KEYS", lock_keys(what)).encode()).fetchone()
            return bool(row and row[0])

        return await self._ask(work)

    # --- rates

    async def lease(self, site: str, rate: float, number: int) -> float:
        """Take so many requests from a site's rate, which all replicas share: seconds until they may go, 0 for now.

        A wait above zero means that nothing was taken. Up to one second's worth may go at once after a rest.
        """
        work = partial(_lease, site=site, step=int(number * 1_000_000 / rate))
        return await self._ask(work)

    async def pause(self, site: str, seconds: float) -> None:
        """Nobody may ask a site for so long."""
        values = {"site": site, "us": int(seconds * 1_000_000)}
        await self._ask(lambda connection: connection.execute(_PAUSE, values))

    async def tell(self, what: str) -> None:
        """Wake the others up (see `listen`)."""
        await self._ask(lambda connection: connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, what]))

    async def close(self) -> None:
        """Give the connection back, and with it all locks."""
        with contextlib.suppress(RuntimeError):
            await self._run(self._drop)
        self._thread.shutdown(wait=False)

    # --- the thread

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _ask(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        """Run `work` on the connection, made anew if need be. Raises StoreError."""

        def go() -> T:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = open_connection(self._address, name=self.name)
                    self.epoch += 1
                return work(self._connection)
            except psycopg.Error as error:
                self._drop()
                raise translate(error, self._place) or StoreUnreachable(str(error)) from error

        return await self._run(go)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self.epoch += 1
            with contextlib.suppress(psycopg.Error):
                connection.close()

    def _beat(self, connection: psycopg.Connection[Any]) -> Pulse:
        row = connection.execute(_BEAT, {"me": self.id, "silence": self._silence}).fetchone()
        if row is None:  # an aggregate without groups has a row
            raise StoreUnreachable("no answer")
        return Pulse(bool(row[0]), int(row[1]), tuple(row[2] or ()), {k: float(v) for k, v in (row[3] or {}).items()})


def _lease(connection: psycopg.Connection[Any], site: str, step: int) -> float:
    values = {"site": site, "step": step}
    if connection.execute(_LEASE, values).fetchone() is not None:
        return 0.0
    wait = connection.execute(_WAIT, values).fetchone()
    return max(0.001, 0.0 if wait is None else int(wait[0]) / 1e6)


async def listen(address: str, name: str) -> AsyncIterator[str]:
    """What the replicas tell each other, as it comes.

    Raises:
        StoreError: the connection broke; what is told meanwhile is missed.
    """
    try:
        async with await psycopg.AsyncConnection.connect(address, autocommit=True, application_name=name) as connection:
            await connection.execute(f"LISTEN {CHANNEL}".encode())
            yield ""  # from here on nothing is missed
            async for notification in connection.notifies():
                yield notification.payload
    except psycopg.Error as error:
        raise translate(error, shown(address)) or StoreUnreachable(str(error)) from error
