"""What the HTTP server needs of the daemon, and the errors by which the daemon says no.

    FlyballError
    ├── BadRequest      400: the request makes no sense as it stands
    ├── NotFound        404: there is no such rule, effect, target
    ├── NotNow          409: it is there, but not in a state that allows this
    └── NotAvailable    501: this daemon does not offer it

`Stopping` is answered with 503; every other `FlyballError` too, with its text; anything else with 500 and no text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from flyball.model.errors import FlyballError

Json = dict[str, Any]


class BadRequest(FlyballError):  # noqa: N818 - named by what the caller is told
    """The request makes no sense; the text says what would."""


class NotFound(FlyballError):  # noqa: N818 - named by what the caller is told
    """There is nothing of that name."""


class NotNow(FlyballError):  # noqa: N818 - named by what the caller is told
    """It exists, but its present state does not allow this; the text names the state."""


class NotAvailable(FlyballError):  # noqa: N818 - named by what the caller is told
    """This daemon does not offer it."""


class Daemon(Protocol):
    """The running daemon, as far as the server shows it and passes on what people ask.

    Lists come as page JSON (`{"results", "next"}`); filters that are None are not set. A filter that names what does
    not exist is the ledger's `BadQuery`.
    """

    @property
    def stopping(self) -> bool:
        """The stop has begun: nothing new is taken."""
        ...

    async def readiness(self) -> Json:
        """`{"status": "ready" | "starting" | "degraded" | "stopping", "checks": {"store": {"ok", "error"}, "sites":
        {NAME: {"ok", "last_poll", "lag_s", "error"}}, "rules": {"loaded", "rejected"}}}`.
        """
        ...

    async def status(self) -> Json:
        """`version`, `uptime_s`, `idle`, `sites`, `rules`, `effects`, `settling`, `held`, `alerts`, `replicas`; also
        `silences` (as below), `messages` (kept back: `{"silence", "digest", "group"}` → number) and `heartbeat`
        (`{"sent", "error"}`, or null where none is configured).
        """
        ...

    async def rules(self) -> list[Json]:
        """Every rule, those that were refused included; each has `id`."""
        ...

    async def rule(self, ident: str) -> Json:
        """One rule. Raises NotFound."""
        ...

    async def effects(
        self,
        *,
        rule: str | None = None,
        target: str | None = None,
        state: str | None = None,
        kind: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Json:
        """A page of effects, newest first."""
        ...

    async def effect(self, ident: str) -> Json:
        """One effect with its attempts. Raises NotFound."""
        ...

    async def failures(self, rule: str | None = None) -> list[Json]:
        """The failed effects by kind, gear and reason, largest group first."""
        ...

    async def decisions(
        self,
        *,
        rule: str | None = None,
        target: str | None = None,
        state: str | None = None,
        current: bool | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Json:
        """A page of decisions, newest first."""
        ...

    async def events(
        self,
        *,
        target: str | None = None,
        kind: str | None = None,
        source: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Json:
        """A page of events, newest first."""
        ...

    async def alerts(
        self,
        *,
        rule: str | None = None,
        target: str | None = None,
        state: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Json:
        """A page of alerts, newest first."""
        ...

    async def silences(self) -> list[Json]:
        """The silences in force: `{"id", "rule", "project", "until", "because", "since"}`; one of the two is null."""
        ...

    async def failed_jobs(self) -> list[Json]:
        """Launches whose job failed on the site, in groups of the same shape, of kind `job`."""
        ...

    async def weather(self) -> Json:
        """Site → its last half hour: `{"every_s", "requests", "throttled", "failed", "lag_s"}`, lists oldest first."""
        ...

    async def why(self, rule: str, target: str) -> Json:
        """The decision now and the last recorded one. Raises NotFound for an unknown rule or target."""
        ...

    async def act(self, verb: str, params: Mapping[str, str]) -> Json:
        """Carry out what a person asks: `approve`, `reject`, `retry` with `effect`; `pause`, `resume` with `rule`;
        `poll`, `reload` with nothing. Raises NotFound, NotNow, NotAvailable.
        """
        ...

    async def measure(self) -> None:
        """Bring the metrics' gauges up to date: somebody is about to read them."""
        ...


class Hooks(Protocol):
    """The incoming webhooks. A server without them answers 404 for every name."""

    def knows(self, name: str) -> bool:
        """Whether a hook of this name is configured."""
        ...

    async def receive(self, name: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Json]:
        """Check and store one delivery; the status and the body to answer. Header names are in lower case.

        `retry_after` in the body is taken out of it and becomes the header, in seconds.
        """
        ...
