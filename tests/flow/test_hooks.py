"""Webhooks: each delivery is acted on, however many come at once and whatever else is waiting."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from flyball.app import Daemon
from flyball.ledger.intents import open_intents
from flyball.sandbox import Sandbox, Scenario
from support.lab import opened, write_lab, writes

SECRET = "a secret of the lab"
RULES = """
rules:
  - id: hooked
    since: all
    each: acquisition
    trigger: [{webhook: lab}]
    do:
      - tag: {on: acquisition, set: {SEEN: true}}
"""


@pytest.fixture
async def box() -> AsyncIterator[Sandbox]:
    """A site with some hundred acquisitions."""
    async with Sandbox(Scenario.named("lab")) as sandbox:
        yield sandbox


@pytest.fixture
async def daemon(box: Sandbox, tmp_path: Path) -> AsyncIterator[Daemon]:
    """The daemon, which has read the site."""
    async with opened(write_lab(tmp_path, box.key, RULES, hooks={"lab": {"secret": SECRET}})) as found:
        assert await found.run_until_idle()
        yield found


async def deliver(daemon: Daemon, ident: str, target: str, **more: Any) -> int:
    """One delivery; the status answered."""
    body = orjson.dumps({"target": target, **more})
    mark = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "x-hub-signature-256": f"sha256={mark}", "x-delivery-id": ident}
    return (await daemon.hooks.receive("lab", headers, body))[0]


def seen(box: Sandbox) -> set[str]:
    """Ids of the acquisitions that are tagged."""
    return {str(ident) for ident, row in box.site.acquisitions.rows.items() if "SEEN" in row["tags"]}


async def test_more_deliveries_than_are_read_at_a_time(
    box: Sandbox, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are acted on in one go; those that name the same target have one look together."""
    monkeypatch.setattr("flyball.hooks.lane.MANY", 7)
    idents = [str(ident) for ident in box.site.acquisitions.rows]
    for round_ in (1, 2):
        for ident in idents:
            assert await deliver(daemon, f"{round_}-{ident}", f"acquisition:{ident}") == 202
    assert await daemon.hooks.step() == 0
    assert await daemon.run_until_idle()
    assert seen(box) == set(idents)
    assert writes(box) == len(idents)


async def test_a_delivery_twice_is_one(box: Sandbox, daemon: Daemon) -> None:
    """The second one is answered 200 and does nothing."""
    ident = str(next(iter(box.site.acquisitions.rows)))
    assert [await deliver(daemon, "same", f"acquisition:{ident}") for _ in range(3)] == [202, 200, 200]
    assert await daemon.run_until_idle()
    assert (seen(box), writes(box)) == ({ident}, 1)


async def test_what_cannot_be_looked_at_keeps_nothing_waiting(
    box: Sandbox, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A target that the site cannot show just now waits, and those behind it do not. Targets that are unknown or not for
    this key are done with.
    """
    monkeypatch.setattr("flyball.hooks.lane.MANY", 1)
    idents = [str(ident) for ident in box.site.acquisitions.rows][:12]
    locked = idents.pop()
    stuck, free = idents[:1], idents[1:]
    for ident in stuck:
        box.faults.add("status", status=503, path=f"/acquisitions/{ident}")
    for ident in [*stuck, *free]:
        assert await deliver(daemon, ident, f"acquisition:{ident}") == 202
    box.faults.add("status", status=403, path=f"/acquisitions/{locked}")
    for ident in (locked, "00000000000000000000abcd"):
        assert await deliver(daemon, ident, f"acquisition:{ident}") == 202
    assert await daemon.hooks.step() == len(stuck)
    assert await daemon.run_until_idle()
    assert seen(box) == set(free)
    box.faults.clear()
    assert await daemon.run_until_idle()
    assert seen(box) == {*stuck, *free}
    assert await daemon.store.read(open_intents) == []


async def test_a_kill_between_delivery_and_look_loses_nothing(box: Sandbox, tmp_path: Path) -> None:
    """What was answered 202 is acted on by the next start."""
    config: Any = write_lab(tmp_path, box.key, RULES, hooks={"lab": {"secret": SECRET}})
    ident = str(next(iter(box.site.acquisitions.rows)))
    async with opened(config) as daemon:
        assert await deliver(daemon, "one", f"acquisition:{ident}") == 202
    assert seen(box) == set()
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
    assert seen(box) == {ident}


JUDGED = """
rules:
  - id: judged
    since: all
    each: acquisition
    trigger: [{webhook: lab}]
    if: event.hook == 'lab'
    do:
      - tag: {on: acquisition, set: {POOR: event.body.verdict == 'poor'}}
"""


STORY: list[tuple[dict[str, Any], bool]] = [
    ({}, False),
    ({"verdict": "poor"}, True),
    ({}, True),
    ({"verdict": None}, True),
    ({"verdict": "good"}, False),
    ({"verdict": "poor", "picture": "x" * 20_000}, False),
]
"""What deliveries say one after another, and whether the tag is there after each."""


async def test_a_delivery_says_more_than_its_target(box: Sandbox, tmp_path: Path) -> None:
    """A rule reads what the last delivery said; without one, or without a word about it, all stays as it is."""
    ident = str(next(iter(box.site.acquisitions.rows)))
    target = f"acquisition:{ident}"
    row = box.site.acquisitions.rows[ident]
    config = write_lab(tmp_path, box.key, JUDGED, hooks={"lab": {"secret": SECRET}})
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
        for number, (more, tagged) in enumerate(STORY):
            assert await deliver(daemon, str(number), target, **more) == 202
            assert await daemon.run_until_idle()
            assert ("POOR" in row["tags"]) is tagged, more
        await deliver(daemon, "again", target, verdict="poor")
        assert await daemon.run_until_idle()
    async with opened(config) as daemon:
        await daemon.dispatcher.look_everywhere({"judged"})
        assert await daemon.run_until_idle()
    assert "POOR" in row["tags"]
