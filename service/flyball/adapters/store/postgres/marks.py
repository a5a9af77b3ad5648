"""The marks by which a writer finds out whether its last group was kept: one row a writer, with a running number.

Their table is no part of the ledger: it says nothing of a lab, and is not moved with it.
"""

from __future__ import annotations

import itertools
import secrets
from typing import Any, Final

import psycopg

from flyball.adapters.store.postgres.connect import say

TABLE: Final = (
    b"CREATE TABLE IF NOT EXISTS flyball_commits "
    b"(writer text PRIMARY KEY, number bigint NOT NULL, at timestamptz NOT NULL);"
    b"DELETE FROM flyball_commits WHERE at < now() - interval '1 day'"
)
"""Makes the table, and clears the rows of writers that are gone: nobody asks for a mark so late, and one that writes
again makes its row anew."""


class Marks:
    """The marks of one writer."""

    def __init__(self) -> None:
        self._writer = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._last = 0

    def write(self, driver: psycopg.Connection[Any]) -> str | None:
        """Mark the open transaction, if it has written anything: its number then, as the server counts them."""
        self._last = next(self._numbers)
        statement = (
            f"INSERT INTO flyball_commits (writer, number, at) SELECT '{self._writer}', {self._last}, now() "
            "WHERE pg_current_xact_id_if_assigned() IS NOT NULL ON CONFLICT (writer) "
            "DO UPDATE SET number = excluded.number, at = excluded.at RETURNING pg_current_xact_id()::text"
        )
        result = say(driver, statement.encode())
        value = result.get_value(0, 0) if result.ntuples else None
        return None if value is None else value.decode()

    def is_there(self, connection: psycopg.Connection[Any]) -> bool:
        """Whether the last mark was kept; to be asked once its transaction has ended."""
        query = "SELECT number FROM flyball_commits WHERE writer = %s"
        row = connection.execute(query, [self._writer]).fetchone()
        return row is not None and row[0] == self._last
