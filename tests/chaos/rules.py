"""The rules of the storm, besides the shipped ones: notes, utility gears with and without jobs that fail."""

from __future__ import annotations

from typing import Any

from flyball.sandbox import Scenario
from support.lab import NOTES

CHECK, FLAKY = "session-check", "session-summary"
JOBS = {
    "fail_rate": 0,
    "pending_s": [0, 0.2],
    "running_s": [0, 0.5],
    "gears": {"mriqc": {"fail_rate": 0, "pending_s": [0, 0], "running_s": [0, 0]}, FLAKY: {"fail_rate": 0.4}},
}
RUNS = f"""
version: 1
rules:
  - id: check-session
    since: all
    each: session
    do:
      - launch: {{gear: {CHECK}, on: session, once: target, tags: [nightly]}}
  - id: summarise-session
    since: all
    each: session
    do:
      - launch: {{gear: {FLAKY}, on: session, once: target, relaunch_failed: 2}}
"""
EXTRA = {"notes.yaml": NOTES, "runs.yaml": RUNS}


def gears() -> list[dict[str, Any]]:
    """The gears of the lab, and the two of these rules."""
    more: list[dict[str, Any]] = [
        {"name": name, "version": "1.0.0", "category": "utility", "label": name, "inputs": {}, "config": {}}
        for name in (CHECK, FLAKY)
    ]
    return [*Scenario.named("lab").gears, *more]
