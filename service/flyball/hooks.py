"""Hooks: deliveries are checked and stored; the named targets are then read from their site and looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog

from flyball.concurrency import each
from flyball.events.dispatch import Dispatcher
from flyball.ledger.intents import Intent, close_intents, open_intents, store_delivery
from flyball.ledger.looking import Look, owe, owe_all
from flyball.model.errors import Gone, Permanent, Refused, SiteError
from flyball.model.levels import CONTAINERS, HIERARCHY, Level, above
from flyball.model.ports import Clock, Store
from flyball.rules.cells import cell_keys
from flyball.triggers.watch import Watch
from flyball.triggers.webhook import NotTaken, check_delivery, read_target
from flyball.wake import Bell


async def _nobody() -> None:
    """There is no other process."""


log = structlog.get_logger()
Json = dict[str, Any]
MANY = 500  # deliveries that are read from the ledger at a time
AT_ONCE = 32  # looks under way; how many of them the site is asked at once is for its pace to say
AGAIN = 5.0  # seconds until a look that the site did not allow is tried again


class Hooks:
    """The incoming webhooks, and the looks that they ask for.

    Args:
        secrets: hook → its secret.
        store: the ledger.
        clock: the time.
        watches: site → its watch.
        dispatcher: knows the rules.
        changed: called when something may have to be decided.
    """

    def __init__(
        self,
        secrets: Mapping[str, str],
        store: Store,
        clock: Clock,
        *,
        watches: Mapping[str, Watch],
        dispatcher: Dispatcher,
        changed: Callable[[], None],
    ) -> None:
        self._secrets = secrets
        self._store = store
        self._clock = clock
        self._watches = watches
        self._dispatcher = dispatcher
        self._changed = changed
        self._bell = Bell()
        self.accepted: Callable[[], Awaitable[None]] = _nobody
        """Called when a delivery was stored: who carries it out may be another process."""

    def ring(self) -> None:
        """A delivery was stored, by this process or by another."""
        self._bell.ring()

    def knows(self, name: str) -> bool:
        """Whether a hook of this name is configured."""
        return name in self._secrets

    async def receive(self, name: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Json]:
        """Check and store one delivery: 202 when it is new, 200 when its id was there before."""
        try:
            delivery = check_delivery(self._secrets[name], headers, body)
        except NotTaken as refused:
            return refused.status, {"error": {"code": refused.code, "message": str(refused)}}
        work = partial(store_delivery, hook=name, delivery=delivery.id, target=delivery.target, now=self._clock.now())
        number, new = await self._store.write(work)
        if new:
            self._bell.ring()
            await self.accepted()
        return (202 if new else 200), {"event": str(number)}

    async def run(self) -> None:
        """Carry out the looks that deliveries ask for, until cancelled."""
        while True:
            waiting = await self.step()
            await self._bell.wait(AGAIN if waiting else 60.0)

    async def step(self) -> int:
        """Look at all that is asked for; the number of looks that could not be taken yet.

        Many at a time, since each waits for its site; deliveries that name the same target have one look together.
        """
        waiting: list[Intent] = []

        async def carry_out(together: Sequence[Intent]) -> None:
            if not await self._carry_out(together):
                waiting.extend(together)

        last = 0
        while some := await self._store.read(partial(open_intents, after=last, limit=MANY)):
            last = some[-1].id
            same: dict[tuple[Any, Any], list[Intent]] = {}
            for intent in some:
                same.setdefault((intent.params["hook"], intent.params["target"]), []).append(intent)
            await each(same.values(), carry_out, at_once=AT_ONCE)
        return len(waiting)

    async def _carry_out(self, together: Sequence[Intent]) -> bool:
        """The look that some deliveries ask for; whether it could be taken."""
        try:
            answer = await self._look(together[-1])
        except (Gone, Permanent) as error:
            answer = {"error": str(error)}
        except SiteError as error:
            if isinstance(error, Refused) and error.status == 403:  # not for this key, and asking again will not help
                return await self._close(together, {"error": str(error)})
            log.warning("hook.waits", hook=together[-1].params.get("hook"), error=str(error))
            return False
        return await self._close(together, answer)

    async def _close(self, together: Sequence[Intent], answer: Json) -> bool:
        idents = [intent.id for intent in together]
        await self._store.write(partial(close_intents, idents=idents, answer=answer, now=self._clock.now()))
        self._changed()
        return True

    async def _look(self, intent: Intent) -> Json:
        hook, target, event = intent.params["hook"], intent.params["target"], intent.params["event"]
        if target is None:
            rules = {rule.id for rule in self._dispatcher.rules.values() if hook in rule.trigger.webhooks}
            return {"targets": await self._dispatcher.look_everywhere(rules)}
        cells = await self._look_at_cells(hook, target, event)
        if cells is not None:
            return cells
        for site, watch in self._watches.items():
            found = await self._find(watch, target)
            if found is None:
                continue
            level, row = found
            await self._take_in(watch, level, row)
            targets = await self._owe(site, level, row, hook, event)
            return {"site": site, "level": str(level), "id": row["id"], "targets": targets}
        return {"error": f"no site shows anything named {target!r}"}

    async def _look_at_cells(self, hook: str, target: str, event: int) -> Json | None:
        """The looks of rules on each cell of a matrix: at the cell named, else at all of them, for a hook that is about
        something else may well be what they wait for. None when no cell is named.
        """
        name = target.removeprefix(f"{Level.MATRIX}:")
        waiting = [rule for rule in self._dispatcher.rules.values() if rule.cells and hook in rule.trigger.webhooks]
        named = [(rule.id, key) for rule in waiting for key in cell_keys(rule, name)]
        if not named:
            await self._dispatcher.look_everywhere({rule.id for rule in waiting})
            return None
        looks = [(Look(rule, key.site, key.level, key.id, key.level), event) for rule, key in named]
        return {"targets": await self._store.write(partial(owe_all, owed=looks, now=self._clock.now()))}

    async def _find(self, watch: Watch, target: str) -> tuple[Level, Json] | None:
        client = watch.poller.client
        level, ident, path = read_target(target)
        try:
            if path:
                row = await client.lookup(*path)
            elif level is not None and ident is not None:
                row = {**await client.get(level, ident), "container_type": level}
            else:
                row = await client.get_container(str(ident))
        except Gone:
            return None
        kind = str(row.get("container_type") or "")
        if kind not in set(map(str, (*HIERARCHY, Level.ANALYSIS, Level.JOB))):
            return None
        if path or level is None:  # lookups may leave `info` out: read it again, in full
            row = await client.get(kind, str(row["id"]))
        return Level(kind), row

    async def _take_in(self, watch: Watch, level: Level, row: Json) -> None:
        """Store the object as it was read just now; the rules that wait for changes look at it too."""
        await watch.take_in(level, row)

    async def _owe(self, site: str, level: Level, row: Json, hook: str, event: int) -> int:
        """The looks of the rules that wait for this hook, at the target or what is above or below it."""
        total = 0
        for rule in self._dispatcher.rules.values():
            if rule.site != site or hook not in rule.trigger.webhooks:
                continue
            ident: str | None = str(row["id"]) if level is rule.each or level in CONTAINERS else None
            at = level
            if rule.each in above(level):
                at, ident = rule.each, (row.get("parents") or {}).get(str(rule.each))
            if ident is None:
                continue
            look = Look(rule.id, site, at, ident, rule.each)
            total += await self._store.write(partial(owe, look=look, event=event, now=self._clock.now()))
        return total
