"""The poller of one site: what changed since the cursor, in pages that carry the documents.

For each stream (level) that the rules need, one request a round: `modified>=T`, oldest first, where T is the cursor
less an overlap, for the site's clock may differ between its own servers and a row may be committed late. What comes
twice is recognised in the mirror. A page, the events made of it, the looks owed and the cursor are stored together.

A parent's `modified` does not move when a child changes (live19), so that every level is a stream of its own. On
sites without `/files` a file's change moves only the file, and is asked for by `files.modified` of its container.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flyball.clients.flywheel.client import OWN, FlywheelClient
from flyball.clients.flywheel.dialect import JobsAccess
from flyball.clients.flywheel.filters import before as before_time
from flyball.clients.flywheel.filters import since as since_time
from flyball.clients.flywheel.filters import where
from flyball.events.nodes import parse_time
from flyball.ledger.acting import follow_job
from flyball.ledger.mirror import CHUNK, subtree
from flyball.ledger.noticing import Noticed, Route, load_cursor, notice, save_cursor
from flyball.model.levels import CONTAINERS, Level
from flyball.model.node import NodeKey
from flyball.model.ports import Clock, Store
from flyball.triggers.needs import Needs
from flyball.triggers.reading import Reading, missing_files, project_of

Row = dict[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TICK = timedelta(milliseconds=1)  # the precision in which sites store times
FILES = "files.modified"


@dataclass(frozen=True, slots=True)
class Stream:
    """One thing that is asked for in each round.

    Attributes:
        level: of the rows.
        field: the time that is asked for: `modified`, or `files.modified` on sites without `/files`.
        parent: for jobs outside the site-wide list: a project, or the key's own jobs.
    """

    level: Level
    field: str = "modified"
    parent: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """Key of the cursor."""
        parts = [str(self.level), *([] if self.field == "modified" else [self.field]), *(self.parent or ())]
        return "/".join(parts)


@dataclass(slots=True)
class Round:
    """What one round came to, for the status."""

    requests: int = 0
    rows: int = 0
    changes: int = 0
    newest: datetime | None = None


@dataclass(slots=True)
class Projects:
    """The projects that the rules are about, as far as they were read: id → group/label."""

    known: dict[str, tuple[str, str]] = field(default_factory=dict)
    allowed: set[str] = field(default_factory=set)

    def learn(self, rows: Sequence[Mapping[str, Any]], needs: Needs) -> set[str]:
        """Take in project rows; the ids that came into scope with them."""
        new: set[str] = set()
        for row in rows:
            ident, group, label = str(row.get("id")), str(row.get("group") or ""), str(row.get("label") or "")
            parents = row.get("parents")
            if not group and isinstance(parents, Mapping):
                group = str(parents.get("group") or "")
            self.known[ident] = (group, label)
            if needs.project_in_scope(group, label):
                if ident not in self.allowed:
                    new.add(ident)
                self.allowed.add(ident)
        return new


class Poller:
    """Polls one site.

    Args:
        site: configured name.
        client: of the site.
        store: the ledger.
        clock: the time.
        route: which looks a change asks for; replaced when rules are.
        overlap: how far behind the cursor is asked again.
    """

    def __init__(
        self, site: str, client: FlywheelClient, store: Store, clock: Clock, route: Route, overlap: timedelta
    ) -> None:
        self.site = site
        self.client = client
        self.store = store
        self.clock = clock
        self.route = route
        self.overlap = overlap
        self.reading = Reading(site, client, store)
        self.projects = Projects()

    def streams(self, needs: Needs) -> list[Stream]:
        """What is asked for in each round, from the top of the hierarchy."""
        dialect = self.client.dialect
        found: list[Stream] = []
        for level in needs.streams:
            if level is Level.FILE and dialect.files_endpoint is False:
                found += [
                    Stream(container, FILES)
                    for container in (Level.ACQUISITION, Level.SESSION)
                    if container in needs.streams
                ]
            elif level is Level.JOB and dialect.jobs is JobsAccess.PROJECTS:
                found += [Stream(level, parent=("project", ident)) for ident in sorted(self.projects.allowed)]
            elif level is Level.JOB and dialect.jobs is JobsAccess.SELF:
                found.append(Stream(level, parent=OWN))
            elif level is Level.JOB and dialect.jobs is JobsAccess.NONE:
                continue
            else:
                found.append(Stream(level))
        return found

    async def start(self, stream: Stream) -> None:
        """Set the cursor of a stream that has none to the newest time on the site, before anything is listed."""
        if await self.store.read(lambda connection: load_cursor(connection, self.site, stream.name)) is not None:
            return
        parent = stream.parent
        rows = await self.client.page(str(stream.level), sort=f"{stream.field}:desc", limit=1, parent=parent)
        times = [time for row in rows if (time := _time_of(row, stream.field)) is not None]
        cursor = {"since": (max(times) if times else EPOCH).isoformat()}
        now = self.clock.now()
        await self.store.write(lambda connection: save_cursor(connection, self.site, stream.name, cursor, now))

    async def poll(self, stream: Stream, needs: Needs) -> Round:
        """One round of one stream, to the end of what there is."""
        stored = await self.store.read(lambda connection: load_cursor(connection, self.site, stream.name))
        reached = parse_time((stored or {}).get("since")) or EPOCH
        since = max(EPOCH, reached - self.overlap) if reached > EPOCH + self.overlap else EPOCH
        done = Round(newest=reached)
        limit = self.client.effective_limit()
        while True:
            rows = await self.client.changes(
                str(stream.level), since, limit=limit, field=stream.field, parent=stream.parent
            )
            done.requests += 1
            times = [time for row in rows if (time := _time_of(row, stream.field)) is not None]
            last = max(times, default=since)
            await self._take(stream, rows, needs, done, cursor=max(last, done.newest or EPOCH))
            if len(rows) < limit:
                return done
            if last > since:
                since = last
                continue
            since = await self._same_time(stream, since, needs, done)

    async def _same_time(self, stream: Stream, at: datetime, needs: Needs, done: Round) -> datetime:
        """A full page of one and the same time: read all of that time by id, then go on behind it."""
        dialect = self.client.dialect
        chosen = where(since_time(stream.field, at, dialect), before_time(stream.field, at + TICK, dialect))
        async for rows in self.client.iterate(str(stream.level), filter=chosen, parent=stream.parent):
            done.requests += 1
            await self._take(stream, rows, needs, done, cursor=at)
        return at + TICK

    async def _take(self, stream: Stream, rows: Sequence[Row], needs: Needs, done: Round, *, cursor: datetime) -> None:
        done.rows += len(rows)
        done.newest = cursor
        value = {"since": cursor.isoformat()}
        noticed = await self.absorb(stream.level, rows, needs, source="poll", cursor=(self.site, stream.name, value))
        done.changes += noticed.changes

    async def absorb(
        self,
        level: Level,
        rows: Sequence[Row],
        needs: Needs,
        *,
        source: str,
        cursor: tuple[str, str, Mapping[str, Any]] | None = None,
    ) -> Noticed:
        """Store a page of rows and what follows from it. Rows of projects out of every scope are passed over."""
        if level is Level.PROJECT:
            self.projects.learn(rows, needs)
        if not needs.all_projects:
            rows = [row for row in rows if project_of(level, row) in self.projects.allowed]
        nodes = await self.reading.nodes(level, rows, needs)
        suspects = await self._suspects(level, rows, needs)
        lost = await self.reading.presence(suspects) if suspects else []
        now, route = self.clock.now(), self.route
        jobs = [node.doc for node in nodes if node.level is Level.JOB]

        def work(connection: Any) -> Noticed:
            noticed = notice(connection, nodes, route=route, source=source, now=now, lost=lost, cursor=cursor)
            for job in jobs:
                follow_job(connection, job)
            return noticed

        return await self.store.write(work)

    async def _suspects(self, level: Level, rows: Sequence[Row], needs: Needs) -> list[NodeKey]:
        """Files that their container's row shows no more; deleting a file moves its container (live19)."""
        if level not in CONTAINERS or Level.FILE not in needs.streams or not rows:
            return []
        shown = {str(row.get("id")): row for row in rows if isinstance(row.get("files"), list)}
        if not shown or len(shown) > CHUNK * 50:
            return []
        ids = list(shown)
        known = await self.store.read(lambda connection: subtree(connection, self.site, level, ids))
        return [key for ident, members in known.items() for key in missing_files(shown[ident], level, members)]


def _time_of(row: Mapping[str, Any], name: str) -> datetime | None:
    if name != FILES:
        return parse_time(row.get(name))
    files = row.get("files")
    times = [
        time
        for entry in (files if isinstance(files, list) else [])
        if isinstance(entry, Mapping) and (time := parse_time(entry.get("modified"))) is not None
    ]
    return max(times, default=None)
