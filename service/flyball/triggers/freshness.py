"""Freshness: which levels of a site were listed to the end, and are up to date. Pure.

A rule that looks at scans must not decide on a session that was just seen, before its scans were read. Levels are read
from the top: what a pass brings of a level puts the levels below it behind, until the same pass has read them too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from flyball.model.levels import Level
from flyball.triggers.needs import ORDER


class Pass:
    """One way through the levels: the rounds of polls, or the sweeps."""

    def __init__(self, behind: Iterable[Level] = ()) -> None:
        self.behind: set[Level] = set(behind)

    def brought(self, level: Level, of: Collection[Level]) -> None:
        """Something of a level came in; what lies below it (of these levels) has to be read after it."""
        self.behind |= set(of) & set(ORDER[ORDER.index(level) + 1 :])

    def read(self, level: Level) -> None:
        """A level was read to its end."""
        self.behind.discard(level)

    def failed(self, level: Level) -> None:
        """A level could not be read."""
        self.behind.add(level)


class Freshness:
    """What is known of all levels of a site.

    Attributes:
        listed: levels that were listed to the end, as far as the rules need them.
        rounds, sweeps: the two ways through the levels.
    """

    def __init__(self, levels: Collection[Level]) -> None:
        self.listed: set[Level] = set()
        self.rounds = Pass(levels)
        self.sweeps = Pass()

    def renew(self, levels: Collection[Level]) -> None:
        """Other levels are needed, or more of them: all has to be read again before anything is decided."""
        self.listed.clear()
        self.rounds.behind = set(levels)

    def covered(self) -> set[Level]:
        """The levels that can be relied on now."""
        return set(self.listed) - set(self.rounds.behind) - set(self.sweeps.behind)

    def covers(self, levels: Iterable[Level]) -> bool:
        """Whether these levels can be relied on now; one that is not watched cannot."""
        wanted = set(levels)
        return wanted <= self.listed and not wanted & (self.rounds.behind | self.sweeps.behind)
