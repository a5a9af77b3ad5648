"""The rulebook: the rules in force, and taking over an edited set while everything runs.

By rule, atomically. An unchanged rule keeps its timers and counts, for these are kept by its id in the ledger. A
broken edit keeps the last good version of that rule running and is shown with its error. A changed rule looks at its
targets again, behind what is urgent. A rule taken out of the folder keeps its claims and is listed as orphaned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog

from flyball.events.dispatch import Dispatcher
from flyball.events.routing import Router
from flyball.ledger.limiting import Caps
from flyball.ledger.mirror import Change
from flyball.ledger.noticing import Look
from flyball.rules.profiles import Qc
from flyball.rules.reading import RuleSet
from flyball.rules.rule import Mode, Rule
from flyball.triggers.needs import needs_of
from flyball.triggers.watch import Watch
from flyball.workers.crew import Crew

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of taking over a rule set."""

    changed: frozenset[str]
    removed: frozenset[str]
    kept: frozenset[str]  # rules whose edit is broken: their last good version runs

    def as_json(self) -> dict[str, Any]:
        """Sorted lists."""
        return {"changed": sorted(self.changed), "removed": sorted(self.removed), "kept": sorted(self.kept)}


def merged(running: RuleSet, fresh: RuleSet) -> tuple[RuleSet, frozenset[str]]:
    """The fresh set, with the last good version of each rule whose edit is broken; and which ones these are.

    A refused entry with an id keeps the rule of that id. A file that could not be read, or a refused entry without
    an id, keeps the rules of its file that are not listed any more.
    """
    listed = {rule.written_as for rule in fresh.rules}
    refused = {entry.id for entry in fresh.rejected if entry.id is not None}
    files = {entry.file for entry in fresh.rejected if entry.kind == "file" or entry.id is None}
    kept = tuple(
        rule
        for rule in running.rules
        if rule.written_as not in listed and (rule.written_as in refused or rule.place.file in files)
    )
    functions = {**running.functions, **fresh.functions} if kept else fresh.functions
    if kept and isinstance(old := running.functions.get("qc"), Qc) and isinstance(new := fresh.functions.get("qc"), Qc):
        functions = {**functions, "qc": Qc({**old.profiles, **new.profiles})}
    return replace(fresh, rules=(*fresh.rules, *kept), functions=functions), frozenset(rule.id for rule in kept)


class Rulebook:
    """The rules in force.

    Args:
        dispatcher: decides with them.
        reread: reads the rule folder anew.
    """

    def __init__(self, dispatcher: Dispatcher, reread: Callable[[], RuleSet]) -> None:
        self.rules = RuleSet()
        self._dispatcher = dispatcher
        self._reread = reread
        self._routers: dict[str, Router] = {}

    def of_site(self, site: str) -> list[Rule]:
        """The rules about one site."""
        return [rule for rule in self.rules.rules if rule.site == site]

    def route(self, change: Change) -> list[Look]:
        """The looks that a change asks for."""
        site = change.node.key.site
        router = self._routers.get(site)
        if router is None:
            router = self._routers[site] = Router(self.of_site(site), self._dispatcher.first_seen)
        return list(router.route(change))

    async def met(self, site: str, newest: datetime | None) -> None:
        """The site's clock is known now; first sights may have moved."""
        await self._dispatcher.met(site, newest)
        self._routers.clear()

    async def take(self, fresh: RuleSet) -> Taken:
        """Put a rule set in force."""
        rules, kept = merged(self.rules, fresh)
        before = {rule.id for rule in self.rules.rules}
        changed = await self._dispatcher.load(rules.rules)
        self._dispatcher.use_functions(rules.functions)
        self.rules = rules
        self._routers.clear()
        return Taken(frozenset(changed), frozenset(before - {rule.id for rule in rules.rules}), kept)

    async def reload(self, watches: Mapping[str, Watch], crew: Crew) -> Taken:
        """Read the folder again and put what is good in force."""
        taken = await self.take(self._reread())
        self.equip(crew)
        for site, watch in watches.items():
            watch.use(needs_of(self.rules.rules, site))
        await self._dispatcher.look_at_edits(taken.changed)
        log.info("rules.reloaded", **taken.as_json(), rejected=[str(entry) for entry in self.rules.rejected])
        return taken

    def equip(self, crew: Crew) -> None:
        """Tell the crew the rules' limits and retries."""
        crew.caps = {
            rule.id: Caps(
                rule.version,
                rule.limits.running,
                rule.limits.per_day,
                rule.limits.canary,
                stopped=rule.mode in (Mode.PAUSED, Mode.SHADOW),
                scope=rule.scope,
            )
            for rule in self.rules.rules
        }
        crew.retries = {rule.id: rule.retry for rule in self.rules.rules if rule.retry is not None}
