"""Noticing: what was seen is stored with what follows from it, in one transaction.

A page of nodes, the events made of it, the looks that rules owe because of them, and the poll cursor are written
together: a kill leaves either all of it or nothing, so no change is ever lost.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from flyball.ledger.absorbing import absorb, mark_presence
from flyball.ledger.among import Among
from flyball.ledger.bulk import insert_numbered
from flyball.ledger.codec import micros, moment, pack, unpack
from flyball.ledger.echoes import echoes
from flyball.ledger.looking import Look, Owed, owe, owe_all
from flyball.ledger.marking import note_removed
from flyball.ledger.mirror import Change, chunks, upsert
from flyball.ledger.tables import cursors, events, facts
from flyball.model.levels import Level
from flyball.model.node import Node, NodeKey, Presence

__all__ = [
    "Look",
    "Noticed",
    "Route",
    "Seen",
    "forget_cursors",
    "forget_facts",
    "load_cursor",
    "load_events",
    "load_fact",
    "load_facts",
    "notice",
    "owe",
    "save_cursor",
    "save_fact",
    "store_event",
    "store_events",
]


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing seen, before it is stored as an event."""

    site: str
    kind: str
    level: str
    node: str
    path: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    dedupe: str | None = None


@dataclass(frozen=True, slots=True)
class Noticed:
    """What came of a page.

    Attributes:
        changes: how many nodes were not as before.
        looks: how many targets rules must look at because of them.
        older: nodes that look older than what is stored and were left alone; read singly, they may be taken.
    """

    changes: int
    looks: int
    older: Sequence[Node] = ()


Route = Callable[[Change], Iterable[Look]]
About = tuple[str, str, str]  # site, level, node
_THESE = select(events).where(Among(events.c.id, "some"))


def notice(
    connection: Connection,
    read: Iterable[Node],
    *,
    route: Route,
    source: str,
    now: datetime,
    lost: Iterable[tuple[NodeKey, Presence]] = (),
    cursor: tuple[str, str, Mapping[str, Any]] | None = None,
    sure: bool = False,
    remember: bool = True,
) -> Noticed:
    """Store a page of nodes and all that follows from it.

    Args:
        connection: of the transaction.
        read: nodes as read.
        route: which looks a change asks for (pure).
        source: poll, sweep, webhook, effect.
        now: the present, UTC.
        lost: nodes that were found to be gone or hidden.
        cursor: (site, stream, value) to store along.
        sure: the nodes were read singly just now.
        remember: as events; not in a ledger that is thrown away before anybody asks for them.
    """
    absorbed = absorb(connection, read, sure=sure)
    changes = list(absorbed.changes)
    for key, presence in lost:
        changes.extend(mark_presence(connection, [key], presence))
    own = echoes(connection, changes)
    changes = [replace(change, own=True) if change.node.key in own else change for change in changes]
    news = [change for change in changes if not (change.own or change.learned)]
    note_removed(connection, news, now)
    led = store_events(connection, [_seen(change) for change in news], source=source, now=now) if remember else {}
    owed: list[Owed] = [(look, led.get(_about(change.node))) for change in changes for look in route(change)]
    asked = owe_all(connection, owed, now=now)
    if cursor is not None:
        site, stream, value = cursor
        save_cursor(connection, site, stream, value, now)
    return Noticed(len(news), asked, absorbed.older)


def _seen(change: Change) -> Seen:
    node = change.node
    if node.presence is Presence.GONE:
        kind = "gone"
    elif node.presence is Presence.HIDDEN:
        kind = "hidden"
    elif node.level is Level.JOB:
        kind = "job"
    else:
        kind = "changed" if change.before is not None else "new"
    detail: dict[str, Any] = {"revision": node.revision}
    if node.modified is not None:
        detail["modified"] = node.modified.isoformat()
    if node.level is Level.JOB:
        detail["state"] = node.doc.get("state")
    return Seen(node.key.site, kind, str(node.level), node.id, node.label, detail)


def store_events(connection: Connection, seen: Sequence[Seen], *, source: str, now: datetime) -> dict[About, int]:
    """Store events that cannot come twice: what each is about → its number."""
    if not seen:
        return {}
    stamp = micros(now)
    numbers = insert_numbered(connection, events, [_event(one, source, stamp) for one in seen])
    return {(one.site, one.level, one.node): number for one, number in zip(seen, numbers, strict=True)}


def _about(node: Node) -> About:
    return node.key.site, str(node.level), node.id


def store_event(connection: Connection, seen: Seen, *, source: str, now: datetime) -> int | None:
    """Store an event; its number, or None when one with the same `dedupe` is there already."""
    if (
        seen.dedupe is not None
        and connection.execute(select(events.c.id).where(events.c.dedupe == seen.dedupe)).first()
    ):
        return None
    return store_events(connection, [seen], source=source, now=now)[(seen.site, seen.level, seen.node)]


def load_events(connection: Connection, numbers: Collection[int]) -> dict[int, dict[str, Any]]:
    """Events by their numbers, as rules read them: what is known of each beside what it is about."""
    found: dict[int, dict[str, Any]] = {}
    for some in chunks(sorted(numbers)):
        for row in connection.execute(_THESE, {"some": some}):
            told = {"id": str(row.id), "site": row.site, "kind": row.kind, "source": row.source}
            about = {"level": row.level, "node": row.node, "path": row.path, "seen": moment(row.seen).isoformat()}
            found[row.id] = {**unpack(row.detail), **told, **about}
    return found


def _event(seen: Seen, source: str, stamp: int) -> dict[str, Any]:
    return {
        "site": seen.site,
        "kind": seen.kind,
        "level": seen.level,
        "node": seen.node,
        "path": seen.path,
        "source": source,
        "seen": stamp,
        "detail": pack(seen.detail),
        "dedupe": seen.dedupe,
    }


def load_cursor(connection: Connection, site: str, stream: str) -> dict[str, Any] | None:
    """The stored cursor of a stream."""
    row = connection.execute(select(cursors.c.value).where(cursors.c.site == site, cursors.c.stream == stream)).first()
    return None if row is None else unpack(row.value)


def save_cursor(connection: Connection, site: str, stream: str, value: Mapping[str, Any], now: datetime) -> None:
    """Store the cursor of a stream."""
    row = {"site": site, "stream": stream, "value": pack(value), "updated": micros(now)}
    upsert(connection, cursors, [row], ("site", "stream"))


def forget_cursors(connection: Connection, site: str) -> None:
    """Drop the cursors of all streams of a site."""
    connection.execute(delete(cursors).where(cursors.c.site == site))


def load_fact(connection: Connection, name: str) -> Any:
    """A small durable fact, or None."""
    row = connection.execute(select(facts.c.value).where(facts.c.name == name)).first()
    return None if row is None else unpack(row.value)


def load_facts(connection: Connection, names: Sequence[str]) -> dict[str, Any]:
    """Those of some small durable facts that there are."""
    found: dict[str, Any] = {}
    for some in chunks(names):
        rows = connection.execute(select(facts.c.name, facts.c.value).where(facts.c.name.in_(some)))
        found |= {row.name: unpack(row.value) for row in rows}
    return found


def save_fact(connection: Connection, name: str, value: Any, now: datetime) -> None:
    """Store a small durable fact."""
    upsert(connection, facts, [{"name": name, "value": pack(value), "updated": micros(now)}], ("name",))


def forget_facts(connection: Connection, names: Sequence[str]) -> None:
    """Drop some small durable facts."""
    for some in chunks(names):
        connection.execute(delete(facts).where(facts.c.name.in_(some)))
