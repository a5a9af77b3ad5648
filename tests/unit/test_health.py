"""The health check of the container image."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import flyball
from flyball.health import main

SOURCE = str(Path(flyball.__file__).parents[1])


async def answering(status: int) -> TestServer:
    """A daemon that answers so."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status)

    app = web.Application()
    app.router.add_get("/healthz", answer)
    server = TestServer(app)
    await server.start_server()
    return server


@pytest.mark.parametrize(("status", "code", "said"), [(200, 0, ""), (500, 1, "answers 500")])
async def test_what_the_daemon_answers(status: int, code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """200 is alive, anything else is not."""
    server = await answering(status)
    try:
        port = str(server.port)
        assert await asyncio.to_thread(main, [], {"FLYBALL_HTTP__PORT": port}) == code
        assert await asyncio.to_thread(main, [port], {}) == code
    finally:
        await server.close()
    assert said in capsys.readouterr().err


def test_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, and the reason."""
    with socket.socket() as taken:  # kept, so that nobody else listens there meanwhile
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert main([str(port)], {}) == 1
    assert f"nothing answers on port {port}" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "x", "0", "70000", "-1"])
def test_no_port(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is no port is said to be none."""
    assert main([text], {}) == 1
    assert "is no port" in capsys.readouterr().err


def test_it_loads_the_standard_library_alone() -> None:
    """It is started every few seconds: nothing heavy may come with it."""
    ask = "import sys, flyball.health; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", ask], env={"PYTHONPATH": SOURCE}, capture_output=True, check=True
    )
    assert set(loaded.stdout.decode().split()) - sys.stdlib_module_names == {"flyball", "__main__"}
