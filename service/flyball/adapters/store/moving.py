"""A ledger out of its database into a file, and from a file into an empty one; of either kind, in either direction."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from flyball.adapters.store.checking import Report, check, check_rows
from flyball.adapters.store.migrations import HEAD
from flyball.adapters.store.opening import open_ledger
from flyball.adapters.store.sequences import continue_from, last_numbers
from flyball.adapters.store.sqlite import LEDGER_NAME
from flyball.configfile.addresses import is_address
from flyball.ledger.codec import micros
from flyball.ledger.portable import NotPortable, export, take_in, workers
from flyball.model.errors import FlyballError

ALIVE: Final = timedelta(seconds=60)  # a replica that gave a sign of life so lately may be at work


async def write_out(store: str, data: Path, target: Path) -> int:
    """Export the ledger as it is at one moment, also beside a daemon; how many bytes.

    Args:
        store: as in the settings.
        data: the data folder.
        target: written anew.
    """
    opened = await open_ledger(store, data, read_only=True)
    try:
        return await opened.read(partial(_write, target=target))
    finally:
        await opened.close()


def _write(connection: Connection, target: Path) -> int:
    """From the beginning each time: a database that went away makes this run again."""
    written = 0
    with target.open("wb") as file:
        for line in export(connection, HEAD, last_numbers(connection)):
            written += file.write(line)
    return written


async def read_in(store: str, data: Path, source: Path, now: datetime) -> dict[str, int]:
    """Fill an empty ledger from an export, all or nothing; table → rows.

    Raises:
        NotPortable: the ledger is not empty, a daemon works on it, or the stream is not whole.
        ConfigError: it cannot be opened; `AlreadyRunning` while a daemon holds it.
    """
    opened = await open_ledger(store, data)
    try:
        return await opened.write(partial(_read, source=source, now=now))
    finally:
        await opened.close()


def _read(connection: Connection, source: Path, now: datetime) -> dict[str, int]:
    if at_work := workers(connection, micros(now - ALIVE)):
        raise NotPortable(f"{at_work} daemons work on this ledger; stop them first")
    with source.open("rb") as file:
        rows, sequences = take_in(connection, file, HEAD)
    continue_from(connection, sequences)
    return rows


async def look_over(store: str, data: Path) -> Report:
    """Read all of the ledger and say what is wrong; of a file also whether it is sound."""
    if not is_address(store):
        return check(data / LEDGER_NAME)
    opened = await open_ledger(store, data, read_only=True)
    try:
        problems, rows = await opened.read(check_rows)
    except FlyballError as error:
        return Report((str(error),), None, 0, {})
    finally:
        await opened.close()
    return Report(tuple(problems), HEAD, 0, rows)
