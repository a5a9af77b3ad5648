"""A loopback server that answers, breaks off, resets and hangs as told; and requests of each sort to send it."""

from __future__ import annotations

import asyncio
from typing import Any, Self

from flyball.clients.exchange import Does, Request

OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"_id":"x"}'
GET = Request("GET", "/sessions", template="/sessions")
SET = Request("PUT", "/sessions/1", body=b"{}", does=Does.SET, template="/sessions/{id}")
ADD = Request("POST", "/sessions/1/tags", body=b"{}", does=Does.ADD, template="/sessions/{id}/tags")
CREATE = Request("POST", "/jobs/add", body=b"{}", does=Does.CREATE, template="/jobs/add")


def answer(status: int, body: bytes = b"{}", **headers: str) -> bytes:
    """A whole HTTP answer."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


class Server:
    """Takes one step of its script per request: bytes to answer, or what to do instead.

    `close` answers nothing and closes, `reset` cuts the connection, `hang` never answers, a tuple of bytes is written
    piece by piece and the connection closed. When the script is over, everything is answered with 200.
    """

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.heads: list[str] = []
        self.connections = 0
        self.port = 0
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """The base address."""
        return f"http://127.0.0.1:{self.port}/api"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                text = head.decode()
                self.heads.append(text)
                length = [
                    line.split(": ")[1] for line in text.split("\r\n") if line.lower().startswith("content-length")
                ]
                await reader.readexactly(int(length[0]) if length else 0)
                if await self._step(writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _step(self, writer: asyncio.StreamWriter) -> bool:
        """Does the next step; True ends the connection."""
        step = self.script.pop(0) if self.script else OK
        if step == "reset":
            writer.transport.abort()
        elif step == "hang":
            await asyncio.Event().wait()
        elif isinstance(step, tuple):
            for piece in step:
                writer.write(piece)
                await writer.drain()
        elif step != "close":
            writer.write(step)
            await writer.drain()
            return False
        return True
