"""The steps of a replica: what it sends to PostgreSQL, counted on a wire, and what it asks of the site, counted there.
At a chosen one of them something happens: the network is cut, the replica or the database is killed.

A step on the wire is whatever the server answers as a whole: a connection that is opened, a plain query, or the messages
of a prepared statement up to their Sync (PostgreSQL's frontend protocol, version 3). A step at the site is a request.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Literal, cast

from flyball.sandbox import Sandbox
from flyball.sandbox.api.call import Reply
from support.cutting import Wire

Side = Literal["before", "after"]
SIDES: tuple[Side, ...] = ("before", "after")
"""Before: the server never heard of it. After: it did it and answered, and the answer never came."""

CONNECTS: Final = "(connects)"
_BY_THE_CLOCK: Final = re.compile(r"WITH me AS|procrastinate_update_heartbeat|procrastinate_prune|heartbeat")
"""Signs of life: they come when they come, and are no steps of the work."""

CHANGE: Final = re.compile(
    r"^(?:INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE|CREATE INDEX) \w+|\bprocrastinate_(?:register|unregister|defer|fetch|finish|retry)_\w+"
)
"""What changes the ledger, of a statement."""

_SPACE: Final = re.compile(r"\s+")
_READY: Final = b"Z\x00\x00\x00\x05"
_ANSWERED_WITHIN: Final = 30.0  # seconds: a statement may wait for the ledger's lock


class SteppedWire(Wire):
    """A wire on which steps are counted.

    Args:
        address: of the database.
        number: the step at which something happens, from 1; 0: nothing does.
        side: before it, or after.
        fits: which steps count, by their statement; by default all but signs of life.

    Attributes:
        strike: what happens; it is called in a thread of the wire's.
        steps: the steps so far that fitted, as their statements.
        struck: set once it has happened.
    """

    def __init__(
        self,
        address: str,
        *,
        number: int = 0,
        side: Side = "before",
        fits: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self.steps: list[str] = []
        self.struck = threading.Event()
        self.strike: Callable[[], None] = lambda: None
        self._number, self._side, self._fits = number, side, fits
        self._counting = threading.Lock()
        self._muted: dict[socket.socket, threading.Event] = {}
        super().__init__(address)

    def _there(self, client: socket.socket, server: socket.socket) -> None:
        reader = _Frontend()
        with suppress(OSError):
            while piece := client.recv(65536):
                for message, statement in reader.feed(piece):
                    if statement is None or not self._is_it(statement):
                        server.sendall(message)
                        continue
                    if self._side == "after":
                        answered = self._muted[server] = threading.Event()
                        server.sendall(message)
                        answered.wait(_ANSWERED_WITHIN)
                    self.strike()
                    self.struck.set()
                    self._end(client, server)
                    return
        self._end(client, server)

    def _is_it(self, statement: str) -> bool:
        if _BY_THE_CLOCK.search(statement) or not self._fits(statement):
            return False
        with self._counting:
            self.steps.append(statement)
            return len(self.steps) == self._number

    def _pump(self, server: socket.socket, client: socket.socket) -> None:
        tail = b""
        with suppress(OSError):
            while piece := server.recv(65536):
                tail = (tail + piece)[-6:]
                if (answered := self._muted.get(server)) is None:
                    client.sendall(piece)
                elif tail.startswith(_READY):
                    answered.set()
        if (answered := self._muted.get(server)) is not None:
            answered.set()  # the server is gone: no answer will come
        self._end(client, server)


class _Frontend:
    """What one client says, put together to steps."""

    def __init__(self) -> None:
        self._rest = b""
        self._begun = b""
        self._greeted = False
        self._statement = ""
        self._prepared: dict[bytes, str] = {}
        self._changed: dict[str, None] = {}

    def feed(self, piece: bytes) -> list[tuple[bytes, str | None]]:
        """Each whole step in `piece` and what came before: its bytes, and its statement; None: no step."""
        self._rest += piece
        found: list[tuple[bytes, str | None]] = []
        while (size := self._size()) is not None and len(self._rest) >= size:
            message, self._rest = self._rest[:size], self._rest[size:]
            self._begun += message
            if not self._greeted:
                self._greeted = True
                found.append((self._taken(), CONNECTS))
                continue
            kind = message[:1]
            if kind == b"Q":
                found.append((self._taken(), self._told(_plain(message[5:]))))
            elif kind == b"P":
                name, _, rest = message[5:].partition(b"\0")
                self._statement = self._prepared[name] = _plain(rest.partition(b"\0")[0])
            elif kind == b"B":
                _, _, rest = message[5:].partition(b"\0")
                self._statement = self._prepared.get(rest.partition(b"\0")[0], self._statement)
            elif kind in b"SH":
                found.append((self._taken(), self._told(self._statement)))
            elif kind in b"Xpcdf":
                found.append((self._taken(), None))
        return found

    def _told(self, statement: str) -> str:
        """The statement; a COMMIT with what it makes last."""
        if statement == "COMMIT":
            changed, self._changed = ", ".join(self._changed), {}
            return f"COMMIT of {changed}" if changed else statement
        if statement.startswith(("BEGIN", "ROLLBACK")) and not statement.startswith("ROLLBACK TO"):
            self._changed = {}
        if (found := CHANGE.search(statement)) and "flyball_commits" not in found[0]:
            self._changed[found[0]] = None
        return statement

    def _size(self) -> int | None:
        """How long the next message is; the first one has no kind."""
        start = 1 if self._greeted else 0
        if len(self._rest) < start + 4:
            return None
        return start + int.from_bytes(self._rest[start : start + 4])

    def _taken(self) -> bytes:
        taken, self._begun = self._begun, b""
        return taken


def _plain(statement: bytes) -> str:
    return _SPACE.sub(" ", statement.rstrip(b"\0").decode(errors="replace")).strip()


class SiteSteps:
    """The requests of a site, counted; at one of them something happens.

    Args:
        box: the site, in this process.
        number: of the request, from 1; 0: none, they are counted only.
        side: before it was carried out, or after; the answer is not sent in either case.
        strike: what happens then; by default all connections to the site are cut.
        fits: which requests count, by method and path.

    Attributes:
        steps: the requests so far that fitted.
        struck: set once it has happened.
    """

    def __init__(
        self,
        box: Sandbox,
        number: int,
        side: Side = "before",
        strike: Callable[[], None] = lambda: None,
        fits: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self.steps: list[str] = []
        self.struck = threading.Event()
        self._number, self._side, self._strike, self._fits = number, side, strike, fits
        self._server = cast("Any", box._server)
        self._answer = self._server._answer
        self._server._answer = self._hooked

    def _hooked(self, path: str, request: Any) -> Any:
        step = f"{request.method} {path}"
        if not self._fits(step):
            return self._answer(path, request)
        self.steps.append(step)
        if len(self.steps) != self._number:
            return self._answer(path, request)
        if self._side == "after":
            self._answer(path, request)
        self._strike()
        for connection in list(self._server._runner.server.connections):
            if connection.transport is not None:
                connection.transport.abort()
        self.struck.set()
        return Reply(status=0)
