"""All configured Neuroscout servers together, as the composition root uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flyball.effects.scout.port import Scout
from flyball.ledger.noticing import Route
from flyball.ledger.scouting import unended_scouting
from flyball.model.ports import Clock, Store
from flyball.rules.rule import Rule
from flyball.scouts import ScoutParts, connect_scout
from flyball.settings import NeuroscoutSite
from flyball.sites import Observer, Share
from flyball.triggers.scouting import ScoutWatch


class Scouts:
    """The Neuroscout servers, and the watches over their accounts.

    Args:
        store: the ledger.
        clock: the time.
        observe: told about every request.
        share: what the servers share with other replicas.

    Attributes:
        parts: site → what belongs to it.
        watches: site → the watch over the account; none for a server without one: nothing there is one's own.
    """

    def __init__(self, store: Store, clock: Clock, observe: Observer, *, share: Share | None = None) -> None:
        self._store = store
        self._clock = clock
        self._observe = observe
        self._share = share
        self.parts: dict[str, ScoutParts] = {}
        self.watches: dict[str, ScoutWatch] = {}

    def add(self, name: str, settings: NeuroscoutSite, route: Route, changed: Callable[[], None]) -> ScoutParts:
        """A server; close its client in the end."""
        parts = self.parts[name] = connect_scout(name, settings, self._clock, self._observe, share=self._share)
        if settings.has_account:
            self.watches[name] = parts.watch(self._store, self._clock, route, changed)
        return parts

    @property
    def lent(self) -> dict[str, Scout]:
        """What effects may use of each server."""
        return {name: parts.scout for name, parts in self.parts.items()}

    @property
    def watched(self) -> dict[str, ScoutParts]:
        """The servers with an account."""
        return {name: parts for name, parts in self.parts.items() if name in self.watches}

    def use(self, rules: Iterable[Rule]) -> None:
        """Tell the watches which rules there are."""
        known = list(rules)
        for watch in self.watches.values():
            watch.use(known)

    def services(self) -> dict[str, Callable[[], Any]]:
        """What runs side by side, by name."""
        return {f"watch {name}": watch.run for name, watch in self.watches.items()}

    async def look(self) -> bool:
        """Read the lists once; whether every account could be read."""
        fine = True
        for watch in self.watches.values():
            fine = await watch.once() and fine
        return fine

    async def awaited(self) -> bool:
        """Whether something is awaited from a server; each effect gives up by itself after its `wait`."""
        return bool(self.parts) and await self._store.read(unended_scouting) > 0

    async def news(self) -> bool:
        """What became of analyses since the last look; whether there were news that rules may be waiting for."""
        before = sum(watch.weather.changes for watch in self.watches.values())
        await self.look()
        return sum(watch.weather.changes for watch in self.watches.values()) > before
