"""The fakes themselves: they fail as they are told, and remember."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, func, insert, select

from fakes.channels import FakeChannels
from fakes.clock import START, FakeClock
from fakes.faults import Faults, Killed
from fakes.ledger import MemoryLedger
from fakes.site import FakeSite
from flyball.ledger.tables import facts
from flyball.model.errors import Gone, Permanent, Refused, Transient, UnknownOutcome


def count(connection: Connection) -> int:
    """How many facts there are."""
    return int(connection.execute(select(func.count()).select_from(facts)).scalar_one())


def put(connection: Connection) -> None:
    """One more fact."""
    connection.execute(insert(facts).values(name=str(count(connection)), value=b"1", updated=0))


def test_faults_come_before_after_and_late() -> None:
    """And only as often as planned."""
    faults, done = Faults(), []
    faults.add("a", Transient("x"), times=2)
    faults.add("a", Transient("y"), when="after")
    faults.add("a", Transient("z"), when="late")
    texts = []
    for number in range(5):
        try:
            faults.through("a", lambda number=number: done.append(number))  # type: ignore[misc] # bound
        except Transient as error:
            texts.append(str(error))
    assert (texts, done) == (["x", "x", "y", "z"], [2, 4])
    assert (faults.commit_late(), done) == (1, [2, 4, 3])
    faults.add("a", Transient("w"))
    faults.clear()
    faults.through("a", lambda: done.append(9))
    assert done[-1] == 9


async def test_tags_of_the_fake_site() -> None:
    """409 is False, a container that is not there is Gone, a file does not say."""
    site = FakeSite(FakeClock().now)
    site.add_container("session", "e1", "A")
    site.add_container("file", "f1", "A")
    assert not await site.add_tag("session", "e1", "A")
    assert await site.add_tag("session", "e1", "B")
    assert await site.add_tag("file", "f1", "A")
    assert await site.tags("session", "e1") == ["A", "B"]
    await site.remove_tag("session", "e1", "A")
    await site.remove_tag("session", "e1", "A")
    with pytest.raises(Gone):
        await site.add_tag("session", "e2", "A")
    site.file_tags = False
    with pytest.raises(Permanent):
        await site.add_tag("file", "f1", "B")
    assert [method for method, _ in site.writes].count("add_tag") == 4


async def test_launches_on_the_fake_site() -> None:
    """The same request twice makes two; a fault in the middle leaves an analysis without a job."""
    site = FakeSite(FakeClock().now)
    site.add_container("session", "e1")
    gear = site.add_gear("fs")
    body = {"label": "x", "info": {"k": 1}, "job": {"gear_id": gear["id"], "inputs": {}, "config": {}, "tags": ["t"]}}
    first, second = [await site.launch_analysis("session", "e1", body) for _ in range(2)]
    assert first != second
    site.faults.add("half_a_launch", UnknownOutcome("x"))
    with pytest.raises(UnknownOutcome):
        await site.launch_analysis("session", "e1", body)
    assert [bool(one["job"]) for one in await site.analyses_of("session", "e1")] == [True, True, False]
    assert [job["tags"] for job in await site.find_jobs_by_tag("t", project=None)] == [["fs", "t"]] * 2
    assert (await site.launched(first))[0] == first
    site.jobs_by_tag = False
    with pytest.raises(Permanent):
        await site.find_jobs_by_tag("t", project=None)
    site.lists_jobs = False
    with pytest.raises(Refused):
        await site.find_jobs_by_tag("t", project=None)
    with pytest.raises(Gone):
        await site.gear("nope")


async def test_channels_remember_what_arrived() -> None:
    """Also where the answer got lost."""
    channels = FakeChannels()
    channels.faults.add("send", UnknownOutcome("x"), when="after")
    with pytest.raises(UnknownOutcome):
        await channels.send("lab", {"status": "open"}, key="k")
    await channels.send("lab", {"status": "resolved"}, key="k2")
    assert (channels.statuses, [one.key for one in channels.sent]) == (["open", "resolved"], ["k", "k2"])


async def test_the_ledger_in_memory() -> None:
    """Rolls back what fails, keeps databases apart, and dies when it is told."""
    first, second = MemoryLedger(), MemoryLedger()
    await first.write(put)

    def fail(connection: Connection) -> None:
        put(connection)
        raise LookupError

    with pytest.raises(LookupError):
        await first.write(fail)
    assert (await first.read(count), await second.read(count)) == (1, 0)
    first.errors = [None, Transient("full")]
    await first.write(put)
    with pytest.raises(Transient):
        await first.write(put)
    first.kill_after = 1
    await first.write(put)
    for _ in range(2):
        with pytest.raises(Killed):
            await first.write(put)
    first.dead = False
    assert await first.read(count) == 3
    await first.close()
    await second.close()


def test_the_clock() -> None:
    """Moves when it is told, never back."""
    clock = FakeClock()
    clock.advance(5)
    clock.advance_to(START)
    assert ((clock.now() - START).total_seconds(), clock.monotonic()) == (5.0, 1005.0)
