"""Silences: what a person wants to hear nothing of until a time. Nothing is lost by one: messages are put off."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update

from flyball.ledger.codec import micros, moment, unpack
from flyball.ledger.tables import effects, nodes, rules, silences
from flyball.model.effect import EffectState
from flyball.model.levels import Level
from flyball.rules.claims import ALERT
from flyball.rules.posting import Silence

SILENCE, DIGEST, GROUP = "silence", "digest", "group"
WAITS_FOR: Final = (SILENCE, DIGEST, GROUP)
"""What a message waits for that is not sent yet (`held_for` of its effect)."""

LONGEST_REASON: Final = 500


def silence(connection: Connection, what: str, until: datetime, because: str, now: datetime) -> Silence:
    """Begin a silence.

    Args:
        connection: of the transaction.
        what: id of a rule; else a project as `group/label`, each part a glob, or its id.
        until: when it ends, with zone.
        because: the reason.
        now: the present, UTC.

    Raises:
        LookupError: there is no such rule or project.
        ValueError: it ends before it begins, or has no reason.
    """
    if until <= now:
        raise ValueError(f"a silence ends later than now; {until.isoformat()} is over")
    reason = " ".join(because.split())[:LONGEST_REASON]
    if not reason:
        raise ValueError("a silence has a reason: say why with --because")
    rule, project = _meant(connection, what)
    row = {"rule": rule, "project": project, "until": micros(until), "because": reason, "since": micros(now)}
    key = connection.execute(insert(silences).values(**row)).inserted_primary_key
    return Silence(int(key[0]) if key else 0, rule, project, until, reason, now)


def lift(connection: Connection, ident: str, now: datetime) -> Silence:
    """End a silence before its time; what it kept back is looked at now.

    Raises:
        LookupError: no such silence is in force.
    """
    found = next((one for one in silences_at(connection, now) if str(one.id) == ident), None)
    if found is None:
        raise LookupError(f"there is no silence {ident!r} in force")
    connection.execute(update(silences).where(silences.c.id == found.id).values(lifted=micros(now)))
    connection.execute(
        update(effects)
        .where(effects.c.kind == ALERT, effects.c.held_for == SILENCE, effects.c.state == str(EffectState.PLANNED))
        .values(due=micros(now))
    )
    return found


def silences_at(connection: Connection, now: datetime) -> list[Silence]:
    """The silences in force, oldest first."""
    query = select(silences).where(silences.c.until > micros(now), silences.c.lifted.is_(None)).order_by(silences.c.id)
    return [
        Silence(row.id, row.rule, row.project, moment(row.until), row.because, moment(row.since))
        for row in connection.execute(query)
    ]


def kept_back(connection: Connection) -> dict[str, int]:
    """How many messages wait for what: the end of a silence, a digest, the rest of their group."""
    query = (
        select(effects.c.held_for, func.count())
        .where(effects.c.kind == ALERT, effects.c.state == str(EffectState.PLANNED), effects.c.held_for.in_(WAITS_FOR))
        .group_by(effects.c.held_for)
    )
    return dict.fromkeys(WAITS_FOR, 0) | {row[0]: row[1] for row in connection.execute(query)}


def _meant(connection: Connection, what: str) -> tuple[str | None, str | None]:
    """The rule or the project that a person means."""
    if connection.execute(select(rules.c.id).where(rules.c.id == what)).first() is not None:
        return what, None
    projects = select(nodes.c.id, nodes.c.label, nodes.c.parents).where(nodes.c.level == str(Level.PROJECT))
    if "/" in what:
        group, label = what.split("/", 1)
        wild = any(character in what for character in "*?[")
        if wild or _has(connection, projects.where(nodes.c.label == label), group):
            return None, what
        raise LookupError(f"the site has shown no project {what!r}; write group/label as `flyball find projects` does")
    row = connection.execute(projects.where(nodes.c.id == what)).first()
    if row is not None:
        return None, f"{_group(row)}/{row.label}"
    raise LookupError(f"there is no rule {what!r}; a project is written group/label")


def _has(connection: Connection, query: Any, group: str) -> bool:
    return any(_group(row) == group for row in connection.execute(query))


def _group(row: Any) -> str:
    return str((unpack(row.parents) or {}).get("group", ""))
