"""Here: looks that need no site. A hook without a target is about all that its rules are about; cells are here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from flyball.events.dispatch import Dispatcher
from flyball.hooks.open import Ended
from flyball.ledger.intents import Intent
from flyball.ledger.looking import Look, Owed, owe_all
from flyball.model.levels import Level
from flyball.model.ports import Clock, Store
from flyball.rules.cells import cell_keys
from flyball.rules.rule import Rule

Json = Mapping[str, Any]
HERE: Final = ""
"""The name of this lane; no site has it."""


class Here:
    """Looks of the rules that wait for a hook, without asking a site.

    Args:
        store: the ledger.
        clock: the time.
        dispatcher: knows the rules.
        changed: called when something may have to be decided.
        ended: told of deliveries that were looked at.
    """

    def __init__(
        self, store: Store, clock: Clock, dispatcher: Dispatcher, *, changed: Callable[[], None], ended: Ended
    ) -> None:
        self._store = store
        self._clock = clock
        self._dispatcher = dispatcher
        self._changed = changed
        self._ended = ended

    def concerns(self, intent: Intent) -> bool:
        """Whether there is something to do here."""
        return intent.params["target"] is None or bool(self._with_cells(intent))

    def leaves_some(self, intent: Intent) -> bool:
        """Whether a site has to be asked: for a target that is no cell."""
        return intent.params["target"] is not None and not self._cells(intent)

    async def look(self, intents: Sequence[Intent]) -> None:
        """The looks that deliveries of one target ask for."""
        answer: Json | None = None
        for intent in {intent.params["hook"]: intent for intent in intents}.values():
            answer = await self._look(intent) or answer
        self._changed()
        await self._ended(HERE, intents, answer)

    async def _look(self, intent: Intent) -> Json | None:
        """At the cells that are named; else at all cells, for a hook that is about something else may well be what they
        wait for.
        """
        hook, target, event = intent.params["hook"], intent.params["target"], intent.params["event"]
        if target is None:
            rules = {rule.id for rule in self._dispatcher.rules.values() if hook in rule.trigger.webhooks}
            return {"targets": await self._dispatcher.look_everywhere(rules)}
        named = self._cells(intent)
        if not named:
            await self._dispatcher.look_everywhere({rule.id for rule in self._with_cells(intent)})
            return None
        owed: list[Owed] = [(look, event) for look in named]
        return {"targets": await self._store.write(partial(owe_all, owed=owed, now=self._clock.now()))}

    def _with_cells(self, intent: Intent) -> list[Rule]:
        """The rules on cells that wait for the hook."""
        hook = intent.params["hook"]
        return [rule for rule in self._dispatcher.rules.values() if rule.cells and hook in rule.trigger.webhooks]

    def _cells(self, intent: Intent) -> list[Look]:
        """The looks at the cells that are named."""
        name = str(intent.params["target"]).removeprefix(f"{Level.MATRIX}:")
        keys = [(rule.id, key) for rule in self._with_cells(intent) for key in cell_keys(rule, name)]
        return [Look(rule, key.site, key.level, key.id, key.level) for rule, key in keys]
