"""Processes that are measured: the site, and commands with what they cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from support.process import SOURCE, DaemonProgram, ask, until

TESTS = Path(__file__).parents[1]
OVER = 3600.0  # seconds after which a process that is measured is given up
START = 180.0  # seconds for a large site to be made


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took.

    Attributes:
        seconds: wall time from its start to its end.
        cpu: processor seconds.
        peak: largest resident memory, MiB.
        out: what it printed.
    """

    seconds: float
    cpu: float
    peak: float
    out: str


def environment(folder: Path) -> dict[str, str]:
    """What a measured process sees: nothing of the lab's own settings."""
    path = os.pathsep.join([str(SOURCE), str(TESTS)])
    return {"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "PYTHONPATH": path}


def measured(arguments: Sequence[str], folder: Path) -> Cost:
    """Run `python -m …` to its end.

    Raises:
        RuntimeError: it failed, or did not end.
    """
    out, err = folder / "out.txt", folder / "err.txt"
    began = time.monotonic()
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], stdout=stdout, stderr=stderr, cwd=folder, env=environment(folder)
        )
        try:
            code, usage, seconds = _ended(process, began)
        except BaseException:
            process.kill()
            process.wait()
            raise
    if code != 0:
        raise RuntimeError(f"{' '.join(arguments[:3])} ended with {code}:\n{err.read_text()[-3000:]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.read_text())


def _ended(process: subprocess.Popen[bytes], began: float) -> tuple[int, Any, float]:
    """Exit code, resource usage and seconds, once it has ended."""
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        now = time.monotonic()
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage, now - began
        if now - began > OVER:
            raise RuntimeError(f"no end within {OVER:.0f} s")
        time.sleep(0.005)


class SiteProcess:
    """`bench.site`, listening. Everything that it answers is a dict (see there)."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        told = self._read()
        self.key: str = told["key"]
        self.acquisitions: int = told["acquisitions"]
        self.sessions: int = told["sessions"]
        self.poor: int = told["poor"]
        host, port = self.key.split(":")[:2]
        self.root = f"http://{host}:{port}"

    def tell(self, do: str, **more: Any) -> dict[str, Any]:
        """One command."""
        assert self.process.stdin is not None
        self.process.stdin.write(orjson.dumps({"do": do, **more}) + b"\n")
        self.process.stdin.flush()
        return self._read()

    def requests(self) -> int:
        """Requests since the last `clear`."""
        return int(self.tell("requests")["total"])

    def delay(self, milliseconds: float) -> None:
        """Every request is answered so much later from now on."""
        ask(f"{self.root}/sandbox/faults", "DELETE")
        if milliseconds:
            ask(f"{self.root}/sandbox/faults", "POST", body={"kind": "slow", "delay_s": milliseconds / 1000})

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the site ended with {self.process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def site(sessions: int | None = None, **shape: float) -> Iterator[SiteProcess]:
    """A site with so many sessions (None: the demo's lab); `shape` is `scans` and `poor`."""
    arguments = [] if sessions is None else ["--sessions", str(sessions)]
    for name, value in shape.items():
        arguments += [f"--{name}", str(value)]
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as name:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.site", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=name,
            env=environment(Path(name)),
        )
        try:
            yield SiteProcess(process)
        finally:
            process.kill()
            process.communicate()


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that is thrown away: config, ledger, what processes print."""
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as name:
        yield Path(name)


def once(config: Path, work: Path, *arguments: str) -> Cost:
    """`flyball run --until-idle` as a process."""
    return measured(["flyball", "--config", str(config), "run", "--until-idle", *arguments], work)


def settled(daemon: DaemonProgram, seconds: float = 120.0) -> None:
    """Wait until the daemon has polled, and has nothing left to do."""

    def check() -> bool:
        said = daemon.status()
        return bool(said["idle"] and all(site["polls"] for site in said["sites"].values()))

    until(check, seconds, "the daemon is idle", every=0.1)
