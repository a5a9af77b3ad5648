"""Downloads that go on where they broke off, and what storage gets to see of us: nothing but the range."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from flyball.clients.flywheel.client import FlywheelClient
from flyball.clients.flywheel.contents import Contents
from flyball.clients.flywheel.keys import parse_key
from flyball.effects.lending import Source
from flyball.model.errors import Gone, Permanent

BODY = bytes(range(256)) * 400
SOURCE = Source("acquisition", "64a000000000000000000004", "T1w.nii.gz", 1)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Held:
    """A sink in memory."""

    def __init__(self) -> None:
        self.body = b""
        self.restarts = 0

    @property
    def size(self) -> int:
        return len(self.body)

    async def restart(self) -> None:
        self.restarts += 1
        self.body = b""

    async def write(self, piece: bytes) -> None:
        self.body += piece


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[TestServer]:
    """A server that answers everything with one handler."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    server = TestServer(app)
    async with server:
        yield server


@asynccontextmanager
async def contents(server: TestServer) -> AsyncIterator[Contents]:
    """Files of that site."""
    client = FlywheelClient.connect(parse_key(f"127.0.0.1:{server.port}:__force_insecure:secret-key"), site="main")
    yield Contents(client)
    await client.close()


async def broken(request: web.Request, body: bytes, status: int = 200, **headers: str) -> web.StreamResponse:
    """Half of an answer."""
    response = web.StreamResponse(status=status, headers={"Content-Length": str(len(body)), **headers})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    assert request.transport is not None
    request.transport.abort()
    return response


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no-ranges"])
async def test_a_broken_download_goes_on(ranges: bool) -> None:
    """Where it ended, if the site can; else from the beginning. Either way it is whole."""
    asked: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        span = request.headers.get("Range", "")
        asked.append(span)
        if len(asked) == 1:
            return await broken(request, BODY)
        begin = int(span.removeprefix("bytes=").rstrip("-"))
        assert request.query["view"] == "true"
        if not ranges:
            return web.Response(body=BODY)
        part = BODY[begin:]
        return web.Response(
            status=206, body=part, headers={"Content-Range": f"bytes {begin}-{len(BODY) - 1}/{len(BODY)}"}
        )

    sink = Held()
    async with serving(handler) as server, contents(server) as files:
        await files.download(SOURCE, sink)
    assert sink.body == BODY
    assert len(asked) == 2
    assert sink.restarts == (0 if ranges else 1)


async def test_storage_sees_nothing_of_us() -> None:
    """A redirect is followed with the range alone: no key, no feature, no name."""
    seen: list[dict[str, str]] = []

    async def storage(request: web.Request) -> web.StreamResponse:
        seen.append({name.lower(): value for name, value in request.headers.items()})
        return web.Response(body=BODY)

    async with serving(storage) as bucket:

        async def site(request: web.Request) -> web.StreamResponse:
            assert request.headers["Authorization"].endswith("secret-key")
            raise web.HTTPFound(f"http://127.0.0.1:{bucket.port}/bucket/object?sig=a%2Fb")

        sink = Held()
        async with serving(site) as server, contents(server) as files:
            await files.download(SOURCE, sink)
    assert sink.body == BODY
    (headers,) = seen
    assert "secret-key" not in str(headers)
    assert not {"authorization", "x-accept-feature", "cookie"} & headers.keys()


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://host/x", "gopher://host"])
async def test_other_schemes_are_not_followed(location: str) -> None:
    """A site cannot send us to our own disk."""

    async def site(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": location})

    async with serving(site) as server, contents(server) as files:
        with pytest.raises(Permanent, match="unsafe address"):
            await files.download(SOURCE, Held())


async def test_circles_end() -> None:
    """Redirects without end are an error."""

    async def site(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": str(request.rel_url)})

    async with serving(site) as server, contents(server) as files:
        with pytest.raises(Permanent, match="without end"):
            await files.download(SOURCE, Held())


async def test_more_than_was_told_is_cut() -> None:
    """A member that swells is not taken."""

    async def site(request: web.Request) -> web.StreamResponse:
        return web.Response(body=BODY)

    async with serving(site) as server, contents(server) as files:
        with pytest.raises(Permanent, match="more than the 10 bytes"):
            await files.download(SOURCE, Held(), most=10)


async def test_a_file_that_is_gone() -> None:
    """404 is told as such."""

    async def site(request: web.Request) -> web.StreamResponse:
        return web.json_response({"message": "no such file"}, status=404)

    async with serving(site) as server, contents(server) as files:
        with pytest.raises(Gone):
            await files.download(SOURCE, Held())
