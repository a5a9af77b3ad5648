"""What every watch offers, over a Flywheel site as over a Neuroscout account, to whoever runs it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from flyball.model.levels import Level
from flyball.triggers.weather import Weather


class Watching(Protocol):
    """A watch over one site."""

    @property
    def weather(self) -> Weather:
        """How it goes."""
        ...

    def ready_for(self, levels: Iterable[Level]) -> bool:
        """Whether these levels were listed to the end, and are up to date."""
        ...

    def covered(self) -> set[Level]:
        """The levels of which that is so."""
        ...

    async def meet(self) -> None:
        """See how the site wants to be asked, unless that is known. Raises SiteError."""
        ...

    def start_over(self) -> None:
        """What was known of the site is too old to be relied on: another one watched it meanwhile."""
        ...

    def poll_now(self) -> None:
        """Start the next round at once."""
        ...

    async def once(self) -> bool:
        """One round; whether the site could be read."""
        ...

    async def sweep_if_due(self) -> None:
        """Go through everything, if it is time."""
        ...
