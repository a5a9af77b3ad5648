"""Doing many things at once, with bounds: the one shape that the rooms need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def each(items: Iterable[T], work: Callable[[T], Awaitable[None]], *, at_once: int = 32) -> None:
    """Run `work` on every item, so many at a time; the first failure cancels the rest and is raised as it is."""
    gate = asyncio.Semaphore(at_once)

    async def one(item: T) -> None:
        async with gate:
            await work(item)

    try:
        async with asyncio.TaskGroup() as tasks:
            for item in items:
                tasks.create_task(one(item))
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
