"""How much room the ledger takes on its disk, and giving back what was cleared."""

from __future__ import annotations

from typing import Final, cast

from sqlalchemy import Connection, text

from flyball.adapters.store.connect import Driver

_OF_POSTGRES: Final = text("SELECT pg_database_size(current_database())")


def size(connection: Connection) -> int:
    """Bytes, free pages included."""
    if connection.dialect.name != "sqlite":
        return int(connection.scalar(_OF_POSTGRES) or 0)
    pages = int(connection.scalar(text("PRAGMA page_count")) or 0)
    return pages * int(connection.scalar(text("PRAGMA page_size")) or 0)


def give_back(connection: Connection, pages: int) -> int:
    """Give so many free pages back to the disk at the most; how many are left. PostgreSQL sees to it by itself."""
    if connection.dialect.name != "sqlite":
        return 0
    # One by one: Python's driver takes a single step of a statement without columns, and each step gives back a page.
    driver = cast("Driver", connection.connection.dbapi_connection)
    free = int(connection.scalar(text("PRAGMA freelist_count")) or 0)
    for _ in range(min(pages, free)):
        driver.execute("PRAGMA incremental_vacuum(1)").close()
    return int(connection.scalar(text("PRAGMA freelist_count")) or 0)
