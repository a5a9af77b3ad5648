"""What rules need of a site: levels, projects, what has to be known of a row."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fakes.bench import rules_of
from flyball.clients.flywheel.dialect import Dialect, JobsAccess
from flyball.model.levels import Level
from flyball.triggers.needs import EPOCH, Needs, needs_of
from flyball.triggers.projects import Projects
from flyball.triggers.streams import FILES, Stream, streams_of

DO = "do: [{alert: {title: x}}]"
NEW, OLD = Dialect(files_endpoint=True), Dialect(files_endpoint=False)


def needs(*rules: str, since: str = "all") -> Needs:
    """For rules given as `each: …, further keys`."""
    text = "".join(f"  - {{id: r{n}, each: {rule}, since: {since}, {DO}}}\n" for n, rule in enumerate(rules))
    return needs_of(rules_of("rules:\n" + text), "main")


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("project", "project"),
        ("session", "project subject session"),
        ("session, expect: {acquisitions: [T1w]}", "project subject session acquisition"),
        ("session, if: len(session.acquisitions) > 0", "project subject session acquisition"),
        ("file", "project subject session acquisition file"),
        ("session, settle: 1h", "project subject session acquisition file"),
        ("job", "project subject session acquisition job"),
        ("analysis", "project subject session acquisition analysis"),
        ("session, trigger: [{job: [failed]}]", "project subject session job"),
    ],
)
def test_streams(rule: str, wanted: str) -> None:
    """The target's level, all above it, and what the rule looks at below."""
    assert " ".join(map(str, needs(rule).streams)) == wanted


def test_launches_need_the_jobs() -> None:
    """Their later states are shown."""
    launch = "do: [{launch: {gear: mriqc, on: session, inputs: {}, once: target}}]"
    [rule] = rules_of(f"rules: [{{id: r, each: session, since: all, {launch}}}]")
    assert Level.JOB in needs_of([rule], "main").streams
    assert needs_of([rule], "other").streams == ()


def test_what_must_be_known_of_a_row() -> None:
    """Info, tags and fields that some rule reads; files with their containers on sites without a list of files."""
    found = needs(
        "session, if: session.info.visit == 1 and years(session.age) > 3",
        "file, if: \"'A' in acquisition.tags and file.info.snr > 1\"",
    )
    assert found.read_of(Level.SESSION, NEW) == {"info", "field age"}
    assert found.read_of(Level.ACQUISITION, NEW) == {"tags"}
    assert found.read_of(Level.ACQUISITION, OLD) == {"tags", "files", "file info"}
    assert found.read_of(Level.SUBJECT, NEW) == frozenset()
    assert found.read_of(Level.SUBJECT, OLD) == {"files", "file info"}


def test_projects_in_scope() -> None:
    """Some rule's globs; a rule without any is about all."""
    some = needs("session, scope: {project: ['scien/*', '!scien/x']}", "session, scope: {project: demo/a}")
    assert [
        some.project_in_scope(*name) for name in (("scien", "a"), ("scien", "x"), ("demo", "a"), ("demo", "b"))
    ] == [
        True,
        False,
        True,
        False,
    ]
    assert needs("session", "session, scope: {project: a/b}").project_in_scope("scien", "x")


@pytest.mark.parametrize(
    ("rules", "since", "wanted"),
    [
        (["session"], "all", None),
        (["job"], "now", None),
        (["job"], "all", EPOCH),
        (["session, trigger: [{job: [failed]}]"], "2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
    ],
)
def test_which_old_jobs_are_listed(rules: list[str], since: str, wanted: datetime | None) -> None:
    """A site has run millions; only rules about old data need old ones."""
    assert needs(*rules, since=since).jobs_since == wanted


def test_streams_of_sites_that_differ() -> None:
    """Files by their containers, jobs by the open route."""
    found = needs("file", "job")
    assert [stream.name for stream in streams_of(found, NEW, [])] == [
        "project",
        "subject",
        "session",
        "acquisition",
        "file",
        "job",
    ]
    old = Dialect(files_endpoint=False, jobs=JobsAccess.PROJECTS)
    names = [stream.name for stream in streams_of(found, old, ["p2", "p1"])]
    assert names[4:] == [
        "project/files.modified",
        "subject/files.modified",
        "session/files.modified",
        "acquisition/files.modified",
        "job/project/p1",
        "job/project/p2",
    ]
    assert [s.name for s in streams_of(found, Dialect(jobs=JobsAccess.SELF), [])][-1] == "job/user/self"
    assert [s.name for s in streams_of(found, Dialect(jobs=JobsAccess.NONE), [])][-1] == "file"


def test_the_time_of_a_row() -> None:
    """Of files the newest; broken ones do not count."""
    row = {"modified": "2026-01-01", "files": [{"modified": "2026-01-03"}, {"modified": "2026-01-02"}, {}, None, 3]}
    assert Stream(Level.SESSION).time_of(row) == datetime(2026, 1, 1, tzinfo=UTC)
    assert Stream(Level.SESSION, FILES).time_of(row) == datetime(2026, 1, 3, tzinfo=UTC)
    assert Stream(Level.SESSION, FILES).brings is Level.FILE
    assert Stream(Level.SESSION, FILES).time_of({"files": "x"}) is None


def test_projects_come_and_go() -> None:
    """By their labels; one that leaves the scope, or the site, is not admitted any more, and has to be listed again."""
    found = needs("session, scope: {project: 'scien/*'}")
    projects = Projects()
    projects.learn([{"id": "p1", "group": "scien", "label": "a"}, {"id": "p2", "group": "demo", "label": "b"}], found)
    projects.learn([{"id": "p3", "parents": {"group": "scien"}, "label": None}, {"id": None}], found)
    assert projects.scoped == {"p1", "p3"}
    projects.admit(Level.SESSION, {"p1", "p2", "p3"})
    assert projects.waiting(Level.SESSION) == set()
    assert projects.waiting(Level.SUBJECT) == {"p1", "p3"}
    before = projects.shrunk
    projects.learn([{"id": "p1", "group": "demo", "label": "a"}], found)
    assert (before, projects.shrunk) == (False, True)
    assert projects.watched(Level.SESSION) == {"p3"}
    projects.learn([{"id": "p1", "group": "scien", "label": "a"}], found)
    assert projects.waiting(Level.SESSION) == {"p1"}
    projects.forget(["p3"])
    assert projects.scoped == {"p1"}
    assert "p3" not in projects.known
