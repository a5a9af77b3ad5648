"""Own writes that come back, heartbeats, and what people do: what is news and what is not."""

from __future__ import annotations

import pytest

from flow.watched import DIALECTS, watched
from flyball.sandbox.jobs import complete
from flyball.sandbox.launch import launch_job
from flyball.sandbox.metadata import add_note, add_tag, delete_tag

TAG = """
rules:
  - id: low
    each: acquisition
    since: all
    if: acquisition.label == 'bad'
    do: [{tag: {on: acquisition, set: {LOW: 'true'}}}]
  - id: note
    each: acquisition
    since: all
    if: acquisition.label == 'noted'
    do: [{note: {on: acquisition, text: look at this}}]
"""
READS_TAGS = """
rules:
  - id: low
    each: acquisition
    since: all
    if: acquisition.label == 'bad'
    do: [{tag: {on: acquisition, set: {LOW: 'true'}}}]
  - id: second
    each: acquisition
    since: all
    if: "'LOW' in acquisition.tags or 'CHECKED' in acquisition.tags"
    do: [{note: {on: acquisition, text: second wave}}]
  - id: other
    each: acquisition
    since: all
    if: acquisition.label == 'nothing'
    do: [{note: {on: acquisition, text: never}}]
"""
JOBS = """
rules:
  - id: ended
    each: job
    since: all
    if: job.state == 'complete'
    do: [{alert: {title: "{{ job.id }} is through"}}]
"""


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_tag_of_ours_that_comes_back_is_no_news(dialect: str) -> None:
    """Neither an event nor a decision follows from it, in this round or in the next ones."""
    async with watched(TAG, dialect=dialect) as lab:
        scan = lab.scan(lab.session("s"), "bad")
        await lab.settle()
        await lab.act()
        assert scan["tags"] == ["LOW"]
        events, decided = await lab.events(), lab.dispatcher.tally.decided["low"].copy()
        for _ in range(3):
            await lab.settle()
        assert [event for event in await lab.events() if event not in events] == []
        assert lab.dispatcher.tally.decided["low"] == decided


async def test_a_tag_of_ours_that_is_seen_before_its_answer_is_no_news() -> None:
    """The page may bring it while the attempt is still on record as under way."""
    async with watched(TAG) as lab:
        scan = lab.scan(lab.session("s"), "bad")
        known = lab.session("tagged")
        add_tag(lab.site, "acquisition", lab.scan(known, "x"), "ANY")  # so that lists are known to show tags
        await lab.settle()
        lab.sandbox.faults.add("reset_after", method="POST", path="/tags$", count=1)
        await lab.act()
        assert scan["tags"] == ["LOW"]
        before = await lab.events()
        await lab.settle()
        assert [event for event in await lab.events() if event not in before] == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_note_of_ours_is_no_news(dialect: str) -> None:
    """It is known by the key at its end."""
    async with watched(TAG, dialect=dialect) as lab:
        scan = lab.scan(lab.session("s"), "noted")
        await lab.settle()
        await lab.act()
        assert len(scan["notes"]) == 1
        before = await lab.events()
        await lab.settle()
        assert [event for event in await lab.events() if event[0] != "own" and event not in before] == []
        add_note(lab.site, "acquisition", scan, "I had a look", "op@example.org")
        await lab.settle()
        assert ("changed", "acquisition", scan["_id"]) in await lab.events()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_rules_that_read_tags_look_at_ours_and_at_peoples(dialect: str) -> None:
    """What one rule's tag makes another rule do is a second wave; a rule that reads no tags is left in peace."""
    async with watched(READS_TAGS, dialect=dialect) as lab:
        scan = lab.scan(lab.session("s"), "bad")
        other = lab.scan(lab.session("t"), "fine")
        await lab.settle()
        decided = lab.dispatcher.tally.decided["other"].copy()
        await lab.act()
        await lab.settle()
        assert [note["text"][:6] for note in scan["notes"]] == ["second"]
        assert lab.dispatcher.tally.decided["other"] == decided
        add_tag(lab.site, "acquisition", other, "CHECKED")
        await lab.settle()
        await lab.act()
        assert [note["text"][:6] for note in other["notes"]] == ["second"]
        assert ("changed", "acquisition", other["_id"]) in await lab.events()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_tag_that_a_person_takes_away_is_news(dialect: str) -> None:
    """Also when it was ours."""
    async with watched(READS_TAGS, dialect=dialect) as lab:
        scan = lab.scan(lab.session("s"), "bad")
        await lab.settle()
        await lab.act()
        await lab.settle()
        delete_tag(lab.site, "acquisition", scan, "LOW")
        await lab.settle()
        assert ("changed", "acquisition", scan["_id"]) in await lab.events()
        assert (await lab.verdicts("second"))["scien/tome/sub-01/s/bad"] == "no"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_heartbeats_are_no_news_and_states_are(dialect: str) -> None:
    """A running job moves its `modified` without end; its states are events."""
    async with watched(JOBS, dialect=dialect, jobs={"pending_s": [1, 1], "running_s": [9000, 9000]}) as lab:
        scan = lab.scan(lab.session("s"))
        file = lab.file(scan, "x.nii.gz", type="nifti")
        gear = next(g for g in lab.site.gears.rows.values() if g["gear"]["name"] == "mriqc")
        inputs = {"nifti": {"type": "acquisition", "id": scan["_id"], "name": file["name"]}}
        job = launch_job(lab.site, {"gear_id": gear["_id"], "inputs": inputs}, "admin@example.org")
        for _ in range(8):
            await lab.settle(seconds=60)
        seen = [event for event in await lab.events() if event[1] == "job"]
        states = len(seen)
        assert states <= 3
        for _ in range(8):
            await lab.settle(seconds=60)
        assert [event for event in await lab.events() if event[1] == "job"] == seen
        complete(lab.site, job)
        await lab.settle()
        assert len([event for event in await lab.events() if event[1] == "job"]) == states + 1
        assert "yes" in (await lab.verdicts("ended")).values()


async def test_a_write_that_changes_nothing_is_no_news() -> None:
    """Deleting an absent tag moves the container (live19), and nothing else."""
    async with watched(TAG) as lab:
        scan = lab.scan(lab.session("s"), "fine")
        await lab.settle()
        before = await lab.events()
        delete_tag(lab.site, "acquisition", scan, "NEVER")
        await lab.settle()
        assert await lab.events() == before


async def test_a_tag_on_the_subject_does_not_change_its_sessions() -> None:
    """Sites join the subject into its sessions' rows; the session itself is as it was."""
    async with watched(TAG) as lab:
        lab.session("s", ("fine",))
        await lab.settle()
        before = await lab.events()
        add_tag(lab.site, "subject", lab.subject(), "SEEN")
        await lab.settle()
        assert {event[1] for event in await lab.events() if event not in before} == {"subject"}
