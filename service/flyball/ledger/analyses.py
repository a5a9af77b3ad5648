"""The own analyses and collections of a Neuroscout account: what was listed is compared with what was known.

The server's time stamps have a resolution of ten minutes, so a list is compared by content. An analysis counts as data
from the moment at which its status was seen to change; one that was there at the first look, from the time stamp that
the server shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from flyball.ledger.mirror import everything, find
from flyball.ledger.noticing import Noticed, Route, Seen, load_cursor, notice, save_cursor, store_event
from flyball.ledger.prints import content_of
from flyball.model.levels import Level
from flyball.model.node import Node, NodeKey, Presence
from flyball.rules.keys import fingerprint, whole_of

Json = Mapping[str, Any]
ANALYSES = "analyses"
COLLECTIONS = "collections"
_WHOLE_STAMP = "2020-01-01T00:00:00"


def node_of(site: str, row: Json) -> Node:
    """The node of an analysis as a list or a single answer shows it."""
    ident = str(row["hash_id"])
    doc = {**row, "id": ident}
    label = str(row.get("name") or ident)
    return Node(
        NodeKey(site, Level.ANALYSIS, ident),
        label,
        {},
        None,
        None,
        None,
        doc,
        content=content_of({}, doc),
        whole=whole_of(doc),
    )


def stamp_of(row: Json) -> datetime | None:
    """The earliest time that a cut time stamp can mean (`2023-10-05T20:3`: 20:30 UTC)."""
    text = row.get("modified_at")
    if not isinstance(text, str) or len(text) < len("2023-10-05"):
        return None
    try:
        return datetime.fromisoformat(text + _WHOLE_STAMP[len(text) :]).replace(tzinfo=UTC)
    except ValueError:
        return None


def notice_analyses(
    connection: Connection, site: str, rows: Iterable[Json], *, begun: datetime, now: datetime, route: Route
) -> Noticed:
    """Take in the whole list of own analyses.

    Args:
        connection: of the transaction.
        site: the site.
        rows: all of them.
        begun: when the list was asked for.
        now: the present, UTC.
        route: which looks a change asks for.
    """
    first = load_cursor(connection, site, ANALYSES) is None
    known = {node.id: node for node in everything(connection, site, Level.ANALYSIS)}
    listed: set[str] = set()
    fresh: list[Node] = []
    for row in rows:
        node = node_of(site, row)
        listed.add(node.id)
        before = known.get(node.id)
        if before is not None:
            node = _with_more(node, before)
            if before.whole == node.whole:
                continue
        fresh.append(replace(node, created=_data_time(node, before, first=first, now=now), modified=now))
    lost = [(node.key, Presence.GONE) for ident, node in known.items() if ident not in listed]
    cursor = (site, ANALYSES, {"read": begun.isoformat()})
    return notice(connection, fresh, route=route, source="poll", now=now, lost=lost, cursor=cursor, sure=True)


def _with_more(node: Node, before: Node) -> Node:
    """What was read singly stays, as long as nothing that the list shows has changed."""
    shown = node.doc.keys()
    if any(before.doc.get(name) != node.doc[name] for name in shown):
        return node
    return before


def _data_time(node: Node, before: Node | None, *, first: bool, now: datetime) -> datetime | None:
    if before is not None:
        return now if before.doc.get("status") != node.doc.get("status") else before.created
    return stamp_of(node.doc) if first else now


def docs_of(connection: Connection, site: str) -> dict[str, Json]:
    """What is known of the analyses that are there; hash id → document."""
    return {node.id: node.doc for node in everything(connection, site, Level.ANALYSIS)}


def notice_whole(connection: Connection, site: str, row: Json, *, now: datetime, route: Route) -> Noticed:
    """Take in one analysis that was read singly, with all its fields."""
    node = node_of(site, row)
    before = find(connection, [node.key]).get(node.key)
    if before is not None:
        doc = {**before.doc, **node.doc}
        node = replace(node, doc=doc, whole=whole_of(doc), content=content_of({}, doc))
    created = _data_time(node, before, first=False, now=now)
    stamped = replace(node, created=created, modified=now)
    return notice(connection, [stamped], route=route, source="poll", now=now, sure=True)


def notice_collections(connection: Connection, site: str, rows: Sequence[Json], now: datetime) -> int:
    """Store an event for each collection that is new or has another status; how many these are.

    One that is PENDING with a traceback has failed: the server leaves it so.
    """
    statuses = {str(row.get("id")): _status(row) for row in rows}
    before = load_cursor(connection, site, COLLECTIONS)
    changed = 0
    for row in rows:
        ident = str(row.get("id"))
        known = None if before is None else before.get(ident)
        if before is None or known == statuses[ident]:
            continue
        detail = {"status": statuses[ident], "traceback": row.get("traceback")}
        kind = "new" if known is None else "changed"
        seen = Seen(site, kind, "collection", ident, str(row.get("collection_name")), detail)
        store_event(connection, seen, source="poll", now=now)
        changed += 1
    if statuses != before:
        save_cursor(connection, site, COLLECTIONS, statuses, now)
    return changed


def _status(row: Json) -> str:
    status = str(row.get("status"))
    return "FAILED" if status == "PENDING" and row.get("traceback") else status


def note_edit(connection: Connection, site: str, ident: str, label: str, fields: Sequence[str], now: datetime) -> None:
    """Store an event: people changed what we made."""
    mark = fingerprint([site, ident, list(fields), now.date().isoformat()])
    seen = Seen(site, "edited", str(Level.ANALYSIS), ident, label, {"fields": list(fields)}, f"edited/{mark}")
    store_event(connection, seen, source="sweep", now=now)
