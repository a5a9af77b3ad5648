"""Debian's headless Chromium, driven over its own debugging protocol: enough to look at a page and to ask it things."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

DEADLINE = 90.0
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
        """Open an address and leave the page before; one that differs in nothing but what follows the # keeps it."""
        await self.run("void (window.isBeingLeft = true)")
        if "loaderId" in await self.ask("Page.navigate", url=url):
            await self.until("window.isBeingLeft === undefined && document.readyState === 'complete'")

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

    async def press(self, key: str, code: int, **more: Any) -> None:
        """A key down and up again; `code` is its virtual key code."""
        for kind in ("keyDown", "keyUp"):
            await self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **more)

    async def type(self, text: str) -> None:
        """Text into what has the focus."""
        await self.ask("Input.insertText", text=text)

    async def picture(self, path: Path) -> None:
        """A PNG of what the window shows."""
        said = await self.ask("Page.captureScreenshot")
        path.write_bytes(base64.b64decode(said["data"]))


class Browser:
    """A running browser; each test gets a tab with cookies and storage of its own.

    Args:
        profile: an empty folder for it.
    """

    def __init__(self, profile: Path) -> None:
        assert PROGRAM is not None
        self._process = subprocess.Popen(
            [PROGRAM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(profile)},
        )
        end = time.monotonic() + DEADLINE
        port = profile / "DevToolsActivePort"
        while not (port.exists() and len(lines := port.read_text().splitlines()) > 1):
            assert time.monotonic() < end, "the browser did not start"
            time.sleep(0.05)
        self._address = f"ws://127.0.0.1:{lines[0]}"
        self._door = lines[1]

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @asynccontextmanager
    async def tab(self) -> AsyncIterator[Tab]:
        """An empty tab, closed with all that it stored."""
        async with aiohttp.ClientSession() as http, http.ws_connect(self._address + self._door) as door:
            browser = Tab(door)
            context = (await browser.ask("Target.createBrowserContext"))["browserContextId"]
            made = await browser.ask("Target.createTarget", url="about:blank", browserContextId=context)
            async with http.ws_connect(f"{self._address}/devtools/page/{made['targetId']}", max_msg_size=0) as socket:
                tab = Tab(socket)
                for domain in ("Page", "Runtime", "Log"):
                    await tab.ask(f"{domain}.enable")
                yield tab
            await browser.ask("Target.disposeBrowserContext", browserContextId=context)


@asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[Tab]:
    """A browser of its own with one empty tab; `profile` is an empty folder for it."""
    browser = await asyncio.to_thread(Browser, profile)
    try:
        async with browser.tab() as tab:
            yield tab
    finally:
        await asyncio.to_thread(browser.close)
