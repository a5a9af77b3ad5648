"""Dispatch: looks that are due become decisions, and these become effects, in one transaction a batch.

Present state decides: the document is read when the look is taken, whatever the event said. A look is struck off only
in the transaction that stores its decision, and only if no new hint came meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from flyball.events.documents import load_documents
from flyball.events.hints import with_hints
from flyball.events.peers import PeerBook
from flyball.events.routing import bound_of, sideways
from flyball.ledger.deciding import (
    Decided,
    Due,
    RuleRecord,
    due_looks,
    looks_among,
    next_look,
    record_of,
    see_rules,
    shift_first_sight,
    store_decisions,
)
from flyball.ledger.looking import Look, LookKey, forget_looks, owe_all, owe_everywhere
from flyball.ledger.rulings import NONE as UNSAID
from flyball.ledger.rulings import Ruling, RulingKey, load_rulings
from flyball.ledger.straying import cells_on_record, is_stray, not_listed, owe_known, owe_strays
from flyball.model.decision import Because, Decision, Verdict
from flyball.model.levels import HIERARCHY, Level, above
from flyball.model.node import Document, NodeKey, Target
from flyball.model.ports import Clock, Store
from flyball.rules.cells import taken_out
from flyball.rules.engine import Functions, Standing, judge
from flyball.rules.matrix import family_of
from flyball.rules.rule import Mode, Rule

log = structlog.get_logger()
BATCH = 500  # looks a transaction
TOGETHER = 20  # rules whose targets are looked up in one transaction


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
    levels = {*above(rule.each), *rule.below, *rule.rests_on}
    if rule.peers:
        levels.add(rule.each)
    across = sideways(rule)
    if across is not None:
        levels |= set(HIERARCHY[HIERARCHY.index(across) + 1 :])
    return levels


def not_about(rule: Rule, key: NodeKey, document: Document | None) -> Decision:
    """The decision on what an edited rule is not about any more: it lets go of all that it claimed there."""
    target = Target(key.site, key.level, key.id) if document is None else document.target
    because = Because("target", "false", {}, "target: the rule was edited and is not about it any more")
    return Decision(rule.id, rule.version, target, Verdict.NO, (because,), exhaustive=True)


def owe_cells(connection: Any, rule: Rule, now: datetime) -> int:
    """Owe a look at each cell of a rule, and at each that was taken out of its matrix; the number of its cells."""
    idents = [*rule.cells, *sorted(cells_on_record(connection, rule.id, rule.site) - rule.cells.keys())]
    looks = [(Look(rule.id, rule.site, Level.MATRIX, ident, Level.MATRIX), None) for ident in idents]
    owe_all(connection, looks, now=now)
    return len(rule.cells)


def _see(
    connection: Any, loaded: Mapping[str, Rule], now: datetime
) -> tuple[dict[str, tuple[RuleRecord, bool]], list[Rule]]:
    """Note the loaded rules; what they claimed where they look no more owes a look, in the same transaction.

    Returns:
        what the ledger knows of each rule, and those that stand in for what was taken out of a matrix.
    """
    seen = see_rules(connection, {rule.id: rule.version for rule in loaded.values()}, now)
    families = {family_of(rule.id): rule for rule in loaded.values()}
    retired = [found for rule in not_listed(connection, loaded) if (found := taken_out(rule, families)) is not None]
    edited = [loaded[rule] for rule, (_, new) in seen.items() if new]
    owe_strays(connection, [*edited, *retired], now=now)
    return seen | {rule.id: (record_of(connection, rule.id), False) for rule in retired}, retired


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
        self.edited: set[str] = set()  # rules whose version was another one when they were loaded, since the start
        self._fresh: set[str] = set()
        self._peers = PeerBook(store)
        self._renewing = asyncio.Lock()
        self.shared = False
        """Others decide on this ledger too."""
        self.before_take: Callable[[Any], None] = lambda _connection: None
        """Called with the connection of each reading for decisions; what it learns there can change who is ready."""

    async def load(self, rules: Iterable[Rule]) -> set[str]:
        """Take over a set of rules; first sights are stored. Returns the rules that are new or changed."""
        self.rules = {rule.id: rule for rule in rules}
        now = self._clock.now()
        seen, retired = await self._store.write(partial(_see, loaded=dict(self.rules), now=now))
        self.rules |= {rule.id: rule for rule in retired}
        self.records = {rule: record for rule, (record, _) in seen.items()}
        known = {rule for rule, (record, new) in seen.items() if new and record.first_seen != now}
        self.edited |= {*known, *(rule.id for rule in retired)}
        self._fresh |= {rule for rule, record in self.records.items() if record.first_seen == now}
        return {rule for rule, (_, new) in seen.items() if new and not self.rules[rule].retired}

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
        for start in range(0, len(rules), TOGETHER):
            work = partial(self._look_over, rules=rules[start : start + TOGETHER], now=self._clock.now())
            total += await self._store.write(work)
        return total

    async def look_at_edits(self, rule_ids: Collection[str]) -> int:
        """Owe the looks that follow from new and edited rules; the number of targets.

        A rule that only waits for a job, a hook or its time looks anew at what it claims, and not at everything.
        """
        waiting = [self.rules[one] for one in rule_ids if one in self.rules and self.rules[one].only_waits]
        now = self._clock.now()
        for rule in waiting:
            await self._store.write(partial(owe_known, rule=rule, now=now))
        return await self.look_everywhere(set(rule_ids) - {rule.id for rule in waiting})

    def _look_over(self, connection: Any, rules: Sequence[Rule], now: datetime) -> int:
        total = 0
        for rule in rules:
            if rule.each is Level.MATRIX:
                total += owe_cells(connection, rule, now)
                continue
            since = bound_of(rule, self.first_seen)
            # an edited scope is held against every target: what fell out of it is let go of
            scope = None if rule.id in self.edited else rule.scope.levels.get(str(Level.PROJECT))
            total += owe_everywhere(connection, rule.id, rule.site, rule.each, now=now, since=since, scope=scope)
            if since is not None:
                owe_known(connection, rule, now=now)  # older, and its business all the same
        return total

    def able(self) -> list[str]:
        """Rules that may decide: neither paused by a person nor by their file."""
        return [
            rule.id
            for rule in self.rules.values()
            if rule.mode is not Mode.PAUSED and (record := self.records.get(rule.id)) is not None and not record.paused
        ]

    def able_now(self) -> list[str]:
        """Those whose site has been read as far as they look; the others' looks wait. Cells are there at once."""
        return [ident for ident in self.able() if self._can_look(self.rules[ident])]

    def _can_look(self, rule: Rule) -> bool:
        return rule.retired or rule.each is Level.MATRIX or self._ready(rule.site, complete_for(rule))

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
        documents = load_documents(connection, [(self.rules[item.rule], item.key) for item in due])
        return due, with_hints(connection, [(self.rules[item.rule], item.event) for item in due], documents), said

    def _decide(self, item: Due, document: Document | None, now: datetime, said: Ruling) -> Decided:
        rule = self.rules[item.rule]
        return Decided(item, self.decision_on(rule, item.key, document, now, said), document, rule.mode)

    def decision_on(
        self, rule: Rule, key: NodeKey, document: Document | None, now: datetime, said: Ruling = UNSAID
    ) -> Decision:
        """The decision on a target: one that the rule is about, that it once claimed, or that is not in the mirror."""
        if is_stray(rule, key):
            return not_about(rule, key, document)
        if document is None:
            because = Because("target", "unknown", {}, "the site has not shown it yet")
            target = Target(key.site, key.level, key.id)
            return Decision(rule.id, rule.version, target, Verdict.UNKNOWN, (because,))
        return self.judge(rule, document, now, said)

    async def renew_peers(self, able: Sequence[str] | None = None) -> None:
        """Freeze the day's peer statistics of the sites that were read to the end, for the rules that use them."""
        async with self._renewing:
            await self._renew_peers(self.able_now() if able is None else able)

    async def _renew_peers(self, idents: Sequence[str]) -> None:
        now = self._clock.now()
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
        await self.load([rule for rule in self.rules.values() if not rule.retired])

    async def drop(self, rule: str) -> None:
        """Forget what a rule owed."""
        await self._store.write(lambda connection: forget_looks(connection, rule))
