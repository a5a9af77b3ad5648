"""A daemon made of plain data, for the server and the page: empty, busy or broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from flyball.ledger.history_pages import BadQuery
from flyball.model.errors import FlyballError
from flyball.web.port import Json, NotAvailable, NotFound, NotNow

NOW = datetime(2026, 11, 20, 14, 2, 11, tzinfo=UTC)
STATES = ("planned", "held", "waiting", "running", "done", "failed", "cancelled", "undone", "shadow")


class Clock:
    """A clock that tests move."""

    def __init__(self, now: datetime = NOW) -> None:
        self.time = now
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, by: timedelta) -> None:
        self.time += by
        self.seconds += by.total_seconds()


class FakeDaemon:
    """What the server asks is answered from these attributes; what it was asked stands in `asked`."""

    def __init__(self) -> None:
        self.stopping = False
        self.state = "ready"
        self.store: Json = {"ok": True, "error": None}
        self.sites: dict[str, Json] = {}
        self.known_rules: dict[str, Json] = {}
        self.known_effects: list[Json] = []
        self.known_alerts: list[Json] = []
        self.known_events: list[Json] = []
        self.known_decisions: list[Json] = []
        self.known_tries: list[Json] = []
        self.known_why: Json = {}
        self.more_status: Json = {}
        self.known_failed_jobs: list[Json] = []
        self.known_failures: list[Json] = []
        self.known_weather: Json = {}
        self.known_silences: list[Json] = []
        self.broken: BaseException | None = None  # raised by everything but readiness
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.measured = 0
        self.uptime = 12.0

    def _note(self, what: str, filters: Mapping[str, Any]) -> None:
        self.asked.append((what, dict(filters)))
        if self.broken is not None:
            raise self.broken

    async def readiness(self) -> Json:
        checks = {
            "store": self.store,
            "sites": {
                name: {"ok": site["ok"], "last_poll": site["last_poll"], "lag_s": site["lag_s"], "error": site["error"]}
                for name, site in self.sites.items()
            },
            "rules": {"loaded": len(self.known_rules), "rejected": 0},
        }
        return {"status": self.state, "checks": checks}

    async def status(self) -> Json:
        self._note("status", {})
        effects = dict.fromkeys(STATES, 0) | Counter(effect["state"] for effect in self.known_effects)
        return {
            "version": "0.1.0",
            "uptime_s": self.uptime,
            "idle": not effects["running"],
            "sites": deepcopy(self.sites),
            "rules": deepcopy(self.known_rules),
            "effects": effects,
            "settling": 0,
            "held": effects["held"],
            "alerts": len(self.known_alerts),
            "replicas": 1,
            **self.more_status,
        }

    async def rules(self) -> list[Json]:
        self._note("rules", {})
        return [{"id": ident, **rule} for ident, rule in self.known_rules.items()]

    async def rule(self, ident: str) -> Json:
        self._note("rule", {"id": ident})
        if ident not in self.known_rules:
            raise NotFound(f"there is no rule {ident!r}")
        return {"id": ident, **self.known_rules[ident]}

    async def effects(self, **filters: Any) -> Json:
        self._note("effects", filters)
        state = filters.get("state")
        if state is not None and state not in STATES:
            raise BadQuery("unknown_state", f"there is no state {state!r}; there are {', '.join(STATES)}")
        found = [effect for effect in self.known_effects if state is None or effect["state"] in state.split(",")]
        return _page(found, filters)

    async def effect(self, ident: str) -> Json:
        self._note("effect", {"id": ident})
        for effect in self.known_effects:
            if effect["id"] == ident:
                return {**effect, "tries": self.known_tries, "decision": None}
        raise NotFound(f"there is no effect {ident!r}")

    async def failures(self, rule: str | None = None) -> list[Json]:
        self._note("failures", {"rule": rule})
        return self.known_failures

    async def decisions(self, **filters: Any) -> Json:
        self._note("decisions", filters)
        return _page(self.known_decisions, filters)

    async def events(self, **filters: Any) -> Json:
        self._note("events", filters)
        return _page(self.known_events, filters)

    async def silences(self) -> list[Json]:
        self._note("silences", {})
        return self.known_silences

    async def alerts(self, **filters: Any) -> Json:
        self._note("alerts", filters)
        return _page(self.known_alerts, filters)

    async def failed_jobs(self) -> list[Json]:
        self._note("failed_jobs", {})
        return self.known_failed_jobs

    async def weather(self) -> Json:
        self._note("weather", {})
        return self.known_weather

    async def why(self, rule: str, target: str) -> Json:
        self._note("why", {"rule": rule, "target": target})
        await self.rule(rule)
        return {
            "rule": rule,
            "target": {"level": "session", "id": target, "path": ""},
            "decision": "yes",
            **self.known_why,
        }

    async def act(self, verb: str, params: Mapping[str, str]) -> Json:
        self._note(verb, params)
        if verb == "reload":
            raise NotAvailable("this daemon reads its rules once")
        if verb == "reject":
            raise NotNow("effect 1 is done; only held ones can be rejected")
        for effect in self.known_effects:
            if verb == "approve" and effect["id"] == params.get("effect"):
                effect["state"] = "planned"
        return {"verb": verb, **params}

    async def measure(self) -> None:
        self.measured += 1
        if isinstance(self.broken, FlyballError):
            raise self.broken


def _page(rows: list[Json], filters: Mapping[str, Any]) -> Json:
    """A page whose cursor is how many rows went before."""
    start = int(filters.get("after") or 0)
    end = start + int(filters.get("limit") or 100)
    return {"results": deepcopy(rows[start:end]), "next": str(end) if end < len(rows) else None}


def effect(number: int, state: str = "done", **more: Any) -> Json:
    """One effect as the ledger shows it."""
    time = (NOW - timedelta(seconds=7 * number)).isoformat()
    return {
        "id": str(number),
        "rule": "bold-qc",
        "target": {"level": "file", "id": f"{number:024x}", "path": "scien/tome/ex14/visit1/task-rest/mriqc.qa.html"},
        "kind": "tag",
        "state": state,
        "once_key": "fb-abcdefghijklmnopqrstuvwxyz",
        "summary": "+ tag LOW_SNR  scien/tome/ex14/visit1/task-rest",
        "params": {"tag": "LOW_SNR", "operation": "add"},
        "attempts": 1,
        "created": time,
        "updated": time,
        "outcome": None,
        "error": None,
        **more,
    }


def rule(**more: Any) -> Json:
    """One rule as `/status` shows it."""
    return {
        "title": "BOLD runs with poor MRIQC values",
        "site": "main",
        "each": "file",
        "mode": "live",
        "decisions": {"yes": 12, "no": 204, "unknown": 3},
        "effects": dict.fromkeys(STATES, 0),
        "last_error": None,
        "rejected": None,
        **more,
    }


def site(**more: Any) -> Json:
    """One site as `/status` shows it."""
    return {
        "kind": "flywheel",
        "address": "https://flywheel.example.edu/api",
        "ok": True,
        "polls": 128,
        "last_poll": NOW.isoformat(),
        "lag_s": 2.4,
        "requests": 1043,
        "throttled": 0,
        "in_flight": 2,
        "paused_s": 0.0,
        "error": None,
        **more,
    }
