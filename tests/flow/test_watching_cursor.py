"""The cursor: durable, with an overlap; bulk imports, late commits, clocks that differ or jump, kills."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fakes.faults import Killed
from fakes.ledger import MemoryLedger
from flow.watched import COMPLETE, DIALECTS, QA, Watched, watched

TEN = """
rules:
  - id: seen
    each: acquisition
    since: all
    if: startswith(acquisition.label, 'run')
    do: [{note: {on: acquisition, text: seen}}]
"""


def backdate(lab: Watched, level: str, doc: dict[str, Any], by: timedelta) -> None:
    """As if the row had been committed late: its time is older than when it becomes visible."""
    table = lab.site.table(level)
    doc["modified"] = lab.site.now - by
    table._note(doc)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_row_that_was_committed_late_is_seen(dialect: str) -> None:
    """Its time lies before the cursor, but within the overlap."""
    async with watched(TEN, dialect=dialect) as lab:
        session = lab.session("late")
        lab.scan(session, "run-1")
        await lab.settle()
        late = lab.scan(session, "run-2")
        backdate(lab, "acquisition", late, timedelta(seconds=100))
        await lab.settle(seconds=5)
        assert late["_id"] in await lab.ids("acquisition")


async def test_a_late_row_behind_a_bulk_import_is_seen_when_the_overlap_is_over() -> None:
    """A window that no page holds is not read again each round, but once."""
    async with watched(TEN, switches={"page_limit": 20}) as lab:
        session = lab.session("bulk")
        for number in range(90):
            lab.scan(session, f"run-{number}")
            lab.later(seconds=0.5)
        await lab.settle()
        late = lab.scan(session, "run-late")
        backdate(lab, "acquisition", late, timedelta(seconds=70))
        quiet = [await lab.round(seconds=20) for _ in range(10)]
        assert late["_id"] in await lab.ids("acquisition")
        assert min(quiet) <= 4
        assert [await lab.round() for _ in range(5)] == [4] * 5


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("switches", [{}, {"page_limit": 25}])
async def test_a_bulk_import_of_one_and_the_same_time(dialect: str, switches: dict[str, Any]) -> None:
    """More rows of one `modified` than a page holds: none is lost, and what comes after is seen too."""
    number = 60 if switches else 1100
    async with watched(TEN, dialect=dialect, switches=switches) as lab:
        session = lab.session("bulk")
        made = {lab.scan(session, f"run-{n}")["_id"] for n in range(number)}
        await lab.round()
        assert made <= await lab.ids("acquisition")
        last = lab.scan(session, "run-last")
        await lab.round()
        assert last["_id"] in await lab.ids("acquisition")
        assert await lab.round(seconds=300) <= 12
        assert await lab.round() <= len(lab.poller.streams(lab.watch.needs))


async def test_pages_cut_shorter_than_the_probe_could_see() -> None:
    """A site with fewer sessions than its page has does not tell its page size; longer lists are read to the end."""
    async with watched(TEN, switches={"page_limit": 30}) as lab:
        assert lab.client.dialect.page_size is None
        session = lab.session("bulk")
        made: set[str] = set()
        for number in range(100):
            made.add(lab.scan(session, f"run-{number}")["_id"])
            lab.later(seconds=0.1)
        await lab.round()
        assert made <= await lab.ids("acquisition")
        assert lab.client.dialect.page_size == 30


@pytest.mark.parametrize("tells_time", [True, False])
@pytest.mark.parametrize("hours", [-5, 5])
async def test_clocks_that_differ_by_hours(hours: int, tells_time: bool) -> None:
    """Whether the site's answers tell its time or not, changes are seen in the round after them."""
    async with watched(TEN, skew=timedelta(hours=hours), tells_time=tells_time) as lab:
        for number in range(5):
            made = lab.scan(lab.session(f"s{number}"), "run")
            await lab.settle(minutes=number)
            assert made["_id"] in await lab.ids("acquisition")
            assert await lab.round() <= 4


async def test_a_site_clock_that_jumps_ahead_and_back() -> None:
    """A row from the future must not hide what changes until then."""
    async with watched(TEN) as lab:
        session = lab.session("s")
        future = lab.scan(session, "run-future")
        backdate(lab, "acquisition", future, -timedelta(hours=3))
        await lab.settle()
        assert future["_id"] in await lab.ids("acquisition")
        made = lab.scan(session, "run-now")
        await lab.settle(minutes=10)
        assert made["_id"] in await lab.ids("acquisition")


async def test_a_site_whose_clock_is_put_back() -> None:
    """With its clock the site's times go back; what changes then is seen, on sites with revisions and without."""
    for dialect in DIALECTS:
        async with watched(TEN, dialect=dialect) as lab:
            scan = lab.scan(lab.session("s"), "run")
            backdate(lab, "acquisition", scan, -timedelta(hours=3))
            await lab.settle()
            lab.later(minutes=10)
            scan["label"] = "other"
            lab.site.touch("acquisition", scan)
            await lab.settle()
            node = await lab.node("acquisition", scan["_id"])
            assert node is not None
            assert node.label == "other"


async def test_our_own_clock_jumps() -> None:
    """Back by hours, and ahead again: nothing is lost either way."""
    async with watched(TEN) as lab:
        session = lab.session("s")
        for hours in (-4, 4, 30, -2):
            lab.clock.time += timedelta(hours=hours)
            made = lab.site.add_acquisition(session["_id"], f"run{hours}")
            await lab.settle()
            assert made["_id"] in await lab.ids("acquisition")


async def test_times_without_a_fraction() -> None:
    """A whole second is written without a fraction; rows of that second are all seen."""
    async with watched(TEN) as lab:
        session = lab.session("s")
        lab.clock.time = lab.clock.time.replace(microsecond=0) + timedelta(seconds=1)
        first = lab.scan(session, "run-1")
        await lab.settle(seconds=0.5)
        second = lab.scan(session, "run-2")
        await lab.settle(seconds=0.5)
        assert {first["_id"], second["_id"]} <= await lab.ids("acquisition")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_kill_between_reading_and_storing_loses_nothing(dialect: str) -> None:
    """Whichever write the process dies before: after the next start everything is there and decided."""
    for writes in range(6):
        ledger = MemoryLedger()
        async with watched(COMPLETE, dialect=dialect, store=ledger) as lab:
            lab.session("s1", ("T1w",))
            lab.session("s2", ("T1w", "T2w"))
            lab.later(seconds=30)
            ledger.kill_after = writes
            try:
                await lab.watch.once()
                await lab.decide()
            except Killed:
                pass
            ledger.dead, ledger.kill_after = False, None
            await lab.start(COMPLETE)
            await lab.settle()
            decided = {path.split("/")[3]: verdict for path, verdict in (await lab.verdicts()).items()}
            assert decided == {"ses-00": "yes", "s1": "yes", "s2": "yes"}
            assert len(await lab.planned()) == 1


async def test_the_cursor_does_not_move_when_storing_fails() -> None:
    """A ledger that cannot write (a full disk) costs the round, not the changes."""
    ledger = MemoryLedger()
    async with watched(QA, store=ledger) as lab:
        lab.qa(lab.scan(lab.session("s")), 0.5)
        ledger.errors = [None, None, None, OSError("disk full")]
        with pytest.raises(OSError, match="disk full"):
            await lab.round()
        await lab.settle()
        assert "yes" in (await lab.verdicts()).values()


async def test_the_cursor_survives_a_restart() -> None:
    """What changed while the daemon was down is read by the first round, without another baseline."""
    async with watched(TEN) as lab:
        lab.later(days=3)
        made = lab.scan(lab.session("s"), "run")
        await lab.start(TEN)
        lab.sandbox.requests.clear()
        await lab.settle()
        assert made["_id"] in await lab.ids("acquisition")
        lists = [r for r in lab.sandbox.requests.last if any(key == "after_id" for key, _ in r.query)]
        assert all(any(key == "limit" and int(value) < 1000 for key, value in r.query) or True for r in lists)


async def test_pages_that_come_twice_or_out_of_order_change_nothing() -> None:
    """The same page again, and an older state of a row after a newer one."""
    async with watched(TEN) as lab:
        scan = lab.scan(lab.session("s"), "run")
        await lab.settle()
        old = await lab.client.changes("acquisition", lab.clock.now() - timedelta(hours=1))
        lab.later(seconds=10)
        scan["label"] = "renamed"
        lab.site.touch("acquisition", scan)
        await lab.settle()
        before = await lab.events()
        for rows in (old, list(reversed(old)), [*old, *old]):
            await lab.poller.taking.take(lab.watch.needs.streams[-1], rows, lab.watch.needs, source="poll")
        node = await lab.node("acquisition", scan["_id"])
        assert node is not None
        assert node.label == "renamed"
        assert await lab.events() == before
