"""The program as processes of its own: started, asked over HTTP, waited for with a deadline, ended by their id."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import orjson

import flyball

Found = TypeVar("Found")
SOURCE = Path(flyball.__file__).parents[1]
START = 90.0  # seconds in which a program must say that it listens, on a machine that is busy with other tests
STOPPED = 30.0
"""Seconds in which a program must have ended that was told to stop. On a machine of its own it takes less than 10 (the
chaos runs print it); here it shares the processors with other tests, and one that hung would take minutes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def ask(
    url: str,
    method: str = "GET",
    *,
    headers: Mapping[str, str] | None = None,
    body: Any = None,
    timeout: float = 60.0,
) -> Answer:
    """One request on a connection of its own; `body` is bytes, or anything else as JSON.

    Raises:
        OSError: nobody answered.
    """
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    sent = dict(headers or {})
    content = body
    if body is not None and not isinstance(body, bytes):
        content = orjson.dumps(body)
        sent.setdefault("Content-Type", "application/json")
    try:
        connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), content, sent)
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    except HTTPException as error:
        raise ConnectionError(f"{method} {url}: {error!r}") from error
    finally:
        connection.close()


def until(check: Callable[[], Found], seconds: float, what: str, *, every: float = 0.02) -> Found:
    """Look again and again until `check` gives something true; that.

    Raises:
        AssertionError: it did not within `seconds`.
    """
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s (last: {found!r})"
        time.sleep(every)


class Program:
    """One `flyball …`, in a process group of its own, with an environment that holds only what is given.

    Args:
        arguments: of the command line.
        folder: working folder; what the program prints goes to files in it.
        environment: variables; PATH, HOME and the source tree are added.
    """

    _number = 0

    def __init__(self, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        Program._number += 1
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{Program._number:04}-{arguments[0].strip('-')}"
        self._out, self._err = folder / f"{name}.out", folder / f"{name}.err"
        given = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(folder),
            "PYTHONPATH": str(SOURCE),
            "PYTHONWARNINGS": "error",
            **(environment or {}),
        }
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "flyball", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=folder,
                env=given,
                start_new_session=True,
            )
        self.began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """The process' number."""
        return self.process.pid

    @property
    def out(self) -> str:
        """What it printed so far."""
        return self._out.read_text(errors="replace")

    @property
    def err(self) -> str:
        """What it wrote to the standard error stream so far: its log."""
        return self._err.read_text(errors="replace")

    def log(self) -> list[dict[str, Any]]:
        """The lines of its log that are JSON objects."""
        found = []
        for line in self.err.splitlines():
            if line.startswith("{"):
                try:
                    found.append(json.loads(line))
                except ValueError:
                    continue  # the line is being written
        return found

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def wait(self, seconds: float) -> int:
        """Wait for its end; the exit code (minus the signal's number, when one ended it).

        Raises:
            AssertionError: it did not end; it is killed then.
        """
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"no end within {seconds:.0f} s; its log ends\n{self.err[-3000:]}") from None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self.running:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, as a power cut would (SIGKILL to its group)."""
        if self.running:
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(START)


class SandboxProgram(Program):
    """`flyball sandbox`, listening."""

    def __init__(self, folder: Path, scenario: Mapping[str, Any] | None = None, *, port: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "scenario.yaml"
        file.write_bytes(orjson.dumps({"extends": "lab", **(scenario or {})}))
        super().__init__(["sandbox", "--scenario", str(file), "--port", str(port)], folder=folder / "sandbox")
        try:
            until(lambda: "\n" in self.out or not self.running, START, "the sandbox listens")
            assert self.running, self.err
        except BaseException:
            self.kill()
            raise
        self.ready: dict[str, Any] = json.loads(self.out.splitlines()[0])
        self.key: str = self.ready["flywheel"]
        host, number = self.key.split(":")[:2]
        self.root = f"http://{host}:{number}"
        self.port = int(number)

    @property
    def headers(self) -> dict[str, str]:
        """What a request of the admin's carries (57 characters: Bearer; else the older scheme; SDK 23 wire)."""
        secret = self.key.rsplit(":", 1)[-1]
        return {"Authorization": f"{'Bearer' if len(secret) == 57 else 'scitran-user'} {secret}"}

    def api(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """One request to the site, as its admin; the JSON answered."""
        answer = ask(f"{self.root}/api{path}", method, headers=self.headers, body=body, timeout=30.0)
        assert answer.status == 200, f"{method} {path}: {answer.status} {answer.text}"
        return answer.json() if answer.body else None

    def requests(self) -> dict[str, Any]:
        """What was asked of it so far: `{"total", "by_method", "by_status", "faults"}`."""
        counted: dict[str, Any] = ask(f"{self.root}/sandbox/requests").json()
        return counted

    def writes(self) -> int:
        """How many requests so far were no GET."""
        by_method: dict[str, int] = self.requests()["by_method"]
        return sum(count for method, count in by_method.items() if method != "GET")

    def misbehave(self, *faults: Mapping[str, Any]) -> None:
        """Put faults in force, besides those that are."""
        assert ask(f"{self.root}/sandbox/faults", "POST", body=list(faults)).status == 200

    def behave(self) -> int:
        """Lift all faults; how often they had applied."""
        hits: int = sum(fault["hits"] for fault in self.requests()["faults"])
        assert ask(f"{self.root}/sandbox/faults", "DELETE").status == 200
        return hits


class DaemonProgram(Program):
    """`flyball run`, with its HTTP server on a free port."""

    def __init__(self, config: Path, environment: Mapping[str, str] | None = None, *, wait: bool = True) -> None:
        super().__init__(["--config", str(config), "run"], folder=config.parent, environment=environment)
        self._url = ""
        if wait:
            try:
                until(lambda: self.listening() or not self.running, START, "the daemon listens")
                assert self.running, self.err
            except BaseException:
                self.kill()
                raise

    def listening(self) -> str:
        """Its address, as its log names it; empty until it does."""
        if not self._url:
            self._url = next((str(line["address"]) for line in self.log() if line["event"] == "http.listening"), "")
        return self._url.rstrip("/")

    def ask(self, path: str, method: str = "GET", **more: Any) -> Answer:
        """One request to it."""
        return ask(self.listening() + path, method, **more)

    def status(self) -> dict[str, Any]:
        """What `/status` says."""
        found: dict[str, Any] = self.ask("/status").json()
        return found

    def idle(self, seconds: float = 90.0) -> dict[str, Any]:
        """Wait until nothing is due; the status then."""
        return until(lambda: (said := self.status())["idle"] and said, seconds, "the daemon is idle", every=0.1)


def command(
    *arguments: str, folder: Path, environment: Mapping[str, str] | None = None, seconds: float = 180.0
) -> Program:
    """Run one command to its end; its `process.returncode`, `out` and `err` are there then."""
    with Program(arguments, folder=folder, environment=environment) as program:
        program.wait(seconds)
        return program


def run_once(config: Path, *more: str, environment: Mapping[str, str] | None = None, seconds: float = 240.0) -> Program:
    """`flyball run --until-idle` to its end."""
    arguments = ("--config", str(config), "run", "--until-idle", *more)
    return command(*arguments, folder=config.parent, environment=environment, seconds=seconds)
