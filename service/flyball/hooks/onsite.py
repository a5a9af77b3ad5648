"""On one site: the target that a delivery names is read, stored, and looked at by the rules that wait for the hook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from flyball.concurrency import Together
from flyball.events.dispatch import Dispatcher
from flyball.hooks.open import Ended, Open
from flyball.ledger.intents import Intent, close_intents
from flyball.ledger.looking import Look, Owed, owe_all
from flyball.model.errors import FlyballError
from flyball.model.levels import CONTAINERS, above
from flyball.model.ports import Clock, Store
from flyball.triggers.named import Found, Named
from flyball.triggers.watch import Watch
from flyball.workers.attempt import together_or_apart

log = structlog.get_logger()
Json = Mapping[str, Any]
_Taken = tuple[Json, Sequence[Intent]]  # what came of it, and the deliveries that others have to look at too
MOST: Final = 256  # targets in one transaction


@dataclass(frozen=True, slots=True)
class _Read:
    """What some deliveries name, as it was read just now."""

    found: Found
    intents: Sequence[Intent]


class OnSite:
    """Looks at targets on one site.

    What is read at about the same time is stored in one transaction: the objects, the looks that follow, and that
    deliveries are done with.

    Args:
        site: the configured name.
        watch: over the site.
        store: the ledger.
        clock: the time.
        dispatcher: knows the rules.
        open_: knows which deliveries nobody else has to look at.
        ended: told of deliveries that were looked at, but for those that are done with already.
    """

    def __init__(
        self,
        site: str,
        watch: Watch,
        store: Store,
        clock: Clock,
        dispatcher: Dispatcher,
        *,
        open_: Open,
        ended: Ended,
    ) -> None:
        self._site = site
        self._watch = watch
        self._clock = clock
        self._dispatcher = dispatcher
        self._open = open_
        self._ended = ended
        poller = watch.poller
        self._named = Named(site, poller.client, store, poller.taking.reading, watch.needs)
        self._taking_in: Together[_Read, _Taken] = Together(self._take_all_in, most=MOST)

    async def look(self, intents: Sequence[Intent]) -> None:
        """Read the target that deliveries name, store it, and owe the looks of the rules that wait for their hooks.

        Raises SiteError.
        """
        self._named.needs = self._watch.needs
        found = await self._named.find(str(intents[0].params["target"]))
        if found is None:
            await self._ended(self._site, intents, None)
            return
        answer, left = await self._taking_in.do(_Read(found, intents))
        if left:
            await self._ended(self._site, left, answer)

    async def _take_all_in(self, read: Sequence[_Read]) -> Sequence[_Taken | Exception]:
        results = await together_or_apart(self._take_in, read)
        return [_told(one, result) for one, result in zip(read, results, strict=True)]

    async def _take_in(self, read: Sequence[_Read]) -> Sequence[_Taken]:
        now = self._clock.now()
        answers = [self._answer(one.found) for one in read]
        owed = [owed for one in read for owed in self._owed(one.found, one.intents)]
        done = {
            intent.id: answer
            for one, answer in zip(read, answers, strict=True)
            for intent in one.intents
            if self._open.is_last(intent, self._site)
        }

        def also(connection: Any) -> None:
            owe_all(connection, owed, now=now)
            close_intents(connection, done, now)

        await self._watch.take_in([one.found for one in read], also)
        self._open.forget(done)
        return [
            (answer, [intent for intent in one.intents if intent.id not in done])
            for one, answer in zip(read, answers, strict=True)
        ]

    def _answer(self, found: Found) -> Json:
        return {"site": self._site, "level": str(found.level), "id": found.ident}

    def _owed(self, found: Found, intents: Iterable[Intent]) -> Iterable[Owed]:
        """The looks of the rules that wait for the hooks, at the target or what is above or below it."""
        events = {intent.params["hook"]: int(intent.params["event"]) for intent in intents}
        level, row = found.level, found.row
        for rule in self._dispatcher.rules.values():
            event = next((events[hook] for hook in rule.trigger.webhooks if hook in events), None)
            if rule.site != self._site or event is None:
                continue
            ident: str | None = found.ident if level is rule.each or level in CONTAINERS else None
            at = level
            if rule.each in above(level):
                at, ident = rule.each, (row.get("parents") or {}).get(str(rule.each))
            if ident is not None:
                yield Look(rule.id, self._site, at, ident, rule.each), event


def _told(one: _Read, result: _Taken | Exception) -> _Taken | Exception:
    """A fault of ours in one object ends the deliveries that name it; the ledger's own trouble is everybody's."""
    if isinstance(result, FlyballError) or not isinstance(result, Exception):
        return result
    log.error("hook.broken", error=repr(result), exc_info=result)
    return {"error": f"internal error: {type(result).__name__}"}, one.intents
