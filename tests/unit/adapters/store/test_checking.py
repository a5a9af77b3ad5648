"""The look over a ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import LargeBinary, String, Table, Text, insert

from flyball.adapters.store.checking import check
from flyball.adapters.store.connect import writing_engine
from flyball.adapters.store.errors import NoLedger
from flyball.adapters.store.migrations import HEAD
from flyball.adapters.store.schema import bring_up
from flyball.ledger.tables import attempts, claims, decisions, effects, metadata


@pytest.fixture
def path(tmp_path: Path) -> Path:
    bring_up(tmp_path / "ledger.sqlite")
    return tmp_path / "ledger.sqlite"


def add(path: Path, table: Table, **values: Any) -> None:
    """Puts in one row, with something harmless in each required column that is not named."""
    harmless = {LargeBinary: b"{}", String: "", Text: ""}
    row = {
        column.name: harmless.get(type(column.type), 0)
        for column in table.columns
        if not column.nullable and column.name != "id"
    }
    engine = writing_engine(path)
    with engine.begin() as connection:
        connection.execute(insert(table).values(row | values))
    engine.dispose()


def test_sound_ledger(path: Path) -> None:
    """A new ledger has no problem; the report counts its rows and tells its schema and size."""
    add(path, metadata.tables["facts"], name="a")
    report = check(path)
    assert report.ok
    assert report.problems == ()
    assert report.revision == HEAD
    assert report.size == path.stat().st_size
    assert report.rows == {**dict.fromkeys(metadata.tables, 0), "facts": 1}


def test_attempts_and_effects_that_do_not_fit(path: Path) -> None:
    """An attempt without its effect, and an open attempt of an ended effect, are named; an open running one is fine."""
    add(path, effects, id=1, state="done")
    add(path, effects, id=2, state="running")
    add(path, attempts, id=10, effect=1, number=1)
    add(path, attempts, id=11, effect=2, number=1)
    add(path, attempts, id=12, effect=3, number=1, ended=5)
    assert check(path).problems == (
        "attempt 12 belongs to effect 3, which is not there",
        "attempt 10 is open, but its effect 1 is done",
    )


@pytest.mark.parametrize(
    ("table", "values", "problem"),
    [
        (effects, {"id": 4, "state": "running"}, "effect 4 is running, but none of its attempts is open"),
        (effects, {"id": 4, "state": "planned"}, "effect 4 is planned, but has no time at which it is due"),
        (effects, {"id": 4, "state": "waiting"}, "effect 4 is waiting, but has no time at which it is due"),
        (effects, {"id": 4, "state": "odd"}, "effect 4 is in state 'odd', which does not exist"),
        (effects, {"id": 4, "state": "done", "params": b"{,"}, "effects 4: params cannot be read"),
        (claims, {"rule": "gone", "site": "main"}, "1 claims are of rule gone, which the ledger does not know"),
    ],
    ids=["running", "planned", "waiting", "state", "json", "claim"],
)
def test_rows_that_would_break_a_promise(path: Path, table: Table, values: dict[str, Any], problem: str) -> None:
    """Work that nobody would take up again, states and JSON that are none, claims of nobody: each is named."""
    add(path, table, **values)
    (found,) = check(path).problems
    assert found.startswith(problem)


def test_what_waits_for_a_reason_is_sound(path: Path) -> None:
    """Held, or due at a time."""
    add(path, effects, id=1, state="planned", due=5)
    add(path, effects, id=2, state="planned", held_for="limit")
    add(path, effects, id=3, state="held", held_for="approval")
    assert check(path).ok


def test_two_current_decisions(path: Path) -> None:
    """Two decisions of one rule on one target cannot both be the current one."""
    for current in (False, True, True):
        add(path, decisions, rule="qc", site="main", level="file", target="f1", current=current)
    add(path, decisions, rule="qc", site="main", level="file", target="f2", current=True)
    assert check(path).problems == ("rule qc has 2 current decisions on file f1 of main",)


def test_damaged_pages(path: Path) -> None:
    """Damage inside the file is a problem in the report, not an exception."""
    content = bytearray(path.read_bytes())
    content[8192:16384] = b"\xff" * 8192
    path.write_bytes(content)
    assert not check(path).ok


def test_no_database(tmp_path: Path) -> None:
    """A file of something else is reported; a missing one is NoLedger."""
    (tmp_path / "ledger.sqlite").write_text("not a database, but long enough to be looked at" * 100)
    assert "damaged, or not a ledger" in check(tmp_path / "ledger.sqlite").problems[0]
    with pytest.raises(NoLedger):
        check(tmp_path / "none.sqlite")


def test_checking_changes_nothing(path: Path) -> None:
    """The file is the same, byte for byte, after it was checked."""
    before = path.read_bytes()
    check(path)
    assert path.read_bytes() == before
