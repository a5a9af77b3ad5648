"""The daemon's metrics, brought up to date when they are asked for."""

from __future__ import annotations

from flyball.app import Daemon
from flyball.ledger.history_counts import Counts, Pending


class Gauges:
    """Sets the daemon's `metrics` from what its parts and the ledger know."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._counted: dict[tuple[str, ...], int] = {}

    def update(self, counts: Counts, pending: Pending, *, ready: bool) -> None:
        """Bring all of them up to date; `ready`: as `/readyz` has it."""
        daemon, metrics = self._daemon, self._daemon.metrics
        metrics.set_queue(
            {
                "looks_due": pending.looks_due,
                "looks_settling": counts.settling,
                "effects_due": pending.effects_due,
                "effects_running": pending.running,
                "effects_waiting": counts.effects.get("waiting", 0),
                "effects_held": counts.held,
            }
        )
        metrics.set_alerts(counts.alerts)
        metrics.set_ready(ready)
        for name, parts in daemon.all_sites.items():
            metrics.set_lag(name, daemon.lag(name))
            metrics.set_paused(name, parts.pace.snapshot().paused_s)
        self._count()

    def _count(self) -> None:
        """Carry over what was counted since the last time: decisions, polls, changes seen."""
        daemon, metrics = self._daemon, self._daemon.metrics
        now: dict[tuple[str, ...], int] = {}
        for rule, verdicts in daemon.dispatcher.tally.decided.items():
            now |= {("decision", rule, verdict): number for verdict, number in verdicts.items()}
        for site, watch in daemon.all_watches.items():
            now[("poll", site)] = watch.weather.polls
            now[("event", site)] = watch.weather.changes
        for key, number in now.items():
            more = number - self._counted.get(key, 0)
            if more <= 0:
                continue
            if key[0] == "decision":
                metrics.decision(key[1], key[2], more)
            elif key[0] == "event":
                metrics.event(key[1], "changed", "site", more)
            else:
                metrics.poll(key[1], more)
        self._counted = now
