"""Sharing: several replicas on one ledger. Who is there, what the dead left, which looks are handed to workers.

A look that is due is handed to the workers once: whoever hands it out notes so on its row, and a new hint clears the
note. What was handed out and not decided (a worker died, its rule could not decide just then) is handed out again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, literal_column, or_, select, tuple_, update

from flyball.ledger.acting import recover
from flyball.ledger.codec import micros
from flyball.ledger.looking import LookKey
from flyball.ledger.mirror import chunks
from flyball.ledger.noticing import load_fact, save_fact
from flyball.ledger.tables import looks, replicas

HANDED_FOR = timedelta(seconds=30)
"""After so long a look that was handed out and still stands is handed out again."""

_KEY = (looks.c.rule, looks.c.site, looks.c.level, looks.c.target)
_LEADER = "leader"


@dataclass(frozen=True, slots=True)
class Lead:
    """What the replica that asks the sites has to tell the others.

    Attributes:
        replica: its id.
        sites: site → what is known of it: `levels` that can be relied on, `weather`.
    """

    replica: str
    sites: Mapping[str, Mapping[str, Any]]

    @property
    def levels(self) -> dict[str, list[str]]:
        """Site → levels that can be relied on."""
        return {site: list(said.get("levels", ())) for site, said in self.sites.items()}


def hand_out(connection: Connection, rules: Collection[str], now: datetime, limit: int) -> list[LookKey]:
    """Note that the looks that are due are handed to the workers; which ones these are, oldest first.

    Args:
        connection: of the transaction.
        rules: those that may decide now.
        now: the present, UTC.
        limit: how many at the most.
    """
    if not rules:
        return []
    stale = micros(now - HANDED_FOR)
    chosen = (
        select(*_KEY)
        .where(looks.c.due <= micros(now), looks.c.rule.in_(sorted(rules)))
        .where(or_(looks.c.handed.is_(None), looks.c.handed < stale))
        .order_by(looks.c.due)
        .limit(limit)
    )
    found = [LookKey(*row) for row in connection.execute(chosen)]
    for some in chunks(found):
        connection.execute(update(looks).where(tuple_(*_KEY).in_(some)).values(handed=micros(now)))
    return found


def hand_back(connection: Connection, keys: Sequence[LookKey]) -> None:
    """These were handed out and could not be decided: whoever can, may hand them out again."""
    for some in chunks(keys):
        connection.execute(update(looks).where(tuple_(*_KEY).in_(some)).values(handed=None))


def take_over(connection: Connection, now: datetime, waits: Mapping[str, float], silence: timedelta) -> list[str]:
    """Strike off the replicas that gave no sign of life for so long, and take up what they left; which ones they are.

    Their open attempts become unclear, so that the site is asked first; the looks that they may have been given are
    handed out again. Attempts of nobody who is there are taken up too, whoever made them.

    Args:
        connection: of the transaction, on PostgreSQL.
        now: the present, UTC.
        waits: site → seconds before it is asked.
        silence: how long.
    """
    gone = replicas.c.seen < database_now() - int(silence / timedelta(microseconds=1))
    dead = list(connection.scalars(replicas.delete().where(gone).returning(replicas.c.id)))
    recover(connection, now, waits, living=living(connection))
    if dead:
        waiting = and_(looks.c.handed.is_not(None), looks.c.due <= micros(now))
        connection.execute(update(looks).where(waiting).values(handed=None))
    return sorted(dead)


def leave(connection: Connection, replica: str) -> None:
    """A replica has ended its work."""
    connection.execute(replicas.delete().where(replicas.c.id == replica))


def living(connection: Connection) -> list[str]:
    """The replicas that are there."""
    return list(connection.scalars(select(replicas.c.id).order_by(replicas.c.id)))


def database_now() -> Any:
    """The present by the database's clock (µs), the same for all replicas."""
    return func.floor(literal_column("extract(epoch from clock_timestamp()) * 1000000")).cast(replicas.c.seen.type)


def load_lead(connection: Connection) -> Lead | None:
    """What the replica that asks the sites told last."""
    found = load_fact(connection, _LEADER)
    return None if found is None else Lead(found["replica"], found["sites"])


def save_lead(connection: Connection, lead: Lead, now: datetime, *, begins: bool = False) -> bool:
    """Store what the asking replica tells; False when another one asks the sites by now. `begins`: it does from now."""
    known = load_lead(connection)
    if not begins and (known is None or known.replica != lead.replica):
        return False
    save_fact(connection, _LEADER, {"replica": lead.replica, "sites": dict(lead.sites)}, now)
    return True
