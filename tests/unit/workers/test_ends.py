"""Ends are written together where they gather, none is forgotten, and none waits for company."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from fakes.clock import FakeClock
from flyball.ledger.finishing import End, Finished
from flyball.model.effect import EffectState
from flyball.model.errors import Stopping
from flyball.model.ports import Store
from flyball.workers import ends as module
from flyball.workers.ends import Ends


class SlowStore:
    """Writes when told to: each work waits for its gate. `groups` are the ends of each work that was carried out."""

    def __init__(self) -> None:
        self.gates: list[asyncio.Event] = []
        self.asked: list[list[Any]] = []
        self.groups: list[list[Any]] = []
        self.trouble: Exception | None = None
        self.looks = 0

    async def write(self, work: Callable[[Any], Any]) -> Any:
        """Carry out one work."""
        gate, ends = asyncio.Event(), list(cast("Any", work).keywords["ends"])
        self.gates.append(gate)
        self.asked.append(ends)
        await gate.wait()
        if self.trouble is not None:
            raise self.trouble
        if any(end == "broken" for end in ends):
            raise KeyError("broken")
        self.groups.append(ends)
        return Finished([EffectState.DONE for _ in ends], self.looks)


@pytest.fixture
def store() -> SlowStore:
    """A store that waits to be told."""
    return SlowStore()


@pytest.fixture
def ends(store: SlowStore) -> Ends:
    """Ends on it."""
    return Ends(cast("Store", store), FakeClock(), lambda: lambda _change: ())


async def settle() -> None:
    """Let everything run as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


def end(name: str) -> End:
    """Stands for an end; the store only compares it."""
    return cast("End", name)


async def test_those_that_gather_are_written_together(ends: Ends, store: SlowStore) -> None:
    """The first goes alone and at once, and what came meanwhile goes in one work."""
    async with asyncio.TaskGroup() as tasks:
        written = [tasks.create_task(ends.write(end("a")))]
        await settle()
        assert store.asked == [["a"]]
        written += [tasks.create_task(ends.write(end(name))) for name in "bcdef"]
        await settle()
        store.gates[0].set()
        await settle()
        assert store.asked[1:] == [["b", "c", "d", "e", "f"]]
        store.gates[1].set()
    assert [task.result() for task in written] == [EffectState.DONE] * 6
    assert store.groups == store.asked


async def test_looks_that_follow_are_told_of(store: SlowStore) -> None:
    """Whoever decides is woken once what follows is on record, and not otherwise."""
    told: list[int] = []
    ends = Ends(cast("Store", store), FakeClock(), lambda: lambda _change: (), lambda: told.append(len(store.groups)))
    async with asyncio.TaskGroup() as tasks:
        for number, looks in enumerate((0, 2)):
            store.looks = looks
            tasks.create_task(ends.write(end("a")))
            await settle()
            store.gates[number].set()
            await settle()
    assert told == [2]


async def test_a_group_has_its_bounds(store: SlowStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too much for one work goes in the next ones, and everybody hears of his own."""
    monkeypatch.setattr(module, "MOST", 2)
    ends = Ends(cast("Store", store), FakeClock(), lambda: lambda _change: ())
    async with asyncio.TaskGroup() as tasks:
        written = [tasks.create_task(ends.write(end(name))) for name in "abcde"]
        for number in range(3):
            await settle()
            store.gates[number].set()
    assert store.groups == [["a", "b"], ["c", "d"], ["e"]]
    assert all(task.result() is EffectState.DONE for task in written)


async def test_who_writes_and_is_cancelled_leaves_nothing_behind(ends: Ends, store: SlowStore) -> None:
    """The next one writes all of it, also the end of the one who was cancelled."""
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(ends.write(end("a")))
        await settle()
        others = [tasks.create_task(ends.write(end(name))) for name in "bc"]
        await settle()
        first.cancel()
        await settle()
        store.gates[1].set()
    assert store.groups == [["a", "b", "c"]]
    assert [task.result() for task in others] == [EffectState.DONE] * 2


async def test_a_turn_that_comes_with_a_cancellation_is_passed_on(ends: Ends, store: SlowStore) -> None:
    """Who is cancelled in the moment in which it is his turn to write does not keep the others waiting."""
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(ends.write(end("a")))
        await settle()
        second, third = (tasks.create_task(ends.write(end(name))) for name in "bc")
        await settle()
        store.gates[0].set()
        while not first.done():
            await asyncio.sleep(0)
        second.cancel()
        await settle()
        store.gates[-1].set()
    assert second.cancelled()
    assert third.result() is EffectState.DONE
    assert sorted(name for group in store.groups for name in cast("list[str]", group)) == ["a", "b", "c"]


async def test_who_waits_and_is_cancelled_stops_nobody(ends: Ends, store: SlowStore) -> None:
    """His end is written with the others'; the next end that comes finds the way free."""
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(ends.write(end("a")))
        await settle()
        second = tasks.create_task(ends.write(end("b")))
        await settle()
        second.cancel()
        await settle()
        store.gates[0].set()
        await first
        third = tasks.create_task(ends.write(end("c")))
        await settle()
        store.gates[1].set()
        assert await third is EffectState.DONE
    assert store.groups == [["a"], ["b", "c"]]


async def test_each_hears_of_his_own_trouble(ends: Ends, store: SlowStore) -> None:
    """One that cannot be written is told so, and the others are written; a ledger that is closed tells everybody."""
    async with asyncio.TaskGroup() as tasks:
        written = [tasks.create_task(_outcome(ends, name)) for name in ("a", "broken", "c")]
        for number in range(4):  # all of them, then each
            await settle()
            store.gates[number].set()
    assert [str(task.result()) for task in written] == ["done", "'broken'", "done"]
    store.trouble = Stopping("closed")
    async with asyncio.TaskGroup() as tasks:
        written = [tasks.create_task(_outcome(ends, name)) for name in "de"]
        await settle()
        store.gates[-1].set()
    assert [str(task.result()) for task in written] == ["closed", "closed"]


async def _outcome(ends: Ends, name: str) -> EffectState | Exception:
    try:
        return await ends.write(end(name))
    except (Stopping, KeyError) as error:
        return error
