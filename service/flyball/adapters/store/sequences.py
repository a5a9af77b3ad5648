"""The counters from which rows get their numbers: read for an export, set after an import; none is given twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, text

from flyball.ledger.bulk import LAST_OF_SQLITE
from flyball.ledger.portable import numbered

_FORGET_IN_SQLITE: Final = text("DELETE FROM sqlite_sequence WHERE name = :name")
_SET_IN_SQLITE: Final = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)")
_NAME_IN_POSTGRES: Final = text("SELECT pg_get_serial_sequence(:name, 'id')")
_SET_IN_POSTGRES: Final = text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)")


def last_numbers(connection: Connection) -> dict[str, int]:
    """Table → the last number that one of its rows was given; tables that gave none are left out."""
    found: dict[str, int] = {}
    for table in numbered():
        last: int | None
        if connection.dialect.name == "sqlite":
            last = connection.scalar(LAST_OF_SQLITE, {"name": table.name})
        else:
            sequence = connection.scalar(_NAME_IN_POSTGRES, {"name": table.name})
            last = connection.scalar(text(f"SELECT CASE WHEN is_called THEN last_value END FROM {sequence}"))  # noqa: S608 - the database's own name
        if last:
            found[str(table.name)] = last
    return found


def continue_from(connection: Connection, last: Mapping[str, int]) -> None:
    """Let each table go on above the number given."""
    for name, number in last.items():
        if connection.dialect.name == "sqlite":
            connection.execute(_FORGET_IN_SQLITE, {"name": name})
            connection.execute(_SET_IN_SQLITE, {"name": name, "last": number})
        else:
            connection.execute(_SET_IN_POSTGRES, {"name": name, "last": number})
