"""What the open daemon does: its loops, side by side, and the same steps once."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.adapters.store.opening import Ledger
from flyball.doubts import Doubts
from flyball.events.dispatch import BATCH, Dispatcher
from flyball.heap import give_back
from flyball.heartbeat import Heartbeat, trouble_of
from flyball.hooks import Hooks
from flyball.keeping import Keeper
from flyball.ledger.acting import waited_for
from flyball.ledger.alerting import is_repeat_due, repeat_due
from flyball.ledger.limiting import unended_jobs
from flyball.logs import Secrets
from flyball.model.ports import Clock
from flyball.rulebook import Taken
from flyball.rulefiles import RuleFiles
from flyball.rules.reading import RuleSet
from flyball.scouting import Scouts
from flyball.scouts import ScoutParts
from flyball.settings import Settings
from flyball.single import SingleRun
from flyball.sites import SiteParts
from flyball.supervisor import Supervisor
from flyball.triggers.timetable import Timetable
from flyball.triggers.watch import Watch
from flyball.triggers.watching import Watching
from flyball.triggers.weather import Weather
from flyball.wake import Bell
from flyball.web.barometer import Barometer, Totals
from flyball.workers.crew import Crew

if TYPE_CHECKING:
    from flyball.replicas import Replicas

IDLE_LOOK = 1.0  # seconds between looks at the clock when nothing rings
REPEATS_EVERY = 2.0  # seconds between looks for alerts to be said again
SCHEDULES_EVERY = 1.0  # seconds between looks at the timetable
GIVE_BACK_EVERY = 30.0  # seconds between two times that free memory goes back to the system
SOON = timedelta(seconds=90)  # `--until-idle` waits for retries that are due so soon


class Loops(ABC):
    """What runs, of a daemon; the composition root builds the parts named here."""

    settings: Settings
    secrets: Secrets
    clock: Clock
    started: datetime
    store: Ledger
    supervisor: Supervisor
    rule_files: RuleFiles
    sites: dict[str, SiteParts]
    watches: dict[str, Watch]
    scouts: Scouts
    dispatcher: Dispatcher
    crew: Crew
    doubts: Doubts
    hooks: Hooks
    keeper: Keeper
    heartbeat: Heartbeat | None
    barometer: Barometer
    replicas: Replicas | None
    _decide: Bell
    _act: Bell
    _next_decide = 0.0  # monotonic; for a single run

    @property
    @abstractmethod
    def rules(self) -> RuleSet:
        """The rules in force, and what was refused."""

    @property
    @abstractmethod
    def all_watches(self) -> Mapping[str, Watching]:
        """The watches over all sites."""

    @property
    @abstractmethod
    def all_sites(self) -> Mapping[str, SiteParts | ScoutParts]:
        """Every site that is watched, of either kind."""

    @abstractmethod
    def weather(self, site: str) -> Weather:
        """How watching a site goes, whichever replica does it."""

    @abstractmethod
    async def reload(self) -> Taken:
        """Read the rule folder again, and put what is good in force."""

    @abstractmethod
    def samples(self) -> dict[str, tuple[Totals, float | None]]:
        """Each site's requests since the start, and how many seconds ago it was last read."""

    # --- side by side

    async def decide(self) -> None:
        """Decide whatever is due, until cancelled."""
        while not self.supervisor.stopping.is_set():
            taken = await self.dispatcher.step()
            if taken:
                self._act.ring()
            if taken < BATCH:  # that was all; whoever owes more looks rings
                await self._decide.wait(IDLE_LOOK)

    async def act(self) -> None:
        """Carry out whatever is due, until the stop; attempts under way are finished by the task group."""
        async with asyncio.TaskGroup() as tasks:
            while not self.supervisor.stopping.is_set():
                if not await self.crew.step(tasks):
                    await self._act.wait(IDLE_LOOK)

    async def keep_times(self) -> None:
        """Look at every target of the rules whose scheduled time has come, until cancelled."""
        while not self.supervisor.stopping.is_set():
            await self.serve_schedules()
            await asyncio.sleep(SCHEDULES_EVERY)

    async def serve_schedules(self) -> None:
        """Serve the schedules that are due: the looks are stored before the time counts as served."""
        records = self.dispatcher.records
        times = Timetable(self.rules.rules, lambda rule: records[rule].version_seen, self.store, self.clock)
        able = set(self.dispatcher.able_now())
        for rule, names in (await times.due()).items():
            if rule in able:  # else its site was not listed yet, or it is paused: caught up once, later
                await self.dispatcher.look_everywhere({rule})
                await times.served(names)
                self._decide.ring()

    async def watch_rules(self) -> None:
        """Reload when a file of the rule folder changes, until cancelled."""
        async for _ in self.rule_files.changes(self.supervisor.stopping):
            await self.reload()

    def _named_files(self) -> set[Path]:
        """Files that the rules name (tables, files to upload): when they change, so do the rules."""
        names = {name for rule in self.rules.rules for spec in rule.do for name in getattr(spec, "local", ())}
        return {path for name in names if (path := self.settings.config_dir / name).is_file()}

    async def repeat_alerts(self) -> None:
        """Say open alerts again when their time has come, until cancelled."""
        while not self.supervisor.stopping.is_set():
            now = self.clock.now()
            due: bool = await self.store.read(partial(is_repeat_due, now=now))
            if due and (await self.store.write(partial(repeat_due, now=now))) > 0:
                self._act.ring()
            await asyncio.sleep(REPEATS_EVERY)

    async def spare_memory(self) -> None:
        """Give free memory back to the system now and then, until cancelled."""
        while not self.supervisor.stopping.is_set():
            await asyncio.sleep(GIVE_BACK_EVERY)
            await asyncio.to_thread(give_back)

    async def trouble(self) -> str | None:
        """What keeps the daemon from doing its work; None: it is well."""
        rounds = {
            name: (watch.weather.last_poll, self.sites[name].settings.poll.every)
            for name, watch in self.watches.items()
        }
        found = await trouble_of(self.store, self.supervisor.broken, rounds, self.started, self.clock.now())
        return None if found is None else self.secrets.mask(found)

    async def drain(self) -> None:
        """Wait until the attempts under way have ended."""
        self._act.ring()
        await self.crew.idle.wait()

    def services(self) -> dict[str, Callable[[], Any]]:
        """Everything that runs side by side, by name."""
        found: dict[str, Callable[[], Any]] = {
            "act": self.act,
            "alerts": self.repeat_alerts,
            "memory": self.spare_memory,
            "rules": self.watch_rules,
            "doubts": self.doubts.run,
            "keeper": self.keeper.run,
            "weather": partial(self.barometer.run, self.samples),
        }
        if self.heartbeat is not None:
            found["heartbeat"] = self.heartbeat.run
        alone: dict[str, Callable[[], Any]] = {"schedules": self.keep_times, "hooks": self.hooks.run}
        for name, watch in self.watches.items():
            alone[f"watch {name}"] = watch.run
            alone[f"sweep {name}"] = watch.run_sweeps
        alone |= self.scouts.services()
        if self.replicas is None:
            return {**found, **alone, "decide": self.decide}
        led = {name: partial(self.replicas.while_leading, work) for name, work in alone.items()}
        return {**found, **led, **self.replicas.services()}

    async def run(self) -> None:
        """Run until a signal or `supervisor.stop()`."""
        await self.supervisor.run(self.services(), drain=self.drain)

    # --- once

    async def look(self) -> bool:
        """Read what is new on every site, side by side; whether every one could be read."""
        async with asyncio.TaskGroup() as tasks:
            looks = [tasks.create_task(watch.once(), name=f"look {name}") for name, watch in self.all_watches.items()]
        await self.dispatcher.renew_peers()  # so that `plan` and `why` hold values against what `run` would
        return all(look.result() for look in looks)

    async def run_until_idle(self) -> bool:
        """Do all that is due now, and what follows from it; whether every site could be read."""
        run = SingleRun(self.supervisor, self._begin_once, self.serve_schedules, self._work, self._busy, self._act.wait)
        if self.replicas is None:
            fine = await run.go(self.all_watches, asks=True)
        else:
            async with self.replicas.present() as leads:
                fine = await run.go(self.all_watches, asks=leads)
        if not self.supervisor.stopping.is_set():
            await self.keeper.step()
        return fine

    async def _begin_once(self) -> None:
        await self.serve_schedules()
        await self.hooks.step()

    async def _work(self, tasks: asyncio.TaskGroup) -> bool:
        """Decide, or else act. While attempts are under way, each of which ends with a ring, looks are asked for only
        if some are known to be there, and from time to time.
        """
        now = self.clock.monotonic()
        if self._decide.rung or not self.crew.under_way or now >= self._next_decide:
            self._decide.hear()
            self._next_decide = now + IDLE_LOOK
            if await self.dispatcher.step():
                self._decide.ring()
                return True
        return bool(await self.crew.step(tasks))

    async def _busy(self) -> bool:
        busy = self.crew.under_way or await self._due_soon() or await self.doubts.step()
        return bool(busy) or await self.scouts.awaited() or (self._has_scouted() and await self.scouts.news())

    def _has_scouted(self) -> bool:
        return any(kind.startswith("neuroscout.") for kind, _ in self.crew.tally.ended)

    async def jobs_running(self) -> bool:
        """Whether a job that was launched here has not ended on its site, or an analysis has not been compiled."""
        return await self.store.read(unended_jobs) > 0 or await self.scouts.awaited()

    async def _due_soon(self) -> bool:
        """Whether something is due, or a retry or a look at an unclear outcome is due so soon that it is waited for.

        A launch that waits for a limit is not: its turn comes in a later run.
        """
        now = self.clock.now()
        return await self.store.read(partial(waited_for, sites=self.crew.sites, now=now, soon=now + SOON))
