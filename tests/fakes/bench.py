"""A daemon's core on a bench: rules, ledger, crew, a fake site and fake channels, moved step by step by a test."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from textwrap import dedent
from typing import Any, Self

from sqlalchemy import select

from fakes.channels import FakeChannels
from fakes.clock import START, FakeClock
from fakes.collections import FakeCollections
from fakes.faults import Killed
from fakes.ledger import ON_POSTGRES, MemoryLedger
from fakes.site import FakeSite
from flyball.effects.catalog import KINDS
from flyball.effects.port import Hands
from flyball.ledger.acting import next_effect
from flyball.ledger.alerting import repeat_due
from flyball.ledger.book import load_book
from flyball.ledger.codec import node_row
from flyball.ledger.deciding import Decided, Due, RuleRecord, see_rules, store_decisions
from flyball.ledger.limiting import Caps
from flyball.ledger.marking import note_removed
from flyball.ledger.mirror import Change, find, upsert
from flyball.ledger.tables import alerts, claims, effects, marks, nodes
from flyball.model.decision import Decision
from flyball.model.effect import Effect, Report
from flyball.model.levels import HIERARCHY, Level
from flyball.model.node import Document, Node, NodeKey, Presence, Target
from flyball.model.ports import Clock
from flyball.rules.claims import Planned
from flyball.rules.engine import Standing, effects_of, judge
from flyball.rules.keys import fingerprint, whole_of
from flyball.rules.posting import Route
from flyball.rules.reading import Surroundings, read_texts
from flyball.rules.rule import Mode, Rule
from flyball.workers.crew import Crew

SITE = "main"
PARENTS = {"group": "scien", "project": "p1", "subject": "s1", "session": "e1", "acquisition": "a1"}
LABELS = {"project": "tome", "subject": "1001", "session": "Session 1", "acquisition": "T1w"}


@functools.cache
def rules_of(text: str, environment: tuple[str, ...] = ()) -> tuple[Rule, ...]:
    """The rules of a rule file, with the real effect kinds; all must be fine. `environment`: names that are set."""
    around = Surroundings(
        KINDS, {SITE: "flywheel"}, dict.fromkeys(environment, ""), {"lab": "webhook", "ops": "email", "log": "log"}
    )
    found = read_texts({"rules.yaml": dedent(text)}, around)
    assert not found.rejected, [str(one) for one in found.rejected]
    return found.rules


def node(level: str, ident: str, *, parents: Mapping[str, str] | None = None, hours: float = -1, **doc: Any) -> Node:
    """A node of the bench's site, created so many hours from the start. Ancestors are those of the small lab."""
    step = Level(level)
    above = PARENTS if parents is None else parents
    if step in HIERARCHY:
        order = [str(one) for one in HIERARCHY]
        above = {name: one for name, one in above.items() if name == "group" or order.index(name) < order.index(level)}
    created = START + timedelta(hours=hours)
    label = doc.pop("label", None) or doc.get("name") or LABELS.get(level, ident)
    full: dict[str, Any] = {"id": ident, "label": label, "tags": [], "created": created.isoformat(), **doc}
    if step is Level.FILE:
        full = {"parent_ref": {"type": "acquisition", "id": above.get("acquisition")}, "version": 1, **full}
        full["name"] = label
    return Node(
        NodeKey(SITE, step, ident),
        label,
        above,
        created,
        created,
        1,
        full,
        content=fingerprint(full),
        whole=whole_of(full),
        settled_from=created,
    )


def containers() -> list[Node]:
    """Project, subject, session and acquisition of a lab that has one of each."""
    return [node("project", "p1"), node("subject", "s1"), node("session", "e1"), node("acquisition", "a1")]


class Bench:
    """Everything between a state of the site and what is done about it.

    Use it as a context. After a kill (`Killed` planned as a fault of site, channels or `kill_before_write`) the next
    `act` starts as a new process does.
    """

    def __init__(
        self, text: str = "", *, environment: Mapping[str, str] | None = None, postgres: bool = ON_POSTGRES
    ) -> None:
        self.clock = FakeClock()
        self.ledger = MemoryLedger(postgres=postgres)
        self.site = FakeSite(self.clock.now)
        self.channels = FakeChannels()
        self.collections = FakeCollections()
        self.environment = dict(environment or {})
        self.site.faults.killed = self.channels.faults.killed = self._die
        self.collections.faults.killed = self._die
        self.rules: dict[str, Rule] = {}
        self.records: dict[str, RuleRecord] = {}
        self.generation: dict[str, int] = {}
        self.ends: list[tuple[Effect, Report]] = []
        self.waits = (2.0, 60.0)
        self.routes: dict[str, Route] = {}
        self.late = 0.0  # counts from the next `restart` on
        self._loop = asyncio.new_event_loop()
        self.crew = self._new_crew()
        self.load(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run_until_complete(self.ledger.close())
        self._loop.close()

    # --- rules and the mirror

    def load(self, text: str) -> None:
        """Load a rule file in place of the one before."""
        self.load_rules(rules_of(text, tuple(sorted(self.environment))) if text else ())

    def load_rules(self, rules: Iterable[Rule]) -> None:
        """Load rules in place of those before."""
        self.rules = {rule.id: rule for rule in rules}
        versions = {rule.id: rule.version for rule in self.rules.values()}
        seen = self.ledger.do(lambda connection: see_rules(connection, versions, self.clock.now()))
        self.records = {ident: record for ident, (record, _) in seen.items()}
        self._equip(self.crew)

    def see(self, *read: Node) -> None:
        """The site shows these nodes: the mirror has them as they are."""
        rows = [node_row(one) for one in read]
        self.ledger.do(lambda connection: upsert(connection, nodes, rows, ("site", "level", "id")))

    def look_around(self) -> None:
        """A poll: the mirror's tags become those of the fake site."""
        for (level, ident), tags in self.site.tags_of.items():
            key = NodeKey(SITE, Level(level), ident)
            known = self.ledger.do(lambda connection, key=key: find(connection, [key])).get(key)  # type: ignore[misc] # bound
            if known is not None and known.tags_known and set(known.doc.get("tags") or ()) != set(tags):
                doc = {**known.doc, "tags": list(tags)}
                fresh = replace(known, doc=doc, whole=whole_of(doc))
                self.see(fresh)
                seen = [Change(fresh, known)]
                self.ledger.do(lambda connection, seen=seen: note_removed(connection, seen, self.clock.now()))  # type: ignore[misc] # bound

    def change(self, *files: Node) -> None:
        """Files have new content; their tags stay as they are on the site."""
        for one in files:
            doc = {**one.doc, "tags": list(self.site.tags_of[(str(one.level), one.id)])}
            self.see(replace(one, doc=doc, whole=whole_of(doc)))

    def lab(self, *files: Node) -> None:
        """Show the small lab, on the site and in the mirror; the files besides."""
        self.see(*containers(), *files)
        for one in (*containers(), *files):
            self.site.add_container(str(one.level), one.id)

    def document(self, rule: Rule, ident: str) -> Document:
        """The present state of a rule's target, from the mirror."""
        known = {
            NodeKey(row.site, Level(row.level), row.id): row
            for row in self.ledger.do(lambda connection: connection.execute(select(nodes)).all())
        }
        found = self.ledger.do(lambda connection: find(connection, known))
        target = found[NodeKey(SITE, rule.each, ident)]
        ancestors = {
            one.level: one for one in found.values() if target.parents.get(str(one.level)) == one.id and one != target
        }
        below = [one for one in found.values() if one.parents.get(str(rule.each)) == ident]
        present = tuple(one for one in below if one.presence is Presence.PRESENT)
        names: dict[str, Any] = {str(level): one.doc for level, one in ancestors.items()}
        names[str(rule.each)] = target.doc
        path = "/".join(["scien", *(one.label for one in sorted(ancestors.values(), key=_depth)), target.label])
        return Document(Target(SITE, rule.each, ident, path), names, target, ancestors, present)

    # --- deciding

    def judge(self, rule: str, ident: str) -> Decision:
        """What a rule makes of a target now."""
        one, record = self.rules[rule], self.records[rule]
        standing = Standing(record.first_seen, self.generation.get(rule, 0), record.paused)
        return judge(one, self.document(one, ident), standing, self.clock.now())

    def decide(self, rule: str, *idents: str, mode: Mode | None = None) -> list[Decision]:
        """Decide a rule on some targets, in one transaction."""
        decisions = [self.judge(rule, ident) for ident in idents]
        self.store(decisions, mode or self.rules[rule].mode)
        return decisions

    def store(self, decisions: Iterable[Decision], mode: Mode = Mode.LIVE) -> None:
        """Store decisions as the dispatcher does."""
        batch = [Decided(Due(one.rule, one.target.key, None, 0), one, None, mode) for one in decisions]
        self.ledger.do(lambda connection: store_decisions(connection, batch, self.clock.now()))

    def plan(self, rule: str, ident: str) -> list[Planned]:
        """What deciding would ask for, with a book that is thrown away."""
        decision = self.judge(rule, ident)
        book = self.ledger.do(lambda connection: load_book(connection, [(decision, None)]))
        return effects_of(decision, book, holds=self.rules[rule].mode is Mode.APPROVE)

    # --- acting

    def act(self, rounds: int = 50) -> list[Report]:
        """Carry out whatever is due, and what follows from it at once; the reports."""
        if self.ledger.dead:
            self.restart()
        before = len(self.ends)
        for _ in range(rounds):
            if not self._loop.run_until_complete(self._step()):
                break
        return [report for _, report in self.ends[before:]]

    def wait(self, seconds: float) -> list[Report]:
        """Let time pass, then carry out what is due."""
        self.clock.advance(seconds)
        return self.act()

    def settle(self, *, most: int = 200) -> list[Report]:
        """Carry out everything, moving the clock to whatever is due next, until nothing is."""
        reports = self.act()
        for _ in range(most):
            due = self.next_due()
            if due is None:
                return reports
            self.clock.advance_to(due)
            reports += self.act()
        raise AssertionError("the bench does not come to rest")

    def next_due(self) -> datetime | None:
        """When the next effect is due."""
        return self.ledger.do(lambda connection: next_effect(connection, [SITE]))

    def repeat_alerts(self) -> int:
        """Look for alerts to be said again."""
        return self.ledger.do(lambda connection: repeat_due(connection, self.clock.now()))

    def restart(self) -> int:
        """A new process on the same ledger; how many attempts it finds open."""
        self.ledger.dead = False
        self.crew = self._new_crew()
        self._equip(self.crew)
        return self._loop.run_until_complete(self.crew.recover())

    def run(self, coroutine: Any) -> Any:
        """Run something on the bench's loop."""
        return self._loop.run_until_complete(coroutine)

    async def _step(self) -> int:
        taken = 0
        with suppress(BaseExceptionGroup):
            async with asyncio.TaskGroup() as tasks:
                taken = await self.crew.step(tasks)
        return 0 if self.ledger.dead else taken

    def _die(self) -> None:
        self.ledger.dead = True

    def _new_crew(self) -> Crew:
        clock: Clock = self.clock
        hands = Hands(
            self.site, self.channels, self._secret, clock.now(), self.waits, self.late, collections=self.collections
        )
        return Crew(
            self.ledger,
            clock,
            KINDS,
            hands={SITE: hands},
            route=lambda change: [],
            at_once=64,
            observe=lambda effect, report, seconds: self.ends.append((effect, report)),
            ended=lambda: None,
            owed=lambda: None,
            mask=lambda text: text.replace("s3cret", "***"),
            pause=0.0,
        )

    def _equip(self, crew: Crew) -> None:
        crew.caps = {
            rule.id: Caps(
                rule.version,
                rule.limits.running,
                rule.limits.per_day,
                rule.limits.canary,
                stopped=rule.mode in (Mode.PAUSED, Mode.SHADOW),
                scope=rule.scope,
            )
            for rule in self.rules.values()
        }
        crew.routes = self.routes
        crew.retries = {rule.id: rule.retry for rule in self.rules.values() if rule.retry is not None}

    def _secret(self, reference: str) -> str:
        return self.environment.get(reference.removeprefix("env:").removesuffix("?"), "")

    # --- looking

    def effects(self, **where: Any) -> Sequence[Any]:
        """Rows of `effects`, in order; `state="done"`, `kind="tag"` …"""
        query = select(effects).where(*(effects.c[name] == value for name, value in where.items()))
        return self.ledger.do(lambda connection: connection.execute(query.order_by(effects.c.id)).all())

    def states(self, **where: Any) -> list[str]:
        """States of the effects, in order."""
        return [row.state for row in self.effects(**where)]

    def marks(self) -> dict[str, str]:
        """Subject → whose the tag is."""
        return {row.subject: row.owner for row in self.ledger.do(lambda one: one.execute(select(marks)).all())}

    def claims(self) -> list[tuple[str, str, str]]:
        """(rule, target, slot) of every claim."""
        rows = self.ledger.do(lambda connection: connection.execute(select(claims)).all())
        return sorted((row.rule, row.target, row.slot) for row in rows)

    def alerts(self) -> Sequence[Any]:
        """Rows of `alerts`."""
        return self.ledger.do(lambda connection: connection.execute(select(alerts).order_by(alerts.c.id)).all())

    def tags(self, level: str = "acquisition", ident: str = "a1") -> list[str]:
        """The tags that are on the site."""
        return sorted(self.site.tags_of[(level, ident)])


def _depth(one: Node) -> int:
    return HIERARCHY.index(one.level) if one.level in HIERARCHY else len(HIERARCHY)


__all__ = ["SITE", "START", "Bench", "Killed", "containers", "node", "rules_of"]
