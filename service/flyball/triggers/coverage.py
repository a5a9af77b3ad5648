"""Coverage: what of a level was listed to the end, of which projects, and how much of each row was read. Durable."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flyball.ledger.noticing import forget_cursors, forget_facts, load_fact, save_fact
from flyball.model.levels import Level
from flyball.model.ports import Clock, Store

_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of one level.

    Attributes:
        swept: when it was last gone through as a whole; None: never.
        projects: ids of those that were.
        read: what is known of each row, as `Needs.read_of` names it.
    """

    swept: datetime | None = None
    projects: frozenset[str] = _NONE
    read: frozenset[str] = _NONE

    def lacks(self, projects: Collection[str], wanted: Collection[str]) -> frozenset[str]:
        """The projects that have to be listed (again)."""
        known = self.projects if self.swept is not None and self.read >= set(wanted) else _NONE
        return frozenset(projects) - known

    def within(self, projects: Collection[str], wanted: Collection[str]) -> Coverage:
        """What is left of it while only these projects are watched, and only so much is read of a changed row."""
        return Coverage(self.swept, self.projects & set(projects), self.read & set(wanted))


class Covered:
    """The coverage of one site's levels.

    Args:
        site: configured name.
        store: the ledger.
        clock: the time.
    """

    def __init__(self, site: str, store: Store, clock: Clock) -> None:
        self._site = site
        self._store = store
        self._clock = clock

    async def of(self, level: Level) -> Coverage:
        """The coverage of a level."""
        name = self._name(level)
        found = await self._store.read(lambda connection: load_fact(connection, name))
        if found is None:
            return Coverage()
        return Coverage(
            datetime.fromisoformat(found["swept"]),
            frozenset(found.get("projects") or ()),
            frozenset(found.get("read") or ()),
        )

    async def save(self, level: Level, coverage: Coverage) -> None:
        """Store the coverage of a level that was swept."""
        if coverage.swept is None:
            return
        name, now = self._name(level), self._clock.now()
        value: dict[str, Any] = {
            "swept": coverage.swept.isoformat(),
            "projects": sorted(coverage.projects),
            "read": sorted(coverage.read),
        }
        await self._store.write(lambda connection: save_fact(connection, name, value, now))

    async def recognize(self, address: str) -> str | None:
        """Hold the site's address against the one that it was read at; the former one where it is another.

        What was listed and asked of another site says nothing of this one: coverage and poll cursors are dropped, and
        all is listed again. Where the site merely has a new name, that brings nothing new.
        """
        name, now = f"address/{self._site}", self._clock.now()
        names = [self._name(level) for level in Level]

        def work(connection: Any) -> str | None:
            known: str | None = load_fact(connection, name)
            if known == address:
                return None
            save_fact(connection, name, address, now)
            if known is not None:
                forget_facts(connection, names)
                forget_cursors(connection, self._site)
            return known

        return await self._store.write(work)

    def _name(self, level: Level) -> str:
        return f"coverage/{self._site}/{level}"
