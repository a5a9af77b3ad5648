"""A copy of a ledger in PostgreSQL as a file of SQLite's: what `plan` and `why` work on."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError

from flyball.adapters.store.connect import writing_engine
from flyball.adapters.store.errors import NoLedger
from flyball.adapters.store.postgres.connect import reading_engine
from flyball.adapters.store.postgres.errors import refusal
from flyball.adapters.store.postgres.schema import require_current
from flyball.adapters.store.schema import bring_up
from flyball.configfile.addresses import shown
from flyball.ledger.tables import events, metadata

_ROWS: Final = 1000
_LEFT_OUT: Final = frozenset({events.name})  # the history of what was seen; nothing is decided by it


def copy_database(address: str, target: Path) -> bool:
    """Copies the ledger at `address` to the file `target`, all tables of one moment; False when there is none yet.

    Raises ConfigError when it cannot be read.
    """
    place = shown(address)
    source = reading_engine(address, name="flyball copy", connections=1)
    bring_up(target)
    copy = writing_engine(target)
    try:
        with source.connect() as read, read.begin(), copy.connect() as write, write.begin():
            require_current(read, place)
            for table in metadata.sorted_tables:
                if table.name in _LEFT_OUT:
                    continue
                rows = read.execution_options(yield_per=_ROWS).execute(select(table)).mappings()
                for some in rows.partitions():
                    write.execute(insert(table), [dict(row) for row in some])
    except NoLedger:
        return False
    except (psycopg.Error, DBAPIError) as error:
        told = refusal(error, place)
        if told is None:
            raise
        raise told from None
    finally:
        source.dispose()
        copy.dispose()
    return True
