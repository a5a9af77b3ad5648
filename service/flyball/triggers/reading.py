"""Reading rows into nodes: singly where this site's lists leave things out, and only what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from flyball.clients.flywheel.dialect import Dialect
from flyball.concurrency import each
from flyball.events.nodes import SINGLE, Trust, nodes_of, parents_of, parse_time
from flyball.ledger.mirror import find
from flyball.model.errors import Gone, Refused
from flyball.model.levels import Level
from flyball.model.node import Node, NodeKey, Presence
from flyball.model.ports import Store
from flyball.triggers.needs import Needs

Row = Mapping[str, Any]
AT_ONCE = 32  # single reads under way at a time; the site's pace holds them back further


class Reads(Protocol):
    """What reading asks of the client."""

    @property
    def dialect(self) -> Dialect:
        """How the site speaks."""
        ...

    async def get(self, level: str, id_: str, *, fresh: bool = False) -> Any:
        """One container, file, analysis or job."""
        ...


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
        self.tags_seen: set[Level] = set()

    async def nodes(self, level: Level, rows: Sequence[Row], needs: Needs) -> list[Node]:
        """The nodes of a page of rows.

        A list that shows any tag shows tags; one that shows none proves nothing (2019 sites hide them as `[]`).
        """
        dialect = self._client.dialect
        with_files = Level.FILE in needs.streams and dialect.files_endpoint is not True
        if level not in self.tags_seen and any(row.get("tags") for row in rows):
            self.tags_seen.add(level)
        tags = level in self.tags_seen or dialect.lists_tags(str(level))
        info = dialect.info_in_files if level is Level.FILE else dialect.info_in_lists
        trust = Trust(tags=tags or level in (Level.JOB, Level.ANALYSIS), info=info is True or level is Level.JOB)
        singly = needs.read_singly(level, dialect) and not (tags and info is True)
        if not singly:
            return [node for row in rows for node in nodes_of(self._site, level, row, trust, with_files=with_files)]
        return await self._singly(level, rows, trust, with_files=with_files)

    async def _singly(self, level: Level, rows: Sequence[Row], trust: Trust, *, with_files: bool) -> list[Node]:
        changed = await self._changed(level, rows, trust, with_files=with_files)
        found: list[Node] = []

        async def read(ident: str) -> None:
            try:
                whole = await self._client.get(str(level), ident)
            except (Gone, Refused):
                return  # it went away between the list and now; the sweep says which
            found.extend(nodes_of(self._site, level, whole, SINGLE, with_files=with_files))

        await each(changed, read, at_once=AT_ONCE)
        return found

    async def _changed(self, level: Level, rows: Sequence[Row], trust: Trust, *, with_files: bool) -> list[str]:
        """Ids of the rows (their files included) that are not as the mirror has them."""
        listed = {
            str(row["id"]): list(nodes_of(self._site, level, row, trust, with_files=with_files))
            for row in rows
            if row.get("id")
        }
        keys = [node.key for nodes in listed.values() for node in nodes]
        known = await self._store.read(lambda connection: find(connection, keys))

        def same(node: Node) -> bool:
            before = known.get(node.key)
            return (
                before is not None
                and before.presence is node.presence
                and (before.modified, before.revision) == (node.modified, node.revision)
            )

        return [ident for ident, nodes in listed.items() if not all(same(node) for node in nodes)]

    async def presence(self, keys: Iterable[NodeKey]) -> list[tuple[NodeKey, Presence]]:
        """Which of these nodes are gone (404) or hidden (403) by their own GET; those still there are left out."""
        lost: list[tuple[NodeKey, Presence]] = []

        async def look(key: NodeKey) -> None:
            try:
                row = await self._client.get(str(key.level), key.id)
            except Gone:
                lost.append((key, Presence.GONE))
            except Refused as error:
                if error.status == 401:
                    raise
                lost.append((key, Presence.HIDDEN))
            else:
                if row.get("deleted"):
                    lost.append((key, Presence.GONE))

        await each(keys, look, at_once=AT_ONCE)
        return lost


def missing_files(row: Row, level: Level, known: Iterable[Node]) -> list[NodeKey]:
    """Files that the mirror has on a container and its row shows no more. A row without `files` says nothing."""
    files = row.get("files")
    ident = row.get("id")
    if not isinstance(files, list) or not isinstance(ident, str):
        return []
    shown = {entry.get("name") for entry in files if isinstance(entry, Mapping)}
    return [
        node.key
        for node in known
        if node.level is Level.FILE
        and node.presence is Presence.PRESENT
        and node.label not in shown
        and node.doc.get("parent_ref") == {"type": str(level), "id": ident}
    ]


def project_of(level: Level, row: Row) -> str | None:
    """The id of the project that a row belongs to."""
    if level is Level.PROJECT:
        return str(row.get("id"))
    return parents_of(level, row).get("project")


def newest(rows: Iterable[Row]) -> Any:
    """The newest `modified` among rows, as a time; None when none has one."""
    return max((time for row in rows if (time := parse_time(row.get("modified"))) is not None), default=None)
