"""Debian's headless Chromium, driven over its own debugging protocol: enough to look at a page and to ask it things."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

DEADLINE = 30.0
PROGRAM = shutil.which("chromium")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--remote-debugging-port=0",
)


class Tab:
    """One open page. `trouble` collects what its console complained of: errors, refused content, exceptions."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.trouble: list[str] = []

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol; what came of it."""
        said = await self._ask(method, params)
        assert "error" not in said, said
        result: dict[str, Any] = said["result"]
        return result

    async def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            said: dict[str, Any] = await self._socket.receive_json(timeout=DEADLINE)
            if said.get("id") == number:
                return said
            self._hear(said)

    def _hear(self, said: dict[str, Any]) -> None:
        params = said.get("params", {})
        match said.get("method"):
            case "Runtime.exceptionThrown":
                self.trouble.append(str(params["exceptionDetails"].get("exception", {}).get("description")))
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                self.trouble.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.trouble.append(str(params["args"]))

    async def goto(self, url: str) -> None:
        """Open an address."""
        await self.ask("Page.navigate", url=url)

    async def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """The window's inner size in CSS pixels, and the colour scheme."""
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.ask("Emulation.setEmulatedMedia", features=[scheme])

    async def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        said = await self._evaluate(script)
        assert "error" not in said, said
        assert "exceptionDetails" not in said["result"], said
        return said["result"]["result"].get("value")

    async def _evaluate(self, script: str) -> dict[str, Any]:
        return await self._ask("Runtime.evaluate", {"expression": script, "returnByValue": True, "awaitPromise": True})

    async def until(self, script: str) -> Any:
        """The value of an expression once it is true; it may fail until then (a page is being left, or not there yet)."""
        async with asyncio.timeout(DEADLINE):
            while not (value := (await self._evaluate(script)).get("result", {}).get("result", {}).get("value")):
                await asyncio.sleep(0.02)
        return value

    async def picture(self, path: Path) -> None:
        """A PNG of what the window shows."""
        said = await self.ask("Page.captureScreenshot")
        path.write_bytes(base64.b64decode(said["data"]))


@asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[Tab]:
    """A browser of its own with one empty tab; `profile` is an empty folder for it."""
    assert PROGRAM is not None
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        *_FLAGS,
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "HOME": str(profile)},
    )
    try:
        port = await _port(profile / "DevToolsActivePort")
        async with aiohttp.ClientSession() as http:
            async with http.get(f"http://127.0.0.1:{port}/json/list") as answer:
                tabs = json.loads(await answer.text())
            address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
            async with http.ws_connect(address, max_msg_size=0) as socket:
                tab = Tab(socket)
                for domain in ("Page", "Runtime", "Log"):
                    await tab.ask(f"{domain}.enable")
                yield tab
                await tab.ask("Browser.close")
        async with asyncio.timeout(DEADLINE):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _port(path: Path) -> int:
    async with asyncio.timeout(DEADLINE):
        while not (path.exists() and (lines := path.read_text().splitlines())):
            await asyncio.sleep(0.05)
    return int(lines[0])
