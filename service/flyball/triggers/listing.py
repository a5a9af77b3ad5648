"""Listing: what the rules need is gone through once before they decide, and again from time to time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from flyball.ledger.mirror import everything
from flyball.model.errors import SiteError
from flyball.model.levels import Level
from flyball.triggers.coverage import Covered
from flyball.triggers.freshness import Freshness
from flyball.triggers.needs import Needs
from flyball.triggers.poller import Poller
from flyball.triggers.sweep import Sweeper, Swept
from flyball.triggers.weather import Weather, is_of_the_site

log = structlog.get_logger()


class Listing:
    """Baselines and sweeps of one site.

    Args:
        poller: of the site.
        fresh: told which levels are listed.
        weather: shows which level is being gone through.
    """

    def __init__(self, poller: Poller, fresh: Freshness, weather: Weather) -> None:
        self._poller = poller
        self._fresh = fresh
        self._weather = weather
        self._sweeper = Sweeper(poller)
        self._covered = Covered(poller.site, poller.store, poller.clock)
        self._known = False
        self._fitted = False
        self.sweeping: frozenset[Level] = frozenset()
        self.doubts: dict[Level, str] = {}

    def renew(self) -> None:
        """The rules need something else: all coverage is looked at again."""
        self._fitted = False

    def start_over(self) -> None:
        """Another one watched meanwhile: the projects may have other names than those that are known here."""
        self._known = False
        self.renew()

    async def prepare(self, needs: Needs, trouble: Callable[[Level, SiteError], None]) -> None:
        """Cursors first, then whatever was not listed yet: what changes meanwhile is brought by the polls.

        Args:
            needs: of the rules.
            trouble: told about a level that could not be listed; the others are listed all the same.
        """
        projects = self._poller.projects
        if not self._known:
            await self._recognize()
            await self._know_projects(needs)
            await self._poller.lengths.recall()
            self._known = True
        if not self._fitted or projects.shrunk:
            await self._fit(needs)
            self._fitted, projects.shrunk = True, False
        lacking = [level for level in needs.streams if level not in self._fresh.listed or projects.waiting(level)]
        # All of them before the first one is listed: while sessions of a new project come in, its scans are not there.
        self._fresh.listed -= set(lacking)
        for level in lacking:
            try:
                await self._list(level, needs)
            except SiteError as error:
                if is_of_the_site(error):
                    raise
                trouble(level, error)

    def has_more(self, needs: Needs) -> bool:
        """Whether some project waits to be listed."""
        waiting = self._poller.projects.waiting
        return any(level in self._fresh.listed and waiting(level) for level in needs.streams)

    async def _list(self, level: Level, needs: Needs) -> None:
        poller, projects = self._poller, self._poller.projects
        wanted = needs.read_of(level, poller.client.dialect)
        for stream in poller.streams(needs):
            if stream.brings is level or stream.level is level:
                await poller.start(stream)
        before = await self._covered.of(level)
        scoped = frozenset(projects.scoped)
        lacking = before.lacks(scoped, wanted)
        if level is Level.PROJECT:  # the list of projects itself
            needed = before.swept is None or not before.read >= wanted
        else:  # what ran before the rules came is nobody's business
            needed = bool(lacking) and not (level is Level.JOB and needs.jobs_since is None)
        if needed:
            self._fresh.listed.discard(level)
            self._weather.sweeping = str(level)
            try:
                done = await self._sweeper.baseline(level, needs, lacking)
            finally:
                self._weather.sweeping = None
            self._say("baseline.done", level, done)
            if lacking >= scoped:
                self._fresh.rounds.read(level)
        if level is Level.PROJECT:
            scoped = frozenset(projects.scoped)
        swept = poller.clock.now() if before.swept is None or (needed and lacking >= scoped) else before.swept
        await self._covered.save(level, replace(before, swept=swept, projects=scoped, read=wanted))
        projects.admit(level, scoped)
        self._fresh.listed.add(level)

    async def _fit(self, needs: Needs) -> None:
        """Take back coverage of what is watched no longer: its changes are passed over from now on."""
        projects = self._poller.projects
        for level in needs.streams:
            wanted = needs.read_of(level, self._poller.client.dialect)
            coverage = await self._covered.of(level)
            kept = coverage.within(projects.scoped, wanted)
            if kept != coverage:
                await self._covered.save(level, kept)
            projects.admit(level, projects.scoped - kept.lacks(projects.scoped, wanted))

    async def _recognize(self) -> None:
        """Look whether this is the site that was read before under this name."""
        site, address = self._poller.site, self._poller.client.transport.base_url
        before = await self._covered.recognize(address)
        if before is not None:
            log.warning("site.moved", site=site, before=before, now=address, reason="everything is listed again")

    async def _know_projects(self, needs: Needs) -> None:
        site = self._poller.site

        def load(connection: Any) -> list[dict[str, Any]]:
            return [{**node.doc, "id": node.id} for node in everything(connection, site, Level.PROJECT)]

        self._poller.projects.learn(await self._poller.store.read(load), needs)

    async def sweep_if_due(self, needs: Needs, every: timedelta) -> None:
        """Go through all levels when the last sweep of one is too long ago.

        A level that the site does not let through is tried again the next time; what was swept of it is kept.

        Raises:
            SiteError: the site as a whole cannot be read now.
        """
        now = self._poller.clock.now()
        swept = {level: (await self._covered.of(level)).swept for level in needs.streams if level in self._fresh.listed}
        if not any(time is not None and time + every <= now for time in swept.values()):
            return
        # all of them, but those that a sweep which was broken off has been through
        due = [level for level, time in swept.items() if time is not None and time + every / 2 <= now]
        self.sweeping = frozenset(due)
        try:
            for level in due:
                await self._sweep(level, needs)
        finally:
            self._weather.sweeping, self.sweeping = None, frozenset()
            self._fresh.sweeps.behind.clear()

    async def _sweep(self, level: Level, needs: Needs) -> None:
        self._weather.sweeping = str(level)
        try:
            done = await self._sweeper.sweep(level, needs)
        except SiteError as error:
            if is_of_the_site(error):
                raise
            log.warning("sweep.broken", site=self._poller.site, of=str(level), error=str(error))
            return
        self._say("sweep.done", level, done)
        self._fresh.sweeps.read(level)
        coverage = await self._covered.of(level)
        await self._covered.save(level, replace(coverage, swept=self._poller.clock.now()))

    def _say(self, event: str, level: Level, done: Swept) -> None:
        log.info(event, site=self._poller.site, of=str(level), rows=done.rows, changes=done.changes, gone=done.gone)
        if done.doubts:
            self.doubts[level] = done.doubts
        else:
            self.doubts.pop(level, None)
