"""The schema's history, run by the daemon itself: Alembic's steps, without its command line and ini file.

Alembic takes 11 MB and a third of a second to import, so it is loaded only when an older ledger must be brought up: a
new one is made from the tables as they are now, which a test holds to the steps. Which revisions exist is written down
here, and a test holds the list to the files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from flyball.ledger.tables import metadata

REVISIONS: Final = ("0001", "0004", "0005", "0006")
HEAD: Final = REVISIONS[-1]

VERSION_TABLE: Final = "alembic_version"
_VERSIONS: Final = f"""CREATE TABLE {VERSION_TABLE} (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num)
)"""  # as Alembic makes it


def current(connection: Connection) -> str | None:
    """The revision of the schema in this database; None before the first step."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608 - a constant
    return found


def create(connection: Connection) -> None:
    """Makes all tables of an empty database as they are after the last step; the caller commits."""
    metadata.create_all(connection)
    connection.execute(text(_VERSIONS))
    connection.execute(text(f"INSERT INTO {VERSION_TABLE} (version_num) VALUES ('{HEAD}')"))  # noqa: S608 - constants


def upgrade(connection: Connection) -> None:
    """Takes every step up to `HEAD` in the transaction that `connection` is in; the caller commits.

    All steps or none take effect: both databases keep data definition inside transactions.
    """
    from alembic import command  # noqa: PLC0415 - loaded only when there is a step to take
    from alembic.config import Config  # noqa: PLC0415 - likewise

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
