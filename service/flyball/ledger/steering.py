"""Steering: what a person may do to effects and rules.

`ValueError`: not in this state. `LookupError`: there is no such thing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from flyball.ledger.codec import micros, row_effect
from flyball.ledger.naming import members
from flyball.ledger.tables import effects, rules
from flyball.ledger.tagging import give_up_tag
from flyball.model.effect import EffectState

Json = dict[str, Any]


def effect_row(connection: Connection, ident: str) -> Any:
    """The effect's row; LookupError when there is none."""
    row = None
    if ident.isascii() and ident.isdigit():
        row = connection.execute(select(effects).where(effects.c.id == int(ident))).first()
    if row is None:
        raise LookupError(f"there is no effect {ident!r}")
    return row


def _move(connection: Connection, row: Any, state: EffectState, now: datetime, **values: Any) -> Json:
    due = micros(now) if state is EffectState.PLANNED else None
    connection.execute(
        update(effects).where(effects.c.id == row.id).values(state=str(state), updated=micros(now), due=due, **values)
    )
    return {"id": str(row.id), "state": str(state)}


def approve(connection: Connection, ident: str, now: datetime) -> Json:
    """Let a held effect go."""
    row = effect_row(connection, ident)
    if row.state != str(EffectState.HELD):
        raise ValueError(f"effect {ident} is {row.state}; only a held one can be approved")
    return _move(connection, row, EffectState.PLANNED, now, error=None)


def reject(connection: Connection, ident: str, now: datetime) -> Json:
    """Give a held effect up; the same wish does not bring it back."""
    row = effect_row(connection, ident)
    if row.state != str(EffectState.HELD):
        raise ValueError(f"effect {ident} is {row.state}; only a held one can be rejected")
    done = _move(connection, row, EffectState.CANCELLED, now, error="rejected by a person", held_for=None)
    give_up_tag(connection, row_effect(row), now)
    return done


def retry(connection: Connection, ident: str, now: datetime) -> Json:
    """Try a failed effect again, or a waiting one at once.

    One whose end is unclear keeps its time: the site is asked no earlier, or a request that is carried out late would
    be sent twice.
    """
    row = effect_row(connection, ident)
    if row.state not in (str(EffectState.FAILED), str(EffectState.PLANNED), str(EffectState.WAITING)):
        raise ValueError(f"effect {ident} is {row.state}; only a failed or waiting one can be tried again")
    if row.unclear:
        raise ValueError(f"the end of effect {ident} is not known yet; the site is asked by itself, and no earlier")
    if row.state == str(EffectState.WAITING):
        return _move(connection, row, EffectState.WAITING, now) | _due_now(connection, row, now)
    return _move(connection, row, EffectState.PLANNED, now, failures=0)


def _due_now(connection: Connection, row: Any, now: datetime) -> Json:
    connection.execute(update(effects).where(effects.c.id == row.id).values(due=micros(now)))
    return {}


def pause(connection: Connection, ident: str, now: datetime) -> Json:
    """Stop a rule from deciding; its claims stay."""
    return _pause(connection, ident, paused=True, now=now)


def resume(connection: Connection, ident: str, now: datetime) -> Json:
    """Let a paused rule decide again; what it owed meanwhile comes first."""
    return _pause(connection, ident, paused=False, now=now)


def _pause(connection: Connection, ident: str, *, paused: bool, now: datetime) -> Json:
    mine = members(connection, ident)
    if not mine:
        raise LookupError(f"there is no rule {ident!r}")
    connection.execute(update(rules).where(rules.c.id.in_(mine)).values(paused=paused))
    return {"rule": ident, "paused": paused, "at": now.isoformat()}
