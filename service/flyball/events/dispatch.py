"""Dispatch: looks that are due become decisions, and these become effects, in one transaction a batch.

Present state decides: the document is read when the look is taken, whatever the event said. A look is struck off only
in the transaction that stores its decision, and only if no new hint came meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from flyball.events.documents import load_documents
from flyball.events.peers import PeerBook
from flyball.events.routing import bound_of, sideways
from flyball.ledger.deciding import (
    Decided,
    Due,
    RuleRecord,
    due_looks,
    looks_among,
    next_look,
    see_rules,
    shift_first_sight,
    store_decisions,
)
from flyball.ledger.looking import LookKey, forget_looks, owe_everywhere
from flyball.ledger.rulings import NONE as UNSAID
from flyball.ledger.rulings import Ruling, RulingKey, load_rulings
from flyball.model.decision import Because, Decision, Verdict
from flyball.model.levels import HIERARCHY, Level, above
from flyball.model.node import Document, Target
from flyball.model.ports import Clock, Store
from flyball.rules.engine import Functions, Standing, judge
from flyball.rules.rule import Mode, Rule

log = structlog.get_logger()
BATCH = 500  # looks a transaction


@dataclass(slots=True)
class Tally:
    """Numbers for the status."""

    decided: dict[str, dict[str, int]] = field(default_factory=dict)
    effects: int = 0
    last_error: dict[str, str] = field(default_factory=dict)

    def count(self, decision: Decision) -> None:
        """One more decision."""
        mine = self.decided.setdefault(decision.rule, {"yes": 0, "no": 0, "unknown": 0})
        if decision.verdict is not None:
            mine[str(decision.verdict)] += 1


def complete_for(rule: Rule) -> set[Level]:
    """The levels that must be read to the end before a rule decides: its ancestors', and those that it has lists of.

    What a rule says of one file alone does not depend on the other files, unless it compares the file with its peers.
    """
    if rule.each is Level.MATRIX:
        return set()
    levels = {*above(rule.each), *rule.below}
    if rule.peers:
        levels.add(rule.each)
    across = sideways(rule)
    if across is not None:
        levels |= set(HIERARCHY[HIERARCHY.index(across) + 1 :])
    return levels


class Dispatcher:
    """Decides for one set of rules.

    Args:
        store: the ledger.
        clock: the time.
        ready: whether these levels of a site are read to the end and up to date (site, levels).
        functions: extra functions for the expressions (`qc`).
        skew: how far a site's clock is ahead of ours: ages, `settle` and `since` go by the site's own clock.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        ready: Callable[[str, set[Level]], bool],
        functions: Functions | None = None,
        skew: Callable[[str], timedelta] = lambda _site: timedelta(0),
    ) -> None:
        self._store = store
        self._clock = clock
        self._ready = ready
        self._functions = functions or {}
        self._skew = skew
        self.rules: dict[str, Rule] = {}
        self.records: dict[str, RuleRecord] = {}
        self.tally = Tally()
        self._fresh: set[str] = set()
        self._peers = PeerBook(store)
        self.shared = False
        """Others decide on this ledger too."""
        self.before_take: Callable[[Any], None] = lambda _connection: None
        """Called with the connection of each reading for decisions; what it learns there can change who is ready."""

    async def load(self, rules: Iterable[Rule]) -> set[str]:
        """Take over a set of rules; first sights are stored. Returns the rules that are new or changed."""
        self.rules = {rule.id: rule for rule in rules}
        versions = {rule.id: rule.version for rule in self.rules.values()}
        now = self._clock.now()
        seen = await self._store.write(lambda connection: see_rules(connection, versions, now))
        self.records = {rule: record for rule, (record, _) in seen.items()}
        self._fresh |= {rule for rule, record in self.records.items() if record.first_seen == now}
        return {rule for rule, (_, new) in seen.items() if new}

    def use_functions(self, functions: Functions) -> None:
        """Take over the extra functions of the expressions (`qc`, with the folder's profiles)."""
        self._functions = functions

    @property
    def first_seen(self) -> dict[str, datetime]:
        """Rule → its first sight."""
        return {rule: record.first_seen for rule, record in self.records.items()}

    async def look_everywhere(self, rule_ids: Collection[str], *, site: str | None = None) -> int:
        """Owe a look at every target of these rules (new version, schedule, start-up); the number of targets."""
        rules = [rule for rule in self.rules.values() if rule.id in rule_ids and site in (None, rule.site)]
        total = 0
        for rule in rules:
            total += await self._look_over(rule)
        return total

    async def _look_over(self, rule: Rule) -> int:
        now, since = self._clock.now(), bound_of(rule, self.first_seen)
        return await self._store.write(
            lambda connection: owe_everywhere(connection, rule.id, rule.site, rule.each, now=now, since=since)
        )

    def able(self) -> list[str]:
        """Rules that may decide: neither paused by a person nor by their file."""
        return [
            rule.id
            for rule in self.rules.values()
            if rule.mode is not Mode.PAUSED and (record := self.records.get(rule.id)) is not None and not record.paused
        ]

    def able_now(self) -> list[str]:
        """Those whose site has been read as far as they look; the others' looks wait."""
        return [ident for ident in self.able() if self._ready(self.rules[ident].site, complete_for(self.rules[ident]))]

    async def next_due(self) -> datetime | None:
        """When the next look is due, among the rules that may decide."""
        able = self.able_now()
        return await self._store.read(lambda connection: next_look(connection, able)) if able else None

    async def step(self, only: Sequence[LookKey] | None = None) -> int:
        """Decide one batch of what is due, or of the looks named; the number of looks taken."""
        able, now = self.able_now(), self._clock.now()
        if not able:
            return 0
        await self.renew_peers(able)
        due, documents, said = await self._store.read(lambda connection: self._take(connection, able, now, only))
        still = set(self.able_now())  # a round may have begun to bring news while this was read
        batch = [
            self._decide(item, document, now, said.get((item.rule, item.key.site, item.key.id), UNSAID))
            for item, document in zip(due, documents, strict=True)
            if item.rule in still
        ]
        if not batch:
            return 0
        work = partial(store_decisions, batch=batch, now=now, shared=self.shared)
        stored = await self._store.write(work)
        for item in batch:
            self.tally.count(item.decision)
        self.tally.effects += stored.effects
        if stored.effects:
            log.info("decisions.stored", decisions=stored.decisions, effects=stored.effects, **stored.kinds)
        return len(batch)

    def _take(
        self, connection: Any, able: Sequence[str], now: datetime, only: Sequence[LookKey] | None
    ) -> tuple[list[Due], list[Document | None], dict[RulingKey, Ruling]]:
        self.before_take(connection)
        due = due_looks(connection, now, BATCH, able) if only is None else looks_among(connection, only, now, able)
        said = load_rulings(connection, [(item.rule, item.key) for item in due])
        return due, load_documents(connection, [(self.rules[item.rule], item.key) for item in due]), said

    def _decide(self, item: Due, document: Document | None, now: datetime, said: Ruling) -> Decided:
        rule = self.rules[item.rule]
        if document is None:
            decision = Decision(
                rule.id,
                rule.version,
                Target(item.key.site, item.key.level, item.key.id),
                Verdict.UNKNOWN,
                (Because("target", "unknown", {}, "the site has not shown it yet"),),
            )
            return Decided(item, decision, None, rule.mode)
        return Decided(item, self.judge(rule, document, now, said), document, rule.mode)

    async def renew_peers(self, able: Sequence[str] | None = None) -> None:
        """Freeze the day's peer statistics of the sites that were read to the end, for the rules that use them."""
        now, idents = self._clock.now(), self.able_now() if able is None else able
        comparing = [self.rules[ident] for ident in idents if self.rules[ident].peers]
        for site in sorted({rule.site for rule in comparing}):
            mine = [(rule, bound_of(rule, self.first_seen)) for rule in comparing if rule.site == site]
            await self._peers.renew(site, mine, self._functions, day=(now + self._skew(site)).date(), now=now)

    def functions_at(self, site: str) -> Functions:
        """The extra functions of the expressions at a site, with its peer statistics."""
        return self._peers.functions(self._functions, site)

    def judge(self, rule: Rule, document: Document, now: datetime, said: Ruling = UNSAID) -> Decision:
        """What a rule makes of a document now; a rule that was never loaded is taken as seen now.

        `said` is what a person said of this rule on this target.
        """
        record, functions = self.records.get(rule.id), self.functions_at(rule.site)
        now += self._skew(rule.site)
        if record is None:
            return judge(rule, document, Standing(now, functions=functions), now)
        generation = record.generation + said.generation
        standing = Standing(record.first_seen, generation, record.paused, functions, said.adopted)
        decision = judge(rule, document, standing, now)
        if decision.look_again is None:
            return decision
        return replace(decision, look_again=decision.look_again - self._skew(rule.site))

    def has_fresh(self, site: str) -> bool:
        """Whether some rule about the site was first seen in this run."""
        return any(rule in self.rules and self.rules[rule].site == site for rule in self._fresh)

    async def met(self, site: str, newest: datetime | None) -> None:
        """The site answered: first sights of this run are put into the time of its stamps.

        What is new to a rule is what is stamped later than all that was there at its first sight. A newest stamp from
        the future (one wrong clock, once) must not hide everything until then: the clock counts in its place, less a
        second, since it is known to the second only.
        """
        new = {rule for rule in self._fresh if rule in self.rules and self.rules[rule].site == site}
        self._fresh -= new
        for rule in new:
            record = self.records[rule]
            seen = record.first_seen + self._skew(site)
            if newest is not None and newest < seen:
                seen = newest + timedelta(milliseconds=1)
            elif self._skew(site):
                seen -= timedelta(seconds=1)
            if seen != record.first_seen:
                shift = seen - record.first_seen
                await self._store.write(partial(shift_first_sight, rules_=[rule], by=shift))
                self.records[rule] = replace(record, first_seen=seen)

    async def reload_records(self) -> None:
        """Read again what the ledger knows of the rules (one was paused or resumed)."""
        await self.load(list(self.rules.values()))

    async def drop(self, rule: str) -> None:
        """Forget what a rule owed."""
        await self._store.write(lambda connection: forget_looks(connection, rule))
