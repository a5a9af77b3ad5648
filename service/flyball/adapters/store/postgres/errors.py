"""What can go wrong with PostgreSQL, named by what the caller does next.

    FlyballError
    ├── ConfigError             it cannot be opened: a person must mend something first
    ├── StoreError              this call could not be carried out, and nothing of it was kept
    │   └── StoreUnreachable    ... because there is no server, no network, no room for a connection
    └── Stopping
        └── Fenced              this replica was declared dead: others have its work, and it writes nothing

psycopg's errors are translated here and nowhere else. The texts hold no statement, no value and no password.
"""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import errors as pg
from sqlalchemy.exc import DBAPIError, DisconnectionError

from flyball.adapters.store.errors import StoreError, StoreFull
from flyball.model.errors import ConfigError, Stopping

__all__ = ["Fenced", "StoreUnreachable", "is_lost", "refusal", "translate"]


class StoreUnreachable(StoreError):  # noqa: N818 - reads as the state it reports
    """The database cannot be reached just now. The store connects again by itself."""


class Fenced(Stopping):
    """The other replicas took this one for dead and have its work. It joins again under a new name."""


# A person must mend these before a start can succeed; SQLSTATE class or code → what to do.
_REFUSALS: Final[dict[type[psycopg.Error], str]] = {
    pg.InvalidPassword: "the user or the password is wrong",
    pg.InvalidAuthorizationSpecification: "the user may not log in",
    pg.InvalidCatalogName: "there is no such database; make it first (CREATE DATABASE)",
    pg.InsufficientPrivilege: "the user lacks a privilege; it must own the schema that the ledger is in",
    pg.InvalidSchemaName: "the schema of the search path does not exist; make it first (CREATE SCHEMA)",
    pg.ReadOnlySqlTransaction: "the server is read-only; name the primary server, not a standby",
}
_AWAY: Final = (
    pg.AdminShutdown,
    pg.CrashShutdown,
    pg.CannotConnectNow,
    pg.TooManyConnections,
    pg.IdleInTransactionSessionTimeout,
    pg.IdleSessionTimeout,
)
_AGAIN: Final = (pg.SerializationFailure, pg.DeadlockDetected, pg.LockNotAvailable, pg.QueryCanceled)


def cause_of(error: BaseException) -> BaseException:
    """Psycopg's error inside SQLAlchemy's."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, so that its transaction is, unless its commit was on the way."""
    cause = cause_of(error)
    if isinstance(error, DisconnectionError):
        return True
    if isinstance(cause, _AWAY):
        return True
    # What has an SQLSTATE was said by a server that is there; what has none came from the connection.
    return isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError) and cause.sqlstate is None


def is_passing(error: BaseException) -> bool:
    """Whether the same work can succeed at once in a new transaction."""
    return isinstance(cause_of(error), _AGAIN)


def translate(error: BaseException, place: str) -> StoreError | None:
    """The store's own error for one of psycopg's, or None when `error` is the work's own affair.

    Args:
        error: as met.
        place: the address, as it is shown to people.
    """
    if isinstance(error, StoreError):
        return error
    cause = cause_of(error)
    made: StoreError
    if is_lost(error):
        made = StoreUnreachable(f"the ledger at {place} cannot be reached: {said(cause)}")
    elif isinstance(cause, pg.DiskFull):
        made = StoreFull(f"the disk of the database at {place} is full; free some space, then work goes on by itself")
    elif isinstance(cause, (*_AGAIN, pg.ReadOnlySqlTransaction, pg.OutOfMemory, pg.ConfigurationLimitExceeded)):
        made = StoreError(f"the ledger at {place} could not be used: {said(cause)}")
    else:
        return None
    made.__cause__ = error
    return made


def refusal(error: BaseException, place: str) -> ConfigError | None:
    """The same for an error met while opening; None when it is none of the database's."""
    cause = cause_of(error)
    if not isinstance(cause, psycopg.Error):
        return None
    remedy = next((text for kind, text in _REFUSALS.items() if isinstance(cause, kind)), None) or _by_words(cause)
    made = ConfigError(f"the ledger at {place} cannot be opened: {remedy or said(cause)}")
    made.__cause__ = error
    return made


def _by_words(cause: psycopg.Error) -> str | None:
    """Refusals met while connecting carry no SQLSTATE in the driver; their words are the server's own, in English or
    in its language, and then are shown as they are.
    """
    text = str(cause)
    if "password authentication failed" in text or "no password supplied" in text:
        return _REFUSALS[pg.InvalidPassword]
    if "FATAL" in text and "database" in text and "does not exist" in text:
        return _REFUSALS[pg.InvalidCatalogName]
    return None


def said(cause: BaseException) -> str:
    """The first line of what the driver says, without what it repeats of the address."""
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    for line in lines:
        if "FATAL:" in line:
            return line.split("FATAL:", 1)[1].strip()[:200]
    return (lines[0] if lines else type(cause).__name__)[:200]
