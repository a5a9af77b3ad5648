"""Which store the settings mean, opened: the file under `data`, or the database that `store` names."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Protocol

from flyball.adapters.store.copying import copy_ledger as copy_file
from flyball.adapters.store.sqlite import LEDGER_NAME, SqliteStore
from flyball.configfile.addresses import is_address
from flyball.model.errors import ConfigError
from flyball.model.ports import Store


class Ledger(Store, Protocol):
    """A store that was opened, as the daemon and the verbs use it."""

    @property
    def trouble(self) -> str | None:
        """Why it could not be used lately; None since it could."""
        ...


async def open_ledger(store: str, data: Path, *, read_only: bool = False, guest: bool = False) -> Ledger:
    """Opens the ledger.

    Args:
        store: `embedded` or an address, as in the settings.
        data: the data folder.
        read_only: nothing is made or changed.
        guest: write beside the daemon, for the command line's rows.

    Raises ConfigError when it cannot be opened, with the remedy.
    """
    if not is_address(store):
        return await SqliteStore.open(data / LEDGER_NAME, read_only=read_only, guest=guest)
    opened: Ledger = await shared_store().open(store, read_only=read_only)
    return opened


async def open_copy(store: str, data: Path, folder: Path) -> Ledger:
    """Opens a copy of the ledger as it is at one moment; empty when there is none yet. `folder` is made."""
    await asyncio.to_thread(folder.mkdir, 0o700)
    await copy_ledger(store, data, folder / LEDGER_NAME)
    return await SqliteStore.open(folder / LEDGER_NAME, passing=True)


async def copy_ledger(store: str, data: Path, target: Path) -> bool:
    """Copies the ledger to the SQLite file `target`, as it is at one moment; False when there is none yet."""
    if not is_address(store):
        return await asyncio.to_thread(copy_file, data / LEDGER_NAME, target)
    shared_store()
    from flyball.adapters.store.postgres.copying import copy_database  # noqa: PLC0415 - not installed everywhere

    return await asyncio.to_thread(copy_database, store, target)


def shared_store() -> Any:
    """The class of stores in PostgreSQL.

    Raises ConfigError where the extra is not installed.
    """
    try:
        from flyball.adapters.store.postgres.store import PostgresStore  # noqa: PLC0415 - not installed everywhere
    except ImportError as error:
        missing = (error.name or "a library").partition(".")[0]
        raise ConfigError(
            f"`store` is in PostgreSQL, and {missing} is not installed: install the extra, as in "
            "`pip install flyball[replicas]`"
        ) from error
    return PostgresStore
