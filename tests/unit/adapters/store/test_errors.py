"""SQLite's errors in the store's words."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy.exc import DBAPIError, OperationalError

from flyball.adapters.store import errors
from flyball.adapters.store.errors import StoreDamaged, StoreError, StoreFull, refusal, translate
from flyball.model.errors import ConfigError


class Room(NamedTuple):
    """The part of a file system's figures that is looked at."""

    f_bavail: int
    f_frsize: int


def failed(code: int, text: str = "said SQLite") -> DBAPIError:
    """What SQLAlchemy raises when SQLite answers `code`."""
    cause = sqlite3.OperationalError(text)
    cause.sqlite_errorcode = code
    return OperationalError("INSERT INTO secrets", ["Doe^Jane"], cause)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_FULL, StoreFull),
        (sqlite3.SQLITE_CORRUPT, StoreDamaged),
        (sqlite3.SQLITE_CORRUPT_INDEX, StoreDamaged),
        (sqlite3.SQLITE_NOTADB, StoreDamaged),
        (sqlite3.SQLITE_BUSY, StoreError),
        (sqlite3.SQLITE_IOERR_FSYNC, StoreError),
        (sqlite3.SQLITE_CANTOPEN, StoreError),
        (sqlite3.SQLITE_READONLY_DBMOVED, StoreError),
    ],
)
def test_errors_of_the_store(tmp_path: Path, code: int, kind: type[StoreError]) -> None:
    """Errors of the file and the disk, in all their finer codes, are named by what to do; the text holds no data."""
    path = tmp_path / "ledger.sqlite"
    error = failed(code)
    told = translate(error, path)
    assert type(told) is kind
    assert told.__cause__ is error
    assert str(path) in str(told)
    assert "secrets" not in str(told)
    assert "Doe" not in str(told)
    assert isinstance(refusal(error, path), ConfigError)


@pytest.mark.parametrize(
    "error",
    [
        failed(sqlite3.SQLITE_CONSTRAINT_UNIQUE),
        failed(sqlite3.SQLITE_ERROR),
        LookupError(),
        sqlite3.ProgrammingError("x"),
    ],
)
def test_errors_of_the_work(tmp_path: Path, error: Exception) -> None:
    """A refused row, a mistake in a statement and Python's own errors are not the store's."""
    assert translate(error, tmp_path / "ledger.sqlite") is None
    assert refusal(error, tmp_path / "ledger.sqlite") is None


def test_unexplained_error_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An input/output error where next to nothing is free is put down to the full disk."""
    path = tmp_path / "ledger.sqlite"
    monkeypatch.setattr(os, "statvfs", lambda _: Room(f_bavail=2, f_frsize=4096))
    assert isinstance(translate(failed(sqlite3.SQLITE_IOERR_SHMSIZE), path), StoreFull)
    monkeypatch.setattr(os, "statvfs", lambda _: Room(f_bavail=2 << 20, f_frsize=4096))
    assert type(translate(failed(sqlite3.SQLITE_IOERR_SHMSIZE), path)) is StoreError


def test_each_caller_gets_its_own(tmp_path: Path) -> None:
    """One failed commit told twice gives two exceptions, so that their tracebacks stay apart."""
    error = failed(sqlite3.SQLITE_FULL)
    assert translate(error, tmp_path / "x") is not translate(error, tmp_path / "x")


def test_system_errors(tmp_path: Path) -> None:
    """An error of the system at opening names the file it is about, the reason and the remedy."""
    told = refusal(PermissionError(13, "Permission denied", "/data/flyball.lock"), tmp_path / "ledger.sqlite")
    assert str(told).endswith(
        "/data/flyball.lock: Permission denied; the data folder must be writable by the user that runs Flyball"
    )


def test_public_names() -> None:
    """What other rooms catch can be had from one place."""
    assert {"StoreError", "StoreFull", "StoreDamaged", "NoLedger", "AlreadyRunning"} <= set(errors.__all__)
