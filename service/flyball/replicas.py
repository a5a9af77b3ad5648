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
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog

from flyball import __version__
from flyball.adapters.dispatch.queue import LookQueue, bring_up_queue
from flyball.adapters.dispatch.session import Session, listen
from flyball.adapters.store.errors import StoreError
from flyball.adapters.store.postgres.store import PostgresStore
from flyball.events.dispatch import Dispatcher
from flyball.ledger.looking import LookKey
from flyball.ledger.sharing import Lead, hand_back, hand_out, leave, load_lead, save_lead, take_over
from flyball.model.errors import FlyballError, SiteError, Stopping
from flyball.model.levels import Level
from flyball.model.ports import Clock
from flyball.triggers.watch import Watch
from flyball.triggers.weather import Weather
from flyball.wake import Bell
from flyball.workers.crew import Crew
from flyball.workers.lease import Lease

log = structlog.get_logger()
BEAT: Final = 0.8  # seconds between signs of life
LEASE: Final = 3.0  # seconds for which one of them holds
MARGIN: Final = 2.0
SILENCE: Final = timedelta(seconds=LEASE + MARGIN)
LEAD_EVERY: Final = 0.5  # seconds between tries to become the leader; for the leader, between its reports
HAND_EVERY: Final = 0.5  # seconds between looks for looks that have become due
REAP_EVERY: Final = 5.0  # seconds between looks for what nobody works on, without a sign that somebody died
AGAIN: Final = 1.0  # seconds until what broke with the database is begun again
MOST: Final = 2000  # looks handed out in one transaction
_LOOKS: Final = "looks"
_NEWS: Final = frozenset({"nodes", _LOOKS})


@dataclass(frozen=True, slots=True)
class Parts:
    """What of the daemon the replica works with."""

    dispatcher: Dispatcher
    crew: Crew
    watches: Mapping[str, Watch]
    bell: Bell
    told: Mapping[str, Callable[[], Awaitable[None]]]
    """What the others may tell → what is done then."""


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
        self.leads = asyncio.Event()
        self._lost = asyncio.Event()
        self._address = address
        self._clock = clock
        self._lead: Lead | None = None
        self._pauses: dict[str, float] = {}
        self._to_pause: dict[str, float] = {}
        self._dead: set[str] = set()
        """Those that were silent for too long, as far as this one has seen: while they are stopped, they hold on."""
        self._reap = Bell()
        self._queue = LookQueue(address, self.session.name, self._look)
        self._closed = False
        self._reports = 0
        self._confirmed: Mapping[str, Sequence[str]] | None = None
        """The levels that the ledger is known to say can be relied on."""

    async def open(self) -> PostgresStore:
        """Opens the ledger and joins; the store, which is the caller's to close, after this."""
        self.store = await PostgresStore.open(self._address, name=self.session.name, begin=self.session.begin)
        try:
            await asyncio.to_thread(bring_up_queue, self._address)
            await self._join()
        except BaseException:
            await self.store.close()
            raise
        return self.store

    def attach(self, parts: Parts) -> None:
        """Take up the work; to be called once everything is built."""
        self._parts = parts
        parts.crew.able = self.may_act
        parts.crew.replica = lambda: self.session.id
        parts.dispatcher.shared = True
        parts.dispatcher.before_take = self._learn
        self.store.before_commit(self._before_commit)

    async def close(self) -> None:
        """Leave: what is unfinished is taken up by the others at once."""
        self._closed = True
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

    def ready(self, site: str, levels: set[Level]) -> bool:
        """Whether these levels of a site can be relied on, as the leader says."""
        if self.leads.is_set():
            watch = self._parts.watches.get(site)
            return watch is not None and watch.ready_for(levels)
        known = self._of_lead(site).get("levels", ())
        return set(map(str, levels)) <= set(known)

    def weather(self, site: str) -> Weather:
        """How the leader's watching of a site goes."""
        said = dict(self._of_lead(site).get("weather") or {})
        last = said.pop("last_poll", None)
        said |= {name: tuple(said.get(name, ())) for name in ("findings", "doubts")}
        return Weather(**said, last_poll=None if last is None else datetime.fromisoformat(last))

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
        self._working = False
        try:
            async with asyncio.TaskGroup() as tasks:
                kept = [tasks.create_task(self.keep_alive()), tasks.create_task(self.keep_reaping())]
                try:
                    await self._meet()
                    leads = await self.session.lock("leader")
                    if leads:
                        await self._begin_to_lead()
                    else:
                        await self.store.read(self._learn)
                    yield leads
                finally:
                    for task in kept:
                        task.cancel()
        except* Exception as group:  # noqa: BLE001 - handed on as it is
            raise group.exceptions[0] from None

    # --- services

    def services(self) -> dict[str, Callable[[], Any]]:
        """What runs side by side."""
        return {
            "replica": self.keep_alive,
            "leader": self.keep_leading,
            "take over": self.keep_reaping,
            "hand out": self.keep_handing,
            "queue": self.keep_queue,
            "listen": self.keep_listening,
        }

    async def keep_alive(self) -> None:
        """Give signs of life, until cancelled."""
        while True:
            with suppress(StoreError):
                await self.beat()
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
        if pulse.silent:
            self._reap.ring()

    async def keep_leading(self) -> None:
        """Become the leader when nobody is, and report while it is; until cancelled."""
        while True:
            try:
                await self._meet()
                if self.lease.holds and await self.session.lock("leader"):
                    await self._lead_on()
            except StoreError as error:
                log.warning("leader.waits", reason=str(error))
            finally:
                self._stand_down()
            await asyncio.sleep(LEAD_EVERY)

    async def while_leading(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` whenever this replica is the leader, and break it off when it is no more; until cancelled."""
        while True:
            await self.leads.wait()
            try:
                async with asyncio.TaskGroup() as tasks:
                    task = tasks.create_task(_as_coroutine(work))
                    await self._lost.wait()
                    task.cancel()
            except* Exception as group:  # noqa: BLE001 - handed on as it is, to the supervisor
                raise group.exceptions[0] from None

    async def keep_reaping(self) -> None:
        """Take up what the dead left, until cancelled."""
        while True:
            await self._reap.wait(REAP_EVERY)
            try:
                if self._dead:  # first, for one that was stopped may hold the ledger's lock
                    await self.session.end(self._dead)
                await self.reap()
                if self.leads.is_set():
                    await self._queue.reap()
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
            self._parts.bell.ring()

    async def keep_handing(self) -> None:
        """Hand out the looks whose time has come, until cancelled."""
        while True:
            await self._parts.bell.wait(HAND_EVERY)
            if not self.lease.holds:
                await asyncio.sleep(HAND_EVERY)
                continue
            try:
                while await self.store.write(self._hand) >= MOST:
                    continue
            except FlyballError as error:
                log.warning("hand_out.waits", reason=str(error))
                await asyncio.sleep(AGAIN)

    async def keep_queue(self) -> None:
        """Work on the queue of looks, and begin again whenever the database ended that; until cancelled."""
        while True:
            try:
                await self._queue.run()
            except StoreError as error:
                if _is_cancelled():  # what broke while it was ending hides why it ended
                    raise asyncio.CancelledError from error
                log.warning("queue.begins_again", reason=str(error))
            await asyncio.sleep(AGAIN)

    async def keep_listening(self) -> None:
        """Do what the others tell, until cancelled."""
        while True:
            try:
                async for what in listen(self._address, self.session.name):
                    done = self._parts.told.get(what)
                    if done is not None:
                        await done()
            except StoreError as error:
                log.warning("listen.begins_again", reason=str(error))
            await asyncio.sleep(AGAIN)

    # --- presence

    async def _join(self) -> None:
        sent = self.lease.now()
        ident = await self.session.join()
        self.lease.renew(sent)
        log.info("replica.joined", replica=ident)

    async def _join_again(self) -> None:
        """Declared dead: everything is let go first, and only then, under a new name, taken up anew."""
        self.lease.revoke()
        self._stand_down()
        log.warning("replica.fenced", replica=self.session.id)
        await self._parts.crew.abandon()
        await self._join()

    # --- leading

    async def _meet(self) -> None:
        for watch in self._parts.watches.values():
            with suppress(SiteError, Stopping):
                await watch.meet()

    async def _begin_to_lead(self) -> None:
        for watch in self._parts.watches.values():
            watch.use(watch.needs)  # what is known of an earlier time as leader is too old
        lead, now = self._view(), self._clock.now()
        await self.store.write(lambda connection: save_lead(connection, lead, now, begins=True))
        self._lost.clear()
        self.leads.set()
        log.info("leader.begins", replica=self.session.id)

    async def _lead_on(self) -> None:
        """Lead until the connection that holds the lock breaks, or the lease runs out."""
        epoch, told = self.session.epoch, None
        await self._begin_to_lead()
        while self.session.epoch == epoch and self.lease.holds:
            reports, lead, now = self._reports, self._view(), self._clock.now()
            if lead != told or self._confirmed != lead.levels:
                if not await self.store.write(partial(save_lead, lead=lead, now=now)):
                    return
                self._parts.bell.ring()
                # Unless something else was reported with a page meanwhile: then the pages look for themselves.
                self._confirmed = lead.levels if reports == self._reports else None
            told = lead
            await asyncio.sleep(LEAD_EVERY / 2)

    def _stand_down(self) -> None:
        if self.leads.is_set():
            log.warning("leader.ends", replica=self.session.id)
        self.leads.clear()
        self._confirmed = None
        self._lost.set()

    def _view(self) -> Lead:
        """What there is to tell of the sites."""
        found: dict[str, Any] = {}
        for name, watch in self._parts.watches.items():
            weather = watch.weather
            last = weather.last_poll
            found[name] = {
                "levels": sorted(map(str, watch.covered())),
                "weather": {
                    "polls": weather.polls,
                    "failures": weather.failures,
                    "last_poll": None if last is None else last.isoformat(),
                    "last_requests": weather.last_requests,
                    "error": weather.error,
                    "sweeping": weather.sweeping,
                    "findings": list(weather.findings),
                    "doubts": list(weather.doubts),
                },
            }
        return Lead(self.session.id or "", found)

    def _of_lead(self, site: str) -> Mapping[str, Any]:
        return {} if self._lead is None else self._lead.sites.get(site, {})

    # --- in the store's threads

    def _learn(self, connection: Any) -> None:
        """What the leader says, as of the snapshot that is decided on."""
        if not self.leads.is_set():
            self._lead = load_lead(connection)

    def _before_commit(self, connection: Any, tables: set[str]) -> None:
        """With what is written goes what of it is not to be relied on yet, and the looks that are due."""
        if not tables & _NEWS:
            return
        if self.leads.is_set():
            lead = self._view()
            if lead.levels != self._confirmed:
                known = load_lead(connection)
                if known is not None and known.replica == lead.replica and known.levels != lead.levels:
                    self._reports += 1
                    save_lead(connection, lead, self._clock.now())
        if _LOOKS in tables:
            self._hand(connection)

    def _hand(self, connection: Any) -> int:
        if not self._working or self._queue.is_full(connection):
            return 0
        self._learn(connection)
        keys = hand_out(connection, self._parts.dispatcher.able_now(), self._clock.now(), MOST)
        if keys:
            self._queue.defer(connection, keys)
        return len(keys)

    # --- deciding

    async def _look(self, keys: Sequence[LookKey]) -> None:
        """Decide some looks. What cannot be decided here and now is handed back."""
        dispatcher = self._parts.dispatcher
        while True:
            try:
                decided = await dispatcher.step(keys)
                break
            except StoreError:
                await asyncio.sleep(AGAIN)
        if decided:
            await self._decided()
        able = set(dispatcher.able_now())
        rest = [key for key in keys if key.rule not in able]
        if rest:
            await self.store.write(lambda connection: hand_back(connection, rest))

    async def _decided(self) -> None:
        done = self._parts.told.get("effects")
        if done is not None:
            await done()

    _working = True
    _parts: Parts
    store: PostgresStore


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _as_coroutine(work: Callable[[], Awaitable[None]]) -> None:
    await work()
