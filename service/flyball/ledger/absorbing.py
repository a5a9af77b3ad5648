"""Absorbing: what was read goes into the mirror, and what is new in it comes out.

A node that comes a second time is no change, nor is one that differs in book-keeping only. A page that was overtaken
by a newer one changes nothing. Where a container moved, everything below it moves with it, since the site tells of the
container alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, and_, bindparam, or_, select, update

from flyball.ledger.bulk import many
from flyball.ledger.codec import micros_or_none, node_row, row_node
from flyball.ledger.mirror import THESE, THIS, Change, by_level, chunks, find, upsert
from flyball.ledger.prints import content_of
from flyball.ledger.tables import nodes
from flyball.model.levels import CONTAINERS, HIERARCHY, Level, above
from flyball.model.node import Node, NodeKey, Presence
from flyball.rules.keys import whole_of

_OUTLINE = (
    nodes.c.site,
    nodes.c.level,
    nodes.c.id,
    nodes.c.modified,
    nodes.c.revision,
    nodes.c.content,
    nodes.c.whole,
    nodes.c.tags_known,
    nodes.c.info_known,
    nodes.c.settled_from,
    nodes.c.presence,
)
_OUTLINES = select(*_OUTLINE).where(*THESE)
_TOUCHED = (
    update(nodes)
    .where(*THIS)
    .values(
        modified=bindparam("new_modified"), revision=bindparam("new_revision"), settled_from=bindparam("new_settled")
    )
)


@dataclass(slots=True)
class Absorbed:
    """What came of some nodes.

    Attributes:
        changes: nodes that differ in something that can be read.
        older: nodes that differ but look older than what the mirror has, and were left alone. Either their page was
            overtaken, or the site's clock went back: only reading them singly can tell.
    """

    changes: list[Change] = field(default_factory=list)
    older: list[Node] = field(default_factory=list)


def absorb(connection: Connection, read: Iterable[Node], *, sure: bool = False) -> Absorbed:
    """Store nodes as read.

    Args:
        connection: of the transaction.
        read: the nodes.
        sure: they were read singly just now, so that none is older than what is stored.
    """
    latest: dict[NodeKey, Node] = {}
    for node in read:
        known = latest.get(node.key)
        if known is None or not _older(node, known.revision, micros_or_none(known.modified)):
            latest[node.key] = node
    outlines = outlines_of(connection, latest)
    done = Absorbed()
    differing: list[Node] = []
    touched: list[dict[str, Any]] = []
    for key, node in latest.items():
        known_row = outlines.get(key)
        if known_row is None:
            differing.append(node)
        elif is_same(node, known_row):
            if not _same_stamp(node, known_row) and (sure or not _older(node, known_row.revision, known_row.modified)):
                touched.append(_touch(node, known_row))
        elif not sure and _overtaken(node, known_row):
            done.older.append(node)
        else:
            differing.append(node)
    many(connection, _TOUCHED, touched)
    done.changes = _store(connection, differing, find(connection, [n.key for n in differing if n.key in outlines]))
    return done


def outlines_of(connection: Connection, keys: Iterable[NodeKey]) -> dict[NodeKey, Any]:
    """The nodes' columns without their documents: enough to tell whether something is new."""
    found: dict[NodeKey, Any] = {}
    for (site, level), ids in by_level(keys).items():
        for some in chunks(ids):
            for row in connection.execute(_OUTLINES, {"of_site": site, "of_level": str(level), "some": some}).all():
                found[NodeKey(site, level, row.id)] = row
    return found


def is_same(node: Node, outline: Any) -> bool:
    """Whether the mirror has the node just so, and knows as much of it."""
    known = (outline.whole, outline.presence, outline.tags_known, outline.info_known)
    return bool(known == (node.whole, str(node.presence), node.tags_known, node.info_known))


def _same_stamp(node: Node, outline: Any) -> bool:
    return bool(outline.modified == micros_or_none(node.modified) and outline.revision == node.revision)


def _older(node: Node, revision: int | None, modified: int | None) -> bool:
    """By the revision where both have one, unless the time says otherwise; else by the time (µs)."""
    mine = micros_or_none(node.modified)
    earlier = mine is not None and modified is not None and mine < modified
    if node.revision is None or revision is None or node.revision == revision:
        return earlier
    return node.revision < revision and not (mine is not None and modified is not None and mine > modified)


def _overtaken(node: Node, outline: Any) -> bool:
    return bool(outline.presence == Presence.PRESENT) and _older(node, outline.revision, outline.modified)


def _touch(node: Node, outline: Any) -> dict[str, Any]:
    """New book-keeping only. A file that moved while its info is not known may have got new info: not quiet then."""
    modified = micros_or_none(node.modified)
    blind = node.level is Level.FILE and not node.info_known and modified != outline.modified
    return {
        "of_site": node.key.site,
        "of_level": str(node.level),
        "of_id": node.id,
        "new_modified": modified,
        "new_revision": node.revision,
        "new_settled": modified if blind else outline.settled_from,
    }


def _store(connection: Connection, read: Iterable[Node], stored: Mapping[NodeKey, Node]) -> list[Change]:
    changes: list[Change] = []
    rows: list[dict[str, Any]] = []
    for node in read:
        before = stored.get(node.key)
        if before is None:
            quiet_since = node.modified or node.created
            fresh = node if node.settled_from == quiet_since else replace(node, settled_from=quiet_since)
            changes.append(Change(fresh, None))
            rows.append(node_row(fresh))
            continue
        fresh = _with_what_was_known(node, before)
        same_content = before.content == fresh.content or _only_learned_info(fresh, before)
        quiet_since = before.settled_from if same_content else fresh.modified or fresh.created
        fresh = replace(fresh, settled_from=quiet_since)
        rows.append(node_row(fresh))
        if (fresh.whole, fresh.presence) != (before.whole, before.presence):
            changes.append(Change(fresh, before, learned=_only_learned(fresh, before)))
    upsert(connection, nodes, rows, ("site", "level", "id"))
    for change in changes:
        if change.moved and change.node.level in CONTAINERS:
            _move_below(connection, change.node)
    return changes


def _with_what_was_known(node: Node, before: Node) -> Node:
    """The node with the tags and info that the mirror has and this reading hides, if it did not move meanwhile."""
    hidden = {
        "tags": before.tags_known and not node.tags_known,
        "info": before.info_known and not node.info_known,
    }
    if not any(hidden.values()) or (node.modified, node.revision) != (before.modified, before.revision):
        return node
    doc = {**node.doc, **{name: before.doc[name] for name, kept in hidden.items() if kept and name in before.doc}}
    return replace(
        node,
        doc=doc,
        tags_known=node.tags_known or hidden["tags"],
        info_known=node.info_known or hidden["info"],
        content=content_of(node.parents, doc),
        whole=whole_of(doc),
    )


def _only_learned(node: Node, before: Node) -> bool:
    """Whether all that differs is that tags or info are known now. One that moved meanwhile may have changed."""
    if (node.presence, node.modified, node.revision) != (before.presence, before.modified, before.revision):
        return False
    learned = _learned(node, before)
    return bool(learned) and whole_of({k: v for k, v in node.doc.items() if k not in learned}) == before.whole


def _only_learned_info(node: Node, before: Node) -> bool:
    if "info" not in _learned(node, before) or node.modified != before.modified:
        return False
    return content_of(node.parents, {k: v for k, v in node.doc.items() if k != "info"}) == before.content


def _learned(node: Node, before: Node) -> set[str]:
    found = {"tags"} if node.tags_known and not before.tags_known else set()
    return found | ({"info"} if node.info_known and not before.info_known else set())


def _move_below(connection: Connection, container: Node) -> None:
    """Hang everything below a container that moved on its new ancestors; for `settle`, it moved too."""
    level = container.level
    higher = {"group", *map(str, above(level))}
    kept = {name: ident for name, ident in container.parents.items() if name in higher}
    rows = []
    query = select(nodes).where(nodes.c.site == container.key.site, nodes.c[str(level)] == container.id)
    for row in connection.execute(query):
        node = row_node(row)
        parents = {**{name: ident for name, ident in node.parents.items() if name not in higher}, **kept}
        if parents == dict(node.parents):
            continue
        doc = dict(node.doc)
        if isinstance(doc.get("parents"), Mapping):
            doc["parents"] = {**doc["parents"], **kept}
        times = [time for time in (node.settled_from, container.modified) if time is not None]
        moved = replace(
            node,
            parents=parents,
            doc=doc,
            content=content_of(parents, doc),
            whole=whole_of(doc),
            settled_from=max(times, default=None),
        )
        rows.append(node_row(moved))
    upsert(connection, nodes, rows, ("site", "level", "id"))


def mark_presence(connection: Connection, keys: Iterable[NodeKey], presence: Presence) -> list[Change]:
    """Note that nodes are gone or hidden; with them everything below. Returns those that were not so before.

    Jobs outlive what they ran on (live19): with a container that is gone, they are still there to be read.
    """
    changes: list[Change] = []
    for key in keys:
        mine = and_(nodes.c.level == str(key.level), nodes.c.id == key.id)
        under = nodes.c[str(key.level)] == key.id if key.level in CONTAINERS else None
        if under is not None and presence is Presence.GONE:
            under = and_(under, nodes.c.level != str(Level.JOB))
        where = and_(
            nodes.c.site == key.site, mine if under is None else or_(mine, under), nodes.c.presence != str(presence)
        )
        if presence is Presence.HIDDEN:
            where = and_(where, nodes.c.presence != str(Presence.GONE))
        for row in connection.execute(select(nodes).where(where)):
            before = row_node(row)
            changes.append(Change(before.with_presence(presence), before))
        connection.execute(update(nodes).where(where).values(presence=str(presence)))
    return sorted(changes, key=_from_the_top)


def _from_the_top(change: Change) -> int:
    level = change.node.level
    return HIERARCHY.index(level) if level in HIERARCHY else len(HIERARCHY)
