"""Watching one site: probe, baseline, rounds of polls, sweeps. Trouble is shown and waited out; it loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

import structlog

from flyball.model.errors import SiteError, Transient
from flyball.model.levels import Level
from flyball.triggers.canary import Canary
from flyball.triggers.freshness import Freshness
from flyball.triggers.listing import Listing
from flyball.triggers.named import Found
from flyball.triggers.needs import Needs
from flyball.triggers.poller import Poller, Round
from flyball.triggers.presence import Asked
from flyball.triggers.rounds import Rounds
from flyball.triggers.schedule import interval
from flyball.triggers.searching import Searching
from flyball.triggers.silent import SilentJobs
from flyball.triggers.weather import Weather, advice_on

log = structlog.get_logger()
LONGEST_PAUSE = 300.0  # seconds between tries of a site that does not answer
BLIND_SWEEP = timedelta(minutes=15)  # between sweeps of a site that does not let itself be asked for changes


class Watch:
    """Watches one site for the loaded rules.

    Args:
        poller: of the site.
        needs: what the rules need; replaced by `use`.
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
        self._wait = 0.0  # seconds that the site asked for
        self._canary = Canary(poller, met)
        self._fresh = Freshness(needs.streams)
        self._listing = Listing(poller, self._fresh, self.weather)
        self._silent = SilentJobs(poller)
        self.searching = Searching(poller.site, poller.client, poller.store, poller.clock, poller.taking)
        self._rounds = Rounds(
            poller, self._fresh, every.total_seconds(), trouble=self._trouble, refused=self._canary.refused
        )
        self._wake = asyncio.Event()
        poller.taking.coming = self._coming
        poller.taking.changed = lambda _level, _source: self._changed()

    @property
    def site(self) -> str:
        """The site's configured name."""
        return self.poller.site

    def poll_now(self) -> None:
        """Start the next round at once."""
        self._wake.set()

    def use(self, needs: Needs) -> None:
        """Watch for other rules from now on; what they need beyond the old ones is listed before they decide."""
        self.needs = needs
        self.poller.projects.fit(needs)
        self._fresh.renew(needs.streams)
        self._listing.renew()
        self.poll_now()

    def ready_for(self, levels: Iterable[Level]) -> bool:
        """Whether these levels were listed to the end, and are up to date."""
        return self._fresh.covers(levels)

    def covered(self) -> set[Level]:
        """The levels that were listed to the end, and are up to date."""
        return self._fresh.covered()

    async def meet(self) -> None:
        """See how the site wants to be asked, unless that is known. Raises SiteError."""
        if not self._canary.probed:
            await self._canary.sing()

    def start_over(self) -> None:
        """What was known of the site is too old to be relied on: another one watched it meanwhile."""
        self._listing.start_over()
        self.use(self.needs)

    # --- loops

    async def run(self) -> None:
        """Watch until cancelled."""
        timer = interval(self.every, self.poller.clock.now())
        every = self.every.total_seconds()
        while True:
            self._wake.clear()
            await self.once()
            now = self.poller.clock.now()
            # Counted from the start, so that slow rounds neither pile up nor put the later ones off.
            due = timer.after(now)
            pause = every if due is None else min(every, (due - now).total_seconds())
            failures = self.weather.failures
            if failures:
                pause = max(min(LONGEST_PAUSE, max(1.0, every) * 2 ** min(failures - 1, 8)), self._wait)
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
        """One round, with probe and baseline where they are due; False when not all could be read."""
        weather, total = self.weather, Round()
        weather.troubles.clear()
        try:
            await self._canary.sing()
            await self._prepare()
            total = await self._rounds.go(self.needs)
            if self._listing.has_more(self.needs):
                await self._prepare()  # a project has come into sight, or into scope
            total.requests += await self._silent.look(self.needs)
            await self._search(changed=bool(total.changes))
        except SiteError as error:
            self._fail(error)
        else:
            weather.failures, self._wait = 0, 0.0
        self._canary.saw(total.changes)
        weather.take(total.requests, total.rows, total.changes)
        weather.show((*self._listing.doubts.values(), *self._blindness(), *self.searching.findings()))
        weather.findings = (*self._canary.findings, *weather.doubts)
        if total.changes:
            log.info("poll.changes", site=self.site, changes=total.changes, requests=total.requests)
        if weather.failures:
            return False
        weather.polls += 1
        weather.last_poll = self.poller.clock.now()
        return not weather.troubles

    async def _search(self, *, changed: bool) -> None:
        """Ask the site's search for the rules that use it; hits that came or went have looks follow."""
        if await self.searching.look(self.needs, changed=changed):
            self._changed()

    async def take_in(self, found: Sequence[Found], also: Callable[[Any], None]) -> int:
        """Store objects that were read just now (hooks named them); how many nodes were not as before.

        What lies below an object that was never seen has to be read first: rules that look there wait for the next
        round, which begins at once.

        Args:
            found: as read.
            also: what is stored in the same transaction.
        """
        taking = self.poller.taking
        idents: dict[Level, list[str]] = {}
        for one in found:
            idents.setdefault(one.level, []).append(one.ident)
        for level in await taking.unknown(idents):
            self._fresh.rounds.brought(level, self.needs.streams)
            self.poll_now()
        nodes = [node for one in found for node in one.nodes]
        noticed = await taking.store(nodes, Asked(), source="webhook", sure=True, also=also)
        self._changed()
        return noticed.changes

    async def sweep_if_due(self) -> None:
        """Go through every level whose last sweep is too long ago."""
        every = min(self.sweep_every, BLIND_SWEEP) if self._rounds.blind else self.sweep_every
        try:
            await self._listing.sweep_if_due(self.needs, every)
        except SiteError as error:
            log.warning("sweep.broken", site=self.site, error=str(error))

    async def _prepare(self) -> None:
        await self._listing.prepare(self.needs, lambda level, error: self._trouble(f"list of {level}", error))

    # --- what happens

    def _coming(self, level: Level, source: str) -> None:
        """Something may be new: what lies below has to be read before anything is decided on it."""
        if source == "poll":
            self._fresh.rounds.brought(level, self._rounds.to_come)
        elif source == "sweep":
            self._fresh.sweeps.brought(level, self._listing.sweeping)

    def _trouble(self, name: str, error: SiteError) -> None:
        self.weather.troubles[name] = advice_on(error, self.site, self._advice)

    def _fail(self, error: SiteError) -> None:
        """The site as a whole could not be read."""
        weather = self.weather
        weather.failures += 1
        self._trouble("site", error)
        self._wait = error.wait or 0.0 if isinstance(error, Transient) else 0.0
        self._fresh.rounds.behind |= set(self.needs.streams)
        log.warning("site.unreachable", site=self.site, error=str(error), failures=weather.failures)

    def _blindness(self) -> list[str]:
        levels = ", ".join(sorted(map(str, self._rounds.blind)))
        return [f"changes of {levels} cannot be asked for on this site: sweeps bring them"] if levels else []
