"""The baseline: nothing is decided before all that a rule looks at was listed, at the start and whenever it grows."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.bench import rules_of
from fakes.faults import Killed
from fakes.ledger import MemoryLedger
from flow.watched import COMPLETE, DIALECTS, QA, Watched, watched
from flyball.model.levels import Level
from flyball.triggers.named import Found
from flyball.triggers.needs import needs_of

NOW = """
rules:
  - id: fresh
    each: file
    scope: {file: "*.qa.html"}
    if: file.info.snr < 1.0
    do: [{note: {on: acquisition, text: low}}]
"""
IN_TOME = """
rules:
  - id: complete
    each: session
    since: all
    scope: {project: "scien/tome"}
    expect: {acquisitions: [T1w, T2w]}
    do: [{alert: {when: missing, title: lacks}}]
"""
BOTH = IN_TOME.replace('"scien/tome"', '["scien/tome", "scien/other"]')
DEEPER = """
rules:
  - id: deeper
    each: session
    since: all
    if: any('low' in f.info.note for a in session.acquisitions for f in a.files)
    do: [{alert: {title: low}}]
"""
ALL = [
    {"group": "scien", "label": "tome", "days_ago": 30, "subjects": []},
    {"group": "scien", "label": "other", "days_ago": 30, "subjects": []},
]


def fill(lab: Watched, label: str, *scans: str) -> None:
    """A session in each project."""
    for project in ("tome", "other"):
        lab.session(label, scans, lab.subject(f"sub-{project}", lab.project(project)))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_nothing_is_decided_before_the_scans_are_listed(dialect: str) -> None:
    """Sessions are listed first; deciding on them then would find all scans missing."""
    async with watched(COMPLETE, dialect=dialect, started=False) as lab:
        lab.sandbox.faults.add("status", path="^/acquisitions", status=500)
        await lab.settle()
        assert await lab.ids("session")
        assert await lab.verdicts() == {}
        lab.sandbox.faults.clear()
        await lab.settle(minutes=5)
        assert await lab.verdicts() == {"scien/tome/sub-01/ses-00": "yes"}
        assert await lab.planned() == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_killed_baseline_goes_on_where_it_was(dialect: str) -> None:
    """Pages that were stored are not asked for again, and nothing is decided meanwhile."""
    ledger = MemoryLedger()
    async with watched(COMPLETE, dialect=dialect, store=ledger, switches={"page_limit": 10}, started=False) as lab:
        for number in range(60):
            lab.session(f"s{number}", ("T1w", "T2w"))
        await lab.start(COMPLETE)
        ledger.kill_after = 14
        with pytest.raises(Killed):
            await lab.round()
        ledger.dead = False
        await lab.start(COMPLETE)
        await lab.decide()
        assert await lab.verdicts() == {}
        lab.sandbox.requests.clear()
        await lab.settle()
        assert set((await lab.verdicts()).values()) == {"yes"}
        assert await lab.planned() == []
        assert not await lab.looks()


async def test_new_scans_do_not_look_missing_while_a_round_is_under_way() -> None:
    """The session is read first; until its scans are, nobody decides on it, however long that takes."""
    async with watched(COMPLETE) as lab:
        lab.session("new", ("T1w", "T2w"))
        inner = lab.poller.taking.changed
        decided: list[int] = []

        def between(level: Level, source: str) -> None:
            inner(level, source)
            decided.append(int(lab.watch.ready_for({Level.SESSION, Level.ACQUISITION})))

        lab.poller.taking.changed = between
        await lab.round()
        assert decided == [0, 0]
        assert lab.watch.ready_for({Level.SESSION, Level.ACQUISITION})
        await lab.decide()
        assert set((await lab.verdicts()).values()) == {"yes"}


async def test_what_is_read_while_a_round_begins_to_bring_news_is_not_decided() -> None:
    """The looks were read when all was well; by the time they are to be decided it is not."""
    async with watched(COMPLETE) as lab:
        lab.session("new", ("T1w", "T2w"))
        decided: list[int] = []
        stored = lab.poller.taking.store

        async def storing(nodes: Any, asked: Any, **more: Any) -> Any:
            noticed = await stored(nodes, asked, **more)
            decided.append(await lab.dispatcher.step())
            return noticed

        lab.poller.taking.store = storing  # type: ignore[method-assign]
        await lab.round()
        assert decided
        assert set(decided) == {0}
        await lab.decide()
        assert set((await lab.verdicts()).values()) == {"yes"}


async def taken_in(lab: Watched, row: dict[str, Any]) -> int:
    """A session that was read just now is stored; how many nodes were not as before."""
    nodes = lab.poller.taking.reading.whole(Level.SESSION, row, lab.watch.needs)
    return await lab.watch.take_in([Found(Level.SESSION, row, nodes)], also=lambda _connection: None)


async def test_a_session_that_a_hook_names_before_the_polls_saw_it() -> None:
    """Its scans are read first: the rule that looks at them waits for the round that follows at once."""
    async with watched(COMPLETE) as lab:
        session = lab.session("hooked", ("T1w", "T2w"))
        row = await lab.client.get("session", session["_id"])
        assert await taken_in(lab, row) == 1
        await lab.decide()
        assert "scien/tome/sub-01/hooked" not in await lab.verdicts()
        await lab.settle()
        assert (await lab.verdicts())["scien/tome/sub-01/hooked"] == "yes"
        assert await lab.planned() == []
        assert await taken_in(lab, row) == 0
        assert await taken_in(lab, {**row, "label": "renamed", "revision": 9}) == 1
        assert lab.watch.ready_for({Level.ACQUISITION})


async def test_a_failing_stream_does_not_make_scans_look_missing() -> None:
    """Sessions are still read; what lacks their scans waits, and is right afterwards."""
    async with watched(COMPLETE) as lab:
        fault = lab.sandbox.faults.add("status", path="^/acquisitions", status=500)
        lab.session("new", ("T1w", "T2w"))
        for _ in range(3):
            await lab.settle(seconds=40)
        assert fault.hits
        assert "scien/tome/sub-01/new" not in await lab.verdicts()
        lab.sandbox.faults.clear()
        await lab.settle(minutes=5)
        assert (await lab.verdicts())["scien/tome/sub-01/new"] == "yes"
        assert await lab.planned() == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_since_now_owes_nothing_for_old_data(dialect: str) -> None:
    """The baseline of a large site makes no looks for rules about what comes."""
    async with watched(None, dialect=dialect) as lab:
        session = lab.session("old")
        for number in range(30):
            lab.qa(lab.scan(session, f"run-{number}"), 0.5)
        lab.later(days=10)
        await lab.start(NOW)
        await lab.round()
        assert await lab.looks() == set()
        new = lab.scan(session, "run-new")
        lab.qa(new, 0.5)
        await lab.round()
        assert len(await lab.looks()) == 1
        await lab.decide()
        assert await lab.verdicts() == {"scien/tome/sub-01/old/run-new/x_mriqc.qa.html": "yes"}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_only_the_files_that_a_rule_is_about_are_looked_at(dialect: str) -> None:
    """A new acquisition with many files makes one look, not one for each of them."""
    async with watched(QA, dialect=dialect) as lab:
        scan = lab.scan(lab.session("s"))
        for number in range(100):
            lab.file(scan, f"IM{number}.dcm")
        lab.qa(scan, 2.0)
        await lab.round()
        assert len(await lab.looks()) == 1


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_project_that_comes_into_scope_later_is_listed(dialect: str) -> None:
    """By being relabelled. Its old sessions are decided, and none before its scans are known."""
    async with watched(IN_TOME, dialect=dialect, projects=ALL, started=False) as lab:
        fill(lab, "s", "T1w", "T2w")
        lab.later(days=2)
        await lab.settle()
        assert list(await lab.verdicts()) == ["scien/tome/sub-tome/s"]
        other = lab.project("other")
        lab.project("tome")["label"] = "done"
        lab.site.touch("project", lab.project("done"))
        other["label"] = "tome"
        lab.site.touch("project", other)
        await lab.settle()
        await lab.settle()
        found = await lab.verdicts()
        assert found["scien/tome/sub-other/s"] == "yes"
        assert found.get("scien/done/sub-tome/s") == "no"
        assert await lab.planned() == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_rule_with_a_wider_scope(dialect: str) -> None:
    """What changed in the other project before the rule was widened is known when it decides."""
    async with watched(IN_TOME, dialect=dialect, projects=ALL, started=False) as lab:
        fill(lab, "s", "T1w", "T2w")
        lab.later(days=2)
        await lab.settle()
        fill(lab, "t", "T1w", "T2w")
        await lab.settle()
        assert len(await lab.verdicts()) == 2
        await lab.start(BOTH)
        await lab.settle()
        assert set((await lab.verdicts()).values()) == {"yes"}
        assert len(await lab.verdicts()) == 4
        assert await lab.planned() == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_scope_that_shrinks_and_grows_again(dialect: str) -> None:
    """What came meanwhile was passed over by the polls, and is listed when the scope has it again."""
    async with watched(BOTH, dialect=dialect, projects=ALL, started=False) as lab:
        fill(lab, "s", "T1w", "T2w")
        await lab.settle()
        await lab.start(IN_TOME)
        await lab.settle()
        fill(lab, "between", "T1w", "T2w")
        await lab.settle()
        await lab.settle(hours=1)
        await lab.start(BOTH)
        await lab.settle()
        assert (await lab.verdicts())["scien/other/sub-other/between"] == "yes"
        assert await lab.planned() == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_rule_that_looks_deeper_than_the_ones_before(dialect: str) -> None:
    """Files, and on old sites their info, were never read for the first rule; they are before the second decides."""
    async with watched(COMPLETE, dialect=dialect) as lab:
        scan = lab.scan(lab.session("s"), "T1w")
        lab.file(scan, "x.txt", info={"note": "low"})
        await lab.settle()
        await lab.settle(hours=1)
        await lab.start(DEEPER)
        await lab.settle()
        assert (await lab.verdicts("deeper"))["scien/tome/sub-01/s"] == "yes"


async def test_the_rules_are_exchanged_while_running() -> None:
    """As a reload does it: the wider rule decides only after its levels were listed."""
    async with watched(COMPLETE) as lab:
        scan = lab.scan(lab.session("s"), "T1w")
        lab.file(scan, "x.txt", info={"note": "low"})
        await lab.settle()
        rules = rules_of(DEEPER)
        changed = await lab.dispatcher.load(rules)
        lab.watch.use(needs_of(rules, "main"))
        await lab.dispatcher.look_everywhere(changed)
        await lab.decide()
        assert await lab.verdicts("deeper") == {}
        await lab.settle()
        assert (await lab.verdicts("deeper"))["scien/tome/sub-01/s"] == "yes"


async def test_a_new_project_is_listed_even_if_its_data_is_old() -> None:
    """A permission that is granted shows data whose times lie before every cursor."""
    projects = [*ALL[:1], {"group": "scien", "label": "secret", "days_ago": 30, "subjects": []}]
    async with watched(COMPLETE, projects=projects, user=True, started=False) as lab:
        lab.session("s", ("T1w",), lab.subject("sub-x", lab.project("secret")))
        lab.later(days=5)
        await lab.settle()
        assert await lab.verdicts() == {}
        project = lab.project("secret")
        project["permissions"] = [*project["permissions"], {"_id": "op@example.org", "access": "ro"}]
        lab.site.touch("project", project)
        await lab.settle()
        assert await lab.verdicts() == {"scien/secret/sub-x/s": "yes"}


async def test_many_projects_are_listed_at_once() -> None:
    """Above a number of projects the site is listed as a whole, and the rows of others are passed over."""
    projects = [{"group": "scien", "label": f"p{number}", "days_ago": 30, "subjects": []} for number in range(30)]
    text = IN_TOME.replace('"scien/tome"', '["scien/p*", "!scien/p1"]')
    async with watched(text, projects=projects, started=False) as lab:
        for number in range(30):
            lab.session("s", ("T1w", "T2w"), lab.subject("x", lab.project(f"p{number}")))
        lab.later(hours=1)
        assert await lab.settle() < 60
        assert len(await lab.verdicts()) == 29
