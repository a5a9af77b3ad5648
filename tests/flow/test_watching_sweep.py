"""The sweep: what is deleted, hidden, moved or was missed; and lists that leave out what is still there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fakes.faults import Killed
from fakes.ledger import MemoryLedger
from flow.watched import COMPLETE, DIALECTS, QA, Watched, watched
from flyball.model.node import Presence
from flyball.sandbox.files import delete_file

TWO = [
    {"group": "scien", "label": "tome", "days_ago": 30, "subjects": []},
    {"group": "scien", "label": "kids", "days_ago": 30, "subjects": []},
]
ACCESS = {"user": {"projects": {"scien/tome": "admin", "scien/kids": "rw"}}}
SWEEP = timedelta(hours=1)


async def presence(lab: Watched, level: str, ident: str) -> Presence | None:
    """Whether the mirror takes a node for present."""
    node = await lab.node(level, ident)
    return None if node is None else node.presence


async def sweep(lab: Watched) -> int:
    """A sweep that is due, and what is decided on it; how many requests it took."""
    lab.later(hours=2)
    await lab.settle()
    before = lab.sandbox.requests.total
    await lab.watch.sweep_if_due()
    await lab.decide()
    return lab.sandbox.requests.total - before


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_deleted_file_is_seen_at_once(dialect: str) -> None:
    """Its container moves; the decision on the file turns to no."""
    async with watched(QA, dialect=dialect) as lab:
        scan = lab.scan(lab.session("s"))
        lab.qa(scan, 0.5)
        lab.file(scan, "x.nii.gz")
        await lab.settle()
        assert set((await lab.verdicts()).values()) == {"yes"}
        delete_file(lab.site, "acquisition", scan, "x_mriqc.qa.html")
        await lab.settle()
        assert set((await lab.verdicts()).values()) == {"no"}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("level", ["acquisition", "session", "subject", "project"])
async def test_what_is_deleted_is_found_by_the_sweep(dialect: str, level: str) -> None:
    """With everything below it, and with few requests."""
    async with watched(COMPLETE, dialect=dialect, sweep=SWEEP) as lab:
        session = lab.session("s", ("T1w", "T2w"))
        await lab.settle()
        path = "scien/tome/sub-01/s"
        assert (await lab.verdicts())[path] == "yes"
        scan = lab.site.acquisitions.below(("session", session["_id"]))[0]
        ids = {"acquisition": scan["_id"], "session": session["_id"], "subject": lab.subject()["_id"]}
        ident = ids.get(level) or lab.project()["_id"]
        lab.site.delete(level, ident)
        assert await sweep(lab) <= 25
        # a deleted project looks like one that this key may not see any more
        wanted = Presence.HIDDEN if level == "project" else Presence.GONE
        assert await presence(lab, level, ident) is wanted
        if level == "acquisition":
            assert any("lacks T1w" in one for one in await lab.planned())
        elif level == "project":
            assert (await lab.verdicts())[path] == "unknown"
        else:
            assert (await lab.verdicts())[path] == "no"
            assert await presence(lab, "acquisition", scan["_id"]) is Presence.GONE


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_lost_permission_looks_neither_like_missing_scans_nor_like_a_deletion(dialect: str) -> None:
    """403 on old sites, 404 on new ones: unknown, nothing is asked for, nothing is taken back."""
    async with watched(COMPLETE, dialect=dialect, sweep=SWEEP, projects=TWO, users=ACCESS, user=True) as lab:
        session = lab.session("s", ("T1w",), lab.subject("k", lab.project("kids")))
        lab.session("t", ("T1w", "T2w"), lab.subject("t"))
        await lab.settle()
        await lab.settle()
        assert len(await lab.planned()) == 1
        project = lab.project("kids")
        project["permissions"] = [one for one in project["permissions"] if one["_id"] != "op@example.org"]
        await sweep(lab)
        assert await presence(lab, "project", project["_id"]) is Presence.HIDDEN
        assert await presence(lab, "session", session["_id"]) is Presence.HIDDEN
        found = await lab.verdicts()
        assert [verdict for path, verdict in found.items() if "/kids/" in path] == ["unknown"]
        assert found["scien/tome/t/t"] == "yes"
        assert len(await lab.planned()) == 1
        assert lab.watch.weather.error is None


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_permission_that_comes_back(dialect: str) -> None:
    """What was hidden is listed and decided again, with what changed meanwhile."""
    async with watched(COMPLETE, dialect=dialect, sweep=SWEEP, projects=TWO, users=ACCESS, user=True) as lab:
        session = lab.session("s", ("T1w",), lab.subject("k", lab.project("kids")))
        await lab.settle()
        project = lab.project("kids")
        before = project["permissions"]
        project["permissions"] = []
        await sweep(lab)
        lab.scan(session, "T2w")
        project["permissions"] = before
        await sweep(lab)
        await lab.settle()
        assert await presence(lab, "session", session["_id"]) is Presence.PRESENT
        assert len(await lab.ids("acquisition")) == 2
        assert "yes" in (await lab.verdicts()).values()


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kept", [0, 3])
async def test_a_list_that_is_suddenly_empty_or_short_is_not_believed(dialect: str, kept: int) -> None:
    """A fault of the site must not mark everything as gone, nor cost a request for each that is there."""
    async with watched(COMPLETE, dialect=dialect, sweep=SWEEP) as lab:
        for number in range(60):
            lab.session(f"s{number}", ("T1w", "T2w"))
        await lab.settle()
        number = len(await lab.ids("acquisition"))
        seen: list[str] = []
        original = lab.client._page

        async def short(level: str, **more: object) -> object:
            rows, ids = await original(level, **more)  # type: ignore[arg-type]
            number = kept if not seen else 0
            if level in ("session", "acquisition") and "after_id" in more:
                seen.append(level)
                return rows[:number], ids[:number]
            return rows, ids

        lab.client._page = short  # type: ignore[method-assign,assignment]
        requests = await sweep(lab)
        assert len(await lab.ids("acquisition")) == number
        assert set((await lab.verdicts()).values()) == {"yes"}
        assert requests < 100
        await lab.round()
        assert any("not believed" in text for text in lab.watch.weather.doubts)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_killed_sweep_goes_on(dialect: str) -> None:
    """After the next start, from the page where it was."""
    ledger = MemoryLedger()
    async with watched(COMPLETE, dialect=dialect, sweep=SWEEP, store=ledger, switches={"page_limit": 5}) as lab:
        sessions = [lab.session(f"s{number}", ("T1w",)) for number in range(30)]
        await lab.settle()
        for session in (sessions[2], sessions[28]):
            lab.site.delete("session", session["_id"])
        lab.later(hours=2)
        await lab.settle()
        ledger.kill_after = 14
        with pytest.raises(Killed):
            await lab.watch.sweep_if_due()
        ledger.dead = False
        await lab.start(COMPLETE)
        await lab.settle()
        await lab.watch.sweep_if_due()
        await lab.decide()
        for session in (sessions[2], sessions[28]):
            assert await presence(lab, "session", session["_id"]) is Presence.GONE
        assert len(await lab.ids("session")) == 29


async def test_a_sweep_beside_the_polls() -> None:
    """What changed since the last poll is left to the next one, so that nothing half-known is decided."""
    async with watched(COMPLETE, sweep=SWEEP) as lab:
        lab.later(hours=2)
        await lab.settle()
        lab.later(seconds=5)
        lab.session("new", ("T1w", "T2w"))
        await lab.watch.sweep_if_due()
        await lab.decide()
        assert "scien/tome/sub-01/new" not in await lab.verdicts()
        await lab.settle()
        assert (await lab.verdicts())["scien/tome/sub-01/new"] == "yes"
        assert await lab.planned() == []


async def test_what_the_polls_missed_is_found_and_not_decided_half() -> None:
    """Old rows that appear without a trace: decided once the sweep has been through all levels."""
    async with watched(COMPLETE, sweep=SWEEP) as lab:
        session = lab.session("missed", ("T1w", "T2w"))
        for doc in (session, *lab.site.acquisitions.below(("session", session["_id"]))):
            doc["modified"] = lab.site.now - timedelta(days=20)
        for table in (lab.site.sessions, lab.site.acquisitions):
            for row in table.rows.values():
                table._note(row)
        await lab.settle()
        assert session["_id"] not in await lab.ids("session")
        ready: list[bool] = []
        inner = lab.poller.taking.changed

        def between(level: object, source: str) -> None:
            inner(level, source)  # type: ignore[arg-type]
            ready.append(lab.watch.ready_for(lab.watch.needs.streams))

        lab.poller.taking.changed = between
        await sweep(lab)
        assert ready == [False, False]
        assert lab.watch.ready_for(lab.watch.needs.streams)
        assert (await lab.verdicts())["scien/tome/sub-01/missed"] == "yes"
        assert await lab.planned() == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_many_deletions_at_once(dialect: str) -> None:
    """A subject with hundreds of scans costs a request, not hundreds."""
    async with watched(COMPLETE, dialect=dialect, sweep=SWEEP) as lab:
        subject = lab.subject("gone")
        for number in range(40):
            lab.session(f"s{number}", ("T1w", "T2w"), subject)
        await lab.settle()
        lab.site.delete("subject", subject["_id"])
        assert await sweep(lab) <= 20
        assert await presence(lab, "subject", subject["_id"]) is Presence.GONE
        assert len(await lab.ids("session")) == 1


async def test_a_sweep_finds_nothing_to_do() -> None:
    """It costs its pages and no more, and is due again only after its time."""
    async with watched(COMPLETE, sweep=SWEEP) as lab:
        before = await lab.events()
        assert await sweep(lab) <= 8
        assert await lab.events() == before
        lab.sandbox.requests.clear()
        await lab.watch.sweep_if_due()
        assert lab.sandbox.requests.total == 0
