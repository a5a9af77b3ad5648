"""A sandbox in a thread, for the official SDK, which is synchronous."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import flywheel

from flyball.sandbox import Sandbox, Scenario


class Running:
    """A sandbox in a thread."""

    def __init__(self, scenario: Scenario) -> None:
        self.ahead = timedelta()
        self.sandbox = Sandbox(scenario, clock=self.now)
        self._clients: list[Any] = []
        self._listening = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def now(self) -> datetime:
        """The real time and what was added."""
        return datetime.now(UTC) + self.ahead

    def later(self, seconds: float) -> None:
        """Let time pass on the site."""
        self.ahead += timedelta(seconds=seconds)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        async with self.sandbox:
            self._listening.set()
            await self._stop.wait()

    def start(self) -> "Running":
        """Listen."""
        self._thread.start()
        assert self._listening.wait(90)
        return self

    def stop(self) -> None:
        """Stop listening and end the thread."""
        self.hang_up()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(90)

    def client(self, key: str | None = None) -> Any:
        """The official client with the admin's key; its connections are closed at the next reset."""
        made = flywheel.Client(key or self.sandbox.key, disable_auth_check=True)
        self._clients.append(made)
        made.get_auth_status()
        return made

    def hang_up(self) -> None:
        """Close the clients' connections, which the SDK leaves to the collector."""
        for client in self._clients:
            client.api_client.rest_client.client.close()
        self._clients.clear()

    def fresh(self) -> "Running":
        """The scenario's data again, and no requests counted."""
        self.hang_up()
        self.sandbox.reset()
        self.sandbox.requests.clear()
        return self


def both_sites() -> Iterator[dict[str, Running]]:
    """A lab on each dialect, its jobs always succeeding, started and stopped."""
    jobs = {"fail_rate": 0, "gears": {"mriqc": {"fail_rate": 0}}}
    sites = {name: Running(Scenario.named("lab", dialect=name, jobs=jobs)).start() for name in ("v23", "live19")}
    yield sites
    for site in sites.values():
        site.stop()


def the_session(fw: Any, subject: str = "TOME_3001") -> Any:
    """The first session of a subject, by finders alone."""
    found = fw.subjects.find_one(f"label={subject}")
    return found.sessions.find_first()


def the_scan(fw: Any, label: str = "T1w", subject: str = "TOME_3001") -> Any:
    """A scan of that session."""
    return the_session(fw, subject).acquisitions.find_first(f"label={label}")
