"""Server-sent events: the live view, sent to the pages that are open."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from flyball.web.answers import RETRY_AFTER, Answers
from flyball.web.live import Live, View, news

MOST: Final = 32  # open pages; more than a lab has screens, few enough for the memory promised
_SIGN_OF_LIFE: Final = 15.0  # seconds; below the minute after which proxies close a silent connection
_SLOW: Final = 30.0  # seconds that a reader may take to accept one message
_LONGEST: Final = 900.0  # seconds; the browser comes back by itself, and its session is looked at again


class Streams:
    """The open streams of one server.

    Args:
        live: what they show.
        answers: makes the text.
    """

    def __init__(self, live: Live, answers: Answers) -> None:
        self._live = live
        self._answers = answers
        self._closing = asyncio.Event()
        self._open = 0

    def close(self) -> None:
        """End all streams; new ones are refused."""
        self._closing.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """`GET /events/stream`."""
        if self._closing.is_set():
            return self._answers.error(503, "stopping", "the daemon is stopping", RETRY_AFTER)
        if self._open >= MOST:
            return self._answers.error(503, "too_many", f"{MOST} pages are open already; close one", RETRY_AFTER)
        await self._live.view()  # while it can still be answered that there is none
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        self._open += 1
        try:
            await response.prepare(request)
            await self._send(response)
        except (ConnectionError, TimeoutError):
            pass  # the page was closed, or does not read; there is nobody to tell
        finally:
            self._open -= 1
        return response

    async def _send(self, response: web.StreamResponse) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + _LONGEST
        told = loop.time()
        shown: View | None = None
        await _write(response, b"retry: 2000\n\n")
        while not self._closing.is_set() and loop.time() < end:
            view = await self._live.view()
            said = news(view, shown)
            if said is not None:
                await _write(response, b"data: " + self._answers.text(said) + b"\n\n")
                shown, told = view, loop.time()
            elif loop.time() - told >= _SIGN_OF_LIFE:
                await _write(response, b'data: {"at":"' + view.at.encode() + b'"}\n\n')
                told = loop.time()
            await self._rest()

    async def _rest(self) -> None:
        """Until the next look, or the end."""
        try:
            async with asyncio.timeout(self._live.pause):
                await self._closing.wait()
        except TimeoutError:
            return


async def _write(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(_SLOW):
        await response.write(data)
