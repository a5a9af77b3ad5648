"""A wire to PostgreSQL that is cut at chosen moments: before a commit reaches the server, or before its answer comes."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self
from urllib.parse import parse_qs, urlsplit

Cut = Literal["before", "after"]
COMMIT = b"COMMIT"


class Wire:
    """Forwards connections on a port of loopback to the server of an address.

    Attributes:
        plan: what happens to the coming commits, one each; None lets one through. Empty: all pass.
        cuts: how many were cut so far.
        down: refuse everything.
        refuse: how many connections are refused before the next one is let through.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._socket_path = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.plan: list[Cut | None] = []
        self.cuts = 0
        self.down = False
        self.refuse = 0
        port = self._listener.getsockname()[1]
        self.address = f"postgresql://{parts.username}@127.0.0.1:{port}{parts.path}?sslmode=disable&gssencmode=disable"
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down = True
        self._listener.close()
        self.cut_all()

    def cut_all(self) -> None:
        """Cut every connection there is."""
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.down or self.refuse:
                self.refuse = max(0, self.refuse - 1)
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self._socket_path)
            except OSError:  # the server itself is away
                client.close()
                server.close()
                continue
            self._open += [client, server]
            threading.Thread(target=self._there, args=(client, server), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client), daemon=True).start()

    def _there(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while piece := client.recv(65536):
                if COMMIT in piece and self.plan and (cut := self.plan.pop(0)) is not None:
                    self.cuts += 1
                    client.close() if cut == "after" else None
                    if cut == "after":
                        with suppress(OSError):
                            server.sendall(piece)
                            while server.recv(65536):
                                break
                    break
                server.sendall(piece)
        self._end(client, server)

    def _pump(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while piece := server.recv(65536):
                client.sendall(piece)
        self._end(client, server)

    @staticmethod
    def _end(*ends: socket.socket) -> None:
        for one in ends:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
