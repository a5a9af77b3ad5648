"""Works on their way into the ledger: handed over by the event loop, carried out in a writer's thread, told back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection


@dataclass(slots=True, eq=False)
class Job:
    """One caller's work on its way through a group."""

    work: Callable[[Connection], Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None
    arrived: float = 0.0  # monotonic seconds


def settle(jobs: Iterable[Job]) -> None:
    """Hands out results, in the event loop. A caller who was cancelled meanwhile is passed over."""
    for job in jobs:
        if job.future.done():
            continue
        if job.error is None:
            job.future.set_result(job.result)
        elif isinstance(job.error, StopIteration):  # which a future cannot carry
            job.future.set_exception(RuntimeError("the work raised StopIteration"))
        else:
            job.future.set_exception(job.error)
        job.error = None  # its traceback leads back to the job: without this only the collector would free both
