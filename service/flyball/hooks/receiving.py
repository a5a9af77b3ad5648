"""Receiving: a delivery is checked, and stored with others that come at the same time, before it is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from flyball.concurrency import Together
from flyball.ledger.intents import Arrived, store_deliveries
from flyball.model.ports import Clock, Store
from flyball.triggers.faucet import Faucet
from flyball.triggers.webhook import NotTaken, check_delivery
from flyball.workers.attempt import together_or_apart

Json = dict[str, Any]
MOST: Final = 500  # deliveries in one transaction


class Reception:
    """Takes deliveries of the configured hooks.

    Args:
        secrets: hook → its secret.
        store: the ledger.
        clock: the time.
    """

    def __init__(self, secrets: Mapping[str, str], store: Store, clock: Clock) -> None:
        self._secrets = secrets
        self._faucets = {name: Faucet() for name in secrets}
        self._store = store
        self._clock = clock
        self._storing: Together[Arrived, tuple[int, bool]] = Together(self._store_all, most=MOST)

    def knows(self, name: str) -> bool:
        """Whether a hook of this name is configured."""
        return name in self._secrets

    async def receive(self, name: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Json]:
        """Check and store one delivery: 202 when it is new, 200 when its id was there before, 429 when the hook's
        sender runs wild.
        """
        try:
            delivery = check_delivery(self._secrets[name], headers, body)
        except NotTaken as refused:
            return refused.status, {"error": {"code": refused.code, "message": str(refused)}}
        wait = self._faucets[name].wait(self._clock.monotonic())
        if wait:
            message = f"this hook takes no more at present; send it again in {wait} s"
            return 429, {"error": {"code": "too_many", "message": message}, "retry_after": wait}
        number, new = await self._storing.do(Arrived(name, delivery.id, delivery.target, delivery.more))
        return (202 if new else 200), {"event": str(number)}

    async def _store_all(self, arrived: Sequence[Arrived]) -> Sequence[tuple[int, bool] | Exception]:
        async def write(some: Sequence[Arrived]) -> Sequence[tuple[int, bool]]:
            return await self._store.write(partial(store_deliveries, arrived=some, now=self._clock.now()))

        return await together_or_apart(write, arrived)
