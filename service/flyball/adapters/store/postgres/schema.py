"""Brings a ledger in PostgreSQL to the schema of this program, or says why it cannot be used.

Any number of replicas may start at once: the first one through the ledger's lock takes the steps, in one transaction,
and the others find them taken.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, inspect

from flyball.adapters.store import migrations
from flyball.adapters.store.errors import NoLedger
from flyball.adapters.store.postgres import marks
from flyball.adapters.store.postgres.connect import OLDEST, driver_of, say
from flyball.ledger.tables import metadata
from flyball.model.errors import ConfigError


def bring_up(engine: Engine, place: str) -> None:
    """Makes the tables or takes the missing steps. `engine` is one whose transactions hold the ledger's lock.

    Raises ConfigError for a server that is too old and a ledger that is newer; psycopg's errors pass.
    """
    with engine.connect() as connection, connection.begin():
        require_server(connection, place)
        found = revision_of(connection, place)
        if found is None:
            migrations.create(connection)
        elif found != migrations.HEAD:
            migrations.upgrade(connection)
        say(driver_of(connection), marks.TABLE)


def require_current(connection: Connection, place: str) -> None:
    """Raises ConfigError unless the ledger can be read as it is: `NoLedger` if there is nothing yet."""
    require_server(connection, place)
    found = revision_of(connection, place)
    if found is None:
        raise NoLedger(f"there is no ledger at {place} yet: `flyball run` makes it")
    if found != migrations.HEAD:
        raise ConfigError(
            f"the ledger at {place} has the older schema {found}, and this program reads {migrations.HEAD}: "
            "start this version's daemon once, which brings it up"
        )


def require_server(connection: Connection, place: str) -> None:
    """Refuses a server that is too old."""
    version = driver_of(connection).info.server_version
    if version < OLDEST:
        raise ConfigError(
            f"the database at {place} is PostgreSQL {version // 10_000}; Flyball needs {OLDEST // 10_000} or newer"
        )


def revision_of(connection: Connection, place: str) -> str | None:
    """The revision of a ledger that this program can use or bring up; None where there is none. Refuses all others.

    Other tables in the same schema are no fault: databases are shared. Tables of our names without our note are.
    """
    found = migrations.current(connection)
    if found is None:
        foreign = sorted(set(inspect(connection).get_table_names()) & metadata.tables.keys())
        if foreign:
            raise ConfigError(
                f"the database at {place} has tables named like a ledger's ({', '.join(foreign[:3])}), which are none: "
                "name another database, or another schema (?options=-csearch_path%3DNAME)"
            )
    elif found not in migrations.REVISIONS:
        raise ConfigError(
            f"the ledger at {place} was written by a newer Flyball "
            f"(schema {found}; this one knows up to {migrations.HEAD}): "
            "run that version, or put back the copy made before the upgrade"
        )
    return found
