"""A rule that is edited while `flyball run` runs: what it asks for is on the site within two seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.lab import QUICK_JOBS, write_lab
from support.process import DaemonProgram, SandboxProgram, until

RULE = """
rules:
  - id: seen
    since: all
    each: session
    scope: {project: scien/tome}
    matrix: {tag: [%s]}
    do:
      - tag: {on: session, set: {%s: tag == '%s'}}
"""


@pytest.fixture
def box(tmp_path: Path) -> Iterator[SandboxProgram]:
    """The lab's site as a process of its own."""
    with SandboxProgram(tmp_path, {"jobs": QUICK_JOBS}) as program:
        yield program


def tagged(box: SandboxProgram) -> dict[str, int]:
    """Tag → how many sessions of the project have it."""
    found: dict[str, int] = {}
    rows: list[dict[str, Any]] = box.api("/sessions?limit=1000")
    for row in rows:
        for tag in row.get("tags") or ():
            found[tag] = found.get(tag, 0) + 1
    return found


def test_an_edit_takes_effect_at_once(box: SandboxProgram, tmp_path: Path) -> None:
    """From one tag to another, an hour before the next round; a broken edit changes nothing and is shown; also where files are replaced, as editors do."""
    config = write_lab(tmp_path, box.key, RULE % ("FIRST", "FIRST", "FIRST"), site={"poll": {"every": "1h"}})
    file = config / "rules" / "rules.yaml"
    with DaemonProgram(config) as daemon:
        number = until(lambda: tagged(box).get("FIRST"), 90, "the first tags are there")
        daemon.idle()
        number = tagged(box)["FIRST"]
        began = time.monotonic()
        file.write_text(RULE % ("SECOND", "SECOND", "SECOND"))
        until(lambda: tagged(box) == {"SECOND": number}, 90, "the tags are exchanged", every=0.05)
        took = time.monotonic() - began
        file.write_text((RULE % ("THIRD", "THIRD", "THIRD")).replace("tag ==", "tag =="[:-2]))
        shown = until(lambda: _refused(daemon), 90, "the broken edit is shown", every=0.05)
        assert "rules.yaml:" in shown
        assert tagged(box) == {"SECOND": number}
        fresh = config / "rules" / ".new"
        fresh.write_text(RULE % ("THIRD", "THIRD", "THIRD"))
        again = time.monotonic()
        fresh.replace(file)
        until(lambda: tagged(box) == {"THIRD": number}, 90, "the tags are exchanged", every=0.05)
        took = max(took, time.monotonic() - again)
    print(f"an edit took effect within {took:.2f} s")


def _refused(daemon: DaemonProgram) -> str:
    rules = daemon.status()["rules"]
    return next((str(rule["rejected"]) for rule in rules.values() if rule.get("rejected")), "")
