"""Runs a verb's coroutine, and settles what the whole process is to be like meanwhile."""

from __future__ import annotations

import asyncio
import gc
from typing import Any


def spare_the_collector() -> None:
    """Look for unreachable cycles less often, and never in what is loaded by now.

    Pages are many small dicts and hold no cycles: by Python's own thresholds a quarter of a first run goes into
    looking through them (`make bench`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def run_loop(work: Any) -> int:
    """Run a coroutine on uvloop, where there is one."""
    try:
        import uvloop  # noqa: PLC0415 - absent on some platforms
    except ImportError:
        return int(asyncio.run(work))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return int(runner.run(work))


def run_loop_value(work: Any) -> Any:
    """Run a coroutine and give its value."""
    box: list[Any] = []

    async def keep() -> int:
        box.append(await work)
        return 0

    run_loop(keep())
    return box[0]
