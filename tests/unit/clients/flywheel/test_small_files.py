"""The bytes of a file: by container and name, from the site itself or from where it sends us."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from flyball.clients.flywheel.client import FlywheelClient
from flyball.clients.flywheel.keys import parse_key
from flyball.clients.flywheel.small_files import SmallFiles, read_file
from flyball.model.errors import Gone, Permanent

ASKED: list[tuple[str, str | None]] = []


@pytest.fixture
async def contents() -> AsyncIterator[SmallFiles]:
    """A site with three files: one of its own, one in a storage, one that is not there."""
    ASKED.clear()

    async def answer(request: web.Request) -> web.StreamResponse:
        ASKED.append((request.path_qs, request.headers.get("Authorization")))
        if request.path == "/storage/b":
            return web.Response(body=b"from the storage")
        match request.match_info.get("name"):
            case "a b.tsv":
                return web.Response(body=b"onset\tduration")
            case "b.tsv":
                return web.Response(status=302, headers={"Location": f"http://{request.host}/storage/b?signature=x"})
        return web.json_response({"message": "no such file"}, status=404)

    app = web.Application()
    app.router.add_get("/api/acquisitions/{id}/files/{name}", answer)
    app.router.add_get("/storage/b", answer)
    async with TestServer(app) as server:
        key = parse_key(f"{server.host}:{server.port}:__force_insecure:secret")
        client = FlywheelClient.connect(key, site="main")
        yield SmallFiles(client)
        await client.close()


def reference(name: str, **more: Any) -> dict[str, Any]:
    """A file of an acquisition."""
    return {"type": "acquisition", "id": "6a0000000000000000000001", "name": name, **more}


async def test_a_file_is_read_in_its_version(contents: SmallFiles) -> None:
    """The name is encoded; a version that is no number (sites of 2019) is left out."""
    assert await contents.content(reference("a b.tsv", version=2), most=100) == b"onset\tduration"
    assert await contents.content(reference("a b.tsv", version="v0-sha384-x"), most=100) == b"onset\tduration"
    assert [path.partition("?")[2] for path, _ in ASKED] == ["version=2", ""]
    with pytest.raises(Permanent, match="larger than 3 bytes"):
        await contents.content(reference("a b.tsv"), most=3)


async def test_a_signed_address_is_followed_without_our_key(contents: SmallFiles) -> None:
    """The storage is asked for exactly that address, and sees no header of ours."""
    assert await contents.content(reference("b.tsv"), most=100) == b"from the storage"
    assert ASKED[0][1] is not None
    assert ASKED[1] == ("/storage/b?signature=x", None)


async def test_a_file_that_is_gone_is_gone(contents: SmallFiles) -> None:
    """As everywhere."""
    with pytest.raises(Gone):
        await contents.content(reference("c.tsv"), most=100)


def test_outputs_of_analyses_have_their_address() -> None:
    """An analysis is a container like others."""
    assert read_file("analysis", "6a01", "x.tsv").path == "/analyses/6a01/files/x.tsv"
