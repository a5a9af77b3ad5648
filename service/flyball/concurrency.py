"""Doing many things at once, with bounds: the few shapes that the rooms need."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

from flyball.model.errors import FlyballError

T = TypeVar("T")


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
