"""The sign of life: sent while the daemon is well, and only then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fakes.ledger import MemoryLedger
from flyball.heartbeat import Heartbeat, trouble_of
from flyball.model.errors import Transient
from support.receiver import Receiver

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class BrokenStore(MemoryLedger):
    """A ledger that cannot be written."""

    async def write(self, work: Callable[[Any], Any]) -> Any:
        """Fail as a full disk does."""
        raise Transient("no space left")


@pytest.mark.parametrize(
    ("broken", "last", "every", "expected"),
    [
        ((), NOON - MINUTE, MINUTE, None),
        ((), None, MINUTE, None),
        ((), NOON - 16 * MINUTE, MINUTE, "not read for long: main"),
        ((), NOON - 16 * MINUTE, 5 * MINUTE, None),
        ((), NOON - 51 * MINUTE, 5 * MINUTE, "not read for long: main"),
        (("sweep main", "decide"), NOON, MINUTE, "out of order: decide, sweep main"),
    ],
)
async def test_what_is_trouble(
    broken: tuple[str, ...], last: datetime | None, every: timedelta, expected: str | None
) -> None:
    """A part that is out of order, or a site that was not read for too long; the start counts as a read."""
    store = MemoryLedger()
    assert await trouble_of(store, broken, {"main": (last, every)}, NOON - 2 * MINUTE, NOON) == expected
    await store.close()


async def test_a_ledger_that_cannot_be_written_is_trouble() -> None:
    """Nothing that is noticed would be stored."""
    store = BrokenStore()
    assert await trouble_of(store, (), {}, NOON, NOON) == "the ledger cannot be written: no space left"
    await store.close()


async def test_sent_when_well_and_kept_when_not() -> None:
    """And what is wrong is said."""
    said: list[str | None] = [None, "the ledger cannot be written", None]

    async def trouble() -> str | None:
        return said.pop(0)

    with Receiver() as receiver:
        heart = Heartbeat(f"{receiver.url}?switch=1", 60.0, trouble, asyncio.Event())
        await heart.beat()
        assert (receiver.beats, heart.error) == (["/alerts?switch=1"], None)
        await heart.beat()
        assert (len(receiver.beats), heart.as_json()["error"]) == (1, "not sent: the ledger cannot be written")
    await heart.beat()
    assert "cannot reach" in (heart.error or "")
    assert heart.sent is not None
    await heart.close()
