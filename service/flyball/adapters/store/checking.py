"""Looks a ledger over without changing it: is the file sound, and do its rows fit together?

For `flyball ledger check`, and for people: `python -c "from flyball.adapters.store.checking import check; ..."`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, FromClause, func, literal_column, select, text
from sqlalchemy.exc import DBAPIError

from flyball.adapters.store.connect import reading_engine
from flyball.adapters.store.errors import NoLedger, refusal
from flyball.adapters.store.migrations import HEAD
from flyball.adapters.store.place import refuse_network
from flyball.adapters.store.schema import revision_of
from flyball.ledger.tables import attempts, decisions, effects, metadata
from flyball.model.errors import ConfigError

# How many faults of one kind are spelled out.
_SHOWN: Final = 20

_ENDED: Final = ("done", "failed", "cancelled", "undone", "shadow")


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. `revision` is the schema's, `size` is in bytes, `rows` counts by table."""

    problems: tuple[str, ...]
    revision: str | None
    size: int
    rows: dict[str, int]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def check(path: Path) -> Report:
    """Reads the whole ledger `path`; takes a while for a large one, and may run beside a daemon.

    Raises ConfigError (NoLedger) if there is no ledger to look at; all that is wrong with one is in the report.
    """
    refuse_network(path.parent)
    if not path.exists():
        raise NoLedger(f"there is no ledger at {path}")
    size = path.stat().st_size
    problems: list[str] = []
    revision: str | None = None
    rows: dict[str, int] = {}
    engine = reading_engine(path, connections=1)
    try:
        with engine.connect() as connection, connection.begin():
            revision = revision_of(connection, path)
            problems += _file(connection)
            if revision == HEAD:
                rows = {table.name: _count(connection, table) for table in metadata.sorted_tables}
                problems += _rows(connection)
    except ConfigError as error:
        problems.append(str(error))
    except (OSError, sqlite3.Error, DBAPIError) as error:
        problems.append(str(refusal(error, path) or error))
    finally:
        engine.dispose()
    return Report(tuple(problems), revision, size, rows)


def _file(connection: Connection) -> Iterator[str]:
    for (said,) in connection.execute(text(f"PRAGMA integrity_check({_SHOWN})")):
        if said != "ok":
            yield f"file: {said}"
    for row in connection.execute(text("PRAGMA foreign_key_check")):
        yield f"file: a row of {row[0]} points to a missing row of {row[2]}"


def _rows(connection: Connection) -> Iterator[str]:
    """Faults between tables that no sequence of the program's own transactions leaves behind."""
    orphans = (
        select(attempts.c.id, attempts.c.effect)
        .outerjoin(effects, effects.c.id == attempts.c.effect)
        .where(effects.c.id.is_(None))
        .limit(_SHOWN)
    )
    for attempt, effect in connection.execute(orphans):
        yield f"attempt {attempt} belongs to effect {effect}, which is not there"
    unended = (
        select(attempts.c.id, attempts.c.effect, effects.c.state)
        .join(effects, effects.c.id == attempts.c.effect)
        .where(attempts.c.ended.is_(None), effects.c.state.in_(_ENDED))
        .limit(_SHOWN)
    )
    for attempt, effect, state in connection.execute(unended):
        yield f"attempt {attempt} is open, but its effect {effect} is {state}"
    whose = (decisions.c.rule, decisions.c.site, decisions.c.level, decisions.c.target)
    doubled = (
        select(*whose, func.count().label("number"))
        .where(decisions.c.current)
        .group_by(*whose)
        .having(func.count() > literal_column("1"))
        .limit(_SHOWN)
    )
    for rule, site, level, target, number in connection.execute(doubled):
        yield f"rule {rule} has {number} current decisions on {level} {target} of {site}"


def _count(connection: Connection, table: FromClause) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0
