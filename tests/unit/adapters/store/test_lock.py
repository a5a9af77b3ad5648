"""The lock on a data folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flyball.adapters.store.lock import LOCK_NAME, AlreadyRunning, FolderLock, Holder, holder

SERVICE = Path(__file__).parents[4] / "service"

HOLDING = """
import sys, time
from pathlib import Path
from flyball.adapters.store.lock import FolderLock
lock = FolderLock.take(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def holding(folder: Path) -> subprocess.Popen[bytes]:
    """Another process that holds `folder` until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SERVICE)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_second_process_is_refused_with_the_owners_name(tmp_path: Path) -> None:
    """While another process holds the folder, taking it fails, and the text names that process and the remedy."""
    with holding(tmp_path) as process:
        with pytest.raises(
            AlreadyRunning, match=rf"{tmp_path} is in use by process {process.pid} on .*stop it"
        ) as caught:
            FolderLock.take(tmp_path)
        owner = caught.value.holder
        assert owner is not None
        assert owner.pid == process.pid
        assert timedelta(0) <= datetime.now(UTC) - owner.started < timedelta(minutes=1)
        assert holder(tmp_path) == owner
        process.communicate()


def test_kill_releases(tmp_path: Path) -> None:
    """After kill -9 of the owner the folder is free, although its name is still in the file."""
    with holding(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert str(process.pid) in (tmp_path / LOCK_NAME).read_text()
        assert holder(tmp_path) is None
        with FolderLock.take(tmp_path):
            named = holder(tmp_path)
            assert named is not None
            assert named.pid == os.getpid()
        process.communicate()


def test_same_process_is_refused_too(tmp_path: Path) -> None:
    """Two stores of one process do not share a folder; after a release, or a second one, it can be taken again."""
    first = FolderLock.take(tmp_path)
    with pytest.raises(AlreadyRunning):
        FolderLock.take(tmp_path)
    first.release()
    first.release()
    with FolderLock.take(tmp_path):
        assert holder(tmp_path) is not None
    assert holder(tmp_path) is None


def test_file_is_private_and_stays(tmp_path: Path) -> None:
    """The lock file is its owner's alone; after the release it is there, and empty."""
    with FolderLock.take(tmp_path):
        assert (tmp_path / LOCK_NAME).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / LOCK_NAME).read_text() == ""


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', "\x00"])
def test_unreadable_name(tmp_path: Path, text: str) -> None:
    """A lock whose file says nothing useful is respected, without a name."""
    with FolderLock.take(tmp_path):
        (tmp_path / LOCK_NAME).write_text(text)
        with pytest.raises(AlreadyRunning, match="another process") as caught:
            FolderLock.take(tmp_path)
        assert caught.value.holder is None


def test_no_folder(tmp_path: Path) -> None:
    """Nobody holds a folder that does not exist, and taking it is the system's own error."""
    assert holder(tmp_path / "none") is None
    with pytest.raises(FileNotFoundError):
        FolderLock.take(tmp_path / "none")


def test_holder_reads_well() -> None:
    """A holder's text is fit for a message."""
    started = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert str(Holder(12, "lab", started)) == "process 12 on lab, running since 2026-03-04 05:06:07 UTC"
