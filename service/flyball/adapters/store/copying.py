"""A copy of a ledger, consistent even while a daemon writes to it: what `plan` and `why` work on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from flyball.adapters.store.errors import StoreError


def copy_ledger(source: Path, target: Path) -> bool:
    """Copy the ledger at `source` to `target`; False when there is none yet.

    Raises:
        StoreError: it cannot be read.
    """
    if not source.is_file():
        return False
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as read,
            closing(sqlite3.connect(target)) as write,
        ):
            read.backup(write)
    except sqlite3.Error as error:
        raise StoreError(f"{source} cannot be copied: {error}") from error
    return True
