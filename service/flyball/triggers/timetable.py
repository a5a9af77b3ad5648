"""The timetable: rules that look at set times. A missed time is caught up once.

Times count from when the rule was read in its present version, by our own clock: a rule that is new did not miss
what was before. (Its first sight is no good for that: it is put into the time of the site's stamps.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from flyball.ledger.noticing import load_facts, save_fact
from flyball.model.ports import Clock, Store
from flyball.rules.rule import Rule
from flyball.triggers.schedule import Timer, crontab, latest


@dataclass(frozen=True, slots=True)
class Entry:
    """One schedule of one rule."""

    rule: str
    name: str
    timer: Timer
    since: datetime


class Timetable:
    """Says which rules are due by their schedules, and when the next one is.

    Args:
        rules: the loaded rules.
        seen: rule → when its present version was there first, by our own clock.
        store: keeps when each schedule was last served.
        clock: the time.
    """

    def __init__(self, rules: Iterable[Rule], seen: Callable[[str], datetime], store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._entries = [
            Entry(rule.id, f"schedule/{rule.id}/{number}", crontab(one.cron, one.zone), seen(rule.id))
            for rule in rules
            for number, one in enumerate(rule.trigger.schedules)
        ]

    def __len__(self) -> int:
        return len(self._entries)

    async def due(self) -> dict[str, list[str]]:
        """Rule → names of its schedules that are due. Say `served` when what follows is stored."""
        now, found = self._clock.now(), dict[str, list[str]]()
        if not self._entries:  # as in most labs; it is asked every second
            return found
        served = await self._store.read(partial(_served, names=[entry.name for entry in self._entries]))
        for entry in self._entries:
            since = served.get(entry.name, entry.since)
            if latest(entry.timer, since, now) is not None:
                found.setdefault(entry.rule, []).append(entry.name)
        return found

    async def served(self, names: Iterable[str]) -> None:
        """These schedules were served now."""
        now = self._clock.now()
        for name in names:
            await self._store.write(partial(_serve, name=name, now=now))


def _serve(connection: Any, name: str, now: datetime) -> None:
    save_fact(connection, name, {"served": now.isoformat()}, now)


def _served(connection: Any, names: Sequence[str]) -> dict[str, datetime]:
    """When schedules were last served, in one question for all of them."""
    found = load_facts(connection, names)
    return {name: datetime.fromisoformat(value["served"]) for name, value in found.items()}
