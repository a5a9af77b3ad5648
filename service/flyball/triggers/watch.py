"""Watching one site: probe, baseline, rounds of polls, sweeps; and how well that goes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from flyball.clients.flywheel.dialect import Dialect
from flyball.clients.flywheel.probe import probe
from flyball.ledger.mirror import everything
from flyball.ledger.noticing import load_fact, save_fact
from flyball.model.errors import Refused, SiteError, Transient
from flyball.model.levels import Level
from flyball.triggers.needs import Needs
from flyball.triggers.poller import Poller, Round
from flyball.triggers.sweep import Sweeper

log = structlog.get_logger()
LONGEST_PAUSE = 300.0  # seconds between rounds of a site that does not answer
REPROBE = 20  # rounds between probes while something is unproved


@dataclass(slots=True)
class Weather:
    """How watching goes, for `/status` and `/readyz`.

    Attributes:
        polls: rounds that went through.
        last_poll: when the last one ended.
        error: what is wrong now, for people; None when nothing is.
        failures: rounds in a row that failed.
        sweeping: the level being swept, None when none is.
    """

    polls: int = 0
    last_poll: datetime | None = None
    last_requests: int = 0
    rows: int = 0
    changes: int = 0
    error: str | None = None
    failures: int = 0
    sweeping: str | None = None
    findings: tuple[str, ...] = ()
    ready_levels: set[Level] = field(default_factory=set)


class Watch:
    """Watches one site for the loaded rules.

    Args:
        poller: of the site.
        needs: what the rules need; may be replaced by `use`.
        every: time between rounds.
        sweep_every: time between sweeps.
        advice: what to check when the site cannot be reached (its address).
        changed: called after each page that brought something.
        met: called once, after the first probe and before anything is listed (the site's clock is known then).
    """

    def __init__(
        self,
        poller: Poller,
        needs: Needs,
        *,
        every: timedelta,
        sweep_every: timedelta,
        advice: str,
        changed: Callable[[], None],
        met: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.poller = poller
        self.needs = needs
        self.every = every
        self.sweep_every = sweep_every
        self.weather = Weather()
        self._advice = advice
        self._changed = changed
        self._met = met
        self._sweeper = Sweeper(poller)
        self._probed = False
        self._covered: frozenset[str] = frozenset()
        self._wake = asyncio.Event()

    @property
    def site(self) -> str:
        """The site's configured name."""
        return self.poller.site

    def poll_now(self) -> None:
        """Start the next round at once."""
        self._wake.set()

    def ready_for(self, levels: set[Level]) -> bool:
        """Whether every one of these levels was listed to the end once."""
        return levels <= self.weather.ready_levels

    async def run(self) -> None:
        """Watch until cancelled. Errors of the site are shown and waited out; nothing is lost by them."""
        while True:
            self._wake.clear()
            await self.once()
            pause = self.every.total_seconds()
            if self.weather.failures:
                pause = min(LONGEST_PAUSE, max(1.0, pause) * 2 ** min(self.weather.failures - 1, 8))
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def run_sweeps(self) -> None:
        """Sweep when it is time, beside the polls, until cancelled."""
        while True:
            if self.weather.polls and not self.weather.failures:
                await self.sweep_if_due()
            await asyncio.sleep(min(60.0, self.sweep_every.total_seconds() / 2))

    async def once(self) -> bool:
        """One round, with probe and baseline where they are due; False when the site did not let it through."""
        weather = self.weather
        try:
            await self._probe()
            await self._prepare()
            total = await self._round()
        except SiteError as error:
            weather.failures += 1
            weather.error = self._say(error)
            log.warning("site.unreachable", site=self.site, error=weather.error, failures=weather.failures)
            return False
        weather.polls += 1
        weather.failures = 0
        weather.error = None
        weather.last_poll = self.poller.clock.now()
        weather.last_requests = total.requests
        if total.changes:
            log.info("poll.changes", site=self.site, changes=total.changes, requests=total.requests)
            self._changed()
        return True

    async def sweep_if_due(self) -> None:
        """Go through every level whose last sweep is too long ago."""
        now = self.poller.clock.now()
        try:
            for level in self.needs.streams:
                last = (await self._sweeper.baseline(level)).swept
                if last is not None and last + self.sweep_every <= now:
                    await self._sweep_level(level)
        except SiteError as error:
            log.warning("sweep.broken", site=self.site, error=str(error))

    def _say(self, error: SiteError) -> str:
        if isinstance(error, Refused) and error.status in (401, 402):
            return f"{error}; check the API key of site {self.site!r} ({self._advice})"
        if isinstance(error, Transient):
            return f"{error}; check that {self._advice} is right and reachable"
        return str(error)

    async def _probe(self) -> None:
        client, name = self.poller.client, f"dialect/{self.site}"
        again = client.dialect.unproved and self.weather.polls % REPROBE == REPROBE - 1
        if self._probed and not again:
            return
        known = await self.poller.store.read(lambda connection: load_fact(connection, name))
        if known is not None and not self._probed:
            client.dialect = Dialect.from_json(known)
        client.dialect = dialect = await probe(client)
        if not self._probed and self._met is not None:
            await self._met()
        self._probed = True
        if dialect.findings != self.weather.findings:
            self.weather.findings = dialect.findings
            for finding in dialect.findings:
                log.warning("site.differs", site=self.site, finding=finding)
        now = self.poller.clock.now()
        await self.poller.store.write(lambda connection: save_fact(connection, name, dialect.to_json(), now))

    async def _prepare(self) -> None:
        """Cursors first, then the baseline: what changes while it is listed is seen by the polls."""
        await self._know_projects()
        await self._start_streams()
        allowed = self.poller.projects.allowed
        for level in self.needs.streams:
            if level in self.weather.ready_levels and not self._new_projects():
                continue
            lacking = (await self._sweeper.baseline(level)).lacks(allowed, all_projects=self.needs.all_projects)
            if lacking is None or (lacking and level is not Level.PROJECT):
                await self._sweep_level(level, only=lacking)
                if level is Level.PROJECT:
                    await self._start_streams()  # jobs are watched by project on some sites
            self.weather.ready_levels.add(level)
        self._covered = frozenset(allowed)

    def _new_projects(self) -> bool:
        return not self._covered >= self.poller.projects.allowed

    async def _start_streams(self) -> None:
        for stream in self.poller.streams(self.needs):
            await self.poller.start(stream)

    async def _know_projects(self) -> None:
        if self.poller.projects.known:
            return

        def load(connection: Any) -> list[dict[str, Any]]:
            return [{**node.doc, "id": node.id} for node in everything(connection, self.site, Level.PROJECT)]

        self.poller.projects.learn(await self.poller.store.read(load), self.needs)

    async def _round(self) -> Round:
        total = Round()
        for stream in self.poller.streams(self.needs):
            done = await self.poller.poll(stream, self.needs)
            total.requests += done.requests
            total.rows += done.rows
            total.changes += done.changes
            self.weather.rows += done.rows
            self.weather.changes += done.changes
        return total

    async def _sweep_level(self, level: Level, *, only: frozenset[str] | None = None) -> None:
        self.weather.sweeping = str(level)
        try:
            done = await self._sweeper.sweep(level, self.needs, only=only)
        finally:
            self.weather.sweeping = None
        log.info("sweep.done", site=self.site, level=str(level), rows=done.rows, changes=done.changes, gone=done.gone)
        if done.changes or done.gone:
            self._changed()
