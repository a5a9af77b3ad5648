"""Doing things at once: bounds, failures, and what is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from flyball.concurrency import Together, ahead, each
from flyball.model.errors import Transient


class Pages:
    """Three numbers that say when they were fetched and whether they were closed."""

    def __init__(self, *, error: BaseException | None = None) -> None:
        self.fetched: list[int] = []
        self.closed = False
        self._error = error

    async def run(self) -> AsyncGenerator[int]:
        """1, 2, 3; then the error."""
        try:
            for number in (1, 2, 3):
                self.fetched.append(number)
                await asyncio.sleep(0)
                yield number
            if self._error is not None:
                raise self._error
        finally:
            self.closed = True


async def test_the_next_one_is_fetched_meanwhile_and_no_more() -> None:
    """While one is worked on, one is fetched."""
    pages, seen = Pages(), []
    async with ahead(pages.run()) as items:
        async for item in items:
            for _ in range(5):
                await asyncio.sleep(0)
            seen.append((item, list(pages.fetched)))
    assert seen == [(1, [1, 2]), (2, [1, 2, 3]), (3, [1, 2, 3])]
    assert pages.closed


@pytest.mark.parametrize("error", [Transient("away"), KeyError("a mistake")], ids=["site", "mistake"])
async def test_a_failure_of_the_source_is_raised_as_it_is(error: Exception) -> None:
    """What came before a failure of the site is worked on to its end."""
    seen: list[int] = []

    async def take() -> None:
        async with ahead(Pages(error=error).run()) as items:
            async for item in items:
                seen.append(item)

    with pytest.raises(type(error)):
        await take()
    assert seen[:2] == [1, 2]
    assert isinstance(error, KeyError) or seen == [1, 2, 3]


async def test_leaving_early_ends_the_source() -> None:
    """By a break or by a failure of the work, which is raised as it is."""
    broken, failed = Pages(), Pages()
    async with ahead(broken.run()) as items:
        async for _ in items:
            break

    async def fail() -> None:
        async with ahead(failed.run()) as items:
            async for _ in items:
                raise ValueError("work")

    with pytest.raises(ValueError, match="work"):
        await fail()
    assert broken.closed
    assert failed.closed


async def test_each_runs_so_many_at_once() -> None:
    """Never more than allowed, and all of them."""
    running, most, done = 0, 0, []

    async def work(item: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        done.append(item)

    await each(range(20), work, at_once=3)
    assert (sorted(done), most) == (list(range(20)), 3)


class Station:
    """Works on items when told to; `asked` are the items of each work."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.gate = asyncio.Event()
        self.trouble: Exception | None = None

    async def work(self, items: Sequence[int]) -> list[str | Exception]:
        """Each item as a text; one that is negative cannot be worked on."""
        self.asked.append(list(items))
        await self.gate.wait()
        if self.trouble is not None:
            raise self.trouble
        return [str(item) if item >= 0 else ValueError(str(item)) for item in items]


async def turns(number: int = 10) -> None:
    """Let everything run as far as it can."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_items_that_come_while_some_are_worked_on_are_next() -> None:
    """One that comes alone goes alone; what comes in one turn of the loop goes together, so many at a time."""
    station = Station()
    together = Together(station.work, most=3)
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(together.do(0))
        await turns()
        rest = [tasks.create_task(together.do(number)) for number in range(1, 6)]
        await turns()
        assert station.asked == [[0]]
        station.gate.set()
    assert station.asked == [[0], [1, 2, 3], [4, 5]]
    assert [task.result() for task in (first, *rest)] == ["0", "1", "2", "3", "4", "5"]


async def test_each_caller_hears_of_his_own_trouble_and_all_of_everybodys() -> None:
    """An exception in the place of a result is one caller's; what the work raises is for all who were in it."""
    station = Station()
    station.gate.set()
    together = Together(station.work, most=9)

    async def told(item: int) -> str:
        try:
            return await together.do(item)
        except (ValueError, Transient) as error:
            return f"{type(error).__name__}: {error}"

    async def ask(*items: int) -> list[str]:
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(told(item)) for item in items]
        return [task.result() for task in asked]

    assert await ask(1, -2, 3) == ["1", "ValueError: -2", "3"]
    station.trouble = Transient("away")
    assert await ask(1, 2) == ["Transient: away"] * 2
    station.trouble = None
    assert await ask(1) == ["1"]
    assert station.asked == [[1, -2, 3], [1, 2], [1]]
