"""The sweep: every node of a level, page by page by id, held against the mirror.

It catches what no `modified` tells: deletions, lost permissions, rows that were missed. The first one of a project is
its baseline: until it has been through every level that a rule looks at, the rule does not decide, for a scan that was
not listed yet must not look missing. Progress is stored with each page; a killed sweep goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from flyball.clients.flywheel.client import OWN
from flyball.clients.flywheel.dialect import JobsAccess
from flyball.clients.flywheel.filters import Filter, identified, like, since, where
from flyball.concurrency import ahead
from flyball.ledger.mirror import ids_between
from flyball.ledger.noticing import load_cursor, save_cursor
from flyball.model.levels import Level
from flyball.model.node import NodeKey
from flyball.triggers.needs import EPOCH, Needs
from flyball.triggers.paging import pages_by_id
from flyball.triggers.poller import Poller
from flyball.triggers.streams import Stream

log = structlog.get_logger()
NAMES = 20  # patterns of file names that a list is asked for; with more, all files are listed and most passed over
MANY = 20  # above so many projects, the whole site is listed and the others' rows are passed over


@dataclass(frozen=True, slots=True)
class Part:
    """One list to go through: the whole level, or one project of it.

    Attributes:
        parent: for jobs outside the site-wide list.
    """

    level: Level
    project: str | None = None
    parent: tuple[str, str] | None = None

    def name(self, purpose: str) -> str:
        """Key of the progress."""
        return "/".join([purpose, str(self.level), *([self.project] if self.project else [])])


@dataclass(slots=True)
class Swept:
    """What a sweep came to.

    Attributes:
        doubts: for people: lists that left out what is still there.
    """

    requests: int = 0
    rows: int = 0
    changes: int = 0
    gone: int = 0
    doubts: str = ""


class Sweeper:
    """Sweeps one site with its poller's means."""

    def __init__(self, poller: Poller) -> None:
        self._poller = poller

    async def baseline(self, level: Level, needs: Needs, projects: frozenset[str]) -> Swept:
        """List a level of some projects for the first time."""
        return await self._sweep(level, needs, projects, "baseline", keep=lambda _row: True)

    async def sweep(self, level: Level, needs: Needs) -> Swept:
        """Go through a level of all projects that are watched.

        Rows that changed since the last poll are left to the next one, which reads all levels in order.
        """
        if level is Level.JOB:  # jobs are never deleted, and those that end unnoticed are asked for singly
            return Swept()
        stream = Stream(level)
        reached = await self._poller.reached(stream)

        def settled(row: Any) -> bool:
            time = stream.time_of(row)
            return time is None or time <= reached

        return await self._sweep(level, needs, frozenset(self._poller.projects.watched(level)), "sweep", keep=settled)

    async def _sweep(
        self, level: Level, needs: Needs, projects: frozenset[str], purpose: str, *, keep: Callable[[Any], bool]
    ) -> Swept:
        done = Swept()
        if level is Level.FILE and self._poller.client.dialect.files_endpoint is False:
            return done  # files come with their containers
        for part in self._parts(level, projects):
            await self._part(part, needs, projects, purpose, done, keep)
        return done

    def _parts(self, level: Level, projects: frozenset[str]) -> list[Part]:
        dialect = self._poller.client.dialect
        if level is Level.JOB and dialect.jobs is JobsAccess.NONE:
            return []
        if level is Level.JOB and dialect.jobs is JobsAccess.SELF:
            return [Part(level, parent=OWN)]
        if level is Level.JOB and dialect.jobs is JobsAccess.PROJECTS:
            return [Part(level, ident, ("project", ident)) for ident in sorted(projects)]
        if level is Level.PROJECT or len(projects) > MANY or dialect.object_ids is None:
            return [Part(level)]
        return [Part(level, ident) for ident in sorted(projects)]

    async def _part(
        self,
        part: Part,
        needs: Needs,
        projects: frozenset[str],
        purpose: str,
        done: Swept,
        keep: Callable[[Any], bool],
    ) -> None:
        poller, level = self._poller, part.level
        name, wanted = part.name(purpose), sorted(needs.read_of(level, poller.client.dialect))
        stored = await poller.store.read(lambda connection: load_cursor(connection, poller.site, name)) or {}
        by_id = poller.client.dialect.pages_by_id(str(level)) and part.parent != OWN
        after: str | None = stored.get("after") if by_id and stored.get("read") == wanted else None
        listed: set[str] = set()
        length = 0
        pages = pages_by_id(poller.client, str(level), self._filter(part, needs), after=after, parent=part.parent)
        async with ahead(pages) as fetched:
            async for page in fetched:
                rows = page.rows
                length = poller.lengths.followed(length, len(rows))
                done.requests += 1
                done.rows += len(rows)
                ids = {row["id"] for row in rows if isinstance(row.get("id"), str)}
                last = max(ids, default=None)
                progress = {"after": last or after, "read": wanted}
                taken = await poller.taking.take(
                    level,
                    [row for row in rows if keep(row)],
                    needs,
                    source=purpose,
                    cursor=(poller.site, name, progress) if by_id else None,
                    also=projects,
                    with_info=page.with_info,
                )
                done.changes += taken.changes
                if not by_id:
                    listed |= ids
                    continue
                if last is not None:
                    await self._missing(part, needs, (after, last), ids, done)
                after = last or after
        # The list's end leaves the range open, so that a gap behind the last row is seen too.
        await self._missing(part, needs, (after if by_id else None, None), listed, done)
        now = poller.clock.now()
        await poller.store.write(lambda connection: save_cursor(connection, poller.site, name, {}, now))

    def _filter(self, part: Part, needs: Needs) -> Filter:
        dialect = self._poller.client.dialect
        conditions = []
        if part.project is not None and part.parent is None:
            conditions.append(identified("parents.project", part.project, dialect))
        if part.level is Level.FILE and needs.file_names is not None and dialect.file_names:
            names = [glob.written for globs in needs.file_names for glob in globs.include]
            if len(names) <= NAMES:
                conditions.append(like("name", names))
        if part.level is Level.JOB and needs.jobs_since is not None and needs.jobs_since > EPOCH:
            conditions.append(since("created", needs.jobs_since, dialect))
        return where(*conditions)

    async def _missing(
        self, part: Part, needs: Needs, span: tuple[str | None, str | None], listed: set[str], done: Swept
    ) -> None:
        """What the mirror has in this range and the list has not: asked for one by one, then marked."""
        poller, level = self._poller, part.level
        if level is Level.JOB:
            return
        known = await poller.store.read(
            lambda connection: ids_between(
                connection, poller.site, level, *span, part.project, fits=lambda label: needs.is_about(level, label)
            )
        )
        absent = [NodeKey(poller.site, level, ident) for ident in known if ident not in listed]
        if not absent:
            return
        asked = await poller.taking.call_roll(absent, needs, source="sweep")
        done.requests += asked.requests
        done.gone += len(asked.lost)
        if not asked.believed:
            done.doubts = f"the list of {level}s leaves out {len(absent)} that are still there: it is not believed"
            log.warning("sweep.doubts", site=poller.site, of=str(level), absent=len(absent))
