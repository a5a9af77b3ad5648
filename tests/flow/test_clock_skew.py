"""A site whose stamps are hours off our clock, while its Date header is not: nothing is lost, nothing comes too early."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flyball.sandbox import Sandbox, Scenario
from flyball.sandbox.files import put_file
from support.lab import opened, write_lab

RULE = """
rules:
  - id: bold-qc
    each: file
    scope: {file: "*mriqc.qa*"}
    settle: SETTLE
    if: "'T2*' in file.classification.Measurement"
    do:
      - tag: {on: acquisition, set: {LOW_SNR: file.info.snr < 1.0}}
"""


def clocked(hours: float) -> Sandbox:
    """The lab's site, whose data is stamped by a clock that is hours off. Its Date header is aiohttp's: our time."""
    return Sandbox(Scenario.named("lab"), clock=lambda: datetime.now(UTC) + timedelta(hours=hours))


def add_poor_report(box: Sandbox) -> dict[str, object]:
    """A BOLD acquisition gets a QC report with low SNR."""
    acquisition = next(row for row in box.site.acquisitions.rows.values() if row["label"].startswith("task-rest"))
    kinds = {"Measurement": ["T2*"]}
    name = f"new_{len(box.site.files.rows)}_mriqc.qa.html"
    put_file(box.site, "acquisition", acquisition, name, content=b"x", info={"snr": 0.2}, classification=kinds)
    return dict(acquisition)


@pytest.mark.parametrize("hours", [-2, 0, 2])
async def test_new_data_is_new_whatever_the_site_s_clock_says(hours: float, tmp_path: Path) -> None:
    """`since: now` takes in what came after the rule, and nothing of what was there."""
    async with clocked(hours) as box:
        async with opened(write_lab(tmp_path, box.key, RULE.replace("SETTLE", "0"))) as daemon:
            assert await daemon.run_until_idle()
            assert not [row for row in box.site.acquisitions.rows.values() if "LOW_SNR" in row["tags"]]
            acquisition = add_poor_report(box)
            assert await daemon.run_until_idle()
        ident = str(acquisition["_id"])
        assert "LOW_SNR" in box.site.get("acquisition", ident)["tags"]


@pytest.mark.parametrize("hours", [-2, 2])
async def test_settle_waits_neither_too_short_nor_for_hours(hours: float, tmp_path: Path) -> None:
    """Once a change has shown the clock behind the stamps, quiet is counted by it."""
    async with clocked(hours) as box, opened(write_lab(tmp_path, box.key, RULE.replace("SETTLE", "3s"))) as daemon:
        await daemon.run_until_idle()
        changed = daemon.clock.monotonic()
        acquisition = add_poor_report(box)
        ident = str(acquisition["_id"])
        while "LOW_SNR" not in box.site.get("acquisition", ident)["tags"]:
            await daemon.run_until_idle()
            assert daemon.clock.monotonic() - changed < 90
        assert daemon.clock.monotonic() - changed >= 3
