"""Taking in a page of rows: what is in scope becomes nodes, and is stored with all that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from flyball.clients.flywheel.client import FlywheelClient
from flyball.events.nodes import parents_of
from flyball.ledger.absorbing import is_same, outlines_of
from flyball.ledger.codec import micros_or_none
from flyball.ledger.jobs import follow_job
from flyball.ledger.launched import launched_among
from flyball.ledger.limiting import ENDED
from flyball.ledger.mirror import Change, find, known_ids, subtree
from flyball.ledger.noticing import Look, Noticed, Route, load_cursor, notice
from flyball.model.levels import CONTAINERS, Level
from flyball.model.node import Node, NodeKey, Presence
from flyball.model.ports import Clock, Store
from flyball.triggers.needs import ORDER, Needs
from flyball.triggers.presence import Asked, Roll
from flyball.triggers.projects import Projects
from flyball.triggers.reading import Reading, Row, project_of

log = structlog.get_logger()
CursorAt = tuple[str, str, Mapping[str, Any]]  # site, stream, value
FEW = 200  # nodes that are looked up before they are stored; more than that are surely news
_EDITED = ("type", "modality", "classification")  # editing them moves the container, not the file (live19)


@dataclass(slots=True)
class Taken:
    """What came of a page."""

    changes: int = 0
    lost: int = 0


@dataclass(slots=True)
class Differences:
    """How the files that some containers' rows show differ from those that the mirror has.

    Attributes:
        missing: files that are shown no more.
        edited: ids of files whose type, modality or classification is another one.
    """

    missing: list[NodeKey] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)


class Taking:
    """Takes pages of one site into the mirror.

    Args:
        site: configured name.
        client: of the site.
        store: the ledger.
        clock: the time.
        route: which looks a change asks for.

    Attributes:
        coming: called with level and source before something is stored, which may be new.
        changed: called likewise after a page that brought something.
        remember: whether what is news becomes an event.
        thin: takes out of a node what nobody will ask for; for a mirror that is thrown away. None: all is kept.
    """

    def __init__(self, site: str, client: FlywheelClient, store: Store, clock: Clock, route: Route) -> None:
        self.site = site
        self.route = route
        self.projects = Projects()
        self.coming: Callable[[Level, str], None] = lambda _level, _source: None
        self.changed: Callable[[Level, str], None] = lambda _level, _source: None
        self.remember = True
        self.thin: Callable[[Node], Node] | None = None
        self.reading = Reading(site, client, store)
        self.roll = Roll(site, client, store)
        self._client = client
        self._store = store
        self._clock = clock
        self._rows_show_files = True
        self.running: set[str] = set()  # jobs that were seen and have not ended, for whoever looks after them

    async def take(
        self,
        level: Level,
        rows: Sequence[Row],
        needs: Needs,
        *,
        source: str,
        cursor: CursorAt | None = None,
        also: frozenset[str] = frozenset(),
        with_info: bool = True,
    ) -> Taken:
        """Store a page and what follows from it, in one transaction with the cursor.

        Args:
            level: of the rows.
            rows: as listed.
            needs: of the rules.
            source: poll or sweep.
            cursor: to store along.
            also: projects that are being listed, and not admitted yet.
            with_info: the list was asked for info.
        """
        if level is Level.PROJECT:
            self.projects.learn(rows, needs)
        rows = await self._relevant(level, rows, needs, also)
        nodes = await self.reading.nodes(level, rows, needs, with_info=with_info)
        asked = await self._check_files(level, rows, nodes, needs)
        noticed = await self.store(nodes, asked, source=source, cursor=cursor)
        done = Taken(noticed.changes, len(asked.lost))
        if noticed.older:
            done.changes += await self._take_older(noticed.older, needs, source)
        if done.changes:
            self.changed(level, source)
        return done

    async def store(
        self,
        nodes: Sequence[Node],
        asked: Asked,
        *,
        source: str,
        cursor: CursorAt | None = None,
        sure: bool = False,
        also: Callable[[Any], None] | None = None,
    ) -> Noticed:
        """Store nodes, and what was found lost; `also` is done in the same transaction."""
        if also is None and not asked.lost and await self._has_all(nodes, cursor):
            return Noticed(0, 0)
        levels = {node.level for node in nodes} | {key.level for key, _ in asked.lost}
        if levels:  # told before: whoever finds the looks that follow must know what has to be read first
            self.coming(min(levels, key=ORDER.index), source)
        for node in nodes:
            if node.level is Level.PROJECT:  # also one that was read singly
                self.projects.name(node.id, node.parents.get("group", ""), node.label)
        if self.thin is not None:
            nodes = [self.thin(node) for node in nodes]
        now = self._clock.now()
        jobs = [node.doc for node in nodes if node.level is Level.JOB]

        def work(connection: Any) -> Noticed:
            noticed = notice(
                connection,
                nodes,
                route=self._routed,
                source=source,
                now=now,
                lost=asked.lost,
                cursor=cursor,
                sure=sure,
                remember=self.remember,
            )
            for job in launched_among(connection, jobs) if jobs else ():
                follow_job(connection, job, now)
            if also is not None:
                also(connection)
            return noticed

        noticed = await self._store.write(work)
        for job in jobs:
            (self.running.discard if job.get("state") in ENDED else self.running.add)(str(job["id"]))
        self.projects.forget([key.id for key, _ in asked.lost if key.level is Level.PROJECT])
        return noticed

    def _routed(self, change: Change) -> Iterable[Look]:
        """Whoever is about another project than that of the change need not look.

        A project's own change, and a move, are everybody's matter: they are what puts targets into a scope, or out.
        """
        if change.node.level is Level.PROJECT or change.moved:
            return self.route(change)
        place = self.projects.place_of(change.node.parents.get("project"))
        return self.route(Change(change.node, change.before, change.learned, change.own, place))

    async def _has_all(self, nodes: Sequence[Node], cursor: CursorAt | None) -> bool:
        """Whether there is nothing to store: the overlap brings the same rows again in each quiet round."""
        if len(nodes) > FEW:
            return False
        keys = [node.key for node in nodes]

        def look(connection: Any) -> bool:
            if cursor is not None and load_cursor(connection, cursor[0], cursor[1]) != cursor[2]:
                return False
            known = outlines_of(connection, keys)
            return all(
                (outline := known.get(node.key)) is not None
                and is_same(node, outline)
                and (outline.modified, outline.revision) == (micros_or_none(node.modified), node.revision)
                for node in nodes
            )

        return await self._store.read(look)

    async def unknown(self, idents: Mapping[Level, Sequence[str]]) -> list[Level]:
        """The levels of which the mirror does not have all of some nodes as present ones."""

        def look(connection: Any) -> list[Level]:
            return [
                level
                for level, some in idents.items()
                if not known_ids(connection, self.site, level, some).issuperset(some)
            ]

        return await self._store.read(look)

    async def call_roll(
        self, keys: Sequence[NodeKey], needs: Needs, *, source: str, readable: Sequence[str] = ()
    ) -> Asked:
        """Ask for nodes by their own address, and store what came of it. Those that are there may have moved."""
        asked = await self.roll.call(keys, readable=readable)
        nodes = [node for level, row in asked.there for node in self.reading.whole(level, row, needs)]
        if nodes or asked.lost:
            noticed = await self.store(nodes, asked, source=source, sure=True)
            if noticed.changes:
                self.changed(keys[0].level, source)
        return asked

    async def _relevant(self, level: Level, rows: Sequence[Row], needs: Needs, also: frozenset[str]) -> list[Row]:
        """The rows that some rule may be about, of projects that are watched; and those that the mirror has: they may
        have moved away, or got another name.
        """
        if level is Level.PROJECT:
            return list(rows)  # all of them, so that it is known which there are when a scope grows
        rows = await self._with_parents(level, rows)
        watched = self.projects.watched(level) | also
        mine: list[Row] = []
        others: dict[str, Row] = {}
        for row in rows:
            project = project_of(level, row)
            if project in watched and needs.is_about(level, row.get("name")):
                mine.append(row)
            elif isinstance(row.get("id"), str) and project is not None:
                others[row["id"]] = row
        if others:
            ids = [*others]
            known = await self._store.read(lambda connection: known_ids(connection, self.site, level, ids))
            mine += [row for ident, row in others.items() if ident in known]
        return mine

    async def _with_parents(self, level: Level, rows: Sequence[Row]) -> Sequence[Row]:
        """Rows that do not tell their ancestors get them from what they hang on."""
        name = {Level.FILE: "parent_ref", Level.ANALYSIS: "parent", Level.JOB: "destination"}.get(level)
        if name is None or all(project_of(level, row) for row in rows):
            return rows
        keys = {str(row.get("id")): _key_of(self.site, row.get(name)) for row in rows if not project_of(level, row)}
        wanted = [key for key in keys.values() if key is not None]
        holders = await self._store.read(lambda connection: find(connection, wanted))
        found: list[Row] = []
        for row in rows:
            key = keys.get(str(row.get("id")))
            holder = None if key is None else holders.get(key)
            if key is None or holder is None:
                found.append(row)
            else:
                above = {**holder.parents, str(key.level): key.id}
                found.append({**row, "parents": {**above, **parents_of(level, row)}})
        return found

    async def _check_files(self, level: Level, rows: Sequence[Row], nodes: list[Node], needs: Needs) -> Asked:
        """Files that a changed container shows no more, or shows otherwise; edited ones are added to `nodes`."""
        if level not in CONTAINERS or Level.FILE not in needs.streams or not rows:
            return Asked()
        showing = {str(row["id"]): row for row in rows if isinstance(row.get("files"), list) and row.get("id")}
        changed = await self._changed_containers(level, nodes)
        ids = [ident for ident in showing if ident in changed]
        if not ids:
            return Asked()
        known = await self._store.read(lambda connection: subtree(connection, self.site, level, ids))
        found = Differences()
        for ident, members in known.items():
            _compare_files(showing[ident], level, members, found)
        if not self.reading.with_files(needs):
            edited = [NodeKey(self.site, Level.FILE, ident) for ident in found.edited]
            nodes.extend(await self.reading.again(edited, needs))
        if not found.missing or not self._rows_show_files:
            return Asked()
        readable = {project for row in rows if (project := project_of(level, row)) is not None}
        asked = await self.roll.call(found.missing, readable=readable)
        if not asked.lost and not any(row.get("files") for row in rows):
            self._rows_show_files = False  # `[]` means nothing on this site
            log.info("site.hides_files", site=self.site, of=str(level))
        return asked

    async def _changed_containers(self, level: Level, nodes: Sequence[Node]) -> set[str]:
        """Ids of the containers that moved since the mirror saw them."""
        mine = {node.key: node for node in nodes if node.level is level}
        known = await self._store.read(lambda connection: outlines_of(connection, mine))
        return {
            key.id
            for key, node in mine.items()
            if (before := known.get(key)) is not None
            and (before.modified, before.revision) != (micros_or_none(node.modified), node.revision)
        }

    async def _take_older(self, older: Sequence[Node], needs: Needs, source: str) -> int:
        """Nodes that look older than the mirror's: overtaken pages, or a site whose clock went back. Read them."""
        keys = list(dict.fromkeys(_readable_key(node) for node in older))
        log.info("site.older", site=self.site, nodes=len(keys))
        nodes = await self.reading.again(keys, needs)
        return (await self.store(nodes, Asked(), source=source, sure=True)).changes


def _key_of(site: str, reference: Any) -> NodeKey | None:
    """What a reference `{"type", "id"}` names, if it is something that the mirror may have."""
    if not isinstance(reference, Mapping) or not isinstance(reference.get("id"), str):
        return None
    level = next((level for level in (*CONTAINERS, Level.ANALYSIS) if level == reference.get("type")), None)
    return None if level is None else NodeKey(site, level, reference["id"])


def _readable_key(node: Node) -> NodeKey:
    """The node itself, or the container of a file that has no address of its own."""
    reference = node.doc.get("parent_ref")
    if node.level is Level.FILE and "/" in node.id and isinstance(reference, Mapping):
        return NodeKey(node.key.site, Level(reference["type"]), str(reference["id"]))
    return node.key


def _compare_files(row: Row, level: Level, known: Sequence[Node], found: Differences) -> None:
    """Hold a container's row against the files that the mirror has on it."""
    ident = str(row["id"])
    shown = {entry.get("name"): entry for entry in row["files"] if isinstance(entry, Mapping)}
    for node in known:
        reference = node.doc.get("parent_ref")
        here = isinstance(reference, Mapping) and (reference.get("type"), reference.get("id")) == (str(level), ident)
        if node.level is not Level.FILE or node.presence is not Presence.PRESENT or not here:
            continue
        entry = shown.get(node.label)
        if entry is None:
            found.missing.append(node.key)
        elif any(name in entry and entry[name] != node.doc.get(name) for name in _EDITED):
            found.edited.append(node.id)
