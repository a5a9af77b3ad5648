"""Making a report when the machine is out of something: it is tried again, and nothing is left lying about."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path
from typing import Any

import pytest

from flyball.model.errors import Transient
from flyball.reports.making import Order
from flyball.workers.reporting import ReportPress


class Empty:
    """A store whose mirror holds nothing; `error`: what reading it ends with."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def read(self, work: Any) -> None:
        """Nothing is spooled."""
        del work
        if self.error is not None:
            raise self.error


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the next report is made in."""
    made = tmp_path / "report"
    made.mkdir()
    (made / "rows.jsonl").touch()
    monkeypatch.setattr(tempfile, "mkdtemp", lambda **_: str(made))
    return made


@pytest.mark.parametrize("where", ["rows", "page"])
async def test_a_full_disk_is_waited_for(where: str, folder: Path) -> None:
    """While the rows are written, or in the process that draws; the folder goes either way."""
    store: Any = Empty(OSError(errno.ENOSPC, "No space left on device") if where == "rows" else None)
    if where == "page":
        (folder / "report.csv").symlink_to("/dev/full")
    reports = ReportPress(store).at("main", "https://site")
    with pytest.raises(Transient, match="cannot be written: No space left on device"):
        async with reports.made(Order("demographics", "g/p"), "p1", ["csv"]):
            pass
    assert not folder.exists()
