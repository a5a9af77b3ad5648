"""Webhooks: each delivery is acted on, however many come at once and whatever else is waiting."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from flyball.app import Daemon
from flyball.ledger.history import History
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
    return await send(daemon, ident, orjson.dumps({"target": target, **more}))


async def send(daemon: Daemon, ident: str, body: bytes) -> int:
    """Likewise, with any body."""
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


async def burst(daemon: Daemon, idents: list[str], mark: str) -> None:
    """Deliveries that come at the same time, one for each acquisition."""
    async with asyncio.TaskGroup() as tasks:
        sent = [tasks.create_task(deliver(daemon, f"{mark}-{ident}", f"acquisition:{ident}")) for ident in idents]
    assert {task.result() for task in sent} == {202}


def reads(box: Sandbox) -> list[str]:
    """The addresses of acquisitions that were read since the count began: lists and single ones."""
    return [
        request.path.removeprefix("/api")
        for request in box.requests.last
        if request.method == "GET" and "/acquisitions" in request.path
    ]


async def test_many_targets_are_read_with_one_request(box: Sandbox, daemon: Daemon) -> None:
    """Once it is seen that lists show tags as single reads do; the first ones are read singly."""
    idents = [str(ident) for ident in box.site.acquisitions.rows]
    first, rest = idents[:5], idents[5:65]
    await burst(daemon, first, "first")
    box.requests.clear()
    assert await daemon.hooks.step() == 0
    assert sorted(reads(box)) == sorted(f"/acquisitions/{ident}" for ident in first)
    assert await daemon.run_until_idle()
    await burst(daemon, rest, "rest")
    box.requests.clear()
    assert await daemon.hooks.step() == 0
    assert reads(box) == ["/acquisitions"]
    assert await daemon.run_until_idle()
    assert seen(box) == {*first, *rest}


@pytest.mark.parametrize(
    "site",
    [{"dialect": "live19"}, {"switches": {"tags_in_lists": False}}, {"switches": {"in_operator": False}}],
    ids=["2019", "tags hidden", "no lists of values"],
)
async def test_targets_that_lists_do_not_show_are_read_singly(site: dict[str, Any], tmp_path: Path) -> None:
    """Where lists take no ids or hide tags: nothing depends on the short cut."""
    async with (
        Sandbox(Scenario.named("lab", **site)) as box,
        opened(write_lab(tmp_path, box.key, RULES, hooks={"lab": {"secret": SECRET}})) as daemon,
    ):
        assert await daemon.run_until_idle()
        idents = [str(ident) for ident in box.site.acquisitions.rows][:30]
        for part in (idents[:10], idents[10:20], idents[20:]):
            await burst(daemon, part, "any")
            box.requests.clear()
            assert await daemon.hooks.step() == 0
            assert {f"/acquisitions/{ident}" for ident in part} <= set(reads(box))
            assert await daemon.run_until_idle()
        assert seen(box) == set(idents)


async def test_a_list_that_is_refused_or_lacks_some_is_no_loss(box: Sandbox, daemon: Daemon) -> None:
    """What it does not bring is read singly; a target that is gone is done with."""
    idents = [str(ident) for ident in box.site.acquisitions.rows][:30]
    await burst(daemon, idents[:10], "first")
    assert await daemon.run_until_idle()
    await burst(daemon, [*idents[10:20], "00000000000000000000abcd"], "gone")
    assert await daemon.run_until_idle()
    await burst(daemon, idents[20:], "refused")
    refused = box.faults.add("status", status=422, method="GET", path="/acquisitions$")
    assert await daemon.hooks.step() == 0
    assert refused.hits == 1
    box.faults.clear()
    assert await daemon.run_until_idle()
    assert seen(box) == set(idents)
    assert await daemon.store.read(open_intents) == []


async def test_a_target_that_hangs_holds_up_no_other(box: Sandbox, daemon: Daemon) -> None:
    """The others that came with it, and those that come later, are looked at while the site does not answer for it."""
    stuck, *others = [str(ident) for ident in box.site.acquisitions.rows][:8]
    box.faults.add("hang", path=f"/acquisitions/{stuck}")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(daemon.hooks.run())
        for part in ([stuck, *others[:3]], others[3:]):
            await burst(daemon, part, "one")
            await _only_open(daemon, stuck)
        running.cancel()
    assert running.cancelled()


async def _only_open(daemon: Daemon, ident: str) -> None:
    """Wait until one delivery alone is not done with."""
    async with asyncio.timeout(90):
        while [intent.params["target"] for intent in await daemon.store.read(open_intents)] != [f"acquisition:{ident}"]:
            await asyncio.sleep(0.01)


async def test_a_site_that_is_ill_holds_up_no_other(box: Sandbox, tmp_path: Path) -> None:
    """What another site shows is acted on; the delivery stays open until the ill one has answered too."""
    async with Sandbox(Scenario.named("lab")) as ill:
        hooks: dict[str, Any] = {"lab": {"secret": SECRET}}
        both = {
            name: {"kind": "flywheel", "api_key": key, "limits": {"per_second": 0}, "poll": {"every": "200ms"}}
            for name, key in {"ill": ill.key, "well": box.key}.items()
        }
        rules = RULES.replace("each:", "site: well\n    each:")
        async with opened(write_lab(tmp_path, box.key, rules, hooks=hooks, sites=both)) as daemon:
            assert await daemon.run_until_idle()
            ill.faults.add("status", status=500)
            # an id of its own: the two sites are made of the same seed
            made = box.site.add_acquisition(next(iter(box.site.sessions.rows)), "apart", timestamp=box.site.now)
            ident = str(made["_id"])
            assert await deliver(daemon, "one", f"acquisition:{ident}") == 202
            assert await daemon.hooks.step() == 1
            await daemon.watches["well"].once()
            while await daemon.dispatcher.step():
                pass
            assert [one["target"]["id"] for one in (await _effects(daemon))] == [ident]
            ill.faults.clear()
            assert await daemon.hooks.step() == 0
            assert await daemon.store.read(open_intents) == []


async def test_one_that_cannot_be_stored_spoils_no_other(box: Sandbox, daemon: Daemon) -> None:
    """A target that is no text is refused, whatever comes with it."""
    ident = next(iter(box.site.acquisitions.rows))
    async with asyncio.TaskGroup() as tasks:
        bodies = [b'{"target": "\\ud800"}', b'{"target": "\\u0000"}', orjson.dumps({"target": f"acquisition:{ident}"})]
        sent = [tasks.create_task(send(daemon, f"\udc80 {number}", body)) for number, body in enumerate(bodies)]
    assert [task.result() for task in sent] == [400, 400, 202]
    assert await daemon.run_until_idle()
    assert seen(box) == {str(ident)}


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


async def _effects(daemon: Daemon) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await History(daemon.store).effects())["results"]
    return found
