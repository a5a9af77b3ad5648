"""The bound on how many analyses compile at a time.

Who compiles is known from the ledger, which an effect is told of when it is taken, and from those of this process that
entered since: together they hold over a restart, and over the effects that are taken at the same moment.

With replicas, an effect that this process let in may be looked after, and ended, by another one. Whoever is taken is
told by the ledger of all that compile or may be about to; so those that entered here before that, and of whom it does
not tell, have ended.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

FOR_A_PLACE: Final = 60.0  # seconds between looks for a place in the queue; the end of another one calls earlier
SOON: Final = 1.0  # seconds until it is known what those do that may be about to compile
_TAKEN_BEFORE: Final = timedelta(seconds=2)  # at the most between being taken and the beginning of the attempt


class CompileQueue:
    """Places in the server's compile queue.

    Args:
        places: how many analyses may be in it at once.
        shared: other replicas use it, too.
    """

    def __init__(self, places: int, *, shared: bool = False) -> None:
        self.places = places
        self._shared = shared
        self._inside: dict[str, datetime] = {}

    def enter(
        self, effect: str, compiling: Collection[str] = (), perhaps: Collection[str] = (), *, now: datetime
    ) -> float:
        """Take a place, if one is free: 0; else the seconds until it is worth asking again.

        Args:
            effect: who asks.
            compiling: effects that the ledger had as compiling when this one was taken.
            perhaps: those that may have been about to.
            now: when the attempt began.
        """
        if self._shared:
            known = {*compiling, *perhaps}
            since = now - _TAKEN_BEFORE
            self._inside = {one: at for one, at in self._inside.items() if at >= since or one in known}
        others = {*self._inside, *compiling} - {effect}
        if len(others) >= self.places:
            return SOON if self._shared and not others <= {*compiling} else FOR_A_PLACE
        if len(others.union(perhaps) - {effect}) >= self.places:
            return SOON
        self.hold(effect, now)
        return 0.0

    def hold(self, effect: str, now: datetime) -> None:
        """It has its place: it compiles."""
        self._inside[effect] = now

    def leave(self, effect: str) -> None:
        """Give the place back; one that has none gives nothing back."""
        self._inside.pop(effect, None)
