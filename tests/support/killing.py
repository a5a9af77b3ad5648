"""A daemon that is killed (SIGKILL) at a chosen request of its own: as it arrives, once it is carried out, once it is
answered.

The daemon is a process of its own, forked from one that has everything loaded, so that a start takes a moment. The site
is in the test's process, and kills it from within the request.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast

from flyball.sandbox import Sandbox
from support.process import SOURCE, START

Moment = Literal["arrived", "carried out", "answered"]
MOMENTS: tuple[Moment, ...] = ("arrived", "carried out", "answered")
KILLED = -signal.SIGKILL

_NURSERY = """
import importlib, json, os, sys
from flyball.__main__ import main
import flyball.app, flyball.cli.run

for name in sys.argv[1:]:
    importlib.import_module(name)

def child(asked):
    os.chdir(asked["folder"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    log = os.open("daemon.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(asked["environment"], HOME=asked["folder"])
    sys.argv = ["flyball", *asked["arguments"]]
    main()

for line in sys.stdin:
    asked = json.loads(line)
    pid = os.fork()
    os.setpgid(pid, pid)  # of itself, or of the child: both, so that neither comes too late
    if not pid:
        child(asked)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Daemon:
    """One `flyball run`."""

    def __init__(self, pid: int, nursery: Nursery, log: Path) -> None:
        self.pid = pid
        self._nursery = nursery
        self._log = log
        self._code: int | None = None

    def kill(self) -> None:
        """End it and whatever it started, as a power cut would."""
        os.killpg(self.pid, signal.SIGKILL)

    @property
    def has_ended(self) -> bool:
        """Whether it is gone, by itself or not."""
        return self._code is not None or self._nursery.has_news

    async def end(self) -> int:
        """Wait for its end; the exit code, or minus the signal's number."""
        if self._code is None:
            async with asyncio.timeout(START):
                self._code = int(await asyncio.to_thread(self._nursery.line))
        return self._code

    @property
    def log(self) -> str:
        """The end of what it said."""
        return self._log.read_text(errors="replace")[-3000:]


class Nursery:
    """Starts daemons, one at a time.

    Args:
        modules: to be loaded besides those of every daemon.
    """

    def __init__(self, *modules: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONWARNINGS": "error"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _NURSERY, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
            start_new_session=True,
        )
        self._daemon: Daemon | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._daemon is not None and self._daemon._code is None:
            self._daemon.kill()
        self._process.kill()
        self._process.communicate()

    def start(self, config: Path, environment: Mapping[str, str] | None = None, *, until_idle: bool = True) -> Daemon:
        """A run on a config folder, begun; a single one, unless asked otherwise."""
        arguments = ["--config", str(config), "run", *(["--until-idle"] if until_idle else [])]
        folder = config.parent
        (folder / "daemon.log").touch()
        asked = {"arguments": arguments, "folder": str(folder), "environment": dict(environment or {})}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        self._daemon = Daemon(int(self.line()), self, folder / "daemon.log")
        return self._daemon

    @property
    def has_news(self) -> bool:
        """Whether there is a line to read."""
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], 0)[0])

    def line(self) -> str:
        """The next line that the nursery says."""
        assert self._process.stdout is not None
        return self._process.stdout.readline()


class Trap:
    """Kills a daemon at the n-th of the site's requests that fit.

    Args:
        box: the site.
        number: of the request, from 1; 0: none, they are counted only.
        moment: when, in the life of the request.
        fits: by method and path; by default whatever is no GET.

    Attributes:
        seen: how many requests fitted so far.
        sprung: whether it has killed.
    """

    def __init__(
        self,
        box: Sandbox,
        number: int,
        moment: Moment,
        fits: Callable[[str, str], bool] = lambda method, path: method != "GET",
    ) -> None:
        self.seen = 0
        self.sprung = False
        self.victim: Daemon | None = None
        self._server = cast("Any", box._server)
        self._answer = self._server._answer
        self._number, self._moment, self._fits = number, moment, fits
        self._server._answer = self._hooked

    def _hooked(self, path: str, request: Any) -> Any:
        if not self._fits(request.method, path) or self.victim is None:
            return self._answer(path, request)
        self.seen += 1
        if self.seen != self._number:
            return self._answer(path, request)
        self.sprung = True
        if self._moment == "arrived":
            self.victim.kill()
            raise ConnectionAbortedError("nobody is there any more")
        reply = self._answer(path, request)
        if self._moment == "carried out":
            self.victim.kill()
        else:
            asyncio.get_running_loop().call_soon(self.victim.kill)  # once this request's task has sent the answer
        return reply

    async def disarm(self) -> None:
        """Wait until the site is done with what a dead daemon had asked; from then on it is left alone."""
        async with asyncio.timeout(START):
            while self._server._runner.server.connections:
                await asyncio.sleep(0.005)
        self._server._answer = self._answer
