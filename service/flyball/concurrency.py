"""Doing many things at once, with bounds: the one shape that the rooms need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

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
