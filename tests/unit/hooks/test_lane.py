"""A lane looks at each open delivery; what cannot be looked at yet waits, and keeps nothing else waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from fakes.clock import FakeClock
from fakes.ledger import MemoryLedger
from flyball.hooks.lane import AGAIN, Lane
from flyball.hooks.open import Open
from flyball.ledger.intents import Arrived, Intent, store_deliveries
from flyball.model.errors import Gone, Refused, Transient


class Site:
    """Looks at targets: those in `errors` cannot be looked at, and nothing is while `gate` is closed."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.ledger = MemoryLedger()
        self.errors: dict[str, Exception] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked: list[tuple[str, int]] = []
        self.ended: list[tuple[str, Any]] = []
        self.lane = Lane("main", self.ledger, self.clock, concerns=self.concerns, look=self.look, ended=self.note_end)

    def concerns(self, intent: Intent) -> bool:
        """All but what is for another lane."""
        return str(intent.params["target"]) != "elsewhere"

    async def look(self, some: Sequence[Intent]) -> None:
        """Look at one target."""
        target = some[0].params["target"]
        self.asked.append((target, len(some)))
        await self.gate.wait()
        if target in self.errors:
            raise self.errors[target]

    async def note_end(self, _lane: str, some: Sequence[Intent], answer: Any) -> None:
        """Something cannot be looked at, or is not for this lane."""
        self.ended += [(intent.params["target"], answer) for intent in some]

    async def deliver(self, *targets: str) -> None:
        """Store deliveries."""
        arrived = [Arrived("lab", None, target) for target in targets]
        await self.ledger.write(partial(store_deliveries, arrived=arrived, now=self.clock.now()))
        self.lane.ring()

    def taken(self) -> list[tuple[str, int]]:
        """What was looked at since the last time."""
        asked, self.asked = self.asked, []
        return asked


@pytest.fixture
def site() -> Site:
    """A site that answers."""
    return Site()


async def test_what_fails_is_tried_again_in_its_time(site: Site) -> None:
    """New deliveries do not put it off, nor does it them."""
    site.errors = {"a": Transient("away"), "d": Transient("away")}
    await site.deliver("a", "b", "c")
    assert await site.lane.step() == 1
    assert site.taken() == [("a", 1), ("b", 1), ("c", 1)]
    site.clock.advance(AGAIN - 1)
    await site.deliver("d", "e")
    assert await site.lane.step() == 2
    assert site.taken() == [("d", 1), ("e", 1)]
    site.clock.advance(1)
    del site.errors["a"]
    assert await site.lane.step() == 1
    assert site.taken() == [("a", 1), ("d", 1)]
    site.errors.clear()
    assert await site.lane.step() == 1
    site.clock.advance(AGAIN)
    assert await site.lane.step() == 0
    assert site.taken() == [("d", 1)]


async def test_more_wait_than_are_tried_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its turn, those that were tried longest ago first."""
    monkeypatch.setattr("flyball.hooks.lane.UNDER_WAY", 4)
    targets = [f"t{number}" for number in range(10)]
    site.errors = {target: Transient("away") for target in targets}
    await site.deliver(*targets)
    assert await site.lane.step() == 10
    assert [target for target, _ in site.taken()] == targets
    tried: list[list[str]] = []
    for _ in range(3):
        site.clock.advance(AGAIN)
        assert await site.lane.step() == 10
        tried.append([target for target, _ in site.taken()])
    assert tried == [targets[:4], targets[4:8], ["t0", "t1", "t8", "t9"]]


@pytest.mark.parametrize(
    "error", [Gone("no such thing", status=404), Refused("not for you", status=403)], ids=["gone", "forbidden"]
)
async def test_what_can_never_be_looked_at_is_done_with(site: Site, error: Exception) -> None:
    """With the site's reason; deliveries for other lanes are passed on."""
    site.errors = {"a": error}
    await site.deliver("elsewhere", "a", "b")
    assert await site.lane.step() == 0
    assert site.ended == [("elsewhere", None), ("a", {"error": str(error)})]
    assert site.taken() == [("a", 1), ("b", 1)]


async def test_a_target_is_not_read_twice_at_a_time(site: Site) -> None:
    """What comes while it is being read has another look after that, together."""
    site.gate.clear()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(site.lane.run())
        await site.deliver("a")
        await _until(site, 1)
        await site.deliver("a", "b", "a")
        await _until(site, 2)
        assert site.asked == [("a", 1), ("b", 1)]
        site.gate.set()
        await _until(site, 3)
        running.cancel()
    assert site.asked == [("a", 1), ("b", 1), ("a", 2)]


async def _until(site: Site, number: int) -> None:
    async with asyncio.timeout(30):
        while len(site.asked) < number:
            await asyncio.sleep(0)


def test_a_delivery_is_done_with_when_all_lanes_have_answered() -> None:
    """What was found is its answer, before what went wrong."""
    known, intent = Open({"", "one", "two"}), Intent(1, "look", {"target": "a"})
    assert known.note(intent, "one", {"error": "forbidden"}) is None
    assert not known.is_last(intent, "two")
    assert known.note(intent, "", None) is None
    assert (known.is_last(intent, "two"), known.is_last(intent, "one"), len(known)) == (True, False, 1)
    assert known.note(intent, "two", {"id": "a"}) == {"id": "a"}
    assert len(known) == 0
    for lane in ("", "one"):
        assert known.note(intent, lane, None) is None
    told = known.note(intent, "two", None)
    assert told is not None
    assert "named 'a'" in told["error"]
