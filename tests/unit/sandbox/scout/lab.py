"""The emulated Neuroscout server without a network: requests go straight to its front door."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import orjson

from flyball.sandbox.api.call import Part, Reply, Request
from flyball.sandbox.scenario import Scenario
from flyball.sandbox.scout import Scout
from flyball.sandbox.scout.api.front import answer
from flyball.sandbox.scout.records import Analysis
from flyball.sandbox.scout.tokens import make_token

NOW = datetime(2026, 11, 20, 9, 7, 0, 318_000, tzinfo=UTC)


@cache
def packaged() -> Scenario:
    """The packaged lab, read once."""
    return Scenario.named("lab")


@dataclass
class ScoutLab:
    """A server and ways to ask it."""

    scout: Scout = field(default_factory=lambda: packaged().scout(NOW))

    def token(self, user: str, life_s: float = 3600) -> str:
        """The header of a signed-in user, by user name."""
        own = next(u.id for u in self.scout.users.values() if u.user_name == user)
        return f"JWT {make_token(self.scout.secret, own, self.scout.now, life_s)}"

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        user: str | None = "ada",
        header: str | None = None,
        content_type: str = "application/json",
        parts: list[Part] | None = None,
        query: dict[str, str] | None = None,
    ) -> Reply:
        """Send a request; `path` may carry a query, a body of bytes is sent as it is."""
        address, _, text = path.partition("?")
        values: dict[str, list[str]] = {}
        for name, value in [*parse_qsl(text, keep_blank_values=True), *(query or {}).items()]:
            values.setdefault(name, []).append(value)
        raw = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        headers = {"content-type": content_type} if raw else {}
        sent = header if header is not None else self.token(user) if user else None
        if sent is not None:
            headers["authorization"] = sent
        segments = address.strip("/").split("/") + ([""] if address.endswith("/") else [])
        return answer(self.scout, Request(method, segments, values, headers, raw, parts))

    def get(self, path: str, **more: Any) -> Any:
        """The JSON of a GET that has to succeed."""
        return self.done("GET", path, **more)

    def done(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The JSON of a request that has to succeed."""
        reply = self.ask(method, path, body, **more)
        assert reply.status == 200, reply
        return read(reply)

    def refused(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        """Status and message of a request that has to fail."""
        reply = self.ask(method, path, body, **more)
        assert reply.status >= 400, reply
        return reply.status, read(reply)["message"]

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.scout.catch_up(self.scout.now + timedelta(seconds=seconds))

    def draft(self, name: str | None = "draft", user: str = "ada", **fields: Any) -> Analysis:
        """A new analysis of Life's first run, ready to be compiled."""
        model: dict[str, Any] = {"Name": name, "Input": {}, "Steps": [{"Level": "Run", "Model": {"X": ["rmse"]}}]}
        body = {"dataset_id": 9, "runs": [236], "predictors": [12906], "model": model, **fields}
        if name is not None:
            body["name"] = name
        return self.scout.analyses[self.done("POST", "/analyses", body, user=user)["hash_id"]]

    def passed(self, name: str = "done", user: str = "ada", **fields: Any) -> Analysis:
        """An analysis that has passed."""
        row = self.draft(name, user, **fields)
        self.done("POST", f"/analyses/{row.hash_id}/compile", user=user)
        self.later(10)
        assert row.status == "PASSED"
        return row

    def upload(
        self,
        name: str,
        files: dict[str, str],
        *,
        dataset_id: int = 9,
        user: str = "ada",
        descriptions: str | None = None,
    ) -> Reply:
        """Post events files, a table for each list of runs."""
        return self.ask("POST", "/predictors/collection", user=user, parts=form(name, files, dataset_id, descriptions))


def form(name: str, files: dict[str, str], dataset_id: int = 9, descriptions: str | None = None) -> list[Part]:
    """The parts of an upload."""
    texts = [("collection_name", name), ("dataset_id", str(dataset_id)), *(("runs", runs) for runs in files)]
    texts += [("descriptions", descriptions)] if descriptions is not None else []
    parts = [Part(key, None, None, value.encode()) for key, value in texts]
    return parts + [Part("event_files", "events.tsv", None, table.encode()) for table in files.values()]


def read(reply: Reply) -> Any:
    """The JSON of a reply."""
    assert reply.raw is not None
    assert reply.content_type == "application/json", reply
    return orjson.loads(reply.raw)
