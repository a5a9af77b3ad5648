"""What replicas share in the ledger, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from fakes.bench import SITE, Bench, node
from flyball.ledger.acting import take
from flyball.ledger.codec import micros
from flyball.ledger.deciding import Due, looks_among, store_decisions
from flyball.ledger.looking import Look, LookKey, owe_all
from flyball.ledger.recording import Decided
from flyball.ledger.sharing import (
    Lead,
    database_now,
    hand_back,
    hand_out,
    leave,
    living,
    load_lead,
    save_lead,
    take_over,
)
from flyball.ledger.tables import attempts, looks, replicas
from flyball.model.levels import Level
from flyball.model.node import NodeKey

RULES = """
rules:
  - id: qc
    each: file
    since: all
    do:
      - tag: {on: file, set: {LOW: file.info.snr < 1.0}}
"""
FILES = [f"f{number}" for number in range(4)]
SILENCE = timedelta(seconds=5)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench(RULES, postgres=True) as made:
        made.lab(*(node("file", ident, name=ident, info={"snr": 0.5}) for ident in FILES))
        yield made


def hint(bench: Bench, *idents: str) -> None:
    """Something came that the rule must look at."""
    owed = [(Look("qc", SITE, Level.FILE, ident, Level.FILE), None) for ident in idents]
    bench.ledger.do(lambda connection: owe_all(connection, owed, now=bench.clock.now()))


def handed(bench: Bench, rules: tuple[str, ...] = ("qc",), limit: int = 10) -> list[str]:
    """The targets that are handed out now."""
    now = bench.clock.now()
    return [key.target for key in bench.ledger.do(lambda c: hand_out(c, rules, now, limit))]


def key(ident: str) -> LookKey:
    return LookKey("qc", SITE, "file", ident)


class TestHandingOut:
    """Each look is handed to one worker, and to another when that one did not decide it."""

    def test_once(self, bench: Bench) -> None:
        """What is handed out is not handed out again, until a new hint comes, it is handed back, or it stays undone."""
        hint(bench, *FILES)
        assert sorted(handed(bench, limit=3) + handed(bench)) == FILES
        assert handed(bench) == []
        hint(bench, "f1")
        assert handed(bench) == ["f1"]
        bench.ledger.do(lambda connection: hand_back(connection, [key("f2")]))
        assert handed(bench) == ["f2"]
        bench.clock.advance(31)
        assert sorted(handed(bench)) == FILES

    def test_only_what_can_be_decided(self, bench: Bench) -> None:
        """Looks of rules that may not decide now wait, and so do those whose time has not come."""
        later = Look("qc", SITE, Level.FILE, "f0", Level.FILE, due=bench.clock.now() + timedelta(hours=2))
        bench.ledger.do(lambda connection: owe_all(connection, [(later, None)], now=bench.clock.now()))
        hint(bench, "f1")
        assert handed(bench, rules=()) == []
        assert handed(bench, rules=("other",)) == []
        assert handed(bench) == ["f1"]
        bench.clock.advance(7200)
        assert sorted(handed(bench)) == ["f0", "f1"]


class TestDecidingTogether:
    """What was decided on an earlier state does not replace what was decided on a later one."""

    def decide(self, bench: Bench, due: Due) -> int:
        """Store a decision on a look as it was taken; how many were stored."""
        batch = [Decided(due, bench.judge("qc", due.key.id), None)]
        stored = bench.ledger.do(lambda c: store_decisions(c, batch, bench.clock.now(), shared=True))
        return stored.decisions

    def taken(self, bench: Bench, ident: str) -> Due:
        """The look, as a worker takes it."""
        now = bench.clock.now()
        return bench.ledger.do(lambda c: looks_among(c, [key(ident)], now, ["qc"]))[0]

    def test_the_second_one_is_dropped(self, bench: Bench) -> None:
        """Two workers take the same look: the first one's decision counts."""
        hint(bench, "f0")
        due = self.taken(bench, "f0")
        assert self.decide(bench, due) == 1
        assert self.decide(bench, due) == 0

    def test_overtaken_by_a_hint(self, bench: Bench) -> None:
        """A hint comes between taking and storing: the decision is dropped, and the look still stands."""
        hint(bench, "f0")
        due = self.taken(bench, "f0")
        bench.clock.advance(1)
        hint(bench, "f0")
        assert self.decide(bench, due) == 0
        assert self.decide(bench, self.taken(bench, "f0")) == 1
        assert bench.ledger.do(lambda c: c.execute(select(looks)).all()) == []


class TestTakingOver:
    """What the dead left is taken up, and nothing else."""

    def join(self, bench: Bench, name: str, *, seconds_ago: float = 0.0) -> None:
        """A replica gave its last sign of life so long ago."""

        def work(connection: Any) -> None:
            seen = connection.scalar(select(database_now())) - int(seconds_ago * 1e6)
            row = {"id": name, "host": "h", "process": 1, "version": "0", "started": seen, "seen": seen}
            connection.execute(insert(replicas).values(**row))

        bench.ledger.do(work)

    def begin(self, bench: Bench, replica: str | None) -> str:
        """A replica takes an effect; which one."""
        now = bench.clock.now()
        taken = bench.ledger.do(lambda c: take(c, now, 1, [SITE], bench.crew.caps, replica=replica))
        return taken[0].id

    def over(self, bench: Bench) -> list[str]:
        now = bench.clock.now()
        return bench.ledger.do(lambda c: take_over(c, now, {SITE: 2.0}, SILENCE))

    def test_only_of_the_dead(self, bench: Bench) -> None:
        """The attempts of one that is silent, of one that is not known, and of a daemon before replicas become unclear;
        those of the living go on.
        """
        bench.decide("qc", *FILES)
        self.join(bench, "alive")
        self.join(bench, "silent", seconds_ago=6)
        going = self.begin(bench, "alive")
        left = {self.begin(bench, name) for name in ("silent", "unheard of", None)}
        assert self.over(bench) == ["silent"]
        states = {str(row.id): (row.state, row.due) for row in bench.effects()}
        assert states[going] == ("running", None)
        due = micros(bench.clock.now() + timedelta(seconds=2))
        assert {states[ident] for ident in left} == {("waiting", due)}
        assert bench.ledger.do(living) == ["alive"]
        assert self.over(bench) == []

    def test_its_looks_go_to_others(self, bench: Bench) -> None:
        """Looks that it may have been given are handed out again at once."""
        self.join(bench, "silent", seconds_ago=6)
        hint(bench, "f0")
        assert handed(bench) == ["f0"]
        self.over(bench)
        assert handed(bench) == ["f0"]

    def test_what_one_leaves_behind(self, bench: Bench) -> None:
        """One that leaves is not waited for."""
        bench.decide("qc", *FILES)
        self.join(bench, "going")
        self.begin(bench, "going")
        bench.ledger.do(lambda connection: leave(connection, "going"))
        self.over(bench)
        query = select(attempts.c.outcome)
        assert bench.ledger.do(lambda c: list(c.scalars(query))) == ["unknown"]


class TestLeading:
    """What the leader tells."""

    def test_only_the_leader_tells(self, bench: Bench) -> None:
        """One that another has replaced tells nothing any more."""
        now = bench.clock.now()
        first, second = Lead("a", {SITE: {"levels": ["file"]}}), Lead("b", {SITE: {"levels": []}})
        assert not bench.ledger.do(lambda c: save_lead(c, first, now))
        assert bench.ledger.do(lambda c: save_lead(c, first, now, begins=True))
        assert bench.ledger.do(lambda c: save_lead(c, second, now, begins=True))
        assert not bench.ledger.do(lambda c: save_lead(c, first, now))
        found = bench.ledger.do(load_lead)
        assert found == second
        assert found.levels == {SITE: []}


def test_keys_are_of_nodes() -> None:
    """A look's key names rule and target as the decision does."""
    assert LookKey("qc", SITE, str(Level.FILE), "f0")[1:] == tuple(NodeKey(SITE, Level.FILE, "f0"))
