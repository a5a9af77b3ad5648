"""Robust z on an emulated site: what is tagged is what an independent reckoning demands, and frozen for the day."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from flyball.app import Daemon
from flyball.asking import plan, why
from flyball.ledger.history_targets import find_target
from flyball.sandbox import Sandbox, Scenario
from flyball.sandbox.metadata import change_file_info
from support.lab import opened, write_lab, writes

RULES = """
version: 1
profiles:
  bold:
    metrics:
      tsnr: {worse: lower, warn: z -3, within: [project, acquisition.label], min_n: 20}
rules:
  - id: odd
    since: all
    each: file
    scope: {file: "*mriqc.qa*"}
    if: qc('bold').metrics.tsnr.level == 'warn'
    do:
      - tag: {on: acquisition, set: {LOW_TSNR: true}}
"""
PROTOCOL = ["task-rest_run-01", "task-rest_run-02"]
USERS = {"admin": {"email": "admin@example.org", "firstname": "Ada", "lastname": "Admin"}}


@pytest.fixture(params=["v23", "live19"])
async def box(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """25 sessions with two runs; of each run, two values lie far below the others."""
    scale = {"sessions": 25, "acquisitions": len(PROTOCOL)}
    lab = {"scale": scale, "protocol": PROTOCOL, "users": USERS, "dialect": request.param}
    async with Sandbox(Scenario.of(lab)) as sandbox:
        for number, row in enumerate(reports(sandbox)):
            value = 20.0 + number % 3 if number in (4, 9, 30, 33) else 60.0 + (number * 7) % 13
            change_file_info(sandbox.site, row, {"set": {"tsnr": value}})
        yield sandbox


def reports(box: Sandbox) -> list[dict[str, Any]]:
    return [row for row in box.site.files.rows.values() if "mriqc.qa" in row["name"]]


def path_of(box: Sandbox, file: dict[str, Any]) -> str:
    """Group and labels down to the file's name."""
    levels = ("project", "subject", "session", "acquisition")
    labels = [box.site.get(level, str(file["parents"][level]))["label"] for level in levels]
    return "/".join([str(file["parents"]["group"]), *labels, file["name"]])


def demanded(box: Sandbox) -> set[str]:
    """Acquisitions with a value more than three robust deviations below its group's median."""
    groups: dict[tuple[Any, Any], list[tuple[float, str]]] = {}
    for row in reports(box):
        acquisition = box.site.get("acquisition", str(row["parents"]["acquisition"]))
        key = (row["parents"]["project"], acquisition["label"])
        groups.setdefault(key, []).append((row["info"]["tsnr"], acquisition["_id"]))
    found = set()
    for members in groups.values():
        assert len(members) >= 20, "the scenario gives too few peers"
        middle = median(value for value, _ in members)
        spread = 1.4826 * median(abs(value - middle) for value, _ in members)
        found |= {str(ident) for value, ident in members if (value - middle) / spread < -3}
    return found


def tagged(box: Sandbox) -> set[str]:
    return {str(ident) for ident, row in box.site.acquisitions.rows.items() if "LOW_TSNR" in (row.get("tags") or ())}


async def planned(daemon: Daemon) -> list[str]:
    await daemon.look()
    found = await plan(daemon.store, daemon.dispatcher, list(daemon.rules.rules), daemon.clock.now())
    return sorted(effect["once_key"] for effect in found["effects"])


async def test_tags_are_those_that_the_peers_demand(box: Sandbox, tmp_path: Path) -> None:
    """`plan` and `run` agree with a reckoning of our own, and a second run changes nothing."""
    config = write_lab(tmp_path, box.key, RULES)
    wanted = demanded(box)
    assert len(wanted) == 4
    async with opened(config) as daemon:
        keys = await planned(daemon)
        assert await daemon.run_until_idle()
    assert tagged(box) == wanted
    assert len(keys) == len(wanted)
    box.requests.clear()
    async with opened(config) as daemon:
        assert await planned(daemon) == []
        assert await daemon.run_until_idle()
    assert writes(box) == 0


async def test_new_values_are_held_against_frozen_peers(box: Sandbox, tmp_path: Path) -> None:
    """Later that day half of the group turns bad; each is judged by the morning's numbers, and `why` names them."""
    config = write_lab(tmp_path, box.key, RULES)
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
    bad = reports(box)[10:24]
    for row in bad:
        change_file_info(box.site, row, {"set": {"tsnr": 30.0}})
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
        rule = daemon.rules.rules[0]
        keys = await daemon.store.read(lambda connection: find_target(connection, path_of(box, bad[0])))
        told = await why(daemon.store, daemon.dispatcher, rule, keys, daemon.clock.now())
    assert {str(row["parents"]["acquisition"]) for row in bad} <= tagged(box)
    assert told is not None
    shown = told["because"][0]["values"]["qc('bold')"]["metrics"]["tsnr"]
    assert (shown["n"], shown["value"], shown["level"]) == (25, 30.0, "warn")
    assert shown["median"] > 60
    assert shown["date"] == daemon.clock.now().date().isoformat()
