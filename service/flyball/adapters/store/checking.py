"""Looks a ledger over without changing it: is the file sound, and do its rows fit together?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, FromClause, func, select, text
from sqlalchemy.exc import DBAPIError

from flyball.adapters.store.connect import reading_engine
from flyball.adapters.store.errors import NoLedger, refusal
from flyball.adapters.store.migrations import HEAD
from flyball.adapters.store.place import refuse_network
from flyball.adapters.store.schema import revision_of
from flyball.ledger.soundness import SHOWN, faults
from flyball.ledger.tables import metadata
from flyball.model.errors import ConfigError


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
                rows = {str(table.name): _count(connection, table) for table in metadata.sorted_tables}
                problems += faults(connection)
    except ConfigError as error:
        problems.append(str(error))
    except (OSError, sqlite3.Error, DBAPIError) as error:
        problems.append(str(refusal(error, path) or error))
    finally:
        engine.dispose()
    return Report(tuple(problems), revision, size, rows)


def check_rows(connection: Connection) -> tuple[list[str], dict[str, int]]:
    """What is wrong with the rows of a ledger in whatever database, and how many there are by table."""
    return list(faults(connection)), {str(table.name): _count(connection, table) for table in metadata.sorted_tables}


def _file(connection: Connection) -> Iterator[str]:
    for (said,) in connection.execute(text(f"PRAGMA integrity_check({SHOWN})")):
        if said != "ok":
            yield f"file: {said}"
    for row in connection.execute(text("PRAGMA foreign_key_check")):
        yield f"file: a row of {row[0]} points to a missing row of {row[2]}"


def _count(connection: Connection, table: FromClause) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0
