"""How SQLite is opened: one connection that writes, a few that only read.

Python's driver begins transactions by rules of its own, under which savepoints and data definition fall outside of
them. It is told not to (`isolation_level=None`), and the begin hook says BEGIN instead; committing and rolling back go
through the driver as usual (SQLAlchemy's manual, SQLite dialect, "Transactions with SQLite and the sqlite3 driver").
"""

from __future__ import annotations

import os
import sqlite3
import weakref
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

# How long one process waits for another that is writing. Groups take milliseconds; a command line writes one row.
BUSY_SECONDS: Final = 10.0

# Kibibytes of pages kept in memory by each connection: with three readers 14 MiB in all, out of 120 for the daemon.
_WRITER_CACHE: Final = 8192
_READER_CACHE: Final = 2048

# Prepared statements kept by each connection. Those with hundreds of bound values take tens of kilobytes; 256 of them
# cost the daemon 6 MB more, and a statement that is prepared again costs some 30 µs.
_STATEMENTS: Final = 64

# Pages in the log before it is copied back (16 MiB), and the bytes it may keep on disk after a burst.
_CHECKPOINT_PAGES: Final = 4096
_LOG_BYTES: Final = 64 << 20

_WRITER: Final = (
    "auto_vacuum=INCREMENTAL",  # only takes on a new file, before all else: room can then be given back in small steps
    "journal_mode=WAL",
    "synchronous=FULL",  # each commit reaches the disk before it is told
    "foreign_keys=ON",
    f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
    f"journal_size_limit={_LOG_BYTES}",
    f"cache_size=-{_WRITER_CACHE}",
    "temp_store=MEMORY",  # a read-only container has no place for temporary files
)
_PASSING: Final = "synchronous=OFF"  # of a file that is thrown away: a power cut takes it all the same
_READER: Final = (
    "query_only=ON",
    f"cache_size=-{_READER_CACHE}",
    "temp_store=MEMORY",
)


class Driver(sqlite3.Connection):
    """A connection whose transactions end completely, with all queries that were begun in them.

    SQLite lets a query that was not read to its end go on after COMMIT or ROLLBACK, and keeps the snapshot for it: an
    exception that somebody still holds, with a half-read result in its frames, would show the next user of a pooled
    connection the past. So a transaction closes its cursors as it ends.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._cursors: weakref.WeakSet[sqlite3.Cursor] = weakref.WeakSet()

    def cursor(self, *arguments: Any, **named: Any) -> Any:
        """As the base class; SQLAlchemy and `execute` both come by here."""
        made = super().cursor(*arguments, **named)
        self._cursors.add(made)
        return made

    def commit(self) -> None:
        """Ends the queries, then commits."""
        self._end_queries()
        super().commit()

    def rollback(self) -> None:
        """Ends the queries, then rolls back."""
        self._end_queries()
        super().rollback()

    def _end_queries(self) -> None:
        for cursor in list(self._cursors):
            cursor.close()
        self._cursors.clear()


def writing_engine(path: Path, *, passing: bool = False) -> Engine:
    """An engine with a single connection to the existing file `path`; its transactions hold the write lock at once.

    Taking the lock at BEGIN means that no transaction can fail half-way because another process wrote in between. A
    `passing` file is thrown away afterwards: nothing waits for the disk.
    """
    pragmas = (*_WRITER, _PASSING) if passing else _WRITER
    return _engine(path, mode="rw", pragmas=pragmas, begin="BEGIN IMMEDIATE", connections=1)


def reading_engine(path: Path, *, connections: int) -> Engine:
    """An engine whose connections cannot write. A transaction sees one state of the ledger from its first query on.

    SQLite needs to make its log and index even for reading. Where the folder does not allow that and no log is left
    over, the file is at rest (a copy on a read-only medium, say) and is read alone.
    """
    at_rest = (
        not os.access(path.parent, os.W_OK, effective_ids=True) and not path.with_name(f"{path.name}-wal").exists()
    )
    return _engine(
        path, mode="ro&immutable=1" if at_rest else "ro", pragmas=_READER, begin="BEGIN", connections=connections
    )


def plain(path: Path, *, mode: str) -> Driver:
    """The driver's own connection to the existing file `path`; `mode` is SQLite's: `ro`, `rw`."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,  # pooled connections move between threads, one at a time
        cached_statements=_STATEMENTS,
        factory=Driver,
    )


def _engine(path: Path, *, mode: str, pragmas: tuple[str, ...], begin: str, connections: int) -> Engine:
    engine = create_engine(
        "sqlite://",
        creator=lambda: plain(path, mode=mode),
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,  # an error text must not carry people's data
    )

    def set_up(connection: Any, _record: object) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()

    def say_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", say_begin)
    return engine
