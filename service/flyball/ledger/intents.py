"""Intents: what was asked for from outside and is carried out by the daemon, in its own time, exactly as asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from flyball.ledger.codec import micros, pack, unpack
from flyball.ledger.mirror import chunks
from flyball.ledger.noticing import Seen, store_event
from flyball.ledger.tables import events, intents

LOOK = "look"


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing asked for and not done yet."""

    id: int
    verb: str
    params: Mapping[str, Any]


def store_delivery(
    connection: Connection, hook: str, delivery: str | None, target: str | None, now: datetime
) -> tuple[int, bool]:
    """Store a webhook's delivery with the look that it asks for; (the event's number, whether it is new)."""
    dedupe = None if delivery is None else f"hook/{hook}/{delivery}"
    seen = Seen("", "webhook", "", "", target or "", {"hook": hook, "delivery": delivery}, dedupe)
    number = store_event(connection, seen, source="webhook", now=now)
    if number is None:
        known = connection.execute(select(events.c.id).where(events.c.dedupe == dedupe)).scalar_one()
        return int(known), False
    ask(connection, LOOK, {"hook": hook, "target": target, "event": number}, now)
    return number, True


def ask(connection: Connection, verb: str, params: Mapping[str, Any], now: datetime) -> int:
    """Store an intent."""
    result = connection.execute(insert(intents).values(verb=verb, params=pack(params), asked=micros(now)))
    key = result.inserted_primary_key
    return int(key[0]) if key else 0


def open_intents(connection: Connection, *, after: int = 0, limit: int = 100) -> list[Intent]:
    """What is not done yet, oldest first; `after` this number."""
    query = select(intents).where(intents.c.done.is_(None), intents.c.id > after).order_by(intents.c.id).limit(limit)
    return [Intent(row.id, row.verb, unpack(row.params)) for row in connection.execute(query)]


def close_intents(connection: Connection, idents: Sequence[int], answer: Mapping[str, Any], now: datetime) -> None:
    """They were done; `answer` says what came of it."""
    values = {"done": micros(now), "answer": pack(answer)}
    for some in chunks(idents):
        connection.execute(update(intents).where(intents.c.id.in_(some)).values(**values))
