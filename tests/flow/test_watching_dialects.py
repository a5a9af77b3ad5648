"""Sites that leave things out of their lists, want to be asked otherwise, or show nothing at first."""

from __future__ import annotations

from typing import Any

import pytest

from flow.watched import COMPLETE, DIALECTS, QA, Watched, watched
from flyball.sandbox.jobs import fail, orphan
from flyball.sandbox.launch import launch_job
from flyball.sandbox.metadata import add_tag, modify
from flyball.sandbox.tables import Doc

AGE = """
rules:
  - id: child
    each: session
    since: all
    if: years(session.age) < 18
    do: [{note: {on: session, text: child}}]
"""
INFO = """
rules:
  - id: informed
    each: session
    since: all
    if: session.info.visit == 2
    do: [{note: {on: session, text: second}}]
"""
TAGS = """
rules:
  - id: untagged
    each: acquisition
    since: all
    if: len(acquisition.tags) == 0
    do: [{note: {on: acquisition, text: untagged}}]
"""
JOBS = """
rules:
  - id: failed
    each: session
    since: all
    trigger: [{job: [failed], gear: ["mriq*"]}]
    do: [{alert: {title: failed}}]
"""
LONG = {"pending_s": [1, 1], "running_s": [9000, 9000], "fail_rate": 0}
QUIET_JOBS = {**LONG, "gears": {"mriqc": LONG}}
ODD = [
    {"include_all_info": False},
    {"tags_in_lists": False},
    {"include_all_info": False, "tags_in_lists": False, "page_limit": 3},
    {"files_endpoint": False, "files_in_filters": True},
    {"files_endpoint": False, "files_in_filters": True, "include_all_info": False},
    {"file_fields": False, "files_endpoint": False, "files_in_filters": True},
    {"comparison_operators": False},
    {"comparison_operators": False, "page_limit": 4},
    {"iso_dates": False, "empty_fields": False, "hidden_status": 403},
    {"id_typing": "loose"},
]


def proved(lab: Watched) -> bool:
    """Whether the site has shown how it wants to be asked."""
    return lab.client.dialect.filters_proved


def run(lab: Watched, scan: Doc) -> Doc:
    """A job of the gear mriqc on an acquisition."""
    file = lab.file(scan, "x.nii.gz", type="nifti")
    gear = next(g for g in lab.site.gears.rows.values() if g["gear"]["name"] == "mriqc")
    inputs = {"nifti": {"type": "acquisition", "id": scan["_id"], "name": file["name"]}}
    return launch_job(lab.site, {"gear_id": gear["_id"], "inputs": inputs}, "admin@example.org")


@pytest.mark.parametrize("switches", ODD, ids=str)
async def test_whatever_a_site_leaves_out(switches: dict[str, Any]) -> None:
    """Metrics, scans and tags that change are decided rightly with any mix of differences."""
    text = COMPLETE + QA.replace("rules:\n", "") + TAGS.replace("rules:\n", "")
    async with watched(text, switches=switches) as lab:
        good, bad = lab.session("good", ("T2w",)), lab.session("bad")
        qa = [lab.qa(lab.scan(session, "T1w"), snr) for session, snr in ((good, 2.0), (bad, 0.5))]
        add_tag(lab.site, "acquisition", lab.scan(bad, "odd"), "SEEN")
        for _ in range(3):
            await lab.settle()
        assert {path.split("/")[3]: verdict for path, verdict in (await lab.verdicts("qa")).items()} == {
            "good": "no",
            "bad": "yes",
        }
        untagged = await lab.verdicts("untagged")
        assert untagged["scien/tome/sub-01/bad/odd"] == "no"
        assert untagged["scien/tome/sub-01/good/T1w"] == "yes"
        assert len([one for one in await lab.planned() if "bad lacks T2w" in one]) == 1
        qa[0]["info"] = {"snr": 0.1}
        lab.site.files.moved(qa[0], lab.site.now)
        for _ in range(2):
            await lab.settle()
        assert set((await lab.verdicts("qa")).values()) == {"yes"}
        assert lab.watch.weather.error is None


@pytest.mark.parametrize("switches", [{}, {"tags_in_lists": False}])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_fields_that_lists_drop(dialect: str, switches: dict[str, Any]) -> None:
    """A session's age is missing from old lists; sessions that have none cost no request each for ever."""
    async with watched(AGE, dialect=dialect, switches=switches) as lab:
        young, old = lab.session("young"), lab.session("old")
        modify(lab.site, "session", young, {"age": 10 * 31_557_600})
        modify(lab.site, "session", old, {"age": 40 * 31_557_600})
        await lab.settle()
        found = await lab.verdicts("child")
        assert (found["scien/tome/sub-01/young"], found["scien/tome/sub-01/old"]) == ("yes", "no")
        assert found["scien/tome/sub-01/ses-00"] == "unknown"


@pytest.mark.parametrize("switches", [{}, {"include_all_info": False}])
async def test_info_that_no_object_has_yet(switches: dict[str, Any]) -> None:
    """On a site without any info nothing can be proved about it; the first one is read all the same."""
    async with watched(INFO, switches=switches) as lab:
        assert (await lab.verdicts("informed"))["scien/tome/sub-01/ses-00"] == "unknown"
        session = lab.session("second")
        modify(lab.site, "session", session, {"info": {"visit": 2}})
        await lab.settle()
        assert (await lab.verdicts("informed"))["scien/tome/sub-01/second"] == "yes"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_tags_that_lists_hide_are_not_taken_for_none(dialect: str) -> None:
    """An acquisition that shows `[]` may be tagged: the tags are read singly, or are unknown."""
    async with watched(TAGS, dialect=dialect, switches={"tags_in_lists": False}) as lab:
        scan = lab.scan(lab.session("s"), "tagged")
        add_tag(lab.site, "acquisition", scan, "SEEN")
        await lab.settle()
        assert (await lab.verdicts())["scien/tome/sub-01/s/tagged"] == "no"
        assert (await lab.verdicts())["scien/tome/sub-01/ses-00/T1w"] == "yes"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("switches", [{}, {"comparison_operators": False}, {"iso_dates": False}])
async def test_an_empty_site_that_fills(dialect: str, switches: dict[str, Any]) -> None:
    """The probe proves nothing; what comes is seen at once, and the site is probed again with it."""
    async with watched(COMPLETE, dialect=dialect, switches=switches, projects=[]) as lab:
        assert proved(lab) is False
        assert await lab.round() <= 4
        project = lab.site.add_project("scien", "first")
        lab.session("s", ("T1w",), lab.subject("sub-01", project))
        for _ in range(3):
            await lab.settle()
        assert await lab.verdicts() == {"scien/first/sub-01/s": "yes"}
        assert proved(lab) is True
        lab.session("t", ("T1w", "T2w"), lab.subject("sub-01", project))
        await lab.settle()
        assert (await lab.verdicts())["scien/first/sub-01/t"] == "yes"
        assert await lab.round() <= 4


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("switches", [{}, {"jobs_admin_only": True}, {"jobs_admin_only": True, "project_jobs": False}])
async def test_jobs_of_a_key_that_may_not_list_all(dialect: str, switches: dict[str, Any]) -> None:
    """By project, or else its own: a failure is seen, and `GET /jobs` is not asked for again and again."""
    users = {"projects": {"scien/tome": "admin"}}
    async with watched(
        JOBS, dialect=dialect, switches=switches, user=True, users={"user": users}, jobs=QUIET_JOBS
    ) as lab:
        scan = lab.scan(lab.session("s"))
        await lab.settle()
        job = run(lab, scan)
        job["origin"] = {"type": "user", "id": "op@example.org"}
        await lab.settle()
        fail(lab.site, job)
        await lab.settle()
        assert await lab.verdicts() == {"scien/tome/sub-01/s": "yes"}
        assert lab.watch.weather.error is None


async def test_changes_that_cannot_be_asked_for_are_swept() -> None:
    """No list of files, and no filter on them either: the empty answers are not believed, and sweeps come often."""
    async with watched(QA, switches={"files_endpoint": False}) as lab:
        scan = lab.scan(lab.session("s"))
        lab.qa(scan, 2.0)
        await lab.settle()
        assert list((await lab.verdicts()).values()) == ["no"]
        for _ in range(3):
            await lab.settle(minutes=3)
        lab.qa(scan, 0.5)
        await lab.settle()
        await lab.settle()
        assert list((await lab.verdicts()).values()) == ["no"]
        assert any("cannot be asked for" in text for text in lab.watch.weather.doubts)
        lab.later(minutes=16)
        await lab.watch.sweep_if_due()
        await lab.decide()
        assert list((await lab.verdicts()).values()) == ["yes"]


async def test_a_job_that_the_site_gave_up_silently() -> None:
    """The orphan sweep ends a job without moving it (live19): it is asked for after some minutes of silence."""
    async with watched(JOBS, jobs=QUIET_JOBS) as lab:
        job = run(lab, lab.scan(lab.session("s")))
        await lab.settle(seconds=30)
        assert job["state"] == "running"
        moved = job["modified"]
        orphan(lab.site, job)
        job["modified"] = moved
        for _ in range(6):
            await lab.settle(minutes=3)
        assert await lab.verdicts() == {"scien/tome/sub-01/s": "yes"}
