"""What can go wrong with the ledger's file, named by what the caller does next.

    FlyballError
    ├── ConfigError            the store cannot be opened: a person must mend something first
    │   ├── NoLedger           there is no ledger yet: nothing to read
    │   └── AlreadyRunning     another process owns the folder
    └── StoreError             a running store could not carry out this call: keep the work, try again later
        ├── StoreFull          ... because the disk is full
        └── StoreDamaged       ... because the file is damaged: stop, check, restore a copy

Errors of the work itself (a broken unique constraint, a mistake in its code) are not translated: they belong to the
caller. SQLite's own are, here and nowhere else.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DBAPIError

from flyball.adapters.store.lock import AlreadyRunning
from flyball.model.errors import ConfigError, FlyballError

__all__ = [
    "AlreadyRunning",
    "NoLedger",
    "StoreDamaged",
    "StoreError",
    "StoreFull",
    "refusal",
    "translate",
]


class NoLedger(ConfigError):  # noqa: N818 - reads as the state it reports
    """There is no ledger to read: no daemon has run on this folder yet."""


class StoreError(FlyballError):
    """The ledger could not be read or written just now; the same work can succeed later.

    Nothing of the work was kept. One exception that no database spares its callers: when the disk fails while a commit
    is being made durable, a restart may find the work done after all. Works are therefore written so that doing them
    again is harmless.
    """


class StoreFull(StoreError):  # noqa: N818 - reads as the state it reports
    """The disk that holds the ledger has no room. The store works again by itself once there is some."""


class StoreDamaged(StoreError):  # noqa: N818 - reads as the state it reports
    """The ledger's file is not what was written to it. Nothing is repaired unasked."""


# Below this much free space an input/output error is put down to the full disk: SQLite reports a failed extension of
# its index file, and some file systems a broken quota, without saying so.
_SCANT_BYTES: Final = 1 << 20

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_OF_THE_STORE: Final = {
    sqlite3.SQLITE_IOERR: "the disk reported an error",
    sqlite3.SQLITE_BUSY: "another process held the ledger for too long",
    sqlite3.SQLITE_LOCKED: "another process held the ledger for too long",
    sqlite3.SQLITE_CANTOPEN: "the file, or one beside it, cannot be opened",
    sqlite3.SQLITE_READONLY: "the file or its folder is read-only",
    sqlite3.SQLITE_PERM: "the file or its folder may not be accessed",
    sqlite3.SQLITE_NOMEM: "there is not enough memory",
    sqlite3.SQLITE_PROTOCOL: "the file system does not lock files properly",
}


def translate(error: BaseException, path: Path) -> StoreError | None:
    """The store's own error for one of SQLite's, or None when `error` is the work's own affair.

    A new object each time: one failed commit is told to many callers, and a shared exception would collect all their
    tracebacks. The texts hold no statement and no value.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    if not isinstance(cause, sqlite3.Error) or code is None:
        return None
    primary = code & 0xFF
    made: StoreError
    if primary == sqlite3.SQLITE_FULL or (primary == sqlite3.SQLITE_IOERR and _scant(path)):
        made = StoreFull(
            f"the disk is full: the ledger {path} cannot grow; free some space, then work goes on by itself"
        )
    elif primary in _DAMAGED:
        made = StoreDamaged(
            f"the ledger {path} is damaged, or not a ledger ({cause}): "
            "stop the daemon, keep the file, and put a copy in its place"
        )
    elif primary in _OF_THE_STORE:
        made = StoreError(f"the ledger {path} could not be used: {_OF_THE_STORE[primary]} ({cause})")
    else:
        return None
    made.__cause__ = error
    return made


def refusal(error: BaseException, path: Path) -> ConfigError | None:
    """The same for an error met while opening, when a person must act first; None when it is not one of these."""
    made: ConfigError
    if isinstance(error, OSError):
        where = error.filename or path.parent
        made = ConfigError(
            f"the ledger {path} cannot be opened: {where}: {error.strerror or error}; "
            "the data folder must be writable by the user that runs Flyball"
        )
    else:
        known = translate(error, path)
        if known is None:
            return None
        made = ConfigError(str(known))
    made.__cause__ = error
    return made


def _scant(path: Path) -> bool:
    """Whether the file system that holds `path` has next to no room left."""
    try:
        room = os.statvfs(path.parent)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < _SCANT_BYTES
