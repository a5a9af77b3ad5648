"""How a verb changes the ledger: in one transaction, beside the daemon if one runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from flyball.adapters.store.opening import open_ledger
from flyball.cli.common import Lab
from flyball.cli.looping import run_loop_value
from flyball.clock import SystemClock


def write(lab: Lab, work: Callable[..., Any]) -> Any:
    """Runs `work` on the lab's ledger with the present as `now`; its result. Raises what `work` raises."""
    return run_loop_value(_written(lab, work))


async def _written(lab: Lab, work: Callable[..., Any]) -> Any:
    store = await open_ledger(lab.settings.ledger, lab.settings.data_dir, guest=True)
    try:
        return await store.write(partial(work, now=SystemClock().now()))
    finally:
        await store.close()
