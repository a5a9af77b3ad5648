"""Whether the daemon is ready: what it says of itself, with an end to the waiting for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from flyball.model.errors import FlyballError
from flyball.web.port import Daemon, Json

_PATIENCE: Final = 5.0  # seconds; a store that hangs is as good as none, and a probe must hear it in time
_READY: Final = ("ready", "degraded")


async def readiness(daemon: Daemon) -> tuple[Json, bool]:
    """The answer of `/readyz`, and whether it is a good one.

    Ready and degraded are good; starting, stopping and a store that cannot be reached are not.
    """
    try:
        async with asyncio.timeout(_PATIENCE):
            said = await daemon.readiness()
    except FlyballError as error:
        said = _without_store(str(error))
    except TimeoutError:
        said = _without_store(f"no answer within {_PATIENCE:.0f} s")
    if daemon.stopping:
        said = {**said, "status": "stopping"}
    return said, said.get("status") in _READY and _store_is_there(said)


def _store_is_there(said: Mapping[str, Any]) -> bool:
    store = said.get("checks", {}).get("store")
    return bool(store.get("ok", True)) if isinstance(store, Mapping) else store is not False


def _without_store(error: str) -> Json:
    return {"status": "degraded", "checks": {"store": {"ok": False, "error": error}}}
