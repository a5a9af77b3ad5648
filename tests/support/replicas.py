"""Several replicas on one PostgreSQL, as processes, and what became of them."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.lab import NOTES, write_lab
from support.process import DaemonProgram, SandboxProgram, until
from support.server import Server
from support.truth import Differences, compare, over_http

SITE = {"unclear_wait": {"reset": "500ms", "timeout": "1s"}, "limits": {"per_second": 0, "concurrency": 8}}


class Fleet:
    """Replicas of one lab.

    Args:
        folder: for config and logs.
        box: the lab's site.
        server: with a database for them.
        number: of replicas that are started at once.
        site: further settings of the site.
        settings: further settings.
    """

    def __init__(
        self,
        folder: Path,
        box: SandboxProgram,
        server: Server,
        number: int,
        *,
        site: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.box = box
        self.server = server
        self.address = server.new_database()
        extra = {"notes.yaml": NOTES}
        self.config = write_lab(
            folder, box.key, extra=extra, store=self.address, site={**SITE, **(site or {})}, **settings
        )
        self.members: list[DaemonProgram] = []
        try:
            for _ in range(number):
                self.start(wait=False)
            for member in self.members:
                until(lambda one=member: one.listening() or not one.running, 90, "a replica listens")  # type: ignore[misc] # bound
                assert member.running, member.err[-3000:]
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def start(self, *, wait: bool = True) -> DaemonProgram:
        """One more replica."""
        member = DaemonProgram(self.config, wait=wait)
        self.members.append(member)
        return member

    def end(self) -> None:
        """Kill those that are left."""
        for member in self.members:
            member.send(signal.SIGCONT)
            member.kill()

    @property
    def running(self) -> list[DaemonProgram]:
        """Those that were not killed."""
        return [member for member in self.members if member.running]

    def leader(self, *, among: list[DaemonProgram] | None = None, seconds: float = 30.0) -> DaemonProgram:
        """The replica that asks the sites, as it says itself."""

        def look() -> DaemonProgram | None:
            for member in self.running if among is None else among:
                said = [line["event"] for line in member.log() if line["event"] in ("leader.begins", "leader.ends")]
                if said and said[-1] == "leader.begins":
                    return member
            return None

        found = until(look, seconds, "one leads")
        assert found is not None
        return found

    def idle(self, seconds: float = 60.0) -> dict[str, Any]:
        """Wait until nothing is due anywhere; the status of one of them then."""
        return self.running[0].idle(seconds)

    def settled(self, seconds: float = 90.0) -> Differences:
        """Wait until the site is as the rules demand and nothing is due; what is lost or doubled, else."""
        end = time.monotonic() + seconds
        while True:
            with suppress(OSError, KeyError, AssertionError):
                self.idle(5.0)
            found = compare(over_http(self.box.api), notes=True)
            if not found or time.monotonic() > end:
                return found
            time.sleep(0.3)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of the ledger."""
        return self.server.query(self.address, statement)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Lines of all logs with this event."""
        return [line for member in self.members for line in member.log() if line.get("event") == name]
