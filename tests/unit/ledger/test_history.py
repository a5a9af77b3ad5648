"""The look back: lists, filters, pages, counts, over a ledger with known contents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, create_engine, insert

from flyball.ledger.codec import micros, pack
from flyball.ledger.history import (
    History,
    effect,
    list_alerts,
    list_decisions,
    list_effects,
    list_events,
    recorded_decision,
)
from flyball.ledger.history_counts import counts, pending
from flyball.ledger.history_pages import BadQuery, Page
from flyball.ledger.history_targets import find_target
from flyball.ledger.tables import alerts, attempts, decisions, effects, events, looks, metadata, nodes, rules
from flyball.model.levels import Level
from flyball.model.node import NodeKey
from unit.web.fakes import NOW

T = TypeVar("T")
STATES = {"planned", "held", "waiting", "running", "done", "failed", "cancelled", "undone", "shadow"}
LATER = NOW + timedelta(hours=1)


class Lab:
    """Writes rows with sensible contents; what matters to a test is given by it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def _add(self, table: Any, values: dict[str, Any]) -> int:
        key = self.connection.execute(insert(table).values(**values)).inserted_primary_key
        return int(key[0]) if key is not None and isinstance(key[0], int) else 0

    def rule(self, *idents: str) -> None:
        for ident in idents:
            row = {"id": ident, "version": "1", "first_seen": 1, "version_seen": 1, "paused": False, "present": True}
            self._add(rules, {**row, "generation": 0})

    def node(self, level: str, ident: str, label: str, site: str = "main", **parents: str) -> None:
        row: dict[str, Any] = {name: parents.get(name) for name in ("project", "subject", "session", "acquisition")}
        row |= {"site": site, "level": level, "id": ident, "label": label, "parents": pack(parents), "doc": pack({})}
        self._add(nodes, {**row, "content": "", "whole": "", "tags_known": 1, "info_known": 1, "presence": "present"})

    def effect(self, rule: str = "bold-qc", state: str = "done", **more: Any) -> int:
        stamp = micros(NOW)
        row: dict[str, Any] = {"site": "main", "rule": rule, "rule_version": "1", "level": "session", "target": "s1"}
        row |= {"path": "scien/tome/ex14/visit1", "kind": "tag", "state": state, "once_key": "fb-x", "lane": "main/x"}
        row |= {"slot": "0/X", "summary": "+ tag X", "params": pack({"tag": "X"}), "created": stamp, "updated": stamp}
        return self._add(effects, {**row, "attempts": 0, "failures": 0, "unclear": 0, "looked": 0, **more})

    def decision(self, rule: str = "bold-qc", verdict: str = "yes", *, current: bool = True, **more: Any) -> int:
        because = [{"expr": "file.info.snr < 1.0", "result": True, "values": {"file.info.snr": 0.7}, "note": ""}]
        row: dict[str, Any] = {"rule": rule, "version": "1", "site": "main", "level": "session", "target": "s1"}
        row |= {"path": "scien/tome/ex14/visit1", "verdict": verdict, "because": pack(because), "digest": "d"}
        row |= {"decided": micros(NOW), "confirmed": micros(LATER), "event": 7, "current": current}
        return self._add(decisions, {**row, **more})

    def alert(self, status: str = "open", **more: Any) -> int:
        row: dict[str, Any] = {"rule": "protocol", "site": "main", "level": "session", "target": "s1", "slot": "1"}
        row |= {"path": "scien/tome/ex14/visit1", "status": status, "severity": "warning", "title": "T1w is missing"}
        return self._add(alerts, {**row, "since": micros(NOW), "count": 2, **more})

    def event(self, kind: str = "changed", node: str = "s1", source: str = "poll") -> int:
        row = {"site": "main", "kind": kind, "level": "session", "node": node, "path": "visit1", "source": source}
        return self._add(events, {**row, "seen": micros(NOW), "detail": pack({"revision": 3})})

    def look(self, target: str, due: Any, rule: str = "bold-qc") -> None:
        row = {"rule": rule, "site": "main", "level": "session", "target": target, "due": micros(due)}
        self._add(looks, {**row, "stamp": 1, "urgent": True})


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


@pytest.fixture
def lab(connection: Connection) -> Lab:
    made = Lab(connection)
    made.rule("bold-qc", "protocol")
    made.node("project", "p1", "tome", group="scien")
    made.node("subject", "u1", "ex14", group="scien", project="p1")
    made.node("session", "s1", "visit1", group="scien", project="p1", subject="u1")
    made.node("session", "s2", "visit2/retest", group="scien", project="p1", subject="u1")
    made.node("acquisition", "a1", "task-rest", group="scien", project="p1", subject="u1", session="s1")
    parents = {"group": "scien", "project": "p1", "subject": "u1", "session": "s1", "acquisition": "a1"}
    made.node("file", "f1", "bold.nii.gz", **parents)
    made.node("file", "f2", "notes.txt", group="scien", project="p1", subject="u1", session="s1")
    made.node("analysis", "n1", "recon [fb-1]", group="scien", project="p1", subject="u1")
    return made


def ids(page: Page) -> list[int]:
    return [int(row["id"]) for row in page.results]


# --- effects


def test_effects_have_the_shape_of_the_contract(connection: Connection, lab: Lab) -> None:
    """A listed effect has exactly the keys that are promised, its number as text and times with a zone."""
    number = lab.effect(outcome=pack({"job": "j1"}), error="no")
    (row,) = list_effects(connection).results
    assert row == {
        "id": str(number),
        "rule": "bold-qc",
        "target": {"level": "session", "id": "s1", "path": "scien/tome/ex14/visit1"},
        "kind": "tag",
        "state": "done",
        "once_key": "fb-x",
        "summary": "+ tag X",
        "params": {"tag": "X"},
        "attempts": 0,
        "created": NOW.isoformat(),
        "updated": NOW.isoformat(),
        "outcome": {"job": "j1"},
        "error": "no",
    }


def test_effects_come_newest_first(connection: Connection, lab: Lab) -> None:
    """The last stored effect stands first."""
    numbers = [lab.effect() for _ in range(3)]
    assert ids(list_effects(connection)) == numbers[::-1]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"rule": "protocol"}, {2, 4}),
        ({"state": "failed"}, {3}),
        ({"state": "failed,held"}, {3, 4}),
        ({"state": "failed, held"}, {3, 4}),
        ({"kind": "launch"}, {4}),
        ({"kind": "launch,alert"}, {2, 4}),
        ({"target": "s2"}, {3}),
        ({"target": "scien/tome/ex14/visit1"}, {1, 2}),
        ({"target": "scien/tome/ex14"}, {4}),
        ({"rule": "protocol", "kind": "launch", "state": "held"}, {4}),
        ({"rule": "bold-qc", "state": "held"}, set()),
    ],
)
def test_effects_are_filtered(connection: Connection, lab: Lab, filters: dict[str, str], expected: set[int]) -> None:
    """Each filter narrows, several narrow together, commas widen one."""
    lab.effect("bold-qc")
    lab.effect("protocol", kind="alert")
    lab.effect("bold-qc", "failed", target="s2")
    lab.effect("protocol", "held", kind="launch", target="u1")
    assert set(ids(list_effects(connection, **filters))) == expected  # type: ignore[arg-type] # the table is of texts


@pytest.mark.parametrize(
    ("filters", "code", "names"),
    [
        ({"rule": "bold-qx"}, "unknown_rule", "bold-qc"),
        ({"state": "finished"}, "unknown_state", "planned"),
        ({"state": "done,"}, "unknown_state", "done"),
        ({"kind": "tagg", "kinds": ("tag", "note")}, "unknown_kind", "note"),
        ({"target": "nobody"}, "unknown_target", "group/project"),
        ({"target": "scien/tome/ex99"}, "unknown_target", "ex99"),
        ({"limit": 0}, "bad_limit", "1000"),
        ({"limit": 1001}, "bad_limit", "1000"),
        ({"after": "what?"}, "bad_cursor", "effects"),
        ({"after": "ZGVjaXNpb25zOjE"}, "bad_cursor", "effects"),  # a cursor of the decisions
        ({"after": "ZWZmZWN0czp4"}, "bad_cursor", "effects"),  # effects:x
        ({"after": "é"}, "bad_cursor", "effects"),
    ],
)
def test_a_filter_that_names_nothing_is_refused_and_told_what_there_is(
    connection: Connection, lab: Lab, filters: dict[str, Any], code: str, names: str
) -> None:
    """An unknown rule, state, kind, target, limit or cursor is an error that helps, not an empty list."""
    lab.effect()
    with pytest.raises(BadQuery, match=names) as refused:
        list_effects(connection, **filters)
    assert refused.value.code == code


def test_a_target_that_is_in_no_mirror_is_found_by_its_id(connection: Connection, lab: Lab) -> None:
    """A cell of a matrix is no node of a site, but effects and decisions know it."""
    number = lab.effect(level="matrix", target="Life|rmse")
    assert ids(list_effects(connection, target="Life|rmse")) == [number]


def test_a_single_effect_tells_its_attempts(connection: Connection, lab: Lab) -> None:
    """Every attempt is there with its times and its end; one under way has none; the decision stands beside."""
    decision = lab.decision()
    number = lab.effect(state="running", attempts=2, decision=decision, due=None)
    row = {"effect": number, "started": micros(NOW)}
    connection.execute(insert(attempts).values(**row, number=2, ended=None, outcome=None, error=None))
    ended = micros(LATER)
    connection.execute(insert(attempts).values(**row, number=1, ended=ended, outcome="transient", error="503"))
    found = effect(connection, str(number))
    assert found is not None
    assert found["site"] == "main"
    assert found["decision"]["decision"] == "yes"
    assert found["tries"] == [
        {"number": 1, "started": NOW.isoformat(), "ended": LATER.isoformat(), "outcome": "transient", "error": "503"},
        {"number": 2, "started": NOW.isoformat(), "ended": None, "outcome": None, "error": None},
    ]


@pytest.mark.parametrize("ident", ["99", "-1", "x", "", "1e3", "²", "9" * 40])
def test_an_effect_that_is_not_there_is_none(connection: Connection, lab: Lab, ident: str) -> None:
    """Numbers that nobody has, and texts that are none, find nothing."""
    lab.effect()
    assert effect(connection, ident) is None


# --- pages


def test_pages_cover_a_list_once_while_it_grows(connection: Connection, lab: Lab) -> None:
    """Following `next` gives every row once, whatever is stored meanwhile; the last page has none."""
    numbers = [lab.effect() for _ in range(7)]
    seen: list[int] = []
    after: str | None = None
    pages = 0
    while True:
        page = list_effects(connection, limit=3, after=after)
        seen += ids(page)
        pages += 1
        lab.effect()
        if page.next is None:
            break
        after = page.next
    assert seen == numbers[::-1]
    assert pages == 3


def test_a_full_last_page_has_no_next(connection: Connection, lab: Lab) -> None:
    """A list that ends with the page says so."""
    for _ in range(3):
        lab.effect()
    assert list_effects(connection, limit=3).next is None
    assert list_effects(connection, limit=2).next is not None


def test_pages_keep_the_filter(connection: Connection, lab: Lab) -> None:
    """The cursor goes on inside of what was asked for."""
    wanted = [lab.effect(state=state) for state in ("held", "done", "held", "done", "held")][::2]
    first = list_effects(connection, state="held", limit=2)
    second = list_effects(connection, state="held", limit=2, after=first.next)
    assert ids(first) + ids(second) == wanted[::-1]
    assert second.as_json() == {"results": second.results, "next": None}


# --- decisions, events, alerts


def test_decisions_tell_their_reasons(connection: Connection, lab: Lab) -> None:
    """A decision carries its explanation and says whether it is the present one."""
    number = lab.decision()
    (row,) = list_decisions(connection).results
    assert row["id"] == str(number)
    assert row["decision"] == "yes"
    assert row["because"][0]["values"] == {"file.info.snr": 0.7}
    assert (row["decided"], row["confirmed"]) == (NOW.isoformat(), LATER.isoformat())
    assert (row["current"], row["event"], row["target"]["level"]) == (True, "7", "session")


def test_decisions_are_filtered(connection: Connection, lab: Lab) -> None:
    """By rule, target, result, and whether they still hold."""
    old = lab.decision(current=False)
    new = lab.decision(verdict="unknown")
    other = lab.decision("protocol", "no", target="s2")
    assert ids(list_decisions(connection, rule="protocol")) == [other]
    assert ids(list_decisions(connection, state="unknown,no")) == [other, new]
    assert ids(list_decisions(connection, current=False)) == [old]
    assert ids(list_decisions(connection, target="scien/tome/ex14/visit1", current=True)) == [new]
    with pytest.raises(BadQuery, match="yes"):
        list_decisions(connection, state="maybe")


def test_the_recorded_decision_is_the_present_one(connection: Connection, lab: Lab) -> None:
    """What was decided before is not shown as what is recorded now; nothing recorded is None."""
    lab.decision(current=False)
    new = lab.decision(verdict="no")
    found = recorded_decision(connection, "bold-qc", NodeKey("main", Level.SESSION, "s1"))
    assert found is not None
    assert found["id"] == str(new)
    assert recorded_decision(connection, "protocol", NodeKey("main", Level.SESSION, "s1")) is None


def test_events_are_listed_and_filtered(connection: Connection, lab: Lab) -> None:
    """What was seen, of what, from where."""
    lab.event("new")
    own = lab.event("own", "s2", "effect")
    (row,) = list_events(connection, kind="own").results
    assert row == {
        "id": str(own),
        "site": "main",
        "kind": "own",
        "source": "effect",
        "target": {"level": "session", "id": "s2", "path": "visit1"},
        "seen": NOW.isoformat(),
        "detail": {"revision": 3},
    }
    assert ids(list_events(connection, target="s2")) == [own]
    assert ids(list_events(connection, source="effect")) == [own]
    with pytest.raises(BadQuery, match="webhook"):
        list_events(connection, source="rumour")


def test_alerts_have_the_shape_of_the_contract(connection: Connection, lab: Lab) -> None:
    """Exactly the keys that are promised."""
    gone = lab.alert("resolved")
    number = lab.alert(last_sent=micros(LATER))
    (row,) = list_alerts(connection, state="open").results
    assert row == {
        "id": str(number),
        "rule": "protocol",
        "target": {"level": "session", "id": "s1", "path": "scien/tome/ex14/visit1"},
        "status": "open",
        "severity": "warning",
        "title": "T1w is missing",
        "since": NOW.isoformat(),
        "last_sent": LATER.isoformat(),
        "count": 2,
    }
    assert ids(list_alerts(connection, rule="protocol", target="s1")) == [number, gone]
    with pytest.raises(BadQuery, match="resolved"):
        list_alerts(connection, state="closed")


# --- targets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f1", (Level.FILE, "f1")),
        ("scien/tome", (Level.PROJECT, "p1")),
        ("scien/tome/", (Level.PROJECT, "p1")),
        ("scien/tome/ex14", (Level.SUBJECT, "u1")),
        ("scien/tome/ex14/visit1/task-rest/bold.nii.gz", (Level.FILE, "f1")),
        ("scien/tome/ex14/visit1/notes.txt", (Level.FILE, "f2")),
        ("scien/tome/ex14/visit2/retest", (Level.SESSION, "s2")),
        ("scien/tome/ex14/recon [fb-1]", (Level.ANALYSIS, "n1")),
        ("scien", None),
        ("tome/ex14", None),
        ("scien/tome/ex14/bold.nii.gz", None),
        ("scien/tome/ex14/visit1/task-rest/bold.nii.gz/more", None),
        ("scien/tome//ex14", None),
        ("", None),
        ("/", None),
        ("%", None),
    ],
)
def test_a_target_is_found_by_id_or_path(
    connection: Connection, lab: Lab, text: str, expected: tuple[Level, str] | None
) -> None:
    """Ids and whole paths find one node, labels with slashes included; parts of paths find none."""
    found = find_target(connection, text)
    assert found == ([] if expected is None else [NodeKey("main", *expected)])


def test_the_same_path_on_two_sites_names_both(connection: Connection, lab: Lab) -> None:
    """Labels are not unique over sites, so both are meant."""
    lab.node("project", "q1", "tome", site="pilot", group="scien")
    assert {key.site for key in find_target(connection, "scien/tome")} == {"main", "pilot"}


# --- counts


def test_counts_by_rule_and_state(connection: Connection, lab: Lab) -> None:
    """Present decisions by result, effects by state, all states named, and the newest error of a rule."""
    lab.decision(current=False)
    lab.decision(verdict="no")
    lab.decision(verdict="no", target="s2")
    lab.effect(state="failed", attempts=1, error="old", updated=1)
    lab.effect(state="waiting", attempts=2, error="new")
    lab.effect(state="planned", attempts=0, error="limit: 20 of 20 are running")
    lab.effect(state="planned", attempts=1, error="limit: 20 of 20 are running", held_for="limit")
    lab.effect("protocol", state="cancelled", attempts=1, error="no longer wanted")
    lab.effect("protocol", state="held")
    lab.alert()
    lab.alert("resolved")
    lab.look("s1", LATER)
    lab.look("s2", NOW)
    found = counts(connection, NOW)
    assert found.rules["bold-qc"].decisions == {"yes": 0, "no": 2, "unknown": 0}
    assert set(found.rules["bold-qc"].effects) == STATES
    assert found.rules["bold-qc"].effects["planned"] == 2
    assert found.rules["bold-qc"].last_error == "new"
    assert found.rules["protocol"].last_error is None
    assert found.of("nobody").effects["done"] == 0
    assert (found.effects["failed"], found.effects["cancelled"], sum(found.effects.values())) == (1, 1, 6)
    assert (found.held, found.settling, found.alerts) == (1, 1, 1)


def test_an_empty_ledger_is_idle(connection: Connection) -> None:
    """Nothing due, nothing running."""
    found = pending(connection, NOW)
    assert (found.looks_due, found.effects_due, found.running, found.idle) == (0, 0, 0, True)
    assert set(counts(connection, NOW).effects) == STATES


@pytest.mark.parametrize(("due", "idle"), [(NOW, False), (NOW - timedelta(days=1), False), (LATER, True)])
def test_a_due_look_is_work(connection: Connection, lab: Lab, due: Any, idle: bool) -> None:
    """A look whose time has come is due; one that settles is not."""
    lab.look("s1", due)
    assert pending(connection, NOW).idle is idle


def test_looks_of_rules_that_may_not_decide_are_not_due(connection: Connection, lab: Lab) -> None:
    """A paused rule's looks wait; they do not keep the daemon from being idle."""
    lab.look("s1", NOW, rule="protocol")
    assert pending(connection, NOW, rules=["bold-qc"]).idle
    assert not pending(connection, NOW, rules=["bold-qc", "protocol"]).idle


@pytest.mark.parametrize(
    ("state", "due", "idle"),
    [
        ("planned", NOW, False),
        ("waiting", NOW, False),
        ("planned", LATER, True),
        ("waiting", LATER, True),
        ("running", None, False),
        ("held", None, True),
        ("failed", None, True),
    ],
)
def test_a_due_or_running_effect_is_work(connection: Connection, lab: Lab, state: str, due: Any, idle: bool) -> None:
    """What is due or under way is work; what waits for a time or a person is not."""
    lab.effect(state=state, due=None if due is None else micros(due))
    assert pending(connection, NOW).idle is idle


def test_an_effect_behind_a_held_one_is_not_work(connection: Connection, lab: Lab) -> None:
    """In its lane it cannot be taken before a person decides, so nothing is due."""
    lab.effect(state="held", lane="main/tag")
    lab.effect(state="planned", lane="main/tag", due=micros(NOW))
    found = pending(connection, NOW)
    assert (found.effects_due, found.idle) == (1, True)
    lab.effect(state="planned", lane="main/other", due=micros(NOW))
    assert not pending(connection, NOW).idle


def test_effects_of_sites_that_are_not_worked_on_are_not_due(connection: Connection, lab: Lab) -> None:
    """A site that was taken out of the settings keeps its effects, but nothing is due there."""
    lab.effect(state="planned", site="old", due=micros(NOW))
    assert pending(connection, NOW, sites=["main"]).idle
    assert not pending(connection, NOW).idle


class OneConnection:
    """The smallest store: reads go straight to a connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def read(self, work: Callable[[Any], T]) -> T:
        return work(self.connection)

    async def write(self, work: Callable[[Any], T]) -> T:
        raise AssertionError("looking back writes nothing")

    async def close(self) -> None:
        pass


async def test_the_history_reads_through_a_store(connection: Connection, lab: Lab) -> None:
    """Every question has an answer, filters pass through, and nothing is written."""
    number = lab.effect()
    history = History(OneConnection(connection), kinds=("tag",))
    page = await history.effects(rule="bold-qc", kind="tag", limit=1)
    assert ([row["id"] for row in page["results"]], page["next"]) == ([str(number)], None)
    with pytest.raises(BadQuery):
        await history.effects(kind="launch")
    one = await history.effect(str(number))
    assert one is not None
    assert one["tries"] == []
    for listed in (history.decisions, history.events, history.alerts):
        assert await listed() == {"results": [], "next": None}
    assert (await history.counts(NOW)).effects["done"] == 1
    assert (await history.pending(NOW)).idle
