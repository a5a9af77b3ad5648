"""A receiver of alerts: an address of the lab's that takes messages, and loses some answers if told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import orjson


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery; header names in lower case."""

    key: str
    body: Mapping[str, Any]
    raw: bytes
    headers: Mapping[str, str]
    answered: bool

    @property
    def target(self) -> str:
        """Id of the alert's target."""
        return str(self.body["target"]["id"])


class Receiver:
    """Takes messages on a free port.

    Args:
        answers: number of the delivery → HTTP status to answer; 0 cuts the connection instead, the message taken.
        answered: told the number of a delivery once its answer is sent.
    """

    def __init__(
        self,
        answers: Callable[[int], int] = lambda _number: 200,
        answered: Callable[[int], None] = lambda _number: None,
    ) -> None:
        self.messages: list[Message] = []
        self.beats: list[str] = []
        self._answers = answers
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                number, status = receiver._take(raw, {name.lower(): value for name, value in self.headers.items()})
                if not status:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                answered(number)

            def do_GET(self) -> None:
                receiver.beats.append(self.path)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Where to post."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/alerts"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def _take(self, raw: bytes, headers: Mapping[str, str]) -> tuple[int, int]:
        """The number of a delivery, and the status to answer."""
        with self._lock:
            number = len(self.messages)
            status = self._answers(number)
            key = headers.get("x-flyball-once-key", "")
            self.messages.append(Message(key, orjson.loads(raw), raw, headers, 200 <= status < 300))
        return number, status

    def keys(self, status: str) -> dict[str, set[str]]:
        """Target → once-keys of the messages of one status (open, repeat, resolved)."""
        found: dict[str, set[str]] = {}
        for message in self.messages:
            if message.body["status"] == status:
                found.setdefault(message.target, set()).add(message.key)
        return found
