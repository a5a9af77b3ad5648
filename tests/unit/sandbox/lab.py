"""A tiny lab without a network: requests go straight to the site's front door."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import orjson

from flyball.sandbox.api.call import Part, Reply, Request
from flyball.sandbox.api.front import answer
from flyball.sandbox.scenario import Scenario
from flyball.sandbox.state import Site
from flyball.sandbox.world import key_for

NOW = datetime(2026, 11, 20, 9, 0, 0, 318_000, tzinfo=UTC)


@dataclass
class Lab:
    """A site with one project, one complete session, and ways to ask it."""

    scenario: Scenario
    site: Site

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        user: str | None = "admin@example.org",
        headers: dict[str, str] | None = None,
        parts: list[Part] | None = None,
    ) -> Reply:
        """Send a request; `path` may carry a query."""
        address, _, text = path.partition("?")
        query: dict[str, list[str]] = {}
        for name, value in parse_qsl(text, keep_blank_values=True):
            query.setdefault(name, []).append(value)
        sent = dict(headers or {})
        if user is not None:
            sent["authorization"] = f"scitran-user {key_for(self.scenario, user)}"
        segments = [part for part in address.split("/") if part]
        raw = b"" if body is None else orjson.dumps(body)
        return answer(self.site, Request(method, segments, query, sent, raw, parts))

    def get(self, path: str, **more: Any) -> Any:
        """The JSON of a GET that has to succeed, as a client reads it."""
        reply = self.ask("GET", path, **more)
        assert reply.status == 200, reply
        return orjson.loads(orjson.dumps(reply.body))

    def rows(self, path: str, name: str = "label") -> list[Any]:
        """One field of each row of a list."""
        found = self.get(path)
        return [row[name] for row in (found["results"] if isinstance(found, dict) else found)]

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.site.catch_up(self.site.now + timedelta(seconds=seconds))

    @property
    def project(self) -> dict[str, Any]:
        """The project `scien/tome`."""
        return next(p for p in self.site.projects.rows.values() if p["label"] == "tome")

    @property
    def subject(self) -> dict[str, Any]:
        """The subject `sub-01`."""
        return next(s for s in self.site.subjects.rows.values() if s["label"] == "sub-01")

    @property
    def session(self) -> dict[str, Any]:
        """The session `ses-01`."""
        return next(s for s in self.site.sessions.rows.values() if s["label"] == "ses-01")

    def acquisition(self, label: str = "T1w") -> dict[str, Any]:
        """An acquisition of the session."""
        return next(a for a in self.site.acquisitions.rows.values() if a["label"] == label)

    def gear(self, name: str) -> dict[str, Any]:
        """The newest version of a gear."""
        return max((g for g in self.site.gears.rows.values() if g["gear"]["name"] == name), key=lambda g: g["_id"])


MakeLab = Callable[..., Lab]
