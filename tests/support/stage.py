"""A small lab for replicas on PostgreSQL, to which something happens at a chosen step, and what must be true afterwards.

The first replica reaches the database over a wire on which its steps are counted (`support.stepping`).
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, Literal

import psycopg

from flyball.sandbox import Sandbox, Scenario
from support.killing import KILLED, Daemon, Nursery
from support.lab import QUICK_JOBS, write_lab
from support.receiver import Receiver
from support.server import Server
from support.stepping import Side, SiteSteps, SteppedWire

PILOT: Final[dict[str, Any]] = {
    "group": "demo",
    "label": "pilot",
    "days_ago": 170,
    "subjects": [
        {"label": "sub-01", "sessions": [{"label": "ses-01", "days_ago": 12}]},
    ],
}
RULES = """
version: 1
rules:
  - id: seen
    since: all
    each: session
    do:
      - tag: {on: session, set: {SEEN: "true"}}
      - note: {on: session, text: seen}
      - launch: {gear: bids-mriqc, on: session, once: target}
      - alert: {channel: lab, title: "{{ session.label }} is there"}
  - id: bold
    since: all
    each: acquisition
    do:
      - tag: {on: acquisition, set: {BOLD: "startswith(acquisition.label, 'task')"}}
"""
EFFECTS = 8
"""One tag, note, launch and message for the session, a tag for each of its four BOLD runs."""

SOON = {
    "unclear_wait": {"reset": "100ms", "timeout": "300ms", "late": "100ms"},
    "poll": {"every": "500ms"},
}
SETTLED = 90.0  # seconds; a replica that was killed is struck off after 5

ENDED = (1, 2)
AWAY = re.compile("the ledger at .* cannot be (?:opened|reached): ")
"""How a replica ends that loses the database before it has joined."""

Trouble = Literal["cut", "kill", "stop"]
"""The network to the database, the replica, the database itself (as a power cut would)."""

OPEN = """
SELECT (SELECT count(*) FROM effects WHERE state = 'done'), (SELECT count(*) FROM effects WHERE state <> 'done'),
  (SELECT count(*) FROM attempts WHERE ended IS NULL), (SELECT count(*) FROM looks),
  (SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo')
"""
DONE = (EFFECTS, 0, 0, 0, 0)
MISTAKES = ("service.failed", "effect.broken")
"""What a replica logs of a mistake of its own, besides anything with a traceback."""


class Pair:
    """Two replicas that are started in a moment, each out of a process that has everything loaded."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.nurseries = [self._stack.enter_context(Nursery("flyball.replicas")) for _ in range(2)]

    def close(self) -> None:
        """End both."""
        self._stack.close()


class Stage:
    """One lab, and what happens in it.

    Args:
        box: the site.
        receiver: of alerts.
        address: of the database, without a wire.
        folder: for its files.
        pair: starts replicas.
    """

    def __init__(self, box: Sandbox, receiver: Receiver, address: str, folder: Path, pair: Pair) -> None:
        self.box, self.receiver, self.address = box, receiver, address
        self._folder, self._pair = folder, pair
        self._replicas: list[tuple[Daemon, Path]] = []
        self._begun = threading.Event()
        self.began = time.monotonic()

    async def start(self, address: str) -> Daemon:
        """One more replica, which reaches the database at this address; the one before the last must be dead."""
        number = len(self._replicas)
        if number >= len(self._pair.nurseries):
            await self._replicas[-len(self._pair.nurseries)][0].end()
        config = write_lab(
            self._folder / f"replica-{number + 1}",
            self.box.key,
            RULES,
            site=SOON,
            store=address,
            channels={"lab": {"kind": "webhook", "url": "env:LAB_URL"}},
        )
        daemon = self._begin(number, config)
        self._replicas.append((daemon, config))
        self._begun.set()
        return daemon

    def _begin(self, number: int, config: Path) -> Daemon:
        return self._pair.nurseries[number % 2].start(config, {"LAB_URL": self.receiver.url}, until_idle=False)

    def kill(self) -> None:
        """Kill the replica that was started last."""
        self._begun.wait(SETTLED)
        self._replicas[-1][0].kill()

    async def until(self, check: Callable[[], Any], what: str, seconds: float = SETTLED) -> None:
        """Look again and again until `check` says so; it may ask the database."""
        end = time.monotonic() + seconds
        while not await asyncio.to_thread(check):
            await self._start_again()
            assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s; {self.state()}\n{self.logs()}"
            await asyncio.sleep(0.02)

    async def _start_again(self) -> None:
        """A replica that cannot open its ledger says so and ends; whoever watches over it starts it again."""
        daemon, config = self._replicas[-1]
        if daemon.has_ended and (code := await daemon.end()) != KILLED:
            assert code in ENDED, daemon.log
            assert AWAY.match(daemon.log.splitlines()[-1]), daemon.log
            self._replicas[-1] = (self._begin(len(self._replicas) - 1, config), config)

    def state(self) -> tuple[int, ...] | None:
        """Effects done and not, open attempts, looks, jobs that wait; None while the database cannot say."""
        try:
            with psycopg.connect(self.address, autocommit=True) as connection:
                return connection.execute(OPEN).fetchone()
        except psycopg.Error:
            return None

    async def settled(self) -> None:
        """Wait until everything is done; then hold the site against the rules, and the logs against mistakes."""
        await self.until(lambda: self.state() == DONE, "everything is done")
        site = self.box.site
        (session,) = site.sessions.rows.values()
        assert session["tags"] == ["SEEN"]
        assert [note["text"].partition(" [")[0] for note in session["notes"]] == ["seen"]
        tags = {row["label"]: row["tags"] for row in site.acquisitions.rows.values()}
        assert tags == {label: ["BOLD"] if label.startswith("task") else [] for label in tags}
        assert len(tags) == 6
        assert [row["gear_info"]["name"] for row in site.jobs.rows.values()] == ["bids-mriqc"]
        assert len(site.analyses.rows) == 1
        messages = self.receiver.messages
        assert {message.body["status"] for message in messages} == {"open"}
        assert len({(message.key, message.raw) for message in messages}) == 1
        mistakes = self.mistakes()
        assert not mistakes, "\n".join(mistakes)

    def mistakes(self) -> list[str]:
        """Lines of the logs that tell of a mistake of ours."""
        found = []
        for _, config in self._replicas:
            for line in (config.parent / "daemon.log").read_text(errors="replace").splitlines():
                said = json.loads(line) if line.startswith("{") and line.endswith("}") else {"event": line}
                if said["event"] in MISTAKES or "exception" in said or said["event"].startswith("Traceback"):
                    found.append(line)
        return found

    def logs(self) -> str:
        """The end of what each replica said."""
        return "\n".join(f"--- {number}\n{daemon.log}" for number, (daemon, _) in enumerate(self._replicas, 1))

    async def end(self) -> None:
        """Kill those that are left."""
        for daemon, _ in self._replicas:
            with suppress(ProcessLookupError):
                daemon.kill()
            await daemon.end()


@asynccontextmanager
async def staged(folder: Path, pair: Pair, address: str) -> AsyncIterator[Stage]:
    """A lab in which nothing runs yet."""
    scenario = Scenario.named("lab", jobs=QUICK_JOBS, projects=[PILOT], launches=[])
    with Receiver() as receiver:
        async with Sandbox(scenario) as box:
            stage = Stage(box, receiver, address, folder, pair)
            try:
                yield stage
            finally:
                await stage.end()


async def play(
    trouble: Trouble,
    side: Side,
    number: int,
    fits: Callable[[str], bool],
    *,
    folder: Path,
    pair: Pair,
    server: Server,
) -> None:
    """The first replica's n-th fitting step to the database is struck; then all must come right."""
    address = server.new_database()
    with SteppedWire(address, number=number, side=side, fits=fits) as wire:
        async with staged(folder, pair, address) as stage:

            def cut() -> None:
                wire.refuse = 2
                wire.cut_all()

            def stop() -> None:
                server.stop("immediate")
                server.start()

            wire.strike = {"cut": cut, "kill": stage.kill, "stop": stop}[trouble]
            await stage.start(wire.address)
            await stage.until(wire.struck.is_set, f"step {number}")
            if trouble == "kill":
                await stage.start(address)
            await stage.settled()
            step = wire.steps[number - 1][:100] or "(sync)"
            print(f"{trouble} {side} step {number}: {step}: {time.monotonic() - stage.began:.1f} s")


async def play_at_site(
    trouble: Trouble, side: Side, number: int, fits: Callable[[str], bool], *, folder: Path, pair: Pair
) -> None:
    """The first replica's n-th fitting request to the site is struck; then all must come right."""
    address = Server.shared().new_database()
    async with staged(folder, pair, address) as stage:
        strike = stage.kill if trouble == "kill" else lambda: None
        steps = SiteSteps(stage.box, number, side, strike, fits)
        await stage.start(address)
        await stage.until(steps.struck.is_set, f"request {number}")
        if trouble == "kill":
            await stage.start(address)
        await stage.settled()
        step = steps.steps[number - 1]
        print(f"{trouble} {side} request {number}: {step}: {time.monotonic() - stage.began:.1f} s")
