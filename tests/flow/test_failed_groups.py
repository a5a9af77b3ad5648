"""What failed, in groups, on the command line and over HTTP; mended and tried again together."""

from __future__ import annotations

import json
from pathlib import Path

from support.lab import QUICK_JOBS, write_lab
from support.process import DaemonProgram, SandboxProgram, command, run_once, until

RULES = """
version: 1
rules:
  - {id: check, since: all, each: session, do: [{launch: {gear: dcm2niix, on: session, once: target, config: {mergeall: true}}}]}
  - {id: export, since: all, each: session, do: [{launch: {gear: not-there, on: session, once: target}}]}
"""


def test_failures_are_shown_and_tried_again_in_groups(tmp_path: Path) -> None:
    """Two causes are two lines, however many sessions there are; once a cause is mended, its group is done."""
    with SandboxProgram(tmp_path, {"jobs": QUICK_JOBS}) as box:
        config = write_lab(tmp_path, box.key, RULES)

        def said(*arguments: str) -> list[dict[str, object]]:
            told: list[dict[str, object]] = json.loads(
                command("--config", str(config), "--json", *arguments, folder=tmp_path).out
            )
            return told

        assert run_once(config).process.returncode == 1
        groups = {group["gear"]: group for group in said("effects", "--grouped")}
        assert set(groups) == {"dcm2niix", "not-there"}
        sessions = len(box.api("/sessions?limit=1000"))
        assert [group["count"] for group in groups.values()] == [sessions] * 2
        assert "mergeall" in str(groups["dcm2niix"]["reason"])
        shown = command("--config", str(config), "status", folder=tmp_path).out
        assert "mergeall" in shown
        again = said("retry", "--gear", "not-there")
        assert len(again) == sessions
        assert {row["gear"] for row in said("effects", "--grouped")} == {"dcm2niix"}
        with DaemonProgram(config) as daemon:
            until(lambda: len(daemon.ask("/api/failures").json()["results"]) == 2, 90, "they failed again", every=0.2)
            assert len(daemon.ask("/api/failures?rule=export").json()["results"]) == 1
        nothing = command("--config", str(config), "retry", folder=tmp_path)
        assert nothing.process.returncode == 2
