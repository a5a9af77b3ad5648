"""Random lives of a daemon: decisions, faults, kills, people in between. In the end the site is as the rules demand."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from fakes.bench import SITE, Bench, Killed, node
from fakes.faults import When
from flyball.ledger.book import load_book
from flyball.ledger.steering import approve, pause, resume
from flyball.ledger.tables import attempts
from flyball.model.errors import Transient, UnknownOutcome
from flyball.model.node import Node
from flyball.rules.claims import Book

DEEP = os.environ.get("FLYBALL_TEST_PROFILE") == "deep"
RULES = """
rules:
  - id: low
    each: file
    since: all
    do:
      - tag: {on: acquisition, set: {LOW: file.info.a > 0, HIGH: file.info.b > 0}}
  - id: also
    each: file
    since: all
    do:
      - tag: {on: acquisition, set: {LOW: file.info.c > 0}}
      - tag: {on: file, set: {BAD: file.info.c > 0}}
  - id: once
    each: file
    since: all
    if: file.info.b > 0
    do:
      - launch: {gear: dcm2niix, on: session, inputs: {source: file}}
      - launch: {gear: fs, on: session, inputs: {anatomical: file}}
      - note: {on: session, text: seen}
  - id: alarm
    each: file
    since: all
    do:
      - alert: {channel: lab, title: low, when: file.info.a > 0}
"""
FILES = ("f1", "f2", "f3")
CONTAINERS = [("acquisition", "a1"), *(("file", ident) for ident in FILES)]
TAGS = {"acquisition": ("LOW", "HIGH"), "file": ("BAD",)}
METHODS = (
    "tags",
    "add_tag",
    "remove_tag",
    "notes",
    "add_note",
    "analyses_of",
    "launch_analysis",
    "add_job",
    "launched",
)
VALUES = st.sampled_from([-1, 1, None])


@dataclass(frozen=True)
class Change:
    """A file gets other values; the rules named decide on it."""

    ident: str
    values: tuple[Any, Any, Any]
    rules: tuple[str, ...]


@dataclass(frozen=True)
class Fail:
    """A coming request goes wrong."""

    method: str
    when: When
    how: str


@dataclass(frozen=True)
class Person:
    """A person sets or removes a tag, and the next poll sees it."""

    where: int
    tag: int
    sets: bool


@dataclass(frozen=True)
class Do:
    """Something that takes one word and a number."""

    what: str
    number: float = 0


OPERATIONS = st.one_of(
    st.builds(
        Change,
        st.sampled_from(FILES),
        st.tuples(VALUES, VALUES, VALUES),
        st.lists(st.sampled_from(["low", "also", "once", "alarm"]), min_size=1, max_size=4, unique=True).map(tuple),
    ),
    st.builds(
        Fail,
        st.sampled_from(METHODS),
        st.sampled_from(["before", "after", "late"]),
        st.sampled_from(["reset", "time-out", "busy", "500", "kill"]),
    ),
    st.builds(Person, st.integers(0, len(CONTAINERS) - 1), st.integers(0, 1), st.booleans()),
    st.builds(Do, st.just("act")),
    st.builds(Do, st.just("wait"), st.sampled_from([1.0, 2.0, 5.0, 30.0, 60.0, 600.0])),
    st.builds(Do, st.just("kill at write"), st.integers(0, 3)),
    st.builds(Do, st.just("fail a message")),
    st.builds(Do, st.sampled_from(["pause", "resume", "mode", "approve"]), st.integers(0, 1)),
)


class Life:
    """One life, and what people did in it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.values: dict[str, tuple[Any, Any, Any]] = dict.fromkeys(FILES, (None, None, None))
        self.theirs: set[tuple[str, str, str]] = set()
        self.touched: set[tuple[str, str, str]] = set()
        bench.lab(*(self.file(ident) for ident in FILES))
        bench.site.add_gear("dcm2niix", category="converter", inputs={"source": {"base": "file"}})
        bench.site.add_gear("fs", inputs={"anatomical": {"base": "file"}})

    def file(self, ident: str) -> Node:
        """A file with its present values."""
        return node("file", ident, name=ident, info=dict(zip("abc", self.values[ident], strict=True)))

    def live(self, operation: Any) -> None:
        """One operation."""
        bench = self.bench
        if bench.ledger.dead and not (isinstance(operation, Do) and operation.what in ("act", "wait")):
            self.rise()
        if isinstance(operation, Change):
            self.values[operation.ident] = operation.values
            bench.change(self.file(operation.ident))
            for rule in operation.rules:
                bench.decide(rule, operation.ident)
        elif isinstance(operation, Fail):
            bench.site.faults.add(operation.method, _error(operation), when=operation.when)
        elif isinstance(operation, Person):
            self.person(operation)
        elif operation.what == "act":
            self.act()
        elif operation.what == "wait":
            self.wait(operation.number)
        elif operation.what == "kill at write":
            bench.ledger.kill_after = int(operation.number)
        elif operation.what == "fail a message":
            bench.channels.faults.add("send", Transient("reset"), when="after")
        else:
            self.steer(operation)

    def rise(self) -> None:
        """A new process. What was under way when the old one was killed takes effect before."""
        self.bench.site.faults.commit_late()
        self.bench.restart()

    def act(self) -> None:
        """Carry out what is due."""
        if self.bench.ledger.dead:
            self.rise()
        self.bench.act()

    def wait(self, seconds: float) -> None:
        """Let time pass. What a site carries out late is carried out within 20 s."""
        if self.bench.site.faults.late:
            first = min(seconds, 1.0)
            self.bench.clock.advance(first)
            self.bench.site.faults.commit_late()
            seconds -= first
        self.bench.clock.advance(seconds)
        self.act()

    def person(self, operation: Person) -> None:
        """People look before they act, and act when nothing of ours is under way on the tag."""
        level, ident = CONTAINERS[operation.where]
        tag = TAGS[level][operation.tag % len(TAGS[level])]
        bench = self.bench
        lane = f"{SITE}/{level}/{ident}/{tag}"
        if bench.site.faults.late or any(row.state in ("planned", "waiting") for row in bench.effects(lane=lane)):
            return
        there = tag in bench.site.tags_of[(level, ident)]
        if operation.sets and not there:
            bench.site.person_tags(level, ident, tag)
            self.theirs.add((level, ident, tag))
        elif not operation.sets and there:
            bench.site.person_untags(level, ident, tag)
            self.theirs.discard((level, ident, tag))
        self.touched.add((level, ident, tag))
        bench.look_around()

    def steer(self, operation: Do) -> None:
        """A person pauses or resumes a rule, approves what is held; or a rule file changes its mode."""
        bench = self.bench
        now = bench.clock.now()
        if operation.what == "mode":
            mode = "approve" if operation.number else "live"
            bench.load(RULES.replace("  - id: low\n", f"  - id: low\n    mode: {mode}\n"))
        elif operation.what == "approve":
            for row in bench.effects(state="held"):
                bench.ledger.do(lambda connection, row=row: approve(connection, str(row.id), now))  # type: ignore[misc] # bound
        else:
            verb = pause if operation.what == "pause" else resume
            bench.ledger.do(lambda connection: verb(connection, "also", now))

    def end(self) -> None:
        """All goes well from here on: every rule decides on every file, and everything is carried out."""
        bench = self.bench
        bench.site.faults.clear()
        bench.channels.faults.clear()
        bench.ledger.kill_after = None
        bench.site.faults.commit_late()
        if bench.ledger.dead:
            self.rise()
        bench.ledger.do(lambda connection: resume(connection, "also", bench.clock.now()))
        bench.load(RULES)
        for rule in ("low", "also", "once", "alarm"):
            bench.decide(rule, *FILES)
        bench.settle()
        bench.look_around()
        for rule in ("low", "also", "once", "alarm"):
            bench.decide(rule, *FILES)
        bench.settle()


def _error(operation: Fail) -> BaseException:
    if operation.how == "kill":
        return Killed()
    if operation.when == "before" and operation.how == "busy":
        return Transient("busy", status=429, wait=1)
    if operation.method in ("add_tag", "add_note", "launch_analysis", "add_job"):
        return UnknownOutcome(operation.how, timed_out=operation.how == "time-out" or operation.when == "late")
    return Transient(operation.how, status=500 if operation.how == "500" else None)


def _wanted(life: Life, level: str, ident: str, tag: str) -> bool:
    """Whether some claim stands: known conditions as they are now, unknown ones as they were."""
    book: Book = life.bench.ledger.do(lambda connection: load_book(connection, []))
    assert not book.claims
    slots = {"LOW": {("low", "0/LOW"), ("also", "0/LOW")}, "HIGH": {("low", "0/HIGH")}, "BAD": {("also", "1/BAD")}}[tag]
    targets = FILES if level == "acquisition" else (ident,)
    return any((rule, target, slot) in life.bench.claims() for rule, slot in slots for target in targets)


def check_claims(life: Life) -> None:
    """A claim stands where the condition is true, and none where it is false."""
    claims = set(life.bench.claims())
    for ident in FILES:
        a, b, c = life.values[ident]
        for value, key in (
            (a, ("low", ident, "0/LOW")),
            (b, ("low", ident, "0/HIGH")),
            (c, ("also", ident, "1/BAD")),
            (a, ("alarm", ident, "0.alert")),
            (b, ("once", ident, "0.note")),
        ):
            if value is not None:
                assert (key in claims) == (value > 0), key


def check_tags(life: Life) -> None:
    """Those that no person touched are there exactly while somebody wants them; what people set is never removed."""
    for level, ident in CONTAINERS:
        there = life.bench.site.tags_of[(level, ident)]
        assert len(there) == len(set(there))
        for tag in TAGS[level]:
            wanted = _wanted(life, level, ident, tag)
            if (level, ident, tag) in life.theirs:
                assert tag in there, f"a person's {tag} on {ident} was removed"
            elif (level, ident, tag) not in life.touched:
                assert (tag in there) == wanted, f"{tag} on {ident}: {there}, wanted: {wanted}"
            elif not wanted:
                assert tag not in there, f"{tag} on {ident} was left behind"


def check_once(life: Life) -> None:
    """No launch and no note is doubled; what is wanted in the end was done."""
    bench = life.bench
    keys = Counter(tag for job in bench.site.jobs.values() for tag in job["tags"] if tag.startswith("fb-"))
    texts = Counter(note["text"] for note in bench.site.notes_of[("session", "e1")])
    assert set(keys.values()) | set(texts.values()) <= {1}
    assert len(bench.site.analyses) == sum(1 for job in bench.site.jobs.values() if job["gear_info"]["name"] == "fs")
    for ident in FILES:
        if life.values[ident][1] == 1:
            done = bench.effects(rule="once", target=ident, state="done")
            assert sorted(row.kind for row in done) == ["launch", "launch", "note"]
            assert all(keys[row.once_key] == 1 for row in done if row.kind == "launch")


def check_alerts(life: Life) -> None:
    """The last that people heard of each alert is how it stands."""
    last: dict[str, str] = {one.message["target"]["id"]: one.status for one in life.bench.channels.sent}
    claims = life.bench.claims()
    for ident in FILES:
        open_now = ("alarm", ident, "0.alert") in claims
        assert last.get(ident, "resolved") == ("open" if open_now else "resolved")


def check_rest(life: Life) -> None:
    """Nothing is under way or due, no attempt is open, every effect has a good end."""
    bench = life.bench
    query = select(attempts.c.id).where(attempts.c.ended.is_(None))
    assert bench.ledger.do(lambda connection: connection.execute(query).all()) == []
    assert set(bench.states()) <= {"done", "cancelled"}
    assert set(bench.marks().values()) <= {"ours", "people", "removed"}


CHECKS: tuple[Callable[[Life], None], ...] = (check_claims, check_tags, check_once, check_alerts, check_rest)


@settings(
    max_examples=3000 if DEEP else 60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize=not DEEP,
)
@given(st.lists(OPERATIONS, min_size=5, max_size=40))
def test_any_life_ends_well(operations: list[Any]) -> None:
    """Whatever went wrong on the way: the site as the rules demand, nothing doubled, nothing of people's touched."""
    with Bench(RULES) as bench:
        life = Life(bench)
        for operation in operations:
            life.live(operation)
        life.end()
        for check in CHECKS:
            check(life)


@pytest.mark.slow
@settings(
    max_examples=400 if DEEP else 60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize=not DEEP,
)
@given(st.lists(OPERATIONS, min_size=5, max_size=40))
def test_any_life_ends_well_on_postgres(operations: list[Any]) -> None:
    """The same with the ledger in a real PostgreSQL."""
    with Bench(RULES, postgres=True) as bench:
        life = Life(bench)
        for operation in operations:
            life.live(operation)
        life.end()
        for check in CHECKS:
            check(life)
