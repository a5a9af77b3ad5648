"""The sweep: every node of a level, page by page by id, held against the mirror.

It catches what no `modified` tells: deletions, lost permissions, rows that were missed. The first one of a site is its
baseline: until it has been through every level that a rule looks at, the rule does not decide, for a scan that was
not listed yet must not look missing. Progress is stored with each page; a killed sweep goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flyball.clients.flywheel.filters import Filter, identified, where
from flyball.ledger.mirror import ids_between
from flyball.ledger.noticing import load_cursor, load_fact, notice, save_cursor, save_fact
from flyball.model.levels import Level
from flyball.model.node import NodeKey
from flyball.triggers.needs import Needs
from flyball.triggers.poller import Poller

MANY = 20  # above so many projects in scope, the whole site is listed and the others' rows are passed over


NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Baseline:
    """What of one level was listed to the end.

    Attributes:
        swept: when it was last gone through as a whole; None: never.
        everything: all projects were.
        projects: else, which ones.
    """

    swept: datetime | None = None
    everything: bool = False
    projects: frozenset[str] = NONE

    def lacks(self, allowed: Iterable[str], *, all_projects: bool) -> frozenset[str] | None:
        """The projects that still have to be listed; None: all there is."""
        if self.swept is None or (all_projects and not self.everything):
            return None
        return NONE if self.everything else frozenset(allowed) - self.projects


@dataclass(slots=True)
class Swept:
    """What a sweep came to."""

    requests: int = 0
    rows: int = 0
    changes: int = 0
    gone: int = 0


class Sweeper:
    """Sweeps one site with its poller's means."""

    def __init__(self, poller: Poller) -> None:
        self._poller = poller
        self.total = Swept()

    async def baseline(self, level: Level) -> Baseline:
        """What of the level was listed to the end, and when."""
        name = _fact(self._poller.site, level)
        found = await self._poller.store.read(lambda connection: load_fact(connection, name))
        if found is None:
            return Baseline()
        projects = found["projects"]
        covered = NONE if projects is None else frozenset(projects)
        return Baseline(datetime.fromisoformat(found["swept"]), everything=projects is None, projects=covered)

    async def sweep(self, level: Level, needs: Needs, *, only: frozenset[str] | None = None) -> Swept:
        """Go through one level, every page stored as it comes.

        Args:
            level: the level.
            needs: of the rules.
            only: projects that came into scope and were not listed yet; None: all that is in scope.
        """
        done = Swept()
        apart = level is not Level.FILE or self._poller.client.dialect.files_endpoint is not False
        if apart:  # else files come with their containers
            for project in self._parts(level, needs, only):
                await self._part(level, needs, project, done)
        await self._finish(level, needs, only)
        self.total.requests += done.requests
        self.total.rows += done.rows
        return done

    def _parts(self, level: Level, needs: Needs, only: frozenset[str] | None) -> list[str | None]:
        wanted = self._poller.projects.allowed if only is None else only
        plain = level is Level.PROJECT or (needs.all_projects and only is None)
        if plain or len(wanted) > MANY or not self._poller.client.dialect.object_ids:
            return [None]
        return [*sorted(wanted)]

    async def _part(self, level: Level, needs: Needs, project: str | None, done: Swept) -> None:
        poller = self._poller
        name = f"sweep/{level}" + (f"/{project}" if project else "")
        stored = await poller.store.read(lambda connection: load_cursor(connection, poller.site, name))
        after: str | None = (stored or {}).get("after")
        chosen = Filter()
        if project is not None:
            chosen = where(identified("parents.project", project, poller.client.dialect))
        async for rows in poller.client.iterate(str(level), filter=chosen, after_id=after):
            done.requests += 1
            done.rows += len(rows)
            ids = [str(row["id"]) for row in rows if row.get("id")]
            last = max(ids, default=None)
            noticed = await poller.absorb(
                level, rows, needs, source="sweep", cursor=(poller.site, name, {"after": last or after})
            )
            done.changes += noticed.changes
            # The list's end leaves the range open, so that a gap behind the last row is seen too.
            done.gone += await self._missing(level, after, last, set(ids), project)
            after = last or after
            if last is None:
                break
        done.gone += await self._missing(level, after, None, set(), project)

        def forget(connection: Any) -> None:
            save_cursor(connection, poller.site, name, {}, poller.clock.now())

        await poller.store.write(forget)

    async def _missing(
        self, level: Level, after: str | None, last: str | None, listed: set[str], project: str | None
    ) -> int:
        """What the mirror has in this range and the list has not: asked for one by one, then marked."""
        poller = self._poller
        known = await poller.store.read(
            lambda connection: ids_between(connection, poller.site, level, after, last, project)
        )
        absent = [NodeKey(poller.site, level, ident) for ident in known if ident not in listed]
        if not absent:
            return 0
        lost = await poller.reading.presence(absent)
        now, route = poller.clock.now(), poller.route
        await poller.store.write(
            lambda connection: notice(connection, [], route=route, source="sweep", now=now, lost=lost)
        )
        return len(lost)

    async def _finish(self, level: Level, needs: Needs, only: frozenset[str] | None) -> None:
        now, before = self._poller.clock.now(), await self.baseline(level)
        swept = before.swept if only is not None and before.swept is not None else now
        whole = (
            level is Level.PROJECT or (needs.all_projects and only is None) or (before.everything and only is not None)
        )
        projects = None if whole else sorted(self._poller.projects.allowed | (before.projects if only else NONE))
        value: Mapping[str, Any] = {"swept": swept.isoformat(), "projects": projects}
        name = _fact(self._poller.site, level)
        await self._poller.store.write(lambda connection: save_fact(connection, name, value, now))


def _fact(site: str, level: Level) -> str:
    return f"baseline/{site}/{level}"
