"""The crew: takes effects that are due, so many at a time, and carries them out side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog

from flyball.effects.port import Hands, Kinds
from flyball.ledger.acting import next_effect, recover, take
from flyball.ledger.finishing import End
from flyball.ledger.limiting import Caps
from flyball.ledger.noticing import Route
from flyball.model.effect import TERMINAL, Blame, Effect, EffectState, Outcome, Report
from flyball.model.errors import FlyballError, Stopping
from flyball.model.ports import Clock, Store
from flyball.rules import posting
from flyball.rules.rule import Retry
from flyball.workers.attempt import Mask, attempt, or_else, shielded
from flyball.workers.ends import Ends
from flyball.workers.retry import WEATHER_FIRST, WEATHER_LONGEST, delay, exhausted, obeyed

log = structlog.get_logger()
LONGEST_PAUSE = 30.0  # seconds between tries to write an outcome while the ledger cannot be written


@dataclass(slots=True)
class Done:
    """Numbers for the status and the metrics: (kind, outcome) → attempts."""

    attempts: dict[tuple[str, str], int] = field(default_factory=dict)
    ended: dict[tuple[str, str], int] = field(default_factory=dict)  # (kind, state) of effects that came to their end


class Crew:
    """Carries out effects.

    Args:
        store: the ledger.
        clock: the time.
        kinds: the effect kinds.
        hands: site → what an attempt may use; `now` is filled in for each.
        route: which looks follow from our own changes.
        at_once: attempts under way at the most, for each site: a dead site holds up no other.
        observe: told of each attempt: effect, report, seconds.
        ended: called after each attempt.
        owed: called when rules must look at what attempts have changed.
        mask: takes secrets out of error texts.
        pause: seconds before an outcome that could not be written is written again, doubling.

    Attributes:
        caps: rule → what it may do, for the rules that are loaded.
        retries: rule → its own retry rule.
        routes: message channel → what it takes, and when.
        replica: who we are, where there are several; with it, attempts bear its name.
        able: whether effects may be taken now.
        under_way: the effects that are being carried out, by id.
        idle: set while there are none.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        kinds: Kinds,
        *,
        hands: Mapping[str, Hands],
        route: Route,
        at_once: int,
        observe: Callable[[Effect, Report, float], None],
        ended: Callable[[], None],
        owed: Callable[[], None],
        mask: Mask | None = None,
        pause: float = 0.2,
    ) -> None:
        self._store = store
        self._clock = clock
        self._kinds = kinds
        self._hands = hands
        self.route = route
        self.caps: Mapping[str, Caps] = {}
        self.retries: Mapping[str, Retry] = {}
        self.routes: Mapping[str, posting.Route] = {}
        self._at_once = at_once
        self._observe = observe
        self._ended = ended
        self._mask = mask
        self._pause = pause
        self._ends = Ends(store, clock, lambda: self.route, owed)
        self.replica: Callable[[], str | None] = lambda: None
        self.able: Callable[[], bool] = lambda: True
        self.under_way: dict[str, Effect] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.idle = asyncio.Event()
        self.idle.set()
        self.tally = Done()

    @property
    def sites(self) -> Collection[str]:
        """The sites that effects are carried out on."""
        return self._hands.keys()

    @property
    def waits(self) -> dict[str, float]:
        """Site → seconds before it is asked after a kill."""
        return {site: hands.unclear_wait[0] for site, hands in self._hands.items()}

    async def recover(self, wait: float = 0.0) -> int:
        """Close the attempts that a killed daemon left open; how many there were.

        Each site is asked after its own `unclear_wait`, and no earlier than `wait` seconds from now.
        """
        now = self._clock.now()
        waits = {site: max(wait, seconds) for site, seconds in self.waits.items()}
        found = await self._store.write(lambda connection: recover(connection, now, waits))
        if found:
            log.warning("attempts.unclear", effects=found, reason="the daemon ended before the answers")
        return found

    async def next_due(self) -> datetime | None:
        """When the next effect is due."""
        return await self._store.read(lambda connection: next_effect(connection, self.sites))

    async def step(self, tasks: asyncio.TaskGroup) -> int:
        """Take what is due, as far as there is room, and start the attempts; the number started.

        A ledger that cannot be written just now starts nothing: whatever is due stays due.
        """
        if not self.able():
            return 0
        busy: dict[str, int] = dict.fromkeys(self.sites, 0)
        for effect in self.under_way.values():
            busy[effect.site] = busy.get(effect.site, 0) + 1
        # Many at a time where there is much to do: a place that gets free waits for others.
        few = self._at_once // 4
        rooms = {site: room for site, number in busy.items() if (room := self._at_once - number) > few or not number}
        if not rooms:
            return 0
        now, caps, routes = self._clock.now(), self.caps, self.routes

        def work(connection: Any) -> list[Effect]:
            return [
                one
                for site, room in rooms.items()
                for one in take(connection, now, room, [site], caps, routes, replica=self.replica())
            ]

        try:
            taken = await self._store.write(work)
        except Stopping:
            return 0
        except FlyballError as error:
            log.warning("effects.not_taken", reason=self._masked(error))
            return 0
        for effect in taken:
            self.under_way[effect.id] = effect
            self.idle.clear()
            task = tasks.create_task(self._carry_out(effect), name=f"effect {effect.id} {effect.kind}")
            self._tasks[effect.id] = task
        return len(taken)

    async def abandon(self) -> None:
        """Break off every attempt under way: others have them. Ends when the last has ended."""
        for task in list(self._tasks.values()):
            task.cancel()
        await self.idle.wait()

    async def _carry_out(self, effect: Effect) -> None:
        started = self._clock.monotonic()
        hands = replace(self._hands[effect.site], now=self._clock.now())
        hurry = asyncio.Event()
        try:
            report = await attempt(effect, self._kinds, hands, mask=self._mask)
        except asyncio.CancelledError:
            hurry.set()
            report = Report(Outcome.UNKNOWN, error="stopped before the answer", wait=hands.unclear_wait[0])
            await shielded(lambda: self._end(effect, report, self._clock.monotonic() - started, hurry))
            raise
        if report.outcome is Outcome.UNKNOWN and report.looked and report.wait is None:
            report = replace(report, wait=hands.late)
        seconds = self._clock.monotonic() - started
        await shielded(lambda: self._end(effect, report, seconds, hurry), cancelled=hurry.set)

    async def _end(self, effect: Effect, report: Report, seconds: float, hurry: asyncio.Event) -> None:
        report, retry_in = self._judged(effect, report)
        try:
            state = await self._write(effect, report, retry_in, hurry)
        finally:
            self.under_way.pop(effect.id, None)
            self._tasks.pop(effect.id, None)
            if not self.under_way:
                self.idle.set()
        if state is not None:
            self._note(effect, report, state, seconds)
        self._ended()

    async def _write(
        self, effect: Effect, report: Report, retry_in: float | None, hurry: asyncio.Event
    ) -> EffectState | None:
        """Write the outcome, as often as it takes. None: it cannot be written and we are stopping; the attempt stays
        open in the ledger, and the next start asks the site.
        """
        pause = self._pause

        async def write(report: Report) -> EffectState:
            return await self._ends.write(End(effect, report, retry_in))

        while True:
            try:
                return await or_else(write, report, effect)
            except FlyballError as error:
                given_up = isinstance(error, Stopping) or hurry.is_set()
                log.warning("effect.unwritten", effect=effect.id, reason=self._masked(error), given_up=given_up)
                if given_up:
                    return None
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await hurry.wait()
            pause = min(pause * 2, LONGEST_PAUSE)

    def _judged(self, effect: Effect, report: Report) -> tuple[Report, float | None]:
        """The report with its final blame, and in how many seconds to try again; None: the effect is given up.

        Failures of the site as a whole count only where the rule says how often to try: a site that is away for a day
        must lose nothing. What may have been carried out is never given up before the site was asked.
        """
        if report.outcome is not Outcome.TRANSIENT:
            return report, None
        retry = self.retries.get(effect.rule)
        if report.blame is Blame.SITE and retry is not None:
            report = replace(report, blame=Blame.REQUEST)
        if report.blame is not Blame.REQUEST:
            pause = delay(effect.attempts, first=WEATHER_FIRST, longest=WEATHER_LONGEST, key=effect.once_key)
        else:
            failures = effect.failures + 1
            given_up = exhausted(failures) if retry is None else exhausted(failures, retry.attempts)
            if given_up and not effect.unclear:
                return report, None
            pause = _pause_of(retry, failures, effect.once_key)
        if report.wait is not None:
            pause = obeyed(report.wait, attempt=effect.attempts, key=effect.once_key)
        return report, pause

    def _masked(self, error: Exception) -> str:
        return str(error) if self._mask is None else self._mask(str(error))

    def _note(self, effect: Effect, report: Report, state: EffectState, seconds: float) -> None:
        key = (effect.kind, str(report.outcome))
        self.tally.attempts[key] = self.tally.attempts.get(key, 0) + 1
        if state in TERMINAL:
            end = (effect.kind, str(state))
            self.tally.ended[end] = self.tally.ended.get(end, 0) + 1
        self._observe(effect, report, seconds)
        expected = report.outcome is Outcome.WAITING  # its text says what is waited for
        say = log.warning if (report.error and not expected) or state is EffectState.FAILED else log.info
        say(
            "effect.attempt",
            effect=effect.id,
            rule=effect.rule,
            kind=effect.kind,
            summary=effect.summary,
            attempt=effect.attempts,
            outcome=str(report.outcome),
            state=str(state),
            error=report.error,
            seconds=round(seconds, 3),
        )


def _pause_of(retry: Retry | None, failures: int, key: str) -> float:
    if retry is None:
        return delay(failures, key=key)
    first, longest = retry.first.total_seconds(), retry.longest.total_seconds()
    return delay(failures, first=first, longest=longest, key=key)
