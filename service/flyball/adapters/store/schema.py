"""Brings a ledger's file to the schema of this program, or says why it cannot be used.

Nothing is thrown away: an older ledger is copied before it is changed, and a damaged, foreign or newer file is refused
as it is.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from flyball.adapters.store import migrations
from flyball.adapters.store.connect import plain, reading_engine, writing_engine
from flyball.adapters.store.errors import NoLedger
from flyball.adapters.store.place import create_file, sync_folder
from flyball.model.errors import ConfigError

# A file up to this size is read through before it is trusted (about 0.1 s); larger ones by `flyball ledger check`.
_LOOK_THROUGH_BYTES: Final = 64 << 20


def bring_up(path: Path) -> None:
    """Makes the file if need be and takes the missing steps. The caller holds the lock of the folder.

    Raises ConfigError for a foreign or newer file; SQLite's and the system's errors pass.
    """
    create_file(path)
    engine = writing_engine(path)
    try:
        with engine.connect() as connection:
            with connection.begin():
                _look_through(connection, path)
                found = revision_of(connection, path)
            if found == migrations.HEAD:
                return
            if found is None:
                with connection.begin():
                    migrations.create(connection)
                return
            back_up(path, found)
            with connection.begin():
                migrations.upgrade(connection)
    finally:
        engine.dispose()


def is_current(path: Path) -> bool:
    """Whether `path` is a ledger of this very schema. Refuses a foreign or newer file; changes nothing."""
    return _peek(path) == migrations.HEAD


def require_current(path: Path) -> None:
    """Raises ConfigError unless `path` can be read as it is: `NoLedger` if there is nothing yet."""
    found = _peek(path)
    if found is None:
        raise NoLedger(f"there is no ledger at {path} yet: `flyball run` makes it")
    if found != migrations.HEAD:
        raise ConfigError(
            f"the ledger {path} has the older schema {found}, and this program reads {migrations.HEAD}: "
            "start this version's daemon once, which brings it up"
        )


def _peek(path: Path) -> str | None:
    if not path.exists():
        return None
    engine = reading_engine(path, connections=1)
    try:
        with engine.connect() as connection, connection.begin():
            return revision_of(connection, path)
    finally:
        engine.dispose()


def revision_of(connection: Connection, path: Path) -> str | None:
    """The revision of a ledger that this program can use or bring up; None for an empty file. Refuses all others."""
    found = migrations.current(connection)
    if found is None and inspect(connection).get_table_names():
        raise ConfigError(f"{path} is a database, but no ledger of Flyball's: set `data` to another folder")
    if found is not None and found not in migrations.REVISIONS:
        raise ConfigError(
            f"the ledger {path} was written by a newer Flyball "
            f"(schema {found}; this one knows up to {migrations.HEAD}): "
            "run that version, or put back the copy made before the upgrade"
        )
    return found


def _look_through(connection: Connection, path: Path) -> None:
    """Refuses a file whose pages do not fit together, unless it is too large to read at every start."""
    if path.stat().st_size > _LOOK_THROUGH_BYTES:
        return
    said = connection.scalar(text("PRAGMA quick_check(1)"))
    if said != "ok":
        raise ConfigError(
            f"the ledger {path} is damaged ({said}): keep the file, "
            "and put a copy in its place, or move it away to begin anew"
        )


def back_up(path: Path, revision: str) -> Path:
    """Copies the ledger as it is now to `NAME.at-REVISION` beside it, whole or not at all, and gives that name."""
    kept = path.with_name(f"{path.name}.at-{revision}")
    making = path.with_name(f"{kept.name}.part")
    making.unlink(missing_ok=True)
    create_file(making)
    try:
        with contextlib.closing(plain(path, mode="ro")) as source, contextlib.closing(plain(making, mode="rw")) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE").close()  # one file alone, without a log beside it
        making.replace(kept)
    except BaseException:
        making.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return kept
