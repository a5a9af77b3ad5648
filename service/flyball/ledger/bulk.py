"""Many rows with one statement, without SQLAlchemy's work on each row.

For a page of a thousand nodes, SQLAlchemy takes longer to make each row's parameters than the database takes to store
them: half of the time of a first listing went there. The statement is compiled once, as it would be, and the rows are
handed to the driver as they are. They hold plain values only (texts, whole numbers, bytes, booleans, None), which both
drivers take without conversion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Table, insert, text

LAST_OF_SQLITE = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
"""The last number that was given to a row of a table."""

_DRAWN = text("SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :most)")


def many(connection: Connection, statement: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run an INSERT, UPDATE or DELETE for each row; all rows have the keys of the first one.

    Args:
        connection: of the transaction.
        statement: built once and kept (it is the key of a cache); without RETURNING, and without Python-side defaults
            for columns that the rows leave out.
        rows: a value for each bound name, or for each column to insert.
    """
    if not rows:
        return
    sql, names, fixed = _compiled(statement, connection.dialect, tuple(rows[0]))
    if names is None:
        connection.exec_driver_sql(sql, [{**fixed, **row} for row in rows] if fixed else [dict(row) for row in rows])
    elif fixed:
        connection.exec_driver_sql(sql, [tuple([row[n] if n in row else fixed[n] for n in names]) for row in rows])
    else:
        connection.exec_driver_sql(sql, [tuple([row[name] for name in names]) for row in rows])


def insert_numbered(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert rows into a table that numbers them; their numbers, in order.

    The numbers are drawn before: told afterwards (RETURNING), each row would go through SQLAlchemy by itself.
    """
    if not rows:
        return []
    if connection.dialect.name == "postgresql":
        drawn = connection.execute(_DRAWN, {"name": table.name, "most": len(rows)}).scalars().all()
        numbers = sorted(int(number) for number in drawn)
    else:  # one transaction writes at a time, and a number that was given is on record, also without its row
        last = connection.scalar(LAST_OF_SQLITE, {"name": table.name}) or 0
        numbers = list(range(last + 1, last + 1 + len(rows)))
    many(connection, _inserting(table), [{"id": number, **row} for number, row in zip(numbers, rows, strict=True)])
    return numbers


@lru_cache(maxsize=16)
def _inserting(table: Table) -> Any:
    return insert(table)


@lru_cache(maxsize=256)
def _compiled(
    statement: Any, dialect: Dialect, keys: tuple[str, ...]
) -> tuple[str, tuple[str, ...] | None, dict[str, Any]]:
    """The text, the names of its places in order (None: the driver takes names), and the values that no row gives."""
    compiled = statement.compile(dialect=dialect, column_keys=list(keys))
    places = tuple(compiled.positiontup) if compiled.positional else None
    fixed = {name: value for name, value in compiled.params.items() if name not in keys}
    return str(compiled), places, fixed
