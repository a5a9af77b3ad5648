"""The daemons of one run: started, harmed and started again."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from chaos.plan import Moment
from support.process import Program, SandboxProgram, until

FIRST = 90.0  # seconds within which a daemon sends its first request, on a machine that is busy


@dataclass(slots=True)
class Harm:
    """What was done to the processes."""

    kills: int = 0
    pauses: int = 0
    stops: int = 0
    ended: int = 0
    slowest_stop: float = 0.0
    broken: list[str] = field(default_factory=list)


class Fleet:
    """So many daemons on one ledger.

    Args:
        config: the config folder.
        box: the site, as a process.
        replicas: daemons at once.
        gentle: seconds that a stop may take.
    """

    def __init__(self, config: Path, box: SandboxProgram, replicas: int, gentle: float) -> None:
        self._config = config
        self._box = box
        self._gentle = gentle
        self._running: list[Program | None] = [None] * replicas
        self.harm = Harm()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for program in self._running:
            if program is not None:
                program.kill()

    def round(self, moment: Moment, dice: random.Random, meanwhile: Callable[[], None]) -> None:
        """Let all of them work, and harm one of them."""
        requests, writes = self._box.requests()["total"], self._box.writes()
        for place, program in enumerate(self._running):
            if program is None or not program.running:
                self._running[place] = self._start(forever=moment.forever or len(self._running) > 1)
        place = dice.randrange(len(self._running))
        victim = self._running[place]
        assert victim is not None
        until(lambda: not victim.running or self._box.requests()["total"] > requests, FIRST, "the first request")
        meanwhile()
        end = time.monotonic() + moment.seconds
        while victim.running and time.monotonic() < end and self._box.writes() - writes < moment.writes:
            time.sleep(0.008)
        if moment.pause and victim.running:
            victim.send(signal.SIGSTOP)
            self.harm.pauses += 1
            time.sleep(moment.pause)
            victim.send(signal.SIGCONT)
            time.sleep(min(0.5, moment.seconds))
        if not victim.running:
            self.harm.ended += 1
            if victim.process.returncode not in (0, 1):
                self.harm.broken.append(f"ended with {victim.process.returncode}: {victim.err[-1500:]}")
        elif moment.kill:
            victim.kill()
            self.harm.kills += 1
        else:
            self._stop(victim)
        self._faults_of_ours(victim)
        self._running[place] = None

    def halt(self) -> None:
        """End all of them as a power cut would."""
        for place, program in enumerate(self._running):
            if program is not None:
                program.kill()
                self._faults_of_ours(program)
            self._running[place] = None

    def _start(self, *, forever: bool) -> Program:
        arguments = ["--config", str(self._config), "run", *([] if forever else ["--until-idle"])]
        return Program(arguments, folder=self._config.parent)

    def _stop(self, victim: Program) -> None:
        """A stop as people ask for it ends by itself, in time."""
        asked = time.monotonic()
        victim.send(signal.SIGTERM)
        code = victim.wait(self._gentle + 5)
        took = time.monotonic() - asked
        self.harm.stops += 1
        self.harm.slowest_stop = max(self.harm.slowest_stop, took)
        if code == -signal.SIGTERM and not victim.err:
            return  # it had not begun to listen for signals yet
        if code not in (0, 1) or took > self._gentle:
            self.harm.broken.append(f"a stop ended with {code} after {took:.1f} s: {victim.err[-1500:]}")

    def _faults_of_ours(self, program: Program) -> None:
        """Lines of the log that only a mistake of the program's own writes."""
        for line in program.err.splitlines():
            if '"service.failed"' in line or '"effect.broken"' in line or line.startswith("Traceback"):
                try:
                    told = json.loads(line)
                    self.harm.broken.append(f"{told.get('event')}: {str(told.get('exception'))[-600:]}")
                except ValueError:
                    self.harm.broken.append(program.err[-1500:])
