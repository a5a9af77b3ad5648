"""The leader: one replica asks the sites, and tells the others what of the mirror can be relied on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, Final

import structlog

from flyball.adapters.dispatch.session import Session
from flyball.adapters.store.errors import StoreError
from flyball.ledger.sharing import Lead, load_lead, save_lead
from flyball.model.errors import SiteError, Stopping
from flyball.model.levels import Level
from flyball.model.ports import Clock, Store
from flyball.replicas.parts import LEAD_EVERY, REPORT_EVERY, Parts
from flyball.triggers.weather import Weather
from flyball.workers.lease import Lease

log = structlog.get_logger()
LOCK: Final = "leader"
_NEWS: Final = frozenset({"nodes", "looks"})


class Leading:
    """Whether this replica leads, and what the leader says.

    Args:
        session: holds the leader's lock.
        lease: of this replica.
        clock: the time.
    """

    def __init__(self, session: Session, lease: Lease, clock: Clock) -> None:
        self.leads = asyncio.Event()
        self._lost = asyncio.Event()
        self._session = session
        self._lease = lease
        self._clock = clock
        self._lead: Lead | None = None
        self._reports = 0
        self._confirmed: Mapping[str, Sequence[str]] | None = None
        """The levels that the ledger is known to say can be relied on."""

    def attach(self, store: Store, parts: Parts) -> None:
        """Take up the work."""
        self._store, self._parts = store, parts

    def ready(self, site: str, levels: set[Level]) -> bool:
        """Whether these levels of a site can be relied on, as the leader says."""
        watch = self._parts.watches.get(site)
        if watch is None or self.leads.is_set():
            return watch is not None and watch.ready_for(levels)
        return set(map(str, levels)) <= set(self._of_lead(site).get("levels", ()))

    def weather(self, site: str) -> Weather:
        """How the leader's watching of a site goes."""
        if self.leads.is_set():
            return self._parts.watches[site].weather
        said = dict(self._of_lead(site).get("weather") or {})
        last = said.pop("last_poll", None)
        said |= {name: tuple(said.get(name, ())) for name in ("findings", "doubts")}
        return Weather(**said, last_poll=None if last is None else datetime.fromisoformat(last))

    # --- services

    async def keep(self) -> None:
        """Become the leader when nobody is, and report while it is; until cancelled."""
        while True:
            try:
                if self._lease.holds and await self.take():
                    await self._lead_on()
            except (StoreError, Stopping) as error:  # the latter: it was declared dead, and joins again
                log.warning("leader.waits", reason=str(error))
            finally:
                self.stand_down()
            await asyncio.sleep(LEAD_EVERY)

    async def take(self) -> bool:
        """Become the leader, if nobody is. Whether or not, see how the sites want to be asked."""
        for watch in self._parts.watches.values():
            with suppress(SiteError, Stopping):
                await watch.meet()
        if not await self._session.lock(LOCK):
            return False
        for watch in self._parts.watches.values():
            watch.start_over()  # what is known of an earlier time as leader is too old
        lead, now = self._view(), self._clock.now()
        await self._store.write(lambda connection: save_lead(connection, lead, now, begins=True))
        self._lost.clear()
        self.leads.set()
        log.info("leader.begins", replica=self._session.id)
        return True

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

    async def _lead_on(self) -> None:
        """Lead until the connection that holds the lock breaks, or the lease runs out."""
        epoch, told = self._session.epoch, None
        while self._session.epoch == epoch and self._lease.holds:
            reports, lead, now = self._reports, self._view(), self._clock.now()
            if lead != told or self._confirmed != lead.levels:
                if not await self._store.write(partial(save_lead, lead=lead, now=now)):
                    return
                self._parts.decide.ring()
                # Unless something else was reported with a page meanwhile: then the pages look for themselves.
                self._confirmed = lead.levels if reports == self._reports else None
            told = lead
            await asyncio.sleep(REPORT_EVERY)

    def stand_down(self) -> None:
        """Lead no more."""
        if self.leads.is_set():
            log.warning("leader.ends", replica=self._session.id)
        self.leads.clear()
        self._confirmed = None
        self._lost.set()

    # --- in the store's threads

    def learn(self, connection: Any) -> None:
        """What the leader says, as of the snapshot that is decided on."""
        if not self.leads.is_set():
            self._lead = load_lead(connection)

    def report(self, connection: Any, tables: set[str]) -> None:
        """With a page goes what cannot be relied on before the next ones are read."""
        if not self.leads.is_set() or not tables & _NEWS:
            return
        lead = self._view()
        if lead.levels == self._confirmed:
            return
        known = load_lead(connection)
        if known is not None and known.replica == lead.replica and known.levels != lead.levels:
            self._reports += 1
            save_lead(connection, lead, self._clock.now())

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
        return Lead(self._session.id or "", found)

    def _of_lead(self, site: str) -> Mapping[str, Any]:
        return {} if self._lead is None else self._lead.sites.get(site, {})

    _parts: Parts
    _store: Store


async def _as_coroutine(work: Callable[[], Awaitable[None]]) -> None:
    await work()
