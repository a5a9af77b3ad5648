"""Webhooks and kill -9: what was answered with 2xx is acted on, and once, wherever the daemon was killed."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from bench.deliver import signed
from bench.lab import HOOKED
from support.lab import write_lab
from support.process import DaemonProgram, SandboxProgram, ask, until

SECRET = "a secret of the lab"
SENDERS = 6


class Senders:
    """Send a delivery for each acquisition, side by side; one that was not answered with 2xx is sent again."""

    def __init__(self, idents: Sequence[str]) -> None:
        self._number = len(idents)
        self._left = list(idents)
        self._lock = threading.Lock()
        self.accepted: set[str] = set()
        self.address = ""
        self._stopped = False
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(SENDERS)]

    def __len__(self) -> int:
        return self._number

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send no more."""
        with self._lock:
            self._stopped = True

    def until_accepted(self, number: int) -> None:
        """Wait until so many were answered with 2xx."""
        until(lambda: len(self.accepted) >= number, 90, f"{number} deliveries are accepted")

    def _send(self) -> None:
        while (ident := self._next()) is not None:
            body, headers = signed(SECRET, ident)
            try:
                answer = ask(f"{self.address}/hooks/lab", "POST", headers=headers, body=body)
                taken = answer.status in (200, 202)
            except (OSError, http.client.HTTPException):
                taken = False
            with self._lock:
                if taken:
                    self.accepted.add(ident)
                else:
                    self._left.append(ident)
            if not taken:
                time.sleep(0.02)  # nobody listens just now

    def _next(self) -> str | None:
        with self._lock:
            return self._left.pop() if self._left and not self._stopped else None


def test_what_was_accepted_is_acted_on_once(tmp_path: Path) -> None:
    """Three kills while deliveries come in; the sender repeats what it got no answer for, and nothing else."""
    with SandboxProgram(tmp_path) as box:
        config = write_lab(tmp_path, box.key, HOOKED, hooks={"lab": {"secret": SECRET}})
        idents = [str(row["_id"]) for row in box.api("/acquisitions")]
        senders = Senders(idents)
        try:
            effects = _through_kills(config, senders)
        finally:
            senders.stop()
        rows = box.api("/acquisitions")
    assert {state: number for state, number in effects.items() if number} == {"done": len(idents)}
    assert [row["tags"].count("SEEN") for row in rows] == [1] * len(idents)


def _through_kills(config: Path, senders: Senders) -> dict[str, int]:
    """All is sent, and acted on, with three kills meanwhile; the effects by state."""
    number = len(senders)
    for part in range(4):
        with DaemonProgram(config) as daemon:
            senders.address = daemon.listening()
            if part == 0:
                daemon.idle()
                senders.start()
            if part < 3:
                senders.until_accepted((part + 1) * number // 4)
                daemon.kill()
                continue
            senders.until_accepted(number)
            until(lambda: daemon.status()["effects"]["done"] == number, 90, "all is acted on", every=0.1)
            effects: dict[str, int] = daemon.idle()["effects"]
    return effects
