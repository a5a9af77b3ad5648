"""A ledger of an earlier version, opened by this one: what was done stays done."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from flyball.adapters.store import migrations
from flyball.adapters.store.connect import writing_engine
from flyball.adapters.store.place import create_file
from flyball.adapters.store.sqlite import LEDGER_NAME
from flyball.sandbox import Sandbox, Scenario
from support.lab import NOTES, QUICK_JOBS, opened, write_lab, writes


def aged(ledger: Path, revision: str) -> None:
    """Make the ledger one of an earlier version: its tables, with the rows that there are now."""
    old = ledger.with_name("old.sqlite")
    create_file(old)
    engine = writing_engine(old)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
    with closing(sqlite3.connect(old)) as database:
        database.execute("ATTACH ? AS now", (str(ledger),))
        names = "SELECT name FROM {}.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        present = {name for (name,) in database.execute(names.format("now"))}
        for (table,) in database.execute(names.format("main")).fetchall():
            if table == migrations.VERSION_TABLE or table not in present:
                continue
            columns = set(columns_of(database, "main", table)) & set(columns_of(database, "now", table))
            listed = ", ".join(f'"{column}"' for column in sorted(columns))
            database.execute(f'INSERT INTO main."{table}" ({listed}) SELECT {listed} FROM now."{table}"')  # noqa: S608 - our own names
        database.commit()
    for file in ledger.parent.glob(f"{ledger.name}*"):
        if not file.name.endswith("lock"):
            file.unlink()
    for ending in ("-wal", "-shm"):
        assert not old.with_name(old.name + ending).exists()
    old.rename(ledger)


def columns_of(database: sqlite3.Connection, schema: str, table: str) -> list[str]:
    """The columns of a table."""
    return [row[1] for row in database.execute(f'PRAGMA {schema}.table_info("{table}")')]


def read(ledger: Path, query: str) -> list[tuple[object, ...]]:
    """Rows of a ledger that nobody has open."""
    with closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)) as database:
        return database.execute(query).fetchall()


@pytest.mark.parametrize("revision", migrations.REVISIONS)
async def test_every_once_key_is_kept(revision: str, tmp_path: Path) -> None:
    """Tags, notes, alerts and launches of the earlier version are known to this one: nothing is written to the site."""
    async with Sandbox(Scenario.named("lab", jobs=QUICK_JOBS)) as box:
        config = write_lab(tmp_path, box.key, extra={"notes.yaml": NOTES})
        async with opened(config) as daemon:
            assert await daemon.run_until_idle()
        ledger = tmp_path / "var" / LEDGER_NAME
        query = "SELECT id, rule, target, kind, once_key, state FROM effects ORDER BY id"
        before, sent = read(ledger, query), writes(box)
        assert {row[3] for row in before} >= {"tag", "note", "alert", "launch"}
        aged(ledger, revision)
        assert read(ledger, f"SELECT version_num FROM {migrations.VERSION_TABLE}") == [(revision,)]  # noqa: S608 - a constant
        async with opened(config) as daemon:
            assert await daemon.run_until_idle()
        assert read(ledger, f"SELECT version_num FROM {migrations.VERSION_TABLE}") == [(migrations.HEAD,)]  # noqa: S608 - a constant
        after = read(ledger, query)
        assert {row[:5] for row in before} <= {row[:5] for row in after}
        assert [row for row in after if row[:5] not in {one[:5] for one in before}] == []
        assert writes(box) == sent
        copy = ledger.with_name(f"{LEDGER_NAME}.at-{revision}")
        assert copy.exists() is (revision != migrations.HEAD)
