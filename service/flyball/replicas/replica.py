"""One of many replicas: its presence, its turn at asking the sites, the looks that it decides, what it takes over.

All replicas decide and carry out. One of them, the leader, asks the sites for changes, serves schedules and deliveries;
it holds a lock that ends with its connection. The others read what they must know of its rounds in the snapshot that
they decide on. When a replica has been silent for `SILENCE`, the others close its connections, strike it off and take
up its attempts, as unclear ones; it finds its lease over `MARGIN` seconds earlier, and then sends nothing.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import structlog

from flyball import __version__
from flyball.adapters.dispatch.queue import bring_up_queue
from flyball.adapters.dispatch.session import Session, listen
from flyball.adapters.store.errors import StoreError
from flyball.adapters.store.postgres.store import PostgresStore
from flyball.events.dispatch import Dispatcher
from flyball.ledger.sharing import leave, take_over
from flyball.model.errors import FlyballError
from flyball.model.ports import Clock
from flyball.replicas.leading import Leading
from flyball.replicas.looks import Looks
from flyball.replicas.parts import AGAIN, BEAT, LEASE, REAP_EVERY, SILENCE, Parts
from flyball.triggers.watching import Watching
from flyball.wake import Bell
from flyball.workers.crew import Crew
from flyball.workers.lease import Lease

log = structlog.get_logger()


class SiteBudget:
    """One site's rate, over all replicas."""

    def __init__(self, site: str, replicas: Replicas) -> None:
        self._site = site
        self._replicas = replicas

    async def lease(self, rate: float, number: int) -> float:
        """See `workers.shared_pace.Budget`."""
        return await self._replicas.session.lease(self._site, rate, number)

    def pause(self, seconds: float) -> None:
        """Likewise."""
        self._replicas.note_pause(self._site, seconds)

    @property
    def paused(self) -> float:
        """Likewise."""
        return self._replicas.paused(self._site)


class Replicas:
    """This process as one of many.

    Args:
        address: of the database.
        clock: the time.
    """

    def __init__(self, address: str, clock: Clock) -> None:
        host = "".join(letter for letter in socket.gethostname() if letter.isalnum() or letter == "-")[:24]
        self.boot = f"{host}-{os.getpid()}-{secrets.token_hex(3)}"
        self.lease = Lease(LEASE)
        self.session = Session(address, self.boot, __version__, SILENCE)
        self.number = 1
        self.leading = Leading(self.session, self.lease, clock)
        self._looks = Looks(address, self.session.name, self.leading, self.lease, clock)
        self._address = address
        self._clock = clock
        self._pauses: dict[str, float] = {}
        self._to_pause: dict[str, float] = {}
        self._dead: set[str] = set()
        """Those that were silent for too long, as far as this one has seen: while they are stopped, they hold on."""
        self._reap = Bell()

    async def open(self) -> PostgresStore:
        """Opens the ledger; the store is the caller's to close, after this."""
        self.store = await PostgresStore.open(self._address, name=self.session.name, begin=self.session.begin)
        try:
            await asyncio.to_thread(bring_up_queue, self._address)
        except BaseException:
            await self.store.close()
            raise
        return self.store

    async def enter(
        self,
        dispatcher: Dispatcher,
        crew: Crew,
        watches: Mapping[str, Watching],
        bells: tuple[Bell, Bell],
        deliver: Callable[[], None],
        reload: Callable[[], Awaitable[Any]],
    ) -> None:
        """Join, and take up the work: everything is built, and signs of life are given from here on (see `Parts`)."""
        parts = self._parts = Parts(dispatcher, crew, watches, *bells, deliver, reload)
        self.leading.attach(self.store, parts)
        self._looks.attach(self.store, parts)
        parts.crew.able = self.may_act
        parts.crew.replica = lambda: self.session.id
        parts.dispatcher.shared = True
        parts.dispatcher.before_take = self.leading.learn
        self.store.before_commit(self._before_commit)
        await self._join()

    async def close(self) -> None:
        """Leave: what is unfinished is taken up by the others at once."""
        self.lease.revoke()
        ident = self.session.id
        if ident is not None:
            with suppress(FlyballError, TimeoutError):
                async with asyncio.timeout(2.0):
                    await self.store.write(lambda connection: leave(connection, ident))
        with suppress(TimeoutError):  # its thread may be waiting for a database that is away
            async with asyncio.timeout(2.0):
                await self.session.close()

    # --- what the rooms ask

    def may_act(self) -> bool:
        """Whether this replica may change anything now."""
        return self.lease.holds

    def budget(self, site: str) -> SiteBudget:
        """The rate of a site."""
        return SiteBudget(site, self)

    def paused(self, site: str) -> float:
        """Seconds for which nobody may ask a site, as far as is known here."""
        return max(0.0, self._pauses.get(site, 0.0) - time.monotonic())

    def note_pause(self, site: str, seconds: float) -> None:
        """A site asks everybody to wait; the others hear of it with the next sign of life, which is given at once."""
        until = time.monotonic() + seconds
        if until > self._pauses.get(site, 0.0):
            self._pauses[site] = self._to_pause[site] = until

    async def tell(self, what: str) -> None:
        """Tell all replicas something; missed by those that cannot be reached now."""
        with suppress(StoreError):
            await self.session.tell(what)

    @asynccontextmanager
    async def present(self) -> AsyncIterator[bool]:
        """Be there for a single run: alive, and the leader if nobody is; whether it is. It decides by itself."""
        self._looks.shared = False
        try:
            async with asyncio.TaskGroup() as tasks:
                kept = [tasks.create_task(self.keep_alive()), tasks.create_task(self.keep_reaping())]
                try:
                    leads = await self.leading.take()
                    if not leads:
                        await self.store.read(self.leading.learn)
                    yield leads
                finally:
                    for task in kept:
                        task.cancel()
        except* Exception as group:  # noqa: BLE001 - handed on as it is
            raise group.exceptions[0] from None

    async def while_leading(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` whenever this replica is the leader; until cancelled."""
        await self.leading.while_leading(work)

    # --- services

    def services(self) -> dict[str, Callable[[], Any]]:
        """What runs side by side."""
        return {
            "replica": self.keep_alive,
            "leader": self.leading.keep,
            "take over": self.keep_reaping,
            "hand out": self._looks.keep_handing,
            "queue": self._looks.keep_deciding,
            "listen": self.keep_listening,
        }

    async def keep_alive(self) -> None:
        """Give signs of life, until cancelled."""
        while True:
            try:
                await self.beat()
            except StoreError as error:
                self.store.other_trouble = str(error)
            else:
                self.store.other_trouble = None
            await asyncio.sleep(BEAT)

    async def beat(self) -> None:
        """Give one sign of life, and take in what it brings."""
        sent = self.lease.now()
        for site, until in list(self._to_pause.items()):
            if (left := until - time.monotonic()) > 0:
                await self.session.pause(site, left)
            self._to_pause.pop(site, None)
        pulse = await self.session.beat()
        self.number = max(1, pulse.replicas)
        for site, seconds in pulse.pauses.items():
            self._pauses[site] = max(self._pauses.get(site, 0.0), time.monotonic() + seconds)
        if not pulse.alive:
            await self._join_again()
            return
        self.lease.renew(sent)
        self._dead |= set(pulse.silent)
        if self._dead:  # here, not where their work is taken up: that waits for the ledger's lock, which they may hold
            await self.session.end(self._dead)
        if pulse.silent:
            self._reap.ring()

    async def keep_reaping(self) -> None:
        """Take up what the dead left, until cancelled."""
        while True:
            await self._reap.wait(REAP_EVERY)
            try:
                await self.reap()
                if self.leading.leads.is_set():
                    await self._looks.queue.reap()
            except FlyballError as error:
                log.warning("take_over.waits", reason=str(error))
                await asyncio.sleep(AGAIN)

    async def reap(self) -> None:
        """Take up what nobody works on."""
        now, waits = self._clock.now(), self._parts.crew.waits
        work = partial(take_over, now=now, waits=waits, silence=SILENCE)
        dead = await self.store.write(work)
        self._dead |= set(dead)
        if dead:
            log.warning("replica.taken_over", dead=dead, by=self.session.id)
            self._parts.decide.ring()

    async def keep_listening(self) -> None:
        """Do what the others tell, until cancelled."""
        while True:
            try:
                async for what in listen(self._address, self.session.name):
                    await self._heard(what)
            except StoreError as error:
                log.warning("listen.begins_again", reason=str(error))
            await asyncio.sleep(AGAIN)

    async def _heard(self, what: str) -> None:
        match what:
            case "hooks":
                self._parts.deliver()
            case "poll":
                for watch in self._parts.watches.values():
                    watch.poll_now()
            case "rules":
                await self._parts.dispatcher.reload_records()
            case "reload":
                await self._parts.reload()

    # --- presence

    async def _join(self) -> None:
        sent = self.lease.now()
        ident = await self.session.join()
        self.lease.renew(sent)
        log.info("replica.joined", replica=ident)

    async def _join_again(self) -> None:
        """Declared dead: everything is let go first, and only then, under a new name, taken up anew."""
        self.lease.revoke()
        self.leading.stand_down()
        log.warning("replica.fenced", replica=self.session.id)
        await self._parts.crew.abandon()
        await self._join()

    def _before_commit(self, connection: Any, tables: set[str]) -> None:
        """In the store's thread, at the end of each group that wrote."""
        self.leading.report(connection, tables)
        self._looks.before_commit(connection, tables)

    _parts: Parts
    store: PostgresStore
