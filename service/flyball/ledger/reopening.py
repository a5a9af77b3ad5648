"""Reopening: what a person allows a rule on purpose. Held effects go, a once-key is cleared, old data is taken in."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from flyball.ledger.codec import micros, unpack
from flyball.ledger.limiting import release
from flyball.ledger.looking import Look, owe, owe_all
from flyball.ledger.naming import members
from flyball.ledger.rulings import Ruling, load_rulings, store_ruling, store_rulings
from flyball.ledger.steering import approve, effect_row
from flyball.ledger.tables import effects, nodes, rulings
from flyball.model.effect import EffectState
from flyball.model.levels import Level
from flyball.model.node import NodeKey, Presence

Json = dict[str, Any]
_UNFINISHED = tuple(map(str, (EffectState.PLANNED, EffectState.HELD, EffectState.WAITING, EffectState.RUNNING)))


def approve_rule(connection: Connection, rule: str, now: datetime) -> list[Json]:
    """Let everything go that a rule holds: its canary is released, and what waits for approval is approved."""
    mine = _known(connection, rule)
    held = connection.execute(
        select(effects.c.id).where(effects.c.rule.in_(mine), effects.c.state == str(EffectState.HELD))
    ).all()
    for member in mine:
        release(connection, member, now)
    states = {
        row.id: row.state
        for row in connection.execute(select(effects.c.id, effects.c.state).where(effects.c.rule.in_(mine)))
    }
    return [
        approve(connection, str(row.id), now)
        if states[row.id] == str(EffectState.HELD)
        else {"id": str(row.id), "state": states[row.id]}
        for row in held
    ]


def forget(connection: Connection, ident: str, now: datetime) -> Json:
    """Clear the once-key of an effect on purpose: its rule may do the same again for that target.

    The runs that are known by now no longer count as equal runs.
    """
    row = effect_row(connection, ident)
    if row.single is None or row.state in _UNFINISHED:
        raise ValueError(f"effect {ident} is {row.state}; only one that was done once, or failed, can be forgotten")
    key = (row.rule, row.site, row.target)
    node = NodeKey(row.site, Level(row.level), row.target)
    said = load_rulings(connection, [(row.rule, node)]).get(key, Ruling())
    outcome = unpack(row.outcome) or {}
    known = {value for name in ("analysis", "job") if isinstance(value := outcome.get(name), str)}
    again = replace(said, generation=said.generation + 1, forgotten=said.forgotten | known)
    store_ruling(connection, key, again, now)
    owe(connection, Look(row.rule, row.site, node.level, row.target, node.level), event=None, now=now)
    return {"id": str(row.id), "state": row.state, "generation": again.generation}


def backfill(
    connection: Connection,
    rule: str,
    site: str,
    level: Level,
    now: datetime,
    *,
    since: datetime | None = None,
    limit: int | None = None,
) -> Json:
    """Make existing targets the rule's business, whatever its `since` says, and owe a look at each.

    Those that were taken in before are passed over, so that repeated calls with a limit go on where the last ended.

    Args:
        connection: of the transaction.
        rule: its id.
        site: its site.
        level: its `each`.
        now: the present, UTC.
        since: only targets created then or later.
        limit: so many targets at the most.
    """
    _known(connection, rule)
    taken = select(rulings.c.target).where(rulings.c.rule == rule, rulings.c.site == site, rulings.c.adopted.is_(True))
    query = select(nodes.c.id).where(
        nodes.c.site == site,
        nodes.c.level == str(level),
        nodes.c.presence == str(Presence.PRESENT),
        nodes.c.id.not_in(taken),
    )
    if since is not None:
        query = query.where(nodes.c.created >= micros(since))
    left = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    chosen = [row.id for row in connection.execute(query.order_by(nodes.c.created, nodes.c.id).limit(limit))]
    said = load_rulings(connection, [(rule, NodeKey(site, level, ident)) for ident in chosen])
    keys = [(rule, site, ident) for ident in chosen]
    store_rulings(connection, [(key, replace(said.get(key, Ruling()), adopted=True)) for key in keys], now)
    looks = [(Look(rule, site, level, ident, level, due=now), None) for ident in chosen]
    owe_all(connection, looks, now=now)
    return {"rule": rule, "queued": len(chosen), "left": int(left) - len(chosen)}


def _known(connection: Connection, rule: str) -> list[str]:
    """The rule, or all cells of it."""
    mine = members(connection, rule)
    if not mine:
        raise LookupError(f"the ledger knows no rule {rule!r}; start the daemon with it once")
    return mine
