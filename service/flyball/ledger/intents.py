"""Intents: what was asked for from outside and is carried out by the daemon, in its own time, exactly as asked.

A webhook's delivery is stored with the look that it asks for. Deliveries that come together are stored, and done with,
by a few statements for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from flyball.ledger.bulk import many
from flyball.ledger.codec import micros, pack, unpack
from flyball.ledger.mirror import chunks
from flyball.ledger.tables import events, intents

LOOK = "look"
# Built once: for few deliveries at a time, building a statement costs more than running it.
_STORED = select(events.c.dedupe, events.c.id).where(events.c.dedupe.in_(bindparam("some", expanding=True)))
_EVENTS = insert(events).returning(events.c.id, events.c.dedupe, events.c.path, events.c.detail)
_INTENTS = insert(intents)
_OPEN = (
    select(intents)
    .where(intents.c.done.is_(None), intents.c.id > bindparam("after"))
    .order_by(intents.c.id)
    .limit(bindparam("most"))
)
_AMONG = select(intents).where(intents.c.done.is_(None), intents.c.id.in_(bindparam("some", expanding=True)))
_CLOSE = (
    update(intents).where(intents.c.id == bindparam("ident")).values(done=bindparam("at"), answer=bindparam("what"))
)


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing asked for and not done yet."""

    id: int
    verb: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Arrived:
    """One delivery that was checked and is not stored yet.

    Attributes:
        hook: through which it came.
        delivery: the sender's id of it; None: nothing tells a repetition from a new one.
        target: what to look at; None: the hook only says that something happened.
        more: what else its body says, for rules that read `event.body`.
    """

    hook: str
    delivery: str | None
    target: str | None
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dedupe(self) -> str | None:
        """What a repetition has too."""
        return None if self.delivery is None else f"hook/{self.hook}/{self.delivery}"


def store_deliveries(connection: Connection, arrived: Sequence[Arrived], now: datetime) -> list[tuple[int, bool]]:
    """Store deliveries with the looks that they ask for; for each its event's number, and whether it is new."""
    numbers = _stored(connection, {dedupe for one in arrived if (dedupe := one.dedupe) is not None})
    new: dict[str | int, Arrived] = {}  # by what is no repetition: the first of those with one id, any without an id
    for place, one in enumerate(arrived):
        if one.dedupe not in numbers:
            new.setdefault(place if one.dedupe is None else one.dedupe, one)
    given = _store_events(connection, list(new.values()), now)
    rows = [
        {"verb": LOOK, "params": _asked(one, number), "asked": micros(now)}
        for one, number in zip(new.values(), given, strict=True)
    ]
    many(connection, _INTENTS, rows)
    first = dict(zip(new, given, strict=True))
    numbers |= {key: number for key, number in first.items() if isinstance(key, str)}
    found: list[tuple[int, bool]] = []
    for place, one in enumerate(arrived):
        key = place if one.dedupe is None else one.dedupe
        number = first.pop(key, None)
        found.append((numbers[str(one.dedupe)], False) if number is None else (number, True))
    return found


def _stored(connection: Connection, dedupes: Iterable[str]) -> dict[str, int]:
    """Those that are stored already, with the numbers of their events."""
    found: dict[str, int] = {}
    for some in chunks(sorted(dedupes)):
        found |= {row.dedupe: row.id for row in connection.execute(_STORED, {"some": some})}
    return found


def _store_events(connection: Connection, arrived: Sequence[Arrived], now: datetime) -> list[int]:
    """The numbers of the deliveries' events, in order. The database gives numbers in an order of its own: they are told
    apart by what is stored, and those that are alike in everything may have each other's.
    """
    if not arrived:
        return []
    rows = [
        {
            "site": "",
            "kind": "webhook",
            "level": "",
            "node": "",
            "path": one.target or "",
            "source": "webhook",
            "seen": micros(now),
            "detail": pack({"hook": one.hook, "delivery": one.delivery} | ({"body": one.more} if one.more else {})),
            "dedupe": one.dedupe,
        }
        for one in arrived
    ]
    numbers: dict[tuple[Any, ...], list[int]] = {}
    for number, *alike in connection.execute(_EVENTS, rows):
        numbers.setdefault(tuple(alike), []).append(number)
    return [numbers[(row["dedupe"], row["path"], row["detail"])].pop(0) for row in rows]


def _asked(one: Arrived, number: int) -> bytes:
    return pack({"hook": one.hook, "target": one.target, "event": number})


def open_intents(connection: Connection, *, after: int = 0, limit: int = 100) -> list[Intent]:
    """What is not done yet, oldest first; `after` this number."""
    return [_intent(row) for row in connection.execute(_OPEN, {"after": after, "most": limit})]


def open_among(connection: Connection, idents: Iterable[int]) -> list[Intent]:
    """Those of some intents that are not done yet, oldest first."""
    return [
        _intent(row)
        for some in chunks(sorted(idents))
        for row in sorted(connection.execute(_AMONG, {"some": some}), key=lambda row: int(row.id))
    ]


def _intent(row: Any) -> Intent:
    return Intent(row.id, row.verb, unpack(row.params))


def close_intents(connection: Connection, answers: Mapping[int, Mapping[str, Any]], now: datetime) -> None:
    """They were done; intent → what came of it."""
    at = micros(now)
    many(connection, _CLOSE, [{"ident": ident, "at": at, "what": pack(what)} for ident, what in answers.items()])
