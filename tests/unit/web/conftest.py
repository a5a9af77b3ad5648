"""A server on a free loopback port over a fake daemon, and a way to ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from flyball.web.metrics import Metrics
from flyball.web.server import Server
from unit.web.browser import Browser, Tab
from unit.web.fakes import Clock, FakeDaemon

TOKEN = "a-long-token-of-the-lab"


@dataclass(frozen=True)
class Answer:
    """An answer, read whole."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["Content-Type"].startswith("application/json")
        return orjson.loads(self.body)

    @property
    def error(self) -> str:
        """The error's code; the answer must have the shape of errors."""
        said = self.json
        assert set(said) == {"error"}
        assert set(said["error"]) == {"code", "message"}
        assert said["error"]["message"]
        code: str = said["error"]["code"]
        return code


@dataclass
class Site:
    """The running server."""

    server: Server
    daemon: FakeDaemon
    clock: Clock
    metrics: Metrics
    port: int
    http: aiohttp.ClientSession
    bearer: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def ask(self, method: str, path: str, **more: Any) -> Answer:
        """One request; redirects are not followed, and no cookies are kept."""
        headers = CIMultiDict({**self.bearer, **more.pop("headers", {})})
        request = self.http.request(method, f"{self.url}{path}", headers=headers, allow_redirects=False, **more)
        async with request as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    async def post(self, path: str, **headers: str) -> Answer:
        return await self.ask("POST", path, headers={name.replace("_", "-"): value for name, value in headers.items()})


Make = Callable[..., Awaitable[Site]]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Starts servers; keywords go to `Server`, `daemon` may be given."""
    async with AsyncExitStack() as stack:

        async def start(daemon: FakeDaemon | None = None, **more: Any) -> Site:
            daemon, clock, metrics = daemon or FakeDaemon(), Clock(), Metrics("0.1.0")
            settings = {"port": 0, "act_without_token": False, "clock": clock, "live_every": 0.01, **more}
            server = Server(daemon, metrics, **settings)
            port = await server.start()
            stack.push_async_callback(server.stop)
            http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
            await stack.enter_async_context(http)
            bearer = {"Authorization": f"Bearer {more['token']}"} if "token" in more else {}
            return Site(server, daemon, clock, metrics, port, http, bearer)

        yield start


@pytest.fixture
async def site(make: Make) -> Site:
    """A server without a token, on which nobody may act."""
    return await make()


@pytest.fixture
async def locked(make: Make) -> Site:
    """A server with a token; what is asked carries it unless told otherwise."""
    return await make(token=TOKEN)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for the tests of a file."""
    opened = Browser(tmp_path_factory.mktemp("chromium"))
    yield opened
    opened.close()


@pytest.fixture
async def tab(browser: Browser) -> AsyncIterator[Tab]:
    """A tab of its own for a test."""
    async with browser.tab() as opened:
        await opened.size(1280, 900)
        yield opened
