"""The watching side on an emulated site: real client, poller, sweeps, ledger and dispatcher, on a clock moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from fakes.bench import rules_of
from fakes.channels import FakeChannels
from fakes.clock import FakeClock
from fakes.ledger import MemoryLedger
from flyball.clients.flywheel.client import FlywheelClient
from flyball.clients.flywheel.keys import parse_key
from flyball.clients.transport import Repetition, Timeouts
from flyball.effects.catalog import KINDS
from flyball.effects.port import Hands
from flyball.events.dispatch import Dispatcher
from flyball.events.routing import Router
from flyball.ledger.codec import unpack
from flyball.ledger.mirror import find
from flyball.ledger.tables import decisions, effects, events, looks, nodes
from flyball.model.levels import Level
from flyball.model.node import Node, NodeKey
from flyball.model.ports import Store
from flyball.rules.rule import Rule
from flyball.sandbox import Sandbox, Scenario, Site
from flyball.sandbox.files import put_file
from flyball.sandbox.tables import Doc
from flyball.triggers.needs import needs_of
from flyball.triggers.poller import Poller
from flyball.triggers.watch import Watch
from flyball.workers.crew import Crew
from flyball.workers.hands import SiteHands

DIALECTS = ("v23", "live19")
SITE = "main"
COMPLETE = """
rules:
  - id: complete
    each: session
    since: all
    expect: {acquisitions: [T1w, T2w]}
    do: [{alert: {when: missing, title: "{{ session.label }} lacks {{ missing | join(', ') }}"}}]
"""
QA = """
rules:
  - id: qa
    each: file
    since: all
    scope: {file: "*mriqc.qa*"}
    if: file.info.snr < 1.0
    do: [{note: {on: acquisition, text: low}}]
"""
QUICK = {"pending_s": [1, 1], "running_s": [5, 5], "fail_rate": 0, "gears": {"mriqc": {"fail_rate": 0}}}


class Watched:
    """One emulated site and everything that watches it, moved step by step by a test."""

    def __init__(self, sandbox: Sandbox, clock: FakeClock, store: Store, *, skew: timedelta, every: timedelta) -> None:
        self.sandbox = sandbox
        self.clock = clock
        self.store = store
        self.skew = skew
        self.every = every
        self.overlap = timedelta(minutes=2)
        self.sweep_every = timedelta(hours=24)
        self.rules: tuple[Rule, ...] = ()
        self.clients: list[FlywheelClient] = []
        self.user = False
        self.tells_time = True

    async def start(self, text: str) -> None:
        """As the daemon starts: with these rules, on the ledger as it is."""
        self.rules = rules_of(text)
        key = parse_key(self.sandbox.user_key if self.user else self.sandbox.key)
        self.client = FlywheelClient.connect(
            key, site=SITE, repetition=Repetition(()), timeouts=Timeouts(60.0, 60.0, 90.0), user_agent="test"
        )
        self.clients.append(self.client)
        transport: Any = self.client.transport
        transport._compare_clocks = lambda _date: None  # the emulated site's clock is not that of its HTTP server
        transport.skew = self.skew if self.tells_time else timedelta(0)
        self.dispatcher = Dispatcher(
            self.store,
            self.clock,
            ready=lambda _, levels: self.watch.ready_for(levels),
            skew=lambda _: self.poller.skew,
        )
        new = await self.dispatcher.load(self.rules)
        router = Router(self.rules, self.dispatcher.first_seen)
        self.poller = Poller(
            SITE, self.client, self.store, self.clock, lambda change: list(router.route(change)), self.overlap
        )
        self.watch = Watch(
            self.poller,
            needs_of(self.rules, SITE),
            every=self.every,
            sweep_every=self.sweep_every,
            advice=self.sandbox.url,
            changed=lambda: None,
            met=self._met,
        )
        self.crew = Crew(
            self.store,
            self.clock,
            KINDS,
            hands={SITE: Hands(SiteHands(self.client), FakeChannels(), lambda _: "", self.clock.now(), (2.0, 60.0))},
            route=self.poller.route,
            at_once=16,
            observe=lambda *_: None,
            ended=lambda: None,
            owed=lambda: None,
        )
        await self.dispatcher.look_everywhere(new)

    async def _met(self) -> None:
        fresh = self.dispatcher.has_fresh(SITE)
        newest = await self.poller.newest_stamp(self.watch.needs) if fresh else None
        await self.dispatcher.met(SITE, newest)

    @property
    def site(self) -> Site:
        """The site's state, at the present."""
        return self.sandbox.site

    def later(self, **span: float) -> None:
        """Let time pass."""
        self.clock.advance(timedelta(**span).total_seconds())

    async def round(self, **span: float) -> int:
        """Let time pass, then one round; how many requests it took."""
        self.later(**(span or {"seconds": 30}))
        before = self.sandbox.requests.total
        await self.watch.once()
        return self.sandbox.requests.total - before

    async def decide(self) -> None:
        """Take every look that is due."""
        while await self.dispatcher.step():
            pass

    async def settle(self, **span: float) -> int:
        """A round, and what is decided on it."""
        requests = await self.round(**span)
        await self.decide()
        return requests

    async def act(self) -> None:
        """Carry out every effect that is due, and decide what follows from them."""
        async with asyncio.TaskGroup() as tasks:
            while await self.crew.step(tasks) or self.crew.under_way or await self.dispatcher.step():
                await asyncio.sleep(0)

    # --- what the ledger holds

    async def rows(self, table: Any, *conditions: Any) -> list[Any]:
        """Rows of a table."""
        return await self.store.read(lambda connection: connection.execute(select(table).where(*conditions)).all())

    async def verdicts(self, rule: str | None = None) -> dict[str, str]:
        """Target's label path → the verdict in force."""
        found = await self.rows(decisions, decisions.c.current.is_(True))
        return {row.path: row.verdict for row in found if rule in (None, row.rule)}

    async def because(self) -> dict[str, str]:
        """Target's label path → the notes of the decision in force."""
        found = await self.rows(decisions, decisions.c.current.is_(True))
        return {row.path: " ".join(line["note"] for line in unpack(row.because)) for row in found}

    async def planned(self) -> list[str]:
        """Summaries of the effects that were asked for."""
        return [row.summary for row in await self.rows(effects)]

    async def events(self) -> list[tuple[str, str, str]]:
        """(kind, level, node) of the events, oldest first."""
        return [(row.kind, row.level, row.node) for row in await self.rows(events)]

    async def looks(self) -> set[tuple[str, str]]:
        """(rule, target) of the looks that are owed."""
        return {(row.rule, row.target) for row in await self.rows(looks)}

    async def node(self, level: str, ident: str) -> Node | None:
        """What the mirror has of a node."""
        key = NodeKey(SITE, Level(level), ident)
        return (await self.store.read(lambda connection: find(connection, [key]))).get(key)

    async def ids(self, level: str) -> set[str]:
        """Ids of the present nodes of a level."""
        rows = await self.rows(nodes, nodes.c.level == level, nodes.c.presence == "present")
        return {row.id for row in rows}

    # --- what happens on the site

    def project(self, label: str = "tome", group: str = "scien") -> Doc:
        """A project of the site."""
        return next(p for p in self.site.projects.rows.values() if (p["group"], p["label"]) == (group, label))

    def subject(self, label: str = "sub-01", project: Doc | None = None) -> Doc:
        """A subject of the site, made if it is not there."""
        above = project or self.project()
        for one in self.site.subjects.below(("project", above["_id"])):
            if one["label"] == label:
                return one
        return self.site.add_subject(above["_id"], label)

    def session(self, label: str, scans: tuple[str, ...] = (), subject: Doc | None = None) -> Doc:
        """A new session with some acquisitions."""
        made = self.site.add_session((subject or self.subject())["_id"], label, timestamp=self.site.now)
        for scan in scans:
            self.site.add_acquisition(made["_id"], scan, timestamp=self.site.now)
        return made

    def scan(self, session: Doc, label: str = "T1w") -> Doc:
        """A new acquisition."""
        return self.site.add_acquisition(session["_id"], label, timestamp=self.site.now)

    def file(self, acquisition: Doc, name: str, level: str = "acquisition", **meta: Any) -> Doc:
        """A new file, or a new version of one."""
        return put_file(self.site, level, acquisition, name, **meta)

    def qa(self, acquisition: Doc, snr: Any, name: str = "x_mriqc.qa.html") -> Doc:
        """A report of quality metrics."""
        return self.file(acquisition, name, info={"snr": snr})


@asynccontextmanager
async def watched(
    text: str | None = COMPLETE,
    *,
    dialect: str = "v23",
    user: bool = False,
    skew: timedelta = timedelta(0),
    tells_time: bool = True,
    overlap: timedelta | None = None,
    sweep: timedelta | None = None,
    store: Store | None = None,
    projects: list[dict[str, Any]] | None = None,
    started: bool = True,
    **scenario: Any,
) -> AsyncIterator[Watched]:
    """A site with one project (`scien/tome`), one subject and one complete session, watched from its first round on."""
    clock = FakeClock()
    subjects = [{"label": "sub-01", "sex": "female", "sessions": []}]
    values: dict[str, Any] = {
        "extends": "lab",
        "dialect": dialect,
        "projects": [{"group": "scien", "label": "tome", "days_ago": 30, "subjects": subjects}]
        if projects is None
        else projects,
        "launches": [],
        "jobs": QUICK,
        **scenario,
    }
    ledger = store or MemoryLedger()

    def site_time() -> datetime:
        return clock.now() + skew

    async with Sandbox(Scenario.of(values), clock=site_time) as sandbox:
        made = Watched(sandbox, clock, ledger, skew=skew, every=timedelta(seconds=30))
        made.user, made.tells_time = user, tells_time
        made.overlap = made.overlap if overlap is None else overlap
        made.sweep_every = made.sweep_every if sweep is None else sweep
        if projects is None:
            made.session("ses-00", ("T1w", "T2w"))
            made.later(hours=1)
        if text is not None:
            await made.start(text)
        if started and text is not None:
            await made.settle(seconds=1)
            await made.settle()
        try:
            yield made
        finally:
            for client in made.clients:
                await client.close()
            await ledger.close()
