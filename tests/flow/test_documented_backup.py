"""Backup and restore as the operating page says them: its own commands, on a lab that has done something."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from flyball.adapters.store.sqlite import LEDGER_NAME
from support.lab import NOTES, QUICK_JOBS, write_lab
from support.process import SOURCE, SandboxProgram

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text("utf-8")


def block(heading: str) -> str:
    """The commands below a heading."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    (found,) = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return str(found)


def shell(script: str, folder: Path) -> str:
    """What a shell says that is given these commands in a lab's folder; each must succeed."""
    flyball = shlex.join([sys.executable, "-m", "flyball"])
    done = subprocess.run(
        ["sh", "-euc", f'flyball() {{ {flyball} "$@"; }}\n{script}'],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_a_lab_is_brought_back(tmp_path: Path) -> None:
    """The restored ledger is sound, and the next run finds nothing to do: no once-key was lost."""
    kept = tmp_path / "backup"
    kept.mkdir()
    with SandboxProgram(tmp_path, {"jobs": QUICK_JOBS}) as box:
        write_lab(tmp_path, box.key, extra={"notes.yaml": NOTES})
        shell("flyball run --until-idle", tmp_path)
        writes = box.writes()
        shell(block("Backup").replace("/backup", str(kept)), tmp_path)
        (copy,) = kept.glob("*.jsonl")
        assert re.fullmatch(r"flyball-\d{4}-\d\d-\d\d", copy.stem), "the day is in the name"
        for file in (tmp_path / "var").glob(f"{LEDGER_NAME}*"):
            file.unlink()
        restore = re.sub(r"/backup/flyball-[\d-]+\.jsonl", str(copy), block("Restore"))
        assert "the ledger is sound" in shell(restore, tmp_path)
        shell("flyball run --until-idle", tmp_path)
        assert box.writes() == writes
