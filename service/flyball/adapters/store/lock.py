"""The lock that keeps a second daemon off a data folder.

It is the kernel's (`flock`), so a killed process leaves nothing behind that a person would have to remove. The file
stays in the folder; what is written inside only serves the message.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from flyball.model.errors import ConfigError

LOCK_NAME: Final = "flyball.lock"

# A question by `holder` holds the lock for an instant, and a process that is just ending for a moment longer; neither
# is a reason to refuse.
_PAUSES: Final = 5
_PAUSE_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that owns a data folder, as it wrote itself down."""

    pid: int
    host: str
    started: datetime

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, running since {self.started:%Y-%m-%d %H:%M:%S} UTC"


class AlreadyRunning(ConfigError):  # noqa: N818 - reads as the state it reports
    """Another process owns the data folder. `holder` is None when it has not written its name yet."""

    def __init__(self, folder: Path, holder: Holder | None) -> None:
        who = str(holder) if holder else "another process"
        super().__init__(
            f"the data folder {folder} is in use by {who}: "
            "stop it first, or give this daemon a `data` folder of its own"
        )
        self.holder = holder


class FolderLock:
    """The hold on one data folder, from `take` to `release` or the end of the process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, folder: Path) -> FolderLock:
        """Owns `folder`, which must exist, or raises `AlreadyRunning` naming the owner. OSError if it is not writable.

        May block for a quarter of a second: call it from a thread.
        """
        path = folder / LOCK_NAME
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            for pause in (*[_PAUSE_SECONDS] * _PAUSES, 0):
                if _locked(descriptor, fcntl.LOCK_EX):
                    _sign(descriptor)
                    return cls(descriptor)
                time.sleep(pause)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        raise AlreadyRunning(folder, _read(path))

    def release(self) -> None:
        """Gives the folder back. The file stays: removing it could take it from under a process about to lock it."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        os.ftruncate(descriptor, 0)
        os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def holder(folder: Path) -> Holder | None:
    """Who owns `folder` now; None when nobody does (whatever a killed process left in the file)."""
    path = folder / LOCK_NAME
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if _locked(descriptor, fcntl.LOCK_SH):
            return None
        return _read(path)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(descriptor: int) -> None:
    text = json.dumps(
        {"pid": os.getpid(), "host": socket.gethostname(), "started": datetime.now(UTC).isoformat(timespec="seconds")}
    )
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{text}\n".encode(), 0)


def _read(path: Path) -> Holder | None:
    try:
        said = json.loads(path.read_text())
        return Holder(int(said["pid"]), str(said["host"]), datetime.fromisoformat(said["started"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
