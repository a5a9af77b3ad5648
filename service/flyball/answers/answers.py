"""What the daemon answers when it is asked over HTTP, and what it does when told: readiness, status, ledger, why."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from flyball import __version__
from flyball.answers.gauges import Gauges
from flyball.answers.rules import rule_entries, together
from flyball.app import Daemon
from flyball.asking import find_keys, why_all
from flyball.effects.installed import installed
from flyball.ledger.history import History
from flyball.ledger.history_counts import Counts, Pending
from flyball.ledger.silencing import kept_back, silences_at
from flyball.ledger.steering import approve, pause, reject, resume, retry
from flyball.model.errors import SiteError
from flyball.rules.cells import names_for_people, rules_named
from flyball.web.port import NotAvailable, NotFound, NotNow

Json = dict[str, Any]


class Answers:
    """`web.port.Daemon` over the open daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._history = History(daemon.store, kinds=installed().catalog)
        self._gauges = Gauges(daemon)

    @property
    def stopping(self) -> bool:
        """Whether the stop has begun."""
        return self._daemon.supervisor.stopping.is_set()

    async def readiness(self) -> Json:
        """The shape of `/readyz`."""
        daemon = self._daemon
        sites = {name: self._site_check(name) for name in daemon.all_watches}
        trouble = daemon.store.trouble or daemon.keeper.trouble
        started = self._every_site_tried() or bool(daemon.supervisor.broken)
        if self.stopping:
            status = "stopping"
        elif not started or not daemon.opened:
            status = "starting"
        else:
            whole = not trouble and not daemon.rules.rejected and not daemon.supervisor.broken
            fine = whole and all(check["ok"] for check in sites.values())
            status = "ready" if fine else "degraded"
        return {
            "status": status,
            "checks": {
                "store": {"ok": trouble is None, "error": trouble},
                "sites": sites,
                "rules": {"loaded": len(daemon.rules.rules), "rejected": len(daemon.rules.rejected)},
                "services": {
                    name: daemon.secrets.mask(error) for name, error in sorted(daemon.supervisor.broken.items())
                },
            },
        }

    def _every_site_tried(self) -> bool:
        """Whether each site had its first round, gone well or not."""
        weathers = map(self._daemon.weather, self._daemon.all_watches)
        return all(weather.polls or weather.failures for weather in weathers)

    def _site_check(self, name: str) -> Json:
        weather = self._daemon.weather(name)
        error = None if weather.error is None else self._daemon.secrets.mask(weather.error)
        last, lag = weather.last_poll, self._daemon.lag(name)
        return {
            "ok": weather.error is None and last is not None,
            "last_poll": None if last is None else last.isoformat(),
            "lag_s": None if lag is None else round(lag, 3),
            "error": error,
        }

    async def status(self) -> Json:
        """The shape of `/status`."""
        daemon = self._daemon
        counts, pending = await self._counts()
        return {
            "version": __version__,
            "uptime_s": round((daemon.clock.now() - daemon.started).total_seconds(), 3),
            "idle": bool(pending.idle and self._every_site_tried() and not daemon.crew.under_way),
            "sites": {name: self._site_status(name) for name in daemon.all_watches},
            "rules": self._rule_entries(counts),
            "effects": counts.effects,
            "settling": counts.settling,
            "due": {"looks": pending.looks_due, "effects": pending.effects_due},
            "held": counts.held,
            "alerts": counts.alerts,
            "replicas": 1 if daemon.replicas is None else daemon.replicas.number,
            "silences": await self.silences(),
            "messages": await daemon.store.read(kept_back),
            "heartbeat": None if daemon.heartbeat is None else daemon.heartbeat.as_json(),
        }

    def _site_status(self, name: str) -> Json:
        parts = self._daemon.all_sites[name]
        pace, weather = parts.pace.snapshot(), self._daemon.weather(name)
        return {
            "kind": parts.settings.kind,
            "address": parts.address,
            **self._site_check(name),
            "poll_every_s": self._daemon.all_watches[name].every.total_seconds(),
            "polls": weather.polls,
            "requests": parts.requests.total,
            "requests_per_round": weather.last_requests,
            "throttled": parts.requests.throttled,
            "in_flight": pace.in_flight,
            "paused_s": round(pace.paused_s, 3),
            "sweeping": weather.sweeping,
            "findings": list(weather.findings),
        }

    def _rule_entries(self, counts: Counts) -> dict[str, Json]:
        return rule_entries(self._daemon.rules, self._daemon.dispatcher, counts.rules)

    async def rules(self) -> list[Json]:
        """Every rule, refused ones included."""
        counts = await self._history.counts(self._daemon.clock.now())
        return [{"id": name, **entry} for name, entry in self._rule_entries(counts).items()]

    async def rule(self, ident: str) -> Json:
        """One rule."""
        entries = await self.rules()
        for entry in entries:
            if entry["id"] == ident:
                return entry
        cells = [entry for entry in entries if entry.get("written_as") == ident]
        if cells:
            return together(ident, cells)
        raise NotFound(f"there is no rule {ident!r}")

    async def effects(self, **filters: Any) -> Json:
        """A page of effects."""
        return await self._history.effects(**filters)

    async def effect(self, ident: str) -> Json:
        """One effect with its attempts."""
        found = await self._history.effect(ident)
        if found is None:
            raise NotFound(f"there is no effect {ident!r}")
        return found

    async def failures(self, rule: str | None = None) -> list[Json]:
        """The failed effects in groups."""
        return await self._history.failures(rule)

    async def decisions(self, **filters: Any) -> Json:
        """A page of decisions."""
        return await self._history.decisions(**filters)

    async def events(self, **filters: Any) -> Json:
        """A page of events."""
        return await self._history.events(**filters)

    async def alerts(self, **filters: Any) -> Json:
        """A page of alerts."""
        return await self._history.alerts(**filters)

    async def silences(self) -> list[Json]:
        """The silences in force."""
        now = self._daemon.clock.now()
        found = await self._daemon.store.read(lambda connection: silences_at(connection, now))
        return [one.as_json() for one in found]

    async def failed_jobs(self) -> list[Json]:
        """Launches whose job failed on the site, in groups."""
        return await self._history.failed_jobs()

    async def weather(self) -> Json:
        """The last half hour of each site."""
        return self._daemon.barometer.shown()

    async def why(self, rule: str, target: str) -> Json:
        """The decision now and the last recorded one."""
        daemon = self._daemon
        rules = rules_named(daemon.rules.rules, rule)
        if not rules:
            known = ", ".join(sorted(names_for_people(daemon.rules.rules)))
            raise NotFound(f"there is no rule {rule!r}; there are: {known}")
        keys = await find_keys(daemon.find, rules, target)
        with suppress(SiteError):  # then the answer is of the last read, and `/readyz` says what is wrong
            await daemon.read_again(keys)
        answer = await why_all(daemon.store, daemon.dispatcher, rules, keys, daemon.clock.now())
        if answer is None:
            raise NotFound(f"the site has shown no {rules[0].each} named {target!r}")
        return answer

    async def act(self, verb: str, params: Mapping[str, str]) -> Json:
        """Carry out what a person asked for."""
        daemon = self._daemon
        now = daemon.clock.now()
        if verb == "poll":
            for watch in daemon.all_watches.values():
                watch.poll_now()
            await daemon.tell("poll")
            return {"polling": sorted(daemon.all_watches)}
        if verb == "reload":
            taken = await daemon.reload()
            await daemon.tell("reload")
            return {**taken.as_json(), "rejected": [str(entry) for entry in daemon.rules.rejected]}
        moves = {"approve": approve, "reject": reject, "retry": retry, "pause": pause, "resume": resume}
        move = moves.get(verb)
        if move is None:
            raise NotAvailable(f"{verb!r} is not available in this version")
        what = params.get("effect") or params.get("rule") or ""
        try:
            answer = await daemon.store.write(lambda connection: move(connection, what, now))
        except LookupError as error:
            raise NotFound(str(error.args[0])) from error
        except ValueError as error:
            raise NotNow(str(error)) from error
        if verb in ("pause", "resume"):
            await daemon.dispatcher.reload_records()
            await daemon.tell("rules")
        daemon.ring()
        return answer

    async def measure(self) -> None:
        """Bring the gauges up to date."""
        counts, pending = await self._counts()
        self._gauges.update(counts, pending, ready=(await self.readiness())["status"] == "ready")

    async def _counts(self) -> tuple[Counts, Pending]:
        """What the ledger holds, and what of it is to be done."""
        daemon, now = self._daemon, self._daemon.clock.now()
        counts = await self._history.counts(now)
        able, sites = daemon.dispatcher.able(), list(daemon.crew.sites)
        return counts, await self._history.pending(now, rules=able, sites=sites)
