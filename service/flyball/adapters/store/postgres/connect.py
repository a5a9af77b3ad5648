"""How PostgreSQL is reached: psycopg connections under SQLAlchemy engines, one that writes and a few that read.

Transactions are begun by us (`autocommit` in the driver, BEGIN in the engine's hook), so that what a transaction needs
at its start travels in the same message. A transaction that writes takes the ledger's lock there: the replicas'
transactions follow one another, as SQLite's do, and every move is right for the same reasons on both databases.

What a process that was stopped or cut off holds, the server takes back: a transaction in which nothing is asked for
`IDLE_SECONDS` is ended by the server, and its locks with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

import psycopg
from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.pq.abc import PGresult
from psycopg.types.string import StrDumper
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

NAME: Final = "flyball"
"""The first key of every advisory lock of ours is this name's hash, the second says what is locked."""

LEDGER_LOCK: Final = "ledger"
OLDEST: Final = 130_000
"""PostgreSQL 13: the first that tells of a transaction by its number what became of it (`pg_xact_status`, xid8)."""

# What they say of broken connections is said by us, once, and without addresses.
for _name in ("psycopg", "psycopg.pool", "sqlalchemy.pool"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)

Begin = Callable[[psycopg.Connection[Any]], None]
CONNECT_SECONDS: Final = 5
IDLE_SECONDS: Final = 4

# A cut network is noticed after about ten seconds without an answer, whatever the system's own defaults are.
_KEEPALIVE: Final = {
    "keepalives": 1,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class PlainText(StrDumper):
    """Texts as PostgreSQL can keep them: it knows neither the character NUL nor halves of characters."""

    def dump(self, obj: str) -> Any:
        """The text as UTF-8."""
        return obj.replace("\0", "\ufffd").encode("utf-8", "replace")


def lock_keys(what: str) -> str:
    """The two keys of an advisory lock as SQL: ours, and that of one thing in one schema of the database."""
    if not what.replace("/", "").replace("_", "").replace("-", "").isalnum():
        raise ValueError(what)
    return f"hashtext('{NAME}'), hashtext(current_schema() || '/{what}')"


_WRITING: Final = f"BEGIN; SELECT pg_advisory_xact_lock({lock_keys(LEDGER_LOCK)})".encode()


def open_connection(address: str, *, name: str = NAME) -> psycopg.Connection[Any]:
    """A connection of the driver's; raises psycopg's errors.

    Args:
        address: `postgresql://…`; what it says itself of time limits and keepalives holds.
        name: shown by the server as the application's (`pg_stat_activity`).
    """
    given = psycopg.conninfo.conninfo_to_dict(address)
    defaults: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS, "application_name": name, **_KEEPALIVE}
    settings = {key: value for key, value in defaults.items() if key not in given or key == "application_name"}
    connection = psycopg.connect(address, autocommit=True, **settings)
    connection.adapters.register_dumper(str, PlainText)
    connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'; SET TimeZone = 'UTC'".encode())
    return connection


def writing_engine(address: str, *, name: str, begin: Begin) -> Engine:
    """An engine with a single connection. `begin` begins its transactions (see `plainly`)."""
    return _engine(address, name=name, begin=begin, connections=1)


def reading_engine(address: str, *, name: str, connections: int) -> Engine:
    """An engine whose transactions cannot write, and see one state of the ledger."""

    def begin(driver: psycopg.Connection[Any]) -> None:
        say(driver, b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    return _engine(address, name=name, begin=begin, connections=connections)


def driver_of(connection: Connection) -> psycopg.Connection[Any]:
    """The driver's connection under SQLAlchemy's."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError(type(driver))
    return driver


def plainly(driver: psycopg.Connection[Any]) -> None:
    """Begins a transaction that writes: read committed, so that what follows the lock sees all that went before."""
    say(driver, _WRITING)


def say(driver: psycopg.Connection[Any], statements: bytes) -> PGresult:
    """Has statements without values carried out, past the driver's cursors (a quarter of their time); the last result.

    Raises psycopg's error if the server refuses or the connection breaks.
    """
    result = driver.pgconn.exec_(statements)
    if result.status in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
        return result
    if not result.error_field(DiagnosticField.SQLSTATE):  # not the server has said so, but the connection
        raise psycopg.OperationalError(driver.pgconn.error_message.decode("utf-8", "replace"))
    raise psycopg.errors.error_from_result(result, encoding="utf-8")


def _engine(address: str, *, name: str, begin: Begin, connections: int) -> Engine:
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: open_connection(address, name=name),
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,  # an error text must not carry people's data
        use_native_hstore=False,  # would cost a question on each connection
    )

    def say_begin(connection: Connection) -> None:
        begin(driver_of(connection))

    event.listen(engine, "begin", say_begin)
    return engine
