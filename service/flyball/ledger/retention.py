"""Clearing away what only explains the past: found by a read, deleted by a write, so many rows at a time.

Never touched: effects with their once-keys, claims, marks, rules, rulings, nodes, looks, facts, alerts, the current
decision on each target, attempts of effects that have not ended, intents that are not done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, func, select

from flyball.ledger.codec import micros
from flyball.ledger.mirror import chunks
from flyball.ledger.tables import attempts, decisions, effects, events, intents
from flyball.model.effect import TERMINAL

LEAST: Final = timedelta(days=1)  # what is kept even of a ledger that has grown too large
_ENDED: Final = tuple(str(state) for state in sorted(TERMINAL))
Old = Mapping[str, Sequence[int]]
"""Table → numbers of rows that may go."""


@dataclass(frozen=True, slots=True)
class Ages:
    """From which age on what may go."""

    events: timedelta
    decisions: timedelta
    attempts: timedelta
    intents: timedelta

    def at_most(self, age: timedelta) -> Ages:
        """The same, none of them longer than `age`."""
        names = ("events", "decisions", "attempts", "intents")
        return replace(self, **{name: min(getattr(self, name), age) for name in names})


def find_old(connection: Connection, ages: Ages, now: datetime, limit: int) -> Old:
    """The oldest rows that may go, at most `limit` of each table."""
    found: dict[str, Sequence[int]] = {}
    for table, fits in _conditions(connection, ages, now).items():
        chosen = select(table.c.id).where(fits).order_by(table.c.id).limit(limit)
        if ids := connection.scalars(chosen).all():
            found[str(table.name)] = ids
    return found


def _conditions(connection: Connection, ages: Ages, now: datetime) -> dict[Table, ColumnElement[bool]]:
    # An event that somebody still asks about: its intent is not done yet.
    asked = connection.scalar(select(func.min(intents.c.asked)).where(intents.c.done.is_(None)))
    seen = micros(now - ages.events)
    ended = select(effects.c.id).where(effects.c.id == attempts.c.effect, effects.c.state.in_(_ENDED)).exists()
    wanted = select(effects.c.decision).where(effects.c.state.not_in(_ENDED), effects.c.decision.is_not(None))
    return {
        events: events.c.seen < (seen if asked is None else min(seen, asked)),
        decisions: and_(
            ~decisions.c.current,
            decisions.c.confirmed < micros(now - ages.decisions),
            decisions.c.id.not_in(wanted),
        ),
        attempts: and_(attempts.c.ended < micros(now - ages.attempts), ended),
        intents: intents.c.done < micros(now - ages.intents),
    }


def clear(connection: Connection, old: Old) -> int:
    """Delete what was found; how many rows."""
    gone = 0
    tables = {str(table.name): table for table in (events, decisions, attempts, intents)}
    for name, ids in old.items():
        table = tables[name]
        for some in chunks(list(ids)):
            gone += connection.execute(delete(table).where(table.c.id.in_(some))).rowcount
    return gone
