"""The bound on how many analyses compile at a time.

Who compiles is known from the ledger, which an effect is told of when it is taken, and from those of this process that
entered since: together they hold over a restart, and over the effects that are taken at the same moment.
"""

from __future__ import annotations

from collections.abc import Iterable


class CompileQueue:
    """Places in the server's compile queue.

    Args:
        places: how many analyses may be in it at once.
    """

    def __init__(self, places: int) -> None:
        self.places = places
        self._inside: set[str] = set()

    def enter(self, effect: str, known: Iterable[str] = ()) -> bool:
        """Take a place, if one is free.

        Args:
            effect: who asks.
            known: effects that the ledger has as compiling.
        """
        others = (self._inside | set(known)) - {effect}
        if len(others) >= self.places:
            return False
        self._inside.add(effect)
        return True

    def leave(self, effect: str) -> None:
        """Give the place back; one that has none gives nothing back."""
        self._inside.discard(effect)
