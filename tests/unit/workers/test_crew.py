"""The crew: what is due is carried out side by side, and every end is written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from fakes.bench import Bench, node
from flyball.ledger.tables import attempts, claims, effects
from flyball.model.effect import EffectState, Outcome
from flyball.model.errors import FlyballError, Stopping, Transient
from flyball.rules.rule import Retry

RULES = """
rules:
  - id: qc
    each: file
    since: all
    do:
      - tag: {on: file, set: {LOW: file.info.snr < 1.0}}
"""
FILES = [f"f{number}" for number in range(5)]


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench(RULES) as made:
        made.lab(*(node("file", ident, name=ident, info={"snr": 0.5}) for ident in FILES))
        made.decide("qc", *FILES)
        yield made


def open_attempts(bench: Bench) -> int:
    """How many attempts have no end."""
    query = select(attempts.c.id).where(attempts.c.ended.is_(None))
    return len(bench.ledger.do(lambda connection: connection.execute(query).all()))


class Held:
    """A site's method that waits until it is let go."""

    def __init__(self, bench: Bench, method: str) -> None:
        self.original = getattr(bench.site, method)
        self.go = asyncio.Event()
        self.under_way = 0
        setattr(bench.site, method, self)

    async def __call__(self, *args: Any, **more: Any) -> Any:
        self.under_way += 1
        await self.go.wait()
        return await self.original(*args, **more)


async def turns(number: int = 10) -> None:
    """Let the loop go round."""
    for _ in range(number):
        await asyncio.sleep(0)


def test_no_more_than_so_many_at_once(bench: Bench) -> None:
    """The rest stays due; a place that is free is taken."""

    async def play() -> None:
        bench.crew._at_once = 2
        held = Held(bench, "tags")
        async with asyncio.TaskGroup() as tasks:
            assert await bench.crew.step(tasks) == 2
            assert await bench.crew.step(tasks) == 0
            await turns()
            assert (held.under_way, bench.crew.idle.is_set()) == (2, False)
            held.go.set()
            await bench.crew.idle.wait()
            assert await bench.crew.step(tasks) == 2

    bench.run(play())
    assert bench.states().count("done") == 4


def test_a_dead_site_holds_up_no_other(bench: Bench) -> None:
    """Each site has its own places."""
    bench.crew._at_once = 2
    bench.crew._hands = {**bench.crew._hands, "second": bench.crew._hands["main"]}
    row = bench.effects()[0]

    def move(connection: Connection) -> None:
        connection.execute(update(claims).where(claims.c.target == row.target).values(site="second"))
        connection.execute(update(effects).where(effects.c.id == row.id).values(site="second", lane="second/x"))

    bench.ledger.do(move)

    async def play() -> None:
        held = Held(bench, "tags")
        async with asyncio.TaskGroup() as tasks:
            assert await bench.crew.step(tasks) == 3
            held.go.set()

    bench.run(play())


def test_stopping_in_the_middle_writes_an_outcome(bench: Bench) -> None:
    """Not known: the next start asks the site. Nothing is left open."""

    async def play() -> None:
        held = Held(bench, "add_tag")

        async def work() -> None:
            async with asyncio.TaskGroup() as tasks:
                await bench.crew.step(tasks)

        async with asyncio.TaskGroup() as outer:
            task = outer.create_task(work())
            while held.under_way < len(FILES):
                await asyncio.sleep(0)
            task.cancel()

    bench.run(play())
    assert open_attempts(bench) == 0
    assert set(bench.states()) == {"waiting"}
    assert {row.unclear for row in bench.effects()} == {1}
    assert bench.crew.under_way == {}


def test_an_outcome_is_written_as_soon_as_the_ledger_can_be(bench: Bench) -> None:
    """A full disk is no reason to forget what was done."""
    bench.ledger.errors = [None, *[FlyballError("disk full")] * 3]
    bench.act()
    assert set(bench.states()) == {"done"}
    assert len(bench.site.writes) == len(FILES)


def test_a_ledger_that_cannot_be_written_starts_nothing(bench: Bench) -> None:
    """What is due stays due."""
    bench.ledger.errors = [FlyballError("disk full")]
    assert bench.act() == []
    assert (set(bench.states()), bench.site.writes) == ({"planned"}, [])
    bench.act()
    assert set(bench.states()) == {"done"}


def test_a_store_that_closes_while_an_outcome_is_written(bench: Bench) -> None:
    """It stays open in the ledger, which means: ask the site."""
    bench.ledger.errors = [None, *[Stopping("closed")] * len(FILES)]
    bench.act(rounds=1)
    assert open_attempts(bench) == len(FILES)
    assert bench.crew.under_way == {}
    bench.ledger.errors.clear()  # outcomes that came together met one of them together
    assert bench.restart() == len(FILES)
    bench.settle()
    assert set(bench.states()) == {"done"}


def test_stopping_while_the_ledger_cannot_be_written(bench: Bench) -> None:
    """It is not waited for without end."""

    async def play() -> None:
        bench.crew._pause = 1000.0
        bench.ledger.errors = [None, *[FlyballError("disk full")] * 100]

        async def work() -> None:
            async with asyncio.TaskGroup() as tasks:
                await bench.crew.step(tasks)

        async with asyncio.TaskGroup() as outer:
            task = outer.create_task(work())
            await turns(50)
            task.cancel()

    bench.run(play())
    assert open_attempts(bench) == len(FILES)


def test_a_slow_ledger_is_waited_for(bench: Bench) -> None:
    """Outcomes come in when it answers; nothing is sent twice meanwhile."""

    async def play() -> None:
        async with asyncio.TaskGroup() as tasks:
            await bench.crew.step(tasks)
            bench.ledger.gate = asyncio.Event()
            await turns(30)
            assert len(bench.site.writes) == len(FILES)
            assert not bench.crew.idle.is_set()
            bench.ledger.gate.set()

    bench.run(play())
    assert set(bench.states()) == {"done"}


def test_a_mistake_in_a_kind_ends_one_effect(bench: Bench) -> None:
    """The others go on."""
    bench.site.faults.add("tags", KeyError("oh"))
    bench.act()
    assert sorted(bench.states()) == ["done"] * 4 + ["failed"]
    assert bench.effects(state="failed")[0].error == "internal error: KeyError: 'oh'"


def test_a_kind_that_reports_nonsense_ends_one_effect(bench: Bench) -> None:
    """A tag's end without a mark cannot be written; what can be is that."""
    original = bench.crew._kinds["tag"].carry_out
    strange: list[str] = []

    async def carry_out(effect: Any, hands: Any) -> Any:
        report = await original(effect, hands)
        if not strange:
            strange.append(effect.id)
            return type(report)(Outcome.DONE, {})
        return report

    class Strange:
        pass

    kind: Any = Strange()
    kind.carry_out = carry_out
    bench.crew._kinds = {"tag": kind}
    bench.act()
    assert sorted(bench.states()) == ["done"] * 4 + ["failed"]
    assert "cannot be written: KeyError" in bench.effects(state="failed")[0].error


def test_a_site_that_is_away_counts_where_the_rule_counts(bench: Bench) -> None:
    """With a retry of its own, the rule gives up after so many."""
    bench.crew.retries = {"qc": Retry(attempts=2)}
    bench.site.faults.add("tags", Transient("503", status=503), times=1000)
    bench.settle()
    assert set(bench.states()) == {"failed"}
    assert {row.attempts for row in bench.effects()} == {2}


def test_numbers_are_kept(bench: Bench) -> None:
    """For the status and the metrics."""
    bench.act()
    assert bench.crew.tally.attempts == {("tag", "done"): len(FILES)}
    assert all(EffectState(state) for state in bench.states())
    assert bench.run(bench.crew.next_due()) is None
