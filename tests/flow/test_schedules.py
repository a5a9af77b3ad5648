"""Schedules: rules that look at set times, on a site on which nothing has happened for days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from fakes.clock import FakeClock
from flyball.app import Daemon
from flyball.cli.common import load_lab
from flyball.clock import SystemClock
from flyball.sandbox import Sandbox, Scenario
from support.lab import write_lab, writes

NIGHTLY = """
rules:
  - id: nightly
    since: all
    each: session
    trigger: {schedule: "0 3 * * *", zone: UTC}
    do:
      - tag: {on: session, set: {SEEN: true}}
"""


def tomorrow_at(hour: int, now: datetime) -> datetime:
    """The next day at a full hour, UTC."""
    return now.astimezone(UTC).replace(hour=hour, minute=0, second=0, microsecond=0) + timedelta(days=1)


async def test_a_new_rule_missed_nothing(tmp_path: Path) -> None:
    """It waits for its time, however old the newest data are. What was missed while nothing ran is caught up once."""
    clock = FakeClock(tomorrow_at(1, SystemClock().now()))
    async with Sandbox(Scenario.named("lab"), clock=lambda: SystemClock().now() - timedelta(days=5)) as box:
        config = write_lab(tmp_path, box.key, NIGHTLY)

        async def run() -> int:
            lab = load_lab({}, config=config)
            before = writes(box)
            async with Daemon(lab.settings, lab.rules, lab.secrets, lab.environment, clock=clock) as daemon:
                assert await daemon.run_until_idle()
            return writes(box) - before

        assert await run() == 0
        clock.advance(3600)
        assert await run() == 0
        clock.advance(3 * 3600)
        sessions = len(box.site.sessions.rows)
        assert await run() == sessions
        assert await run() == 0
