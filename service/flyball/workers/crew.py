"""The crew: takes effects that are due, so many at a time, and carries them out side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from flyball.effects.port import Hands, Kinds
from flyball.ledger.acting import finish, next_effect, recover, take
from flyball.ledger.limiting import Caps
from flyball.ledger.noticing import Route
from flyball.model.effect import Effect, EffectState, Outcome, Report
from flyball.model.ports import Clock, Store
from flyball.rules.rule import Retry
from flyball.workers.attempt import attempt, shielded
from flyball.workers.retry import delay, exhausted

log = structlog.get_logger()


@dataclass(slots=True)
class Done:
    """Numbers for the status and the metrics: (kind, outcome) → attempts."""

    attempts: dict[tuple[str, str], int] = field(default_factory=dict)


class Crew:
    """Carries out effects.

    Args:
        store: the ledger.
        clock: the time.
        kinds: the effect kinds.
        hands: site → what an attempt may use; `now` is filled in for each.
        route: which looks follow from our own changes.
        caps: rule → limits, for the rules that are loaded.
        retries: rule → its own retry rule.
        at_once: attempts under way at the most.
        looked: called after each batch (new looks may be due).
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
        looked: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._kinds = kinds
        self._hands = hands
        self.route = route
        self.caps: Mapping[str, Caps] = {}
        self.retries: Mapping[str, Retry] = {}
        self._at_once = at_once
        self._observe = observe
        self._looked = looked
        self.under_way: dict[str, Effect] = {}
        self.idle = asyncio.Event()
        self.idle.set()
        self.tally = Done()

    @property
    def sites(self) -> Collection[str]:
        """The sites that effects are carried out on."""
        return self._hands.keys()

    async def recover(self, wait: float) -> int:
        """Close the attempts that a killed daemon left open."""
        now = self._clock.now()
        found = await self._store.write(lambda connection: recover(connection, now, wait))
        if found:
            log.warning("attempts.unclear", effects=found, reason="the daemon ended before the answers")
        return found

    async def next_due(self) -> datetime | None:
        """When the next effect is due."""
        return await self._store.read(lambda connection: next_effect(connection, self.sites))

    async def step(self, tasks: asyncio.TaskGroup) -> int:
        """Take what is due, as far as there is room, and start the attempts; the number started."""
        room = self._at_once - len(self.under_way)
        if room <= 0:
            return 0
        now, caps, sites = self._clock.now(), self.caps, list(self.sites)
        taken = await self._store.write(lambda connection: take(connection, now, room, sites, caps))
        for effect in taken:
            self.under_way[effect.id] = effect
            self.idle.clear()
            tasks.create_task(self._carry_out(effect), name=f"effect {effect.id} {effect.kind}")
        return len(taken)

    async def _carry_out(self, effect: Effect) -> None:
        started = self._clock.monotonic()
        report = Report(Outcome.CANCELLED, error="the daemon is stopping")
        try:
            hands = replace(self._hands[effect.site], now=self._clock.now())
            report = await attempt(effect, self._kinds, hands)
        except asyncio.CancelledError:
            report = Report(Outcome.UNKNOWN, error="stopped before the answer", wait=hands.unclear_wait[0])
            raise
        finally:
            await shielded(lambda: self._write(effect, report, self._clock.monotonic() - started))

    async def _write(self, effect: Effect, report: Report, seconds: float) -> None:
        now, route = self._clock.now(), self.route
        retry_in = self._retry_in(effect, report)
        state = await self._store.write(
            lambda connection: finish(connection, effect, report, now, retry_in=retry_in, route=route)
        )
        self.under_way.pop(effect.id, None)
        if not self.under_way:
            self.idle.set()
        self._note(effect, report, state, seconds)
        self._looked()

    def _retry_in(self, effect: Effect, report: Report) -> float | None:
        retry = self.retries.get(effect.rule)
        attempts = effect.attempts
        if retry is None:
            if exhausted(attempts):
                return None
            pause = delay(attempts, key=effect.once_key)
        else:
            if exhausted(attempts, retry.attempts):
                return None
            first, longest = retry.first.total_seconds(), retry.longest.total_seconds()
            pause = delay(attempts, first=first, longest=longest, key=effect.once_key)
        return pause if report.wait is None else max(report.wait, min(pause, report.wait + 5.0))

    def _note(self, effect: Effect, report: Report, state: EffectState, seconds: float) -> None:
        key = (effect.kind, str(report.outcome))
        self.tally.attempts[key] = self.tally.attempts.get(key, 0) + 1
        self._observe(effect, report, seconds)
        say = log.info if state in (EffectState.DONE, EffectState.CANCELLED) else log.warning
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
