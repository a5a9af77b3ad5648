"""The mirror: the last state read of every node. What asks it; what changes it is in `absorbing`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.sqlite import insert as insert_on_sqlite

from flyball.ledger.among import Among
from flyball.ledger.bulk import many
from flyball.ledger.codec import pack, row_node, unpack
from flyball.ledger.tables import nodes
from flyball.model.levels import CONTAINERS, HIERARCHY, Level, below
from flyball.model.node import Node, NodeKey, Presence

CHUNK = 400  # keys a query; well below both databases' limit of bound values

# Built once: for few nodes at a time, building a statement costs more than running it.
THESE = (
    nodes.c.site == bindparam("of_site"),
    nodes.c.level == bindparam("of_level"),
    Among(nodes.c.id, "some"),
)
THIS = (
    nodes.c.site == bindparam("of_site"),
    nodes.c.level == bindparam("of_level"),
    nodes.c.id == bindparam("of_id"),
)
_NODES = select(nodes).where(*THESE)
_KNOWN = select(nodes.c.id).where(*THESE, nodes.c.presence == str(Presence.PRESENT))
_REWRITTEN = update(nodes).where(*THIS).values(doc=bindparam("new_doc"), whole=bindparam("new_whole"))
_TAGGED = select(nodes.c.id, nodes.c.doc).where(*THESE, nodes.c.tags_known.is_(True))


@dataclass(frozen=True, slots=True)
class Change:
    """A node that is not as it was.

    Attributes:
        node: as it is now.
        before: as it was; None at first sight.
        learned: nothing happened to it: its tags or info were not known before and are now.
        own: nothing but what this daemon wrote itself; only rules that read it need to look.
        project: `group/label` of the project that it is in, where that is sure: rules about others need not look.
    """

    node: Node
    before: Node | None
    learned: bool = False
    own: bool = False
    project: str | None = None

    @property
    def gone(self) -> bool:
        """It was there and is not any more, or cannot be read any more."""
        return self.node.presence is not Presence.PRESENT

    @property
    def moved(self) -> bool:
        """It hangs on other ancestors than before."""
        return self.before is not None and dict(self.before.parents) != dict(self.node.parents)


def chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The items in runs of `CHUNK`."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def inserting(connection: Connection, table: Any) -> Any:
    """The database's own INSERT, which can say what happens on conflict."""
    return insert_of(connection.dialect.name)(table)


def insert_of(database: str) -> Any:
    """The INSERT of a database, by the name of its dialect."""
    if database == "postgresql":
        from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415 - 2 MB that an embedded ledger does not need

        return insert
    return insert_on_sqlite


def upsert(connection: Connection, table: Any, rows: list[dict[str, Any]], keys: tuple[str, ...]) -> None:
    """Insert rows, or replace those with the same key."""
    if rows:
        many(connection, _upserting(connection.dialect.name, table, tuple(rows[0]), keys), rows)


@lru_cache(maxsize=64)
def _upserting(database: str, table: Any, columns: tuple[str, ...], keys: tuple[str, ...]) -> Any:
    statement = insert_of(database)(table)
    replaced = {name: statement.excluded[name] for name in columns if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=replaced)


def by_level(keys: Iterable[NodeKey]) -> dict[tuple[str, Level], list[str]]:
    """The ids of some keys, by site and level."""
    grouped: dict[tuple[str, Level], list[str]] = {}
    for key in keys:
        grouped.setdefault((key.site, key.level), []).append(key.id)
    return grouped


def find(connection: Connection, keys: Iterable[NodeKey]) -> dict[NodeKey, Node]:
    """The nodes with these keys, as far as the mirror has them."""
    found: dict[NodeKey, Node] = {}
    for (site, level), ids in by_level(keys).items():
        for some in chunks(ids):
            for row in connection.execute(_NODES, {"of_site": site, "of_level": str(level), "some": some}).all():
                node = row_node(row)
                found[node.key] = node
    return found


def tags_on(connection: Connection, keys: Iterable[NodeKey]) -> dict[NodeKey, list[Any]]:
    """The tags on nodes, of those where they are known."""
    found: dict[NodeKey, list[Any]] = {}
    for (site, level), ids in by_level(keys).items():
        for some in chunks(ids):
            asked = {"of_site": site, "of_level": str(level), "some": some}
            for ident, doc in connection.execute(_TAGGED, asked).all():
                tags = unpack(doc).get("tags")
                found[NodeKey(site, level, ident)] = tags if isinstance(tags, list) else []
    return found


def known_ids(connection: Connection, site: str, level: Level, ids: Sequence[str]) -> set[str]:
    """Which of these ids the mirror has as present nodes."""
    found: set[str] = set()
    for some in chunks(ids):
        asked = {"of_site": site, "of_level": str(level), "some": some}
        found.update(connection.scalars(_KNOWN, asked).all())
    return found


def has_some(connection: Connection, site: str, level: Level, *, right_below: Level | None = None) -> bool:
    """Whether there is any present node of a level; with `right_below`, one that hangs on a container of that level."""
    query = select(nodes.c.id).where(
        nodes.c.site == site, nodes.c.level == str(level), nodes.c.presence == str(Presence.PRESENT)
    )
    if right_below is not None:
        query = query.where(nodes.c[str(right_below)].is_not(None))
        query = query.where(*(nodes.c[str(lower)].is_(None) for lower in below(right_below) if lower in CONTAINERS))
    return connection.execute(query.limit(1)).first() is not None


def subtree(connection: Connection, site: str, level: Level, ids: Sequence[str]) -> dict[str, list[Node]]:
    """Present and hidden nodes below each container (hierarchy levels only), by the container's id."""
    found: dict[str, list[Node]] = {}
    column = nodes.c[str(level)]
    levels = [str(lower) for lower in below(level)]
    for some in chunks(ids):
        query = select(nodes).where(
            nodes.c.site == site,
            column.in_(some),
            nodes.c.level.in_(levels),
            nodes.c.presence != str(Presence.GONE),
        )
        for row in connection.execute(query):
            found.setdefault(getattr(row, str(level)), []).append(row_node(row))
    return found


def ids_between(
    connection: Connection,
    site: str,
    level: Level,
    after: str | None,
    last: str | None,
    project: str | None,
    *,
    fits: Callable[[str], bool] = lambda _label: True,
) -> list[str]:
    """Ids of present nodes with after < id ≤ last whose label fits, in order; None leaves that end open."""
    query = select(nodes.c.id, nodes.c.label).where(
        nodes.c.site == site, nodes.c.level == str(level), nodes.c.presence == str(Presence.PRESENT)
    )
    if after is not None:
        query = query.where(nodes.c.id > after)
    if last is not None:
        query = query.where(nodes.c.id <= last)
    if project is not None:
        query = query.where((nodes.c.id if level is Level.PROJECT else nodes.c.project) == project)
    return [ident for ident, label in connection.execute(query.order_by(nodes.c.id)) if fits(label)]


@dataclass(frozen=True, slots=True)
class Below:
    """A node below some container: its id, its label, and the newest of its creation and change (µs)."""

    id: str
    label: str
    newest: int | None


def descendants(
    connection: Connection, site: str, level: Level, idents: Sequence[str], of: Level
) -> dict[str, list[Below]]:
    """The present nodes of level `of` below each of these containers, by the container's id."""
    column = nodes.c[str(level)]
    found: dict[str, list[Below]] = {}
    for some in chunks(idents):
        query = select(column.label("above"), nodes.c.id, nodes.c.label, nodes.c.created, nodes.c.settled_from).where(
            nodes.c.site == site,
            nodes.c.level == str(of),
            column.in_(some),
            nodes.c.presence == str(Presence.PRESENT),
        )
        for row in connection.execute(query):
            newest = max((time for time in (row.created, row.settled_from) if time is not None), default=None)
            found.setdefault(row.above, []).append(Below(row.id, row.label, newest))
    return found


def everything(connection: Connection, site: str, level: Level) -> Iterator[Node]:
    """All present nodes of one level."""
    query = select(nodes).where(
        nodes.c.site == site, nodes.c.level == str(level), nodes.c.presence == str(Presence.PRESENT)
    )
    for row in connection.execute(query.order_by(nodes.c.id)):
        yield row_node(row)


def labelled(connection: Connection, site: str, level: Level) -> list[tuple[NodeKey, str]]:
    """All present nodes of one level, as key and label, in the order of their ids."""
    query = select(nodes.c.id, nodes.c.label).where(
        nodes.c.site == site, nodes.c.level == str(level), nodes.c.presence == str(Presence.PRESENT)
    )
    return [(NodeKey(site, level, row.id), row.label) for row in connection.execute(query.order_by(nodes.c.id))]


_ABOVE = tuple((level, str(level)) for level in HIERARCHY[:-1])


def runs_on(
    connection: Connection, site: str, level: Level, ids: Sequence[str], gears: Iterable[str]
) -> dict[str, list[Node]]:
    """Container → jobs of some gears on it or below it, as far as they are there."""
    found: dict[str, list[Node]] = {}
    for some in chunks(ids):
        query = select(nodes).where(
            nodes.c.site == site,
            nodes.c[str(level)].in_(some),
            nodes.c.level == str(Level.JOB),
            nodes.c.label.in_(sorted(gears)),
            nodes.c.presence == str(Presence.PRESENT),
        )
        for row in connection.execute(query):
            found.setdefault(getattr(row, str(level)), []).append(row_node(row))
    return found


def ancestor_keys(node: Node) -> list[NodeKey]:
    """Keys of a node's ancestors, from the top."""
    parents, own, site = node.parents, node.level, node.key.site
    return [NodeKey(site, level, parents[name]) for level, name in _ABOVE if parents.get(name) and level is not own]


def patch_tags(
    connection: Connection, wanted: Sequence[tuple[NodeKey, str, bool]], *, whole: Callable[[Mapping[str, Any]], str]
) -> list[Change | None]:
    """Note our own changes of tags, so that they are no news when they come back.

    Args:
        connection: of the transaction.
        wanted: container, tag, whether it is there now.
        whole: gives the fingerprint of a document.

    Returns:
        the changes, in order; None where the node is not mirrored, or was so already.
    """
    known = find(connection, {key for key, _, _ in wanted})
    rows: dict[NodeKey, dict[str, Any]] = {}
    changes: list[Change | None] = []
    for key, tag, there in wanted:
        before = known.get(key)
        tags = _tags_of(before)
        if before is None or tags is None or (tag in tags) == there:
            changes.append(None)
            continue
        doc = {**before.doc, "tags": [*tags, tag] if there else [other for other in tags if other != tag]}
        known[key] = after = replace(before, doc=doc, whole=whole(doc))
        named = {"of_site": key.site, "of_level": str(key.level), "of_id": key.id}
        rows[key] = {**named, "new_doc": pack(doc), "new_whole": after.whole}
        changes.append(Change(after, before, own=True))
    many(connection, _REWRITTEN, list(rows.values()))
    return changes


def _tags_of(node: Node | None) -> list[Any] | None:
    """The tags on a node, None when they are not known."""
    if node is None or not node.tags_known:
        return None
    tags = node.doc.get("tags")
    return [] if tags is None else list(tags)
