"""Noticing: a page, its events, the looks owed and the cursor, in one transaction; own writes; looks by the thousand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, insert, select

from fakes.bench import SITE, node
from fakes.clock import START
from flyball.ledger.codec import micros, unpack
from flyball.ledger.looking import Look, forget_looks, owe, owe_all, owe_everywhere
from flyball.ledger.mirror import Change
from flyball.ledger.noticing import Seen, load_cursor, load_fact, notice, save_cursor, save_fact, store_event
from flyball.ledger.tables import effects, events, looks, metadata
from flyball.model.levels import Level
from flyball.model.node import NodeKey, Presence
from flyball.rules.scope import compile_globs
from unit.ledger.test_mirror import later, read

LATER = START + timedelta(hours=1)


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as made:
        yield made
    engine.dispose()


def look(ident: str = "a1", *, rule: str = "r", level: Level = Level.ACQUISITION, **more: Any) -> Look:
    """A look at one acquisition, or at everything below a container."""
    return Look(rule, SITE, level, ident, **{"of": Level.ACQUISITION, **more})


def at_itself(change: Change) -> list[Look]:
    """A route: each change makes one rule look at the node."""
    return [Look("r", SITE, change.node.level, change.node.id, change.node.level)]


def owed(connection: Connection) -> dict[str, Any]:
    """Target → row of the looks."""
    return {row.target: row for row in connection.execute(select(looks))}


def kinds(connection: Connection) -> list[tuple[str, str]]:
    """(kind, node) of the events."""
    return [(row.kind, row.node) for row in connection.execute(select(events).order_by(events.c.id))]


def effect(connection: Connection, tag: str, state: str, ident: str = "a1") -> None:
    """A tag effect on record."""
    row: dict[str, Any] = {column.name: None for column in effects.c if column.name != "id"}
    fixed: dict[str, Any] = {
        "site": SITE,
        "rule": "r",
        "rule_version": "1",
        "level": "acquisition",
        "target": ident,
        "path": "",
    }
    text = dict.fromkeys(("once_key", "slot", "summary"), "x")
    numbers = dict.fromkeys(
        (c.name for c in effects.c if not c.nullable and c.type.python_type in (int, bool) and c.name != "id"), 0
    )
    row |= fixed | text | numbers | {"kind": "tag", "state": state, "params": b"{}"}
    row["lane"] = f"{SITE}/acquisition/{ident}/{tag}"
    connection.execute(insert(effects).values(**row))


def test_a_page_is_stored_with_all_that_follows(connection: Connection) -> None:
    """Nodes, events, looks that know their event, and the cursor."""
    pages = [read(), read(ident="a2")]
    done = notice(connection, pages, route=at_itself, source="poll", now=START, cursor=(SITE, "x", {"since": "t"}))
    assert (done.changes, done.looks) == (2, 2)
    assert kinds(connection) == [("new", "a1"), ("new", "a2")]
    numbers = {row.node: row.id for row in connection.execute(select(events))}
    assert {target: row.event for target, row in owed(connection).items()} == numbers
    assert load_cursor(connection, SITE, "x") == {"since": "t"}


def test_kinds_of_events(connection: Connection) -> None:
    """New, changed, gone, hidden, and a job's state."""
    first, job = read(), read("job", "j1", parents={"project": "p1"}, state="running")
    notice(connection, [first, job], route=lambda _: [], source="poll", now=START)
    notice(connection, [later(first, 1, label="x")], route=lambda _: [], source="poll", now=START)
    for presence in (Presence.HIDDEN, Presence.GONE):
        notice(connection, [], route=lambda _: [], source="sweep", now=START, lost=[(first.key, presence)])
    assert kinds(connection) == [("new", "a1"), ("job", "j1"), ("changed", "a1"), ("hidden", "a1"), ("gone", "a1")]
    details = [unpack(row.detail) for row in connection.execute(select(events).order_by(events.c.id))]
    assert details[1]["state"] == "running"


def test_an_event_that_may_come_twice_is_stored_once(connection: Connection) -> None:
    """By its `dedupe`."""
    seen = Seen(SITE, "webhook", "session", "e1", dedupe="delivery-1")
    assert store_event(connection, seen, source="webhook", now=START) is not None
    assert store_event(connection, seen, source="webhook", now=START) is None


@pytest.mark.parametrize(("state", "own"), [("running", True), ("waiting", True), ("done", False), ("planned", False)])
def test_a_tag_that_is_being_written_is_no_news(connection: Connection, state: str, own: bool) -> None:
    """While the attempt is on record as under way; rules still hear of it and decide whether they read tags."""
    first = read(tags=[])
    notice(connection, [first], route=lambda _: [], source="poll", now=START)
    effect(connection, "LOW", state)
    heard: list[Change] = []

    def hear(change: Change) -> list[Look]:
        heard.append(change)
        return []

    notice(
        connection,
        [later(first, 1, tags=["LOW"])],
        route=hear,
        source="poll",
        now=START,
    )
    assert [change.own for change in heard] == [own]
    assert (kinds(connection)[1:] == []) is own


@pytest.mark.parametrize(
    ("doc", "own"),
    [
        ({"tags": ["LOW", "MINE"]}, False),
        ({"tags": ["LOW"], "label": "other"}, False),
        ({"tags": ["LOW"], "notes": [{"text": "seen"}]}, False),
        ({"tags": ["LOW"], "notes": [{"text": "low snr [fb-abcdef]"}]}, True),
        ({"tags": ["LOW"], "modified": "later", "revision": 9}, True),
    ],
)
def test_what_a_person_did_along_with_it_is_news(connection: Connection, doc: dict[str, Any], own: bool) -> None:
    """Another tag, another field, a note of theirs."""
    first = read(tags=[], notes=[])
    notice(connection, [first], route=lambda _: [], source="poll", now=START)
    effect(connection, "LOW", "running")
    done = notice(connection, [later(first, 1, **doc)], route=lambda _: [], source="poll", now=START)
    assert done.changes == (0 if own else 1)


def test_a_look_keeps_the_earlier_time_and_the_newest_hint(connection: Connection) -> None:
    """A hint for now comes before a look that waits; its stamp rises with each, so that none is struck off unseen."""
    owe(connection, look(due=LATER), event=1, now=START)
    waiting = owed(connection)["a1"]
    assert (waiting.due, waiting.urgent) == (micros(LATER), False)
    owe(connection, look(), event=2, now=START)
    now = owed(connection)["a1"]
    assert (now.due, now.urgent, now.event) == (micros(START), True, 2)
    assert now.stamp > waiting.stamp
    owe(connection, look(due=LATER), event=3, now=START - timedelta(hours=1))
    again = owed(connection)["a1"]
    assert (again.due, again.urgent, again.event) == (micros(START), True, 2)
    assert again.stamp > now.stamp


def test_looks_below_a_container(connection: Connection) -> None:
    """At what is present there, fits, and came late enough."""
    scans = [read(ident=f"a{number}", label=f"run-{number}", hours=-number) for number in range(5)]
    notice(connection, [*scans, read(ident="b1", label="other")], route=lambda _: [], source="poll", now=START)
    notice(connection, [], route=lambda _: [], source="sweep", now=START, lost=[(scans[1].key, Presence.GONE)])
    wide = look("e1", level=Level.SESSION, fits=compile_globs("acquisition", ["run-*"]))
    assert owe(connection, wide, event=None, now=START) == 4
    forget_looks(connection, "r")
    wide = look("e1", level=Level.SESSION, since=START - timedelta(hours=3))
    assert owe_all(connection, [(wide, None), (wide, 7), (look("a0"), 8)], now=START) == 4
    assert set(owed(connection)) == {"a0", "a2", "a3", "b1"}
    assert owe(connection, look("none", level=Level.SESSION), event=None, now=START) == 0


def test_looks_everywhere(connection: Connection) -> None:
    """Within the database; with a bound, at what is newer, or has something newer below it."""
    old = [read("session", f"e{number}", hours=-100) for number in range(3)]
    parents = {"group": "scien", "project": "p1", "subject": "s1", "session": "e2", "acquisition": "a9"}
    late = [read("acquisition", "a9", parents=parents, hours=-1), read("file", "f1", parents=parents, hours=-100)]
    notice(connection, [*old, *late], route=lambda _: [], source="poll", now=START)
    assert owe_everywhere(connection, "r", SITE, Level.SESSION, now=START) == 3
    assert set(owed(connection)) == {"e0", "e1", "e2"}
    forget_looks(connection, "r")
    since = START - timedelta(hours=2)
    assert owe_everywhere(connection, "r", SITE, Level.SESSION, now=START, since=since) == 1
    assert set(owed(connection)) == {"e2"}
    owe(connection, look("e2", level=Level.SESSION, of=Level.SESSION, due=LATER, rule="q"), event=4, now=START)
    owe_everywhere(connection, "q", SITE, Level.SESSION, now=START)
    assert owed(connection)["e2"].event in (4, None)


def test_a_look_at_a_target_whose_label_does_not_fit(connection: Connection) -> None:
    """A file changed; the rule is about other acquisitions. What the mirror does not have yet is looked at."""
    notice(connection, [read("acquisition", "a1", label="T1w")], route=lambda _: [], source="poll", now=START)
    t1, bold = compile_globs("acquisition", ["T1*"]), compile_globs("acquisition", ["task-*"])
    owed_now = [
        (look(ident, rule=rule, fits=fits), None)
        for rule, fits in (("t1", t1), ("bold", bold), ("all", None))
        for ident in ("a1", "new")
    ]
    assert owe_all(connection, owed_now, now=START) == 5
    rows = {(row.rule, row.target) for row in connection.execute(select(looks))}
    assert rows == {("t1", "a1"), ("t1", "new"), ("bold", "new"), ("all", "a1"), ("all", "new")}


def test_looks_in_the_projects_of_a_scope(connection: Connection) -> None:
    """By the names that the mirror has; what is in no project is not left out."""
    projects = [read("project", f"p{number}", parents={"group": "scien"}, label=f"study{number}") for number in (1, 2)]
    inside = [{"group": "scien", "project": f"p{number}", "subject": "s"} for number in (1, 2)]
    sessions = [read("session", f"e{number}", parents=parents) for number, parents in enumerate(inside)]
    lost = read("session", "e9", parents={})
    notice(connection, [*projects, *sessions, lost], route=lambda _: [], source="poll", now=START)
    scope = compile_globs("project", ["scien/study2"])
    assert owe_everywhere(connection, "r", SITE, Level.SESSION, now=START, scope=scope) == 2
    assert set(owed(connection)) == {"e1", "e9"}
    forget_looks(connection, "r")
    assert owe_everywhere(connection, "r", SITE, Level.PROJECT, now=START, scope=scope) == 1
    assert set(owed(connection)) == {"p2"}


def test_facts_and_cursors_are_replaced(connection: Connection) -> None:
    """The newest value counts; an unknown one is None."""
    assert load_fact(connection, "x") is None
    assert load_cursor(connection, SITE, "x") is None
    for value in ({"a": 1}, {"b": 2}):
        save_fact(connection, "x", value, START)
        save_cursor(connection, SITE, "x", value, START)
    assert load_fact(connection, "x") == load_cursor(connection, SITE, "x") == {"b": 2}


def test_what_is_lost_is_told_with_all_below(connection: Connection) -> None:
    """One event and one route for each node."""
    nodes = [read("session", "e1"), read(), read("file", "f1", name="x")]
    notice(connection, nodes, route=lambda _: [], source="poll", now=START)
    key = NodeKey(SITE, Level.SESSION, "e1")
    done = notice(connection, [], route=at_itself, source="sweep", now=START, lost=[(key, Presence.GONE)])
    assert (done.changes, done.looks) == (3, 3)
    assert node("session", "e1").key == key
