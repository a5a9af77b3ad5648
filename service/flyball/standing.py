"""Where this process stands among others: what it must ask about the watching of sites that another may do for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from flyball.model.levels import Level
from flyball.triggers.watch import Watch
from flyball.triggers.weather import Weather


class Standing(Protocol):
    """Alone, or one of many."""

    number: int
    """How many processes work on this ledger."""

    def ready(self, site: str, levels: set[Level]) -> bool:
        """Whether these levels of a site can be relied on."""
        ...

    def weather(self, site: str) -> Weather:
        """How watching a site goes, whoever does it."""
        ...

    async def tell(self, what: str) -> None:
        """Tell the other processes; missed by those that cannot be reached now."""
        ...


class Alone:
    """The only process there is.

    Args:
        watches: site → its watch.
    """

    def __init__(self, watches: Mapping[str, Watch]) -> None:
        self.number = 1
        self._watches = watches

    def ready(self, site: str, levels: set[Level]) -> bool:
        """As its own watch says."""
        watch = self._watches.get(site)
        return watch is not None and watch.ready_for(levels)

    def weather(self, site: str) -> Weather:
        """Likewise."""
        return self._watches[site].weather

    async def tell(self, what: str) -> None:
        """There is nobody to tell."""
