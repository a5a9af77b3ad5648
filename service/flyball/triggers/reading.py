"""Reading rows into nodes: singly where this site's lists leave things out, and only what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from flyball.concurrency import each
from flyball.events.nodes import SINGLE, Trust, nodes_of, parents_of
from flyball.ledger.absorbing import outlines_of
from flyball.ledger.codec import micros_or_none
from flyball.model.errors import Gone, Permanent, Refused, Transient
from flyball.model.levels import CONTAINERS, Level
from flyball.model.node import Node, NodeKey, Presence
from flyball.model.ports import Store
from flyball.triggers.needs import Needs
from flyball.triggers.presence import AT_ONCE, Reads

Row = Mapping[str, Any]
log = structlog.get_logger()
ENOUGH = 20  # single reads without a field that lists lack, after which the site is taken not to have it
_ALWAYS_TAGGED = (Level.JOB, Level.ANALYSIS)  # lists of every known site show their tags (live19)
_BOOKKEEPING = frozenset({"BIDS"})  # lists keep this key of `info` while they hide the rest (live19)


@dataclass(slots=True)
class Shown:
    """What the lists of one level were seen to show.

    Attributes:
        tags: some row had tags, so that a row without has none.
        info: some row had info, likewise.
        hides: fields that a row lacked and a single read had.
        lacks: field → single reads that lacked it as the rows did.
    """

    tags: bool = False
    info: bool = False
    hides: set[str] = field(default_factory=set)
    lacks: dict[str, int] = field(default_factory=dict)


class Reading:
    """Turns list rows of one site into nodes.

    Args:
        site: the configured name.
        client: of the site.
        store: the mirror.
    """

    def __init__(self, site: str, client: Reads, store: Store) -> None:
        self._site = site
        self._client = client
        self._store = store
        self._shown = {level: Shown() for level in Level}
        self.requests = 0

    def with_files(self, needs: Needs) -> bool:
        """Whether files are taken from their containers' rows."""
        return Level.FILE in needs.streams and self._client.dialect.files_endpoint is not True

    async def nodes(self, level: Level, rows: Sequence[Row], needs: Needs, *, with_info: bool = True) -> list[Node]:
        """The nodes of a page of rows.

        A list that shows any tag shows tags; one that shows none proves nothing (2019 sites hide them as `[]`).

        Args:
            level: of the rows.
            rows: as listed.
            needs: what the rules read.
            with_info: the list was asked for info.
        """
        self._learn(level, rows)
        trust = self._trust(level, with_info=with_info)
        found: list[Node] = []
        singly: list[Row] = []
        for row in rows:
            if self._is_enough(level, row, needs, trust):
                found.extend(self._nodes(level, row, trust, needs))
            else:
                singly.append(row)
        if singly:  # the first few may tell that the site has no more than its lists show
            found.extend(await self._singly(level, singly[:ENOUGH], trust, needs))
            rest: list[Row] = []
            for row in singly[ENOUGH:]:
                if self._is_enough(level, row, needs, trust):
                    found.extend(self._nodes(level, row, trust, needs))
                else:
                    rest.append(row)
            if rest:
                found.extend(await self._singly(level, rest, trust, needs))
        return found

    def listed(self, level: Level, row: Row, needs: Needs) -> list[Node] | None:
        """The nodes of a list's row that shows what a single read would; None: it may leave something out."""
        self._learn(level, [row])
        trust = self._trust(level, with_info=True)
        if trust.tags and self._is_enough(level, row, needs, trust):
            return self._nodes(level, row, trust, needs)
        return None

    def shows_tags(self, level: Level) -> bool:
        """Whether lists of a level were seen to show tags."""
        return self._trust(level, with_info=False).tags

    def whole(self, level: Level, row: Row, needs: Needs) -> list[Node]:
        """The nodes of a row that was read singly."""
        return self._nodes(level, row, SINGLE, needs)

    async def again(self, keys: Iterable[NodeKey], needs: Needs) -> list[Node]:
        """Read some nodes by their own address; those that cannot be read are left out."""
        found: list[Node] = []

        async def read(key: NodeKey) -> None:
            self.requests += 1
            try:
                found.extend(self.whole(key.level, await self._client.get(str(key.level), key.id), needs))
            except (Permanent, Refused, Transient) as error:
                if not _about_this_one(error):
                    raise

        await each(keys, read, at_once=AT_ONCE)
        return found

    def _nodes(self, level: Level, row: Row, trust: Trust, needs: Needs) -> list[Node]:
        return list(nodes_of(self._site, level, row, trust, with_files=self.with_files(needs)))

    def _learn(self, level: Level, rows: Sequence[Row]) -> None:
        shown = self._shown[level]
        shown.tags = shown.tags or any(row.get("tags") for row in rows)
        shown.info = shown.info or any(_has_info(level, row) for row in rows)

    def _trust(self, level: Level, *, with_info: bool) -> Trust:
        dialect, shown = self._client.dialect, self._shown[level]
        proved = dialect.info_in_files if level is Level.FILE else dialect.info_in_lists
        return Trust(
            tags=level in _ALWAYS_TAGGED or shown.tags or dialect.lists_tags(str(level)),
            info=level is Level.JOB or (with_info and (shown.info or proved is True)),
        )

    def _is_enough(self, level: Level, row: Row, needs: Needs, trust: Trust) -> bool:
        """Whether the row shows what the rules read."""
        if level is Level.JOB:
            return True
        if level in needs.tags and level is not Level.FILE and not trust.tags:
            return False
        if not trust.info:
            if level in needs.info and row.get("info_exists") is not False:
                return False
            if self.with_files(needs) and Level.FILE in needs.info and _files_may_have_info(row):
                return False
        return not self._lacking(level, row, needs)

    def _lacking(self, level: Level, row: Row, needs: Needs) -> set[str]:
        """Fields that some rule reads, that the row does not have, and that the list may have left out."""
        wanted = needs.fields.get(level)
        if not wanted:
            return set()
        shown = self._shown[level]
        return {name for name in wanted - row.keys() if name in shown.hides or shown.lacks.get(name, 0) < ENOUGH}

    async def _singly(self, level: Level, rows: Sequence[Row], trust: Trust, needs: Needs) -> list[Node]:
        listed = {str(row["id"]): row for row in rows if row.get("id")}
        changed = await self._changed(level, listed, trust, needs)
        found: list[Node] = []

        async def read(ident: str) -> None:
            self.requests += 1
            try:
                whole = await self._client.get(str(level), ident)
            except Gone:
                return  # it went away between the list and now; the sweep says how
            except (Permanent, Refused, Transient) as error:
                if not _about_this_one(error):
                    raise
                log.warning("read.refused", site=self._site, of=str(level), id=ident, error=str(error))
                found.extend(self._nodes(level, listed[ident], trust, needs))
                return
            self._compare(level, listed[ident], whole, needs)
            found.extend(self._nodes(level, whole, SINGLE, needs))

        await each(changed, read, at_once=AT_ONCE)
        return found

    def _compare(self, level: Level, row: Row, whole: Row, needs: Needs) -> None:
        """Learn from a single read which fields the list leaves out."""
        shown = self._shown[level]
        for name in self._lacking(level, row, needs):
            if whole.get(name) is not None:
                shown.hides.add(name)
            else:
                shown.lacks[name] = shown.lacks.get(name, 0) + 1

    async def _changed(self, level: Level, listed: Mapping[str, Row], trust: Trust, needs: Needs) -> list[str]:
        """Ids of the rows (their files included) that are not as the mirror has them, or not known far enough."""
        nodes = {ident: self._nodes(level, row, trust, needs) for ident, row in listed.items()}
        keys = [node.key for members in nodes.values() for node in members]
        known = await self._store.read(lambda connection: outlines_of(connection, keys))

        def same(node: Node) -> bool:
            before = known.get(node.key)
            return (
                before is not None
                and before.presence == Presence.PRESENT == node.presence
                and (before.modified, before.revision) == (micros_or_none(node.modified), node.revision)
                and (before.tags_known or node.level not in needs.tags)
                and (before.info_known or node.level not in needs.info)
            )

        return [ident for ident, members in nodes.items() if not all(same(node) for node in members)]


def _has_info(level: Level, row: Row) -> bool:
    info = row.get("info")
    if isinstance(info, Mapping) and info.keys() - _BOOKKEEPING:
        return True
    files = row.get("files")
    return (
        level in CONTAINERS
        and isinstance(files, list)
        and any(isinstance(entry, Mapping) and _has_info(Level.FILE, entry) for entry in files)
    )


def _files_may_have_info(row: Row) -> bool:
    files = row.get("files")
    return isinstance(files, list) and any(
        isinstance(entry, Mapping) and entry.get("info_exists") is not False for entry in files
    )


def _about_this_one(error: Permanent | Refused | Transient) -> bool:
    """Whether the answer is about the one object, so that the others of the page need not wait for it."""
    if isinstance(error, Transient):
        return error.status == 500  # a fault of the site's own on this object (K19 has many)
    return error.status not in (401, 402, 407)


def project_of(level: Level, row: Row) -> str | None:
    """The id of the project that a row belongs to."""
    if level is Level.PROJECT:
        return str(row.get("id"))
    parents = row.get("parents")  # the quick way, for most rows of most sites
    if isinstance(parents, dict) and isinstance(project := parents.get("project"), str):
        return project
    return parents_of(level, row).get("project")
