"""Looks: handed out with the transactions that store them, and decided by whichever replica gets them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import structlog

from flyball.adapters.dispatch.queue import LookQueue
from flyball.adapters.store.errors import StoreError
from flyball.adapters.store.postgres.errors import Fenced
from flyball.ledger.looking import LookKey
from flyball.ledger.sharing import hand_back, hand_out
from flyball.model.errors import FlyballError
from flyball.model.ports import Clock, Store
from flyball.replicas.leading import Leading
from flyball.replicas.parts import AGAIN, HAND_EVERY, MOST, Parts
from flyball.workers.lease import Lease

log = structlog.get_logger()
_TABLE: Final = "looks"


class Looks:
    """The looks of one replica.

    Args:
        address: of the database.
        name: what the server shows of the connections.
        leading: knows what can be relied on.
        lease: of this replica.
        clock: the time.

    Attributes:
        shared: hand looks out; a single run decides by itself.
    """

    def __init__(self, address: str, name: str, leading: Leading, lease: Lease, clock: Clock) -> None:
        self.shared = True
        self.queue = LookQueue(address, name, self._decide)
        self._leading = leading
        self._lease = lease
        self._clock = clock
        self._left: list[LookKey] = []
        """Of jobs that broke off; nobody else knows that they are to be handed out again."""

    def attach(self, store: Store, parts: Parts) -> None:
        """Take up the work."""
        self._store, self._parts = store, parts

    def before_commit(self, connection: Any, tables: set[str]) -> None:
        """In the store's thread, with everything that is written: the looks that are due go along."""
        if _TABLE in tables:
            self._hand(connection)

    async def keep_handing(self) -> None:
        """Hand out the looks whose time has come, until cancelled."""
        while True:
            await self._parts.decide.wait(HAND_EVERY)
            if not self._lease.holds:
                await asyncio.sleep(HAND_EVERY)
                continue
            try:
                await self._give_back()
                while await self._store.write(self._hand) >= MOST:
                    continue
            except FlyballError as error:
                log.warning("hand_out.waits", reason=str(error))
                await asyncio.sleep(AGAIN)

    async def keep_deciding(self) -> None:
        """Work on the queue of looks, and begin again whenever the database ended that; until cancelled."""
        while True:
            try:
                await self.queue.run()
            except StoreError as error:
                if _is_cancelled():  # what broke while it was ending hides why it ended
                    raise asyncio.CancelledError from error
                log.warning("queue.begins_again", reason=str(error))
            await asyncio.sleep(AGAIN)

    def _hand(self, connection: Any) -> int:
        self._leading.learn(connection)
        if not self.shared or self.queue.is_full(connection):
            return 0
        keys = hand_out(connection, self._parts.dispatcher.able_now(), self._clock.now(), MOST)
        if keys:
            self.queue.defer(connection, keys)
        return len(keys)

    async def _decide(self, keys: Sequence[LookKey]) -> None:
        """Decide some looks. What cannot be decided here and now is handed back."""
        dispatcher = self._parts.dispatcher
        try:
            while True:
                try:
                    decided = await dispatcher.step(keys)
                    break
                except (StoreError, Fenced):  # it comes back, and a replica that was declared dead joins again
                    await asyncio.sleep(AGAIN)
        except BaseException:
            self._left += keys
            raise
        if decided:
            self._parts.act.ring()
        if decided < len(keys):
            self._left += keys
            await self._give_back()

    async def _give_back(self) -> None:
        """Whoever can may hand these out again. Those that were decided meanwhile are not there any more."""
        left, self._left = self._left, []
        if not left:
            return
        try:
            await self._store.write(lambda connection: hand_back(connection, left))
        except BaseException:
            self._left += left
            raise

    _parts: Parts
    _store: Store


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
