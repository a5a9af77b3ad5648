"""The schema's history."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from flyball.adapters.store import migrations
from flyball.adapters.store.connect import writing_engine
from flyball.adapters.store.place import create_file
from flyball.adapters.store.schema import bring_up
from flyball.ledger.tables import metadata


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_file(tmp_path / "ledger.sqlite")
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    made = writing_engine(path)
    yield made
    made.dispose()


def definitions(connection: Connection) -> dict[str, str]:
    """What SQLite keeps of each table and index, with white space evened out."""
    found = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    own = (migrations.VERSION_TABLE, "sqlite_sequence")  # the databases' own book-keeping
    return {name: " ".join(sql.split()) for name, sql in found if name not in own}


def test_steps_make_what_the_tables_describe(engine: Engine) -> None:
    """All steps together make the very tables and indexes that the ledger's description makes, keys and order too."""
    with engine.begin() as connection:
        migrations.upgrade(connection)
        stepped = definitions(connection)
        for name in list(stepped):
            if connection.scalar(text("SELECT type FROM sqlite_master WHERE name = :name"), {"name": name}) == "table":
                connection.execute(text(f'DROP TABLE "{name}"'))
        metadata.create_all(connection)
        assert stepped == definitions(connection)


def test_a_new_ledger_is_what_the_steps_make(engine: Engine) -> None:
    """Made at once, the tables, the indexes and the note of the revision are those of all steps together."""
    with engine.connect() as connection:
        with connection.begin():
            migrations.create(connection)
            made, noted = definitions(connection), migrations.current(connection)
            table = connection.scalar(text("SELECT sql FROM sqlite_master WHERE name = 'alembic_version'"))
            for name in [*metadata.tables, "alembic_version"]:
                connection.execute(text(f'DROP TABLE "{name}"'))
        with connection.begin():
            migrations.upgrade(connection)
            assert made == definitions(connection)
            assert noted == migrations.current(connection) == migrations.HEAD
            again = connection.scalar(text("SELECT sql FROM sqlite_master WHERE name = 'alembic_version'"))
            assert str(table).split() == str(again).split()


def test_list_of_revisions_is_that_of_the_files() -> None:
    """The revisions written down are those of the files, in their order, with one end."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    script = ScriptDirectory.from_config(config)
    assert tuple(step.revision for step in script.walk_revisions())[::-1] == migrations.REVISIONS
    assert script.get_heads() == [migrations.HEAD]


def test_current(engine: Engine) -> None:
    """Before the first step there is no revision; after an upgrade it is the last one, and upgrading again is nothing."""
    with engine.begin() as connection:
        assert migrations.current(connection) is None
        migrations.upgrade(connection)
        assert migrations.current(connection) == migrations.HEAD
        before = definitions(connection)
        migrations.upgrade(connection)
        assert definitions(connection) == before


def test_upgrade_is_one_transaction(engine: Engine) -> None:
    """Steps that are not committed leave nothing: a kill in the middle leaves the old schema whole."""
    with engine.connect() as connection:
        transaction = connection.begin()
        migrations.upgrade(connection)
        transaction.rollback()
        with connection.begin():
            assert migrations.current(connection) is None
            assert definitions(connection) == {}


def test_copy_before_a_step(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older ledger is copied, rows and all and for its owner alone, before the steps; a new one is not."""
    head = migrations.HEAD
    bring_up(path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO facts (name, value, updated) VALUES ('kept', x'01', 1)")
        connection.commit()

    taken: list[str] = []

    def step(connection: Connection) -> None:
        taken.append("9000")
        connection.execute(text("UPDATE alembic_version SET version_num = '9000'"))
        connection.execute(text("DELETE FROM facts"))

    monkeypatch.setattr(migrations, "REVISIONS", (*migrations.REVISIONS, "9000"))
    monkeypatch.setattr(migrations, "HEAD", "9000")
    monkeypatch.setattr(migrations, "upgrade", step)
    bring_up(path)
    bring_up(path)
    assert taken == ["9000"]

    copy = path.with_name(f"ledger.sqlite.at-{head}")
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, copy.name]
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(f"{copy.as_uri()}?mode=ro", uri=True)) as connection:
        assert connection.execute("SELECT name FROM facts").fetchall() == [("kept",)]
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(head,)]


def test_failing_step_leaves_the_ledger_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that raises half-way leaves the ledger at its old revision, with all rows."""
    head = migrations.HEAD
    bring_up(path)

    def step(connection: Connection) -> None:
        connection.execute(text("DROP TABLE facts"))
        raise LookupError

    monkeypatch.setattr(migrations, "REVISIONS", (*migrations.REVISIONS, "9000"))
    monkeypatch.setattr(migrations, "HEAD", "9000")
    monkeypatch.setattr(migrations, "upgrade", step)
    with pytest.raises(LookupError):
        bring_up(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM facts").fetchall() == [(0,)]
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(head,)]
