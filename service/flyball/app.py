"""The composition root: builds the rooms, wires them, opens and closes them in order. The only place that knows all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import structlog

from flyball import __version__
from flyball.adapters.posting import Posting
from flyball.adapters.store.opening import Ledger, open_copy, open_ledger, shared_store
from flyball.clock import SystemClock
from flyball.doubts import Doubts
from flyball.effects.installed import installed
from flyball.effects.port import Hands
from flyball.events.dispatch import Dispatcher
from flyball.events.routing import no_looks
from flyball.heartbeat import Heartbeat
from flyball.hooks import Hooks
from flyball.keeping import Keeper
from flyball.ledger.noticing import Route
from flyball.ledger.retention import Ages
from flyball.lenders import lend
from flyball.logs import Secrets
from flyball.loops import Loops
from flyball.model.effect import Effect, Report
from flyball.model.errors import ConfigError
from flyball.model.levels import Level
from flyball.model.node import NodeKey
from flyball.model.ports import Clock
from flyball.rulebook import Rulebook, Taken
from flyball.rulefiles import RuleFiles
from flyball.rules.reading import RuleSet
from flyball.scouting import Scouts
from flyball.scouts import ScoutParts
from flyball.seeking import seek
from flyball.settings import NeuroscoutSite, Settings
from flyball.sites import SiteParts, connect
from flyball.supervisor import Supervisor
from flyball.talking import book_of, routes_of
from flyball.triggers.needs import needs_of
from flyball.triggers.scouting import ScoutWatch
from flyball.triggers.watch import Watch
from flyball.triggers.weather import Weather
from flyball.wake import Bell
from flyball.web.barometer import Barometer, Totals
from flyball.web.metrics import Metrics
from flyball.workers.crew import Crew
from flyball.workers.reporting import ReportPress

if TYPE_CHECKING:
    from flyball.replicas import Replicas

log = structlog.get_logger()


class Daemon(Loops):
    """The daemon, open. Use it as a context: opening takes the ledger's lock, closing gives it back.

    Args:
        settings: of the lab.
        rules: as read.
        secrets: what must not appear anywhere.
        environment: for `env:NAME` in rules.
        clock: the time.
        reread: reads the rule folder anew, for reloads; None: the rules stay as they are.
        only_look: work on a copy of the ledger that is thrown away (`plan`, `why`); nothing is written anywhere.
    """

    def __init__(
        self,
        settings: Settings,
        rules: RuleSet,
        secrets: Secrets,
        environment: Mapping[str, str],
        *,
        clock: Clock | None = None,
        only_look: bool = False,
        reread: Callable[[], RuleSet] | None = None,
    ) -> None:
        self.settings = settings
        self._first_rules = rules
        self.secrets = secrets
        self.clock: Clock = clock or SystemClock()
        self.started = self.clock.now()
        self.metrics = Metrics(version=__version__)
        self.supervisor = Supervisor()
        self.rule_files = RuleFiles(settings.rules_dir, self._named_files)
        self.barometer = Barometer()
        self.sites: dict[str, SiteParts] = {}
        self.watches: dict[str, Watch] = {}
        self.heartbeat: Heartbeat | None = None
        self.opened = False
        self.replicas: Replicas | None = None
        self.observers: list[Callable[[Effect, Report, float], None]] = []
        self._only_look = only_look
        self._environment = environment
        self._reread = reread or (lambda: rules)
        self._decide = Bell()
        self._act = Bell()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _open(self) -> None:
        self.store = await self._open_ledger()
        self._stack.push_async_callback(self.store.close)
        if self.replicas is not None:
            self._stack.push_async_callback(self.replicas.close)
        self.channels = book_of(self.settings)
        self._stack.push_async_callback(self.channels.close)
        self.dispatcher = Dispatcher(self.store, self.clock, ready=self._ready, skew=self._skew)
        self.book = Rulebook(self.dispatcher, self._reread)
        taken = await self.book.take(self._first_rules)
        self.scouts = Scouts(self.store, self.clock, self._saw_request, share=self.replicas)
        self._connect()
        at_once = max([8, *(parts.settings.limits.concurrency * 2 for parts in self._all_parts())])
        plots = self.settings.data_dir / "plots"
        fonts = plots if plots.is_dir() or not self._only_look else None
        self.press = ReportPress(self.store, fonts, most=at_once // 4)
        self.crew = Crew(
            self.store,
            self.clock,
            installed().catalog,
            hands=self._all_hands(),
            route=self.book.route,
            at_once=at_once,
            observe=self._saw_attempt,
            ended=self._act.ring,
            owed=self._decide.ring,
            mask=self.secrets.mask,
        )
        self.book.equip(self.crew)
        self.scouts.use(self.rules.rules)
        self.doubts = Doubts(self.watches)
        keep = self.settings.keep
        ages = Ages(keep.events, keep.decisions, keep.attempts, keep.intents)
        self.keeper = Keeper(self.store, self.clock, ages, keep.max_mb)
        self.crew.routes = routes_of(self.settings)
        if self.settings.heartbeat is not None:
            beat = self.settings.heartbeat
            url, every = beat.url.get_secret_value(), beat.every.total_seconds()
            self.heartbeat = Heartbeat(url, every, self.trouble, self.supervisor.stopping)
            self._stack.push_async_callback(self.heartbeat.close)
        self.hooks = Hooks(
            {name: hook.secret.get_secret_value() for name, hook in self.settings.hooks.items()},
            self.store,
            self.clock,
            watches=self.watches,
            dispatcher=self.dispatcher,
            changed=self.ring,
        )
        if not self._only_look:
            await self._begin(taken)
        self.opened = True

    def _connect(self) -> None:
        """The clients of all sites, and the watches over them; nothing is sent yet."""
        route: Route = no_looks if self._only_look else self.book.route
        for name, settings in self.settings.sites.items():
            if isinstance(settings, NeuroscoutSite):
                scout = self.scouts.add(name, settings, route, self._decide.ring)
                self._stack.push_async_callback(scout.client.close)
                continue
            parts = connect(name, settings, self._saw_request, share=self.replicas, clock=self.clock)
            self._stack.push_async_callback(parts.client.close)
            self.sites[name] = parts
            needs = needs_of(self.book.rules.rules, name)
            met = partial(self._met, name)
            self.watches[name] = parts.watch(self.store, self.clock, needs, route, self._decide.ring, met)

    async def _begin(self, taken: Taken) -> None:
        """What is owed from before, and to rules that are new; where there are replicas, become one of them."""
        if self.replicas is None:
            await self.crew.recover()
        startup = {rule.id for rule in self.rules.rules if rule.trigger.startup}
        await self.dispatcher.look_at_edits(taken.changed - startup)
        await self.dispatcher.look_everywhere(startup)
        if self.replicas is not None:
            self.hooks.accepted = partial(self.tell, "hooks")
            bells = (self._decide, self._act)
            await self.replicas.enter(self.dispatcher, self.crew, self.all_watches, bells, self.hooks.ring, self.reload)

    def _all_parts(self) -> list[SiteParts | ScoutParts]:
        return [*self.sites.values(), *self.scouts.parts.values()]

    @property
    def all_sites(self) -> dict[str, SiteParts | ScoutParts]:
        """Every site that is watched, of either kind."""
        return {**self.sites, **self.scouts.watched}

    @property
    def all_watches(self) -> dict[str, Watch | ScoutWatch]:
        """The watches over them."""
        return {**self.watches, **self.scouts.watches}

    def _all_hands(self) -> dict[str, Hands]:
        """What effects may use on each site, and those of rules that need no site."""
        poster = Posting()
        self._stack.push_async_callback(poster.close)
        common = (self.channels, self._secret)
        return lend(self.settings, self.sites, self.scouts, poster, self.press, common, self.clock)

    async def _open_ledger(self) -> Ledger:
        """The ledger, or a copy of it in a file."""
        ledger, data = self.settings.ledger, self.settings.data_dir
        if self._only_look:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="flyball-"))
            return await open_copy(ledger, data, Path(folder) / "data")
        if self.settings.embedded:
            return await open_ledger(ledger, data)
        shared_store()
        from flyball.replicas import Replicas  # noqa: PLC0415 - its libraries are not installed everywhere

        self.replicas = Replicas(ledger, self.clock)
        return await self.replicas.open()

    @property
    def rules(self) -> RuleSet:
        """The rules in force, and what was refused."""
        return self.book.rules

    async def read_again(self, keys: Sequence[NodeKey]) -> None:
        """Ask the sites for these nodes themselves: what was deleted or locked away meanwhile is known then."""
        for site, watch in self.watches.items():
            mine = [key for key in keys if key.site == site]
            if mine:
                await watch.poller.taking.call_roll(mine, watch.needs, source="poll")

    async def find(self, target: str) -> list[NodeKey]:
        """The nodes that a person names, by id or path."""
        return await seek(self.store, self.watches, target)

    async def reload(self) -> Taken:
        """Read the rule folder again, and put what is good in force."""
        taken = await self.book.reload(self.watches, self.crew)
        self.scouts.use(self.rules.rules)
        self.ring()
        return taken

    # --- what the rooms call back

    def _ready(self, site: str, levels: set[Level]) -> bool:
        levels = levels - {Level.MATRIX}
        if self.replicas is not None:
            return self.replicas.leading.ready(site, levels)
        return site in self.all_watches and self.all_watches[site].ready_for(levels)

    def weather(self, site: str) -> Weather:
        """How watching a site goes, whichever replica does it."""
        if self.replicas is None or self.replicas.leading.leads.is_set():
            return self.all_watches[site].weather
        return self.replicas.leading.weather(site)

    def lag(self, site: str) -> float | None:
        """Seconds since the last round that went through, which is how old the newest news can be; None: none did."""
        last = self.weather(site).last_poll
        return None if last is None else max(0.0, (self.clock.now() - last).total_seconds())

    async def _met(self, site: str) -> None:
        """The site answered for the first time: the rules' first sights are put into the time of its stamps."""
        watch = self.watches[site]
        newest = await watch.poller.newest_stamp(watch.needs) if self.dispatcher.has_fresh(site) else None
        await self.book.met(site, newest)

    def _skew(self, site: str) -> timedelta:
        watch = self.watches.get(site)
        return timedelta(0) if watch is None else watch.poller.skew

    def _secret(self, reference: str) -> str:
        name = reference.removeprefix("env:")
        if name.endswith("?"):
            return self._environment.get(name[:-1], "")
        if name not in self._environment:
            raise ConfigError(f"the environment has no {name}; set it and start again")
        return self._environment[name]

    def _saw_request(self, site: str, method: str, template: str, status: int | None, seconds: float) -> None:
        self.metrics.request(site, method, template, status, seconds)

    def _saw_attempt(self, effect: Effect, report: Report, seconds: float) -> None:
        self.metrics.effect(effect.kind, str(report.outcome), seconds)
        self.doubts.saw(effect, report)
        for observer in self.observers:
            observer(effect, report, seconds)

    async def tell(self, what: str) -> None:
        """Tell the other replicas, where there are any."""
        if self.replicas is not None:
            await self.replicas.tell(what)

    def samples(self) -> dict[str, tuple[Totals, float | None]]:
        """Each site's requests since the start, and how many seconds ago it was last read."""
        found = {}
        for name, parts in self.all_sites.items():
            count = parts.requests
            found[name] = (Totals(count.total, count.throttled, count.failed), self.lag(name))
        return found

    def ring(self) -> None:
        """There is something to decide or to do."""
        self._decide.ring()
        self._act.ring()
