"""The emulated sites as tests, the demo and the command line use it."""

import asyncio
import gc
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from flyball.sandbox.faults import FaultPlan
from flyball.sandbox.http import Requests, Server
from flyball.sandbox.scenario import Scenario
from flyball.sandbox.scout import Scout
from flyball.sandbox.state import Site
from flyball.sandbox.world import build, key_for

Clock = Callable[[], datetime]


def _wall_clock() -> datetime:
    return datetime.now(UTC)


class Sandbox:
    """An emulated Flywheel site and Neuroscout server, listening while the context is open.

    Time passes by the clock: jobs go on and sessions arrive whenever the site is looked at, so a
    test that moves its clock moves the site.
    """

    def __init__(
        self,
        scenario: Scenario | None = None,
        *,
        clock: Clock | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Build the scenario's data; the packaged lab without one."""
        self.scenario = scenario if scenario is not None else Scenario.named("lab")
        self._clock = clock or _wall_clock
        self._host, self._port = host, port
        self._site = build(self.scenario, self._clock())
        self._scout = self.scenario.scout(self._clock())
        self.faults = FaultPlan(self.scenario.seed, self.scenario.faults)
        self._server = Server(self._present, self._scout_now, self.faults, self.reset)

    async def __aenter__(self) -> Self:
        """Listen."""
        await self._server.start(self._host, self._port, storage=bool(self._site.speech.signed_urls))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening."""
        await self._server.stop()

    def _present(self) -> Site:
        self._site.catch_up(self._clock())
        self._site.storage.base = self._server.storage
        return self._site

    def _scout_now(self) -> Scout:
        self._scout.catch_up(self._clock())
        return self._scout

    @property
    def scout(self) -> Scout:
        """The Neuroscout server's state, brought up to the present; tests may change it."""
        return self._scout_now()

    @property
    def site(self) -> Site:
        """The state, brought up to the present; tests may change it."""
        return self._present()

    @property
    def requests(self) -> Requests:
        """What arrived at the Flywheel site."""
        return self._server.requests

    @property
    def scout_requests(self) -> Requests:
        """What arrived at the Neuroscout server."""
        return self._server.scout_requests

    def reset(self) -> None:
        """Put the scenario's data back, as of now."""
        self._site = build(self.scenario, self._clock())
        self._scout = self.scenario.scout(self._clock())

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self._server.address

    @property
    def url(self) -> str:
        """The base address of the API, with `/api`."""
        host, port = self.address
        return f"http://{host}:{port}/api"

    def key_of(self, email: str) -> str:
        """A user's API key in the form that the official SDK takes."""
        host, port = self.address
        return f"{host}:{port}:__force_insecure:{key_for(self.scenario, email)}"

    @property
    def key(self) -> str:
        """The site admin's API key."""
        return self.key_of(next(u["_id"] for u in self._site.users.rows.values() if u["root"]))

    @property
    def user_key(self) -> str:
        """The API key of a user who is no admin."""
        return self.key_of(next(u["_id"] for u in self._site.users.rows.values() if not u["root"]))

    @property
    def neuroscout(self) -> str:
        """The base address of the Neuroscout API, without a slash at its end."""
        host, port = self.address
        return f"http://{host}:{port}/neuroscout/api"

    @property
    def scout_users(self) -> list[dict[str, str]]:
        """The first two Neuroscout accounts, with their passwords."""
        users = list(self._scout.users.values())[:2]
        return [{"email": user.email, "password": user.password} for user in users]

    def ready(self) -> dict[str, Any]:
        """What `flyball sandbox` prints when it listens."""
        return {"flywheel": self.key, "neuroscout": self.neuroscout, "users": self.scout_users}


async def serve(scenario: Scenario | None, host: str, port: int, ready: Callable[[Sandbox], None]) -> None:
    """Run the sandbox until cancelled; `ready` is called once it listens."""
    async with Sandbox(scenario, host=host, port=port) as sandbox:
        # The data of a large scenario lives as long as the process: no need to look through it again.
        gc.collect()
        gc.freeze()
        ready(sandbox)
        await asyncio.Event().wait()
