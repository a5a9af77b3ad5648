"""Whether the rows of a ledger fit together: what no sequence of the program's own transactions leaves behind.

Reads everything, on both databases alike; the file or the server beneath is the store's to check.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson
from sqlalchemy import Connection, LargeBinary, Table, and_, func, literal_column, select

from flyball.ledger.tables import attempts, claims, decisions, effects, metadata, rules
from flyball.model.effect import TERMINAL, EffectState

SHOWN: Final = 20  # faults of one kind that are spelled out
_ROWS: Final = 1000
_ENDED: Final = tuple(str(state) for state in sorted(TERMINAL))
_DUE: Final = (str(EffectState.PLANNED), str(EffectState.WAITING))


def faults(connection: Connection) -> Iterator[str]:
    """All that is wrong, a line each; nothing when the ledger is sound."""
    yield from _attempts(connection)
    yield from _effects(connection)
    yield from _decisions(connection)
    yield from _claims(connection)
    for table in metadata.sorted_tables:
        yield from _unreadable(connection, table)


def _attempts(connection: Connection) -> Iterator[str]:
    orphans = (
        select(attempts.c.id, attempts.c.effect)
        .outerjoin(effects, effects.c.id == attempts.c.effect)
        .where(effects.c.id.is_(None))
        .limit(SHOWN)
    )
    for attempt, effect in connection.execute(orphans):
        yield f"attempt {attempt} belongs to effect {effect}, which is not there"
    unended = (
        select(attempts.c.id, attempts.c.effect, effects.c.state)
        .join(effects, effects.c.id == attempts.c.effect)
        .where(attempts.c.ended.is_(None), effects.c.state.in_(_ENDED))
        .limit(SHOWN)
    )
    for attempt, effect, state in connection.execute(unended):
        yield f"attempt {attempt} is open, but its effect {effect} is {state}"
    begun = and_(attempts.c.effect == effects.c.id, attempts.c.ended.is_(None))
    idle = (
        select(effects.c.id)
        .outerjoin(attempts, begun)
        .where(effects.c.state == str(EffectState.RUNNING), attempts.c.id.is_(None))
        .limit(SHOWN)
    )
    for effect in connection.scalars(idle):
        yield f"effect {effect} is running, but none of its attempts is open: after a kill nobody would ask the site"


def _effects(connection: Connection) -> Iterator[str]:
    never = (
        select(effects.c.id, effects.c.state)
        .where(effects.c.state.in_(_DUE), effects.c.due.is_(None), effects.c.held_for.is_(None))
        .limit(SHOWN)
    )
    for effect, state in connection.execute(never):
        yield f"effect {effect} is {state}, but has no time at which it is due, and nothing holds it"
    known = [str(state) for state in EffectState]
    odd = select(effects.c.id, effects.c.state).where(effects.c.state.not_in(known)).limit(SHOWN)
    for effect, state in connection.execute(odd):
        yield f"effect {effect} is in state {state!r}, which does not exist"


def _decisions(connection: Connection) -> Iterator[str]:
    whose = (decisions.c.rule, decisions.c.site, decisions.c.level, decisions.c.target)
    doubled = (
        select(*whose, func.count().label("number"))
        .where(decisions.c.current)
        .group_by(*whose)
        .having(func.count() > literal_column("1"))
        .limit(SHOWN)
    )
    for rule, site, level, target, number in connection.execute(doubled):
        yield f"rule {rule} has {number} current decisions on {level} {target} of {site}"


def _claims(connection: Connection) -> Iterator[str]:
    lost = (
        select(claims.c.rule, func.count())
        .outerjoin(rules, rules.c.id == claims.c.rule)
        .where(rules.c.id.is_(None))
        .group_by(claims.c.rule)
        .limit(SHOWN)
    )
    for rule, number in connection.execute(lost):
        yield f"{number} claims are of rule {rule}, which the ledger does not know"


def _unreadable(connection: Connection, table: Table) -> Iterator[str]:
    """JSON that is none."""
    packed = [column for column in table.columns if isinstance(column.type, LargeBinary)]
    if not packed:
        return
    keys = list(table.primary_key.columns)
    shown = 0
    rows = connection.execution_options(yield_per=_ROWS).execute(select(*keys, *packed))
    for row in rows:
        for column, value in zip(packed, row[len(keys) :], strict=True):
            if value is not None and not _is_json(value):
                shown += 1
                yield f"{table.name} {'/'.join(str(part) for part in row[: len(keys)])}: {column.name} cannot be read"
        if shown >= SHOWN:
            rows.close()
            return


def _is_json(value: Any) -> bool:
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True
