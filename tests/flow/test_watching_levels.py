"""What a change makes rules look at: every level, siblings, ancestors, moves, jobs and analyses."""

from __future__ import annotations

import pytest

from flow.watched import DIALECTS, Watched, watched
from flyball.sandbox.files import modify_file
from flyball.sandbox.jobs import complete, fail
from flyball.sandbox.launch import launch_analysis, launch_job
from flyball.sandbox.metadata import modify
from flyball.sandbox.tables import Doc

LONG = {"pending_s": [1, 1], "running_s": [9000, 9000], "fail_rate": 0}
SIBLINGS = """
rules:
  - id: alone
    each: file
    since: all
    scope: {file: "*.nii.gz"}
    if: not any(f.type == 'qa' for f in acquisition.files)
    do: [{note: {on: acquisition, text: no report}}]
"""
ANCESTOR = """
rules:
  - id: female
    each: acquisition
    since: all
    if: subject.sex == 'female'
    do: [{note: {on: acquisition, text: female}}]
  - id: indifferent
    each: acquisition
    since: all
    if: acquisition.label == 'x'
    do: [{note: {on: acquisition, text: x}}]
"""
COUNT = """
rules:
  - id: busy
    each: subject
    since: all
    if: count('acquisition', True) >= 3
    do: [{note: {on: subject, text: busy}}]
"""
PROJECTS = """
rules:
  - id: study
    each: project
    since: all
    scope: {project: "scien/*"}
    if: project.info.phase == 2
    do: [{note: {on: project, text: two}}]
"""
ANALYSES = """
rules:
  - id: analysed
    each: analysis
    since: all
    scope: {gear: "bids-*"}
    if: subject.label == 'sub-01'
    do: [{alert: {title: "{{ analysis.label }}"}}]
"""
JOBS = """
rules:
  - id: ended
    each: job
    since: all
    scope: {gear: "mriq*"}
    if: job.state == 'complete' and session.label == 's'
    do: [{alert: {title: through}}]
  - id: by-session
    each: session
    since: all
    trigger: [{job: [failed], gear: ["mriq*"]}]
    do: [{alert: {title: failed}}]
  - id: by-file
    each: file
    since: all
    scope: {file: "*.nii.gz"}
    trigger: [{job: [failed], gear: ["mriq*"]}]
    do: [{note: {on: acquisition, text: failed}}]
"""
TYPED = """
rules:
  - id: typed
    each: file
    since: all
    if: file.type == 'nifti' and 'T1' in file.classification.Measurement
    do: [{note: {on: acquisition, text: typed}}]
"""


def run(lab: Watched, scan: Doc, gear: str = "mriqc") -> Doc:
    """A job on an acquisition."""
    file = lab.file(scan, "x.nii.gz", type="nifti")
    found = next(g for g in lab.site.gears.rows.values() if g["gear"]["name"] == gear)
    slot = "nifti" if gear == "mriqc" else "dcm2niix_input"
    inputs = {slot: {"type": "acquisition", "id": scan["_id"], "name": file["name"]}}
    return launch_job(lab.site, {"gear_id": found["_id"], "inputs": inputs}, "admin@example.org")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_file_whose_sibling_comes_or_goes(dialect: str) -> None:
    """The rule reads `acquisition.files`: it looks again at the files that were there already, and only at its own."""
    async with watched(SIBLINGS, dialect=dialect) as lab:
        scan = lab.scan(lab.session("s"))
        lab.file(scan, "x.nii.gz")
        await lab.settle()
        assert list((await lab.verdicts()).values()) == ["yes"]
        lab.qa(scan, 2.0)
        await lab.settle()
        assert list((await lab.verdicts()).values()) == ["no"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_ancestor_whose_field_a_rule_reads(dialect: str) -> None:
    """Its change makes that rule look at everything below, and the others not."""
    async with watched(ANCESTOR, dialect=dialect) as lab:
        await lab.settle()
        subject = lab.subject()
        before = lab.dispatcher.tally.decided["indifferent"].copy()
        modify(lab.site, "subject", subject, {"sex": "male"})
        await lab.settle()
        assert set((await lab.verdicts("female")).values()) == {"no"}
        assert lab.dispatcher.tally.decided["indifferent"] == before


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_session_that_moves_to_another_subject(dialect: str) -> None:
    """Both subjects are looked at, and its scans hang on the new one, although nothing else was told."""
    async with watched(COUNT + ANCESTOR.replace("rules:\n", ""), dialect=dialect) as lab:
        other = lab.site.add_subject(lab.project()["_id"], "sub-02", sex="male")
        session = lab.session("s", ("a", "b", "c"))
        await lab.settle()
        assert (await lab.verdicts("busy"))["scien/tome/sub-01"] == "yes"
        session = lab.site.sessions.rows[session["_id"]]
        lab.site.move_session(session, other)
        lab.site.touch("session", session)
        await lab.settle()
        found = await lab.verdicts("busy")
        assert (found["scien/tome/sub-01"], found["scien/tome/sub-02"]) == ("no", "yes")
        assert (await lab.verdicts("female"))["scien/tome/sub-02/s/a"] == "no"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_session_that_moves_out_of_scope(dialect: str) -> None:
    """To a project that no rule is about: its rows are not watched, and yet the old place is looked at."""
    projects = [
        {"group": "scien", "label": "tome", "days_ago": 30, "subjects": []},
        {"group": "scien", "label": "away", "days_ago": 30, "subjects": []},
    ]
    text = COUNT.replace("    since: all\n", "    since: all\n    scope: {project: scien/tome}\n")
    async with watched(text, dialect=dialect, projects=projects) as lab:
        session = lab.session("s", ("a", "b", "c"), lab.subject("x"))
        target = lab.subject("y", lab.project("away"))
        await lab.settle()
        await lab.settle()
        assert (await lab.verdicts())["scien/tome/x"] == "yes"
        lab.site.move_session(lab.site.sessions.rows[session["_id"]], target)
        lab.site.touch("session", lab.site.sessions.rows[session["_id"]])
        await lab.settle()
        assert (await lab.verdicts())["scien/tome/x"] == "no"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_rules_on_projects(dialect: str) -> None:
    """They look at the projects of their scope when these change."""
    async with watched(PROJECTS, dialect=dialect) as lab:
        lab.site.add_project("demo", "elsewhere")
        project = lab.project()
        modify(lab.site, "project", project, {"info": {"phase": 2}})
        await lab.settle()
        assert await lab.verdicts() == {"scien/tome": "yes"}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_rules_on_analyses(dialect: str) -> None:
    """Of the gears of their scope, on any container, with their ancestors in the path."""
    async with watched(ANALYSES, dialect=dialect, jobs={**LONG, "gears": {"bids-mriqc": LONG}}) as lab:
        session = lab.session("s")
        gears = {g["gear"]["name"]: g["_id"] for g in lab.site.gears.rows.values()}
        body = {"label": "mine", "job": {"gear_id": gears["bids-mriqc"], "inputs": {}, "config": {}}}
        lab.later(seconds=1)
        launch_analysis(lab.site, "session", session["_id"], body, "admin@example.org")
        lab.site.add_analysis("session", session["_id"], "by hand")
        await lab.settle()
        await lab.settle()
        found = await lab.verdicts()
        assert found["scien/tome/sub-01/s/mine"] == "yes"
        assert found.get("scien/tome/sub-01/s/by hand") in (None, "no")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_rules_on_jobs_and_by_jobs(dialect: str) -> None:
    """A job's state makes job rules look at the job, and others at what the job ran on; other gears do not."""
    async with watched(JOBS, dialect=dialect, jobs={**LONG, "gears": {"mriqc": LONG, "dcm2niix": LONG}}) as lab:
        scan = lab.scan(lab.session("s"))
        first, second, third = run(lab, scan), run(lab, scan), run(lab, scan, "dcm2niix")
        await lab.settle(seconds=5)
        assert await lab.verdicts("by-session") == {}
        complete(lab.site, first)
        complete(lab.site, third)
        await lab.settle()
        assert list((await lab.verdicts("ended")).values()).count("yes") == 1
        assert await lab.verdicts("by-session") == {}
        fail(lab.site, second)
        await lab.settle()
        assert await lab.verdicts("by-session") == {"scien/tome/sub-01/s": "yes"}
        assert await lab.verdicts("by-file") == {"scien/tome/sub-01/s/T1w/x.nii.gz": "yes"}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_file_whose_type_is_edited(dialect: str) -> None:
    """The site moves the container and not the file (live19); the rule on the file looks again."""
    async with watched(TYPED, dialect=dialect) as lab:
        scan = lab.scan(lab.session("s"))
        file = lab.file(scan, "x.bin", classification={"Measurement": ["T1"]}, modality="MR")
        await lab.settle()
        assert list((await lab.verdicts()).values()) == ["unknown" if file["type"] is None else "no"]
        modify_file(lab.site, "acquisition", scan, file, {"type": "nifti"})
        await lab.settle()
        assert list((await lab.verdicts()).values()) == ["yes"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_files_on_every_level(dialect: str) -> None:
    """A file may hang on a project, subject or session; a new version of it is a change."""
    async with watched(TYPED.replace("'T1' in file.classification.Measurement", "True"), dialect=dialect) as lab:
        session = lab.session("s")
        places = {"project": lab.project(), "subject": lab.subject(), "session": session}
        for level, doc in places.items():
            lab.file(doc, f"{level}.nii.gz", level)
        await lab.settle()
        found = await lab.verdicts()
        assert sorted(path for path, verdict in found.items() if verdict == "yes") == [
            "scien/tome/project.nii.gz",
            "scien/tome/sub-01/s/session.nii.gz",
            "scien/tome/sub-01/subject.nii.gz",
        ]
        lab.file(session, "session.nii.gz", "session", type="dicom")
        await lab.settle()
        assert (await lab.verdicts())["scien/tome/sub-01/s/session.nii.gz"] == "no"


async def test_a_child_that_is_seen_before_its_parent() -> None:
    """It comes in between the requests of one round: unknown for a round, then decided with its ancestors."""
    async with watched(ANCESTOR) as lab:
        poll = lab.poller.poll
        made: list[Doc] = []

        async def between(stream: object, needs: object) -> object:
            if str(getattr(stream, "level", "")) == "acquisition" and not made:
                made.append(lab.scan(lab.session("s")))
            return await poll(stream, needs)  # type: ignore[arg-type]

        lab.poller.poll = between  # type: ignore[method-assign,assignment]
        await lab.settle()
        await lab.settle()
        assert (await lab.verdicts("female"))["scien/tome/sub-01/s/T1w"] == "yes"
