"""Doing many things at once, with bounds: the few shapes that the rooms need."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from flyball.model.errors import FlyballError

T = TypeVar("T")
R = TypeVar("R")


async def each(items: Iterable[T], work: Callable[[T], Awaitable[None]], *, at_once: int = 32) -> None:
    """Run `work` on every item, so many at a time; the first failure cancels the rest and is raised as it is.

    The items are taken as they are needed: no more than `at_once` tasks exist, however many items there are.
    """
    queue = iter(items)
    first = _next(queue)
    if not first:
        return

    async def worker(item: T) -> None:
        taken = [item]
        while taken:
            await work(taken[0])
            taken = _next(queue)

    try:
        async with asyncio.TaskGroup() as tasks:
            while first and at_once > 0:
                tasks.create_task(worker(first[0]))
                at_once -= 1
                first = _next(queue) if at_once else []
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


def _next(queue: Iterator[T]) -> list[T]:
    """The next item, or nothing."""
    for item in queue:
        return [item]
    return []


@asynccontextmanager
async def ahead(source: AsyncGenerator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """The items of `source`, each fetched while the one before it is being worked on; never more than one ahead.

    A failure of the source is raised where its item would have come. Leaving the context ends the source.
    """
    room = asyncio.Semaphore(1)
    fetched: asyncio.Queue[list[T] | FlyballError] = asyncio.Queue()

    async def fetch() -> None:
        try:
            async with aclosing(source):
                await room.acquire()
                async for item in source:
                    fetched.put_nowait([item])
                    await room.acquire()
        except FlyballError as error:  # what was fetched before it is worked on to its end
            fetched.put_nowait(error)
        else:
            fetched.put_nowait([])

    async def items() -> AsyncIterator[T]:
        while found := await fetched.get():
            if isinstance(found, FlyballError):
                raise found
            room.release()
            yield found[0]

    try:
        async with asyncio.TaskGroup() as tasks:
            fetching = tasks.create_task(fetch(), name="fetch ahead")
            try:
                yield items()
            finally:
                fetching.cancel()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


@dataclass(slots=True, eq=False)
class _Joined(Generic[T, R]):
    """One item that is to be worked on.

    Attributes:
        item: itself.
        turn: of its caller, True: to work on what has gathered; False: it was worked on, `result` says how.
        result: what came of it.
        done: there is a result.
    """

    item: T
    turn: asyncio.Future[bool]
    result: R | Exception | None = None
    done: bool = False


class Together(Generic[T, R]):
    """Does for many callers at once what each asked for: the items that come while some are worked on are next.

    Nobody waits for company. An item that comes alone is worked on alone, at once. An item whose caller is cancelled is
    worked on all the same, with the next ones.

    Args:
        work: gives for each item its result, or the exception to raise in its caller, in the order of the items. What
            it raises itself is raised in each of the callers.
        most: items at a time.
    """

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]], *, most: int) -> None:
        self._work = work
        self._most = most
        self._waiting: list[_Joined[T, R]] = []
        self._somebody_works = False

    async def do(self, item: T) -> R:
        """What came of the item."""
        mine: _Joined[T, R] = _Joined(item, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        if not self._somebody_works:
            self._pass_on()
        try:
            await mine.turn
            while not mine.done:
                await asyncio.sleep(0)  # whoever comes in the same turn of the loop is in it
                some, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._work_on(some)
        finally:
            if not mine.turn.cancelled() and mine.turn.result():
                self._pass_on()
        if isinstance(mine.result, Exception):
            raise mine.result
        return mine.result  # type: ignore[return-value]  # None may well be a result

    def _pass_on(self) -> None:
        """The first of those who still wait works now, if there is one."""
        following = next((one for one in self._waiting if not one.turn.done()), None)
        self._somebody_works = following is not None
        if following is not None:
            following.turn.set_result(True)

    async def _work_on(self, some: list[_Joined[T, R]]) -> None:
        results: Sequence[R | Exception]
        try:
            results = await self._work([one.item for one in some])
        except asyncio.CancelledError:
            self._waiting[:0] = some  # the next one works on them; what is done already stays done
            raise
        except Exception as error:  # noqa: BLE001 - it is raised again, in each of the callers
            results = [error] * len(some)
        for one, result in zip(some, results, strict=True):
            one.result, one.done = result, True
            if not one.turn.done():
                one.turn.set_result(False)
