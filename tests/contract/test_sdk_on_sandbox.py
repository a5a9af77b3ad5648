"""The official SDK on the sandbox, reading: what users list, filter, iterate and look up works, on both dialects."""

from collections.abc import Callable, Iterator
from typing import Any

import flywheel
import pytest

from contract.sdk_site import Running, both_sites, the_scan, the_session


@pytest.fixture(scope="module")
def sites() -> Iterator[dict[str, Running]]:
    """A site of each dialect."""
    yield from both_sites()


@pytest.fixture
def recent(sites: dict[str, Running]) -> Running:
    """The v23 site with fresh data."""
    return sites["v23"].fresh()


@pytest.fixture
def old(sites: dict[str, Running]) -> Running:
    """The 2019 site with fresh data."""
    return sites["live19"].fresh()


@pytest.fixture(params=["v23", "live19"])
def either(request: pytest.FixtureRequest, sites: dict[str, Running]) -> Running:
    """Each of the two sites in turn, with fresh data."""
    return sites[request.param].fresh()


def test_connecting(either: Running) -> None:
    """The client finds out who it is; a wrong key is a 401."""
    fw = either.client()
    status = fw.get_auth_status()
    assert status.user_is_admin
    assert fw.get_current_user().email == "admin@example.org"
    assert fw.get_version().flywheel_release
    assert fw.get_config().site.name
    scheme = either.sandbox.requests.last[0].headers["authorization"].split()[0]
    assert scheme == ("Bearer" if either.sandbox.site.speech.name == "v23" else "scitran-user")
    with pytest.raises(flywheel.ApiException) as refused:
        either.client(either.sandbox.key[:-1] + "x")
    assert refused.value.status == 401


def test_lists_and_hierarchy(either: Running) -> None:
    """Site-wide lists and children agree, and parents lead upwards."""
    fw = either.client()
    assert sorted(g.id for g in fw.groups()) == ["demo", "scien"]
    assert [p.label for p in fw.get_group("scien").projects()] == ["tome", "kids", "scratch"]
    project = fw.projects.find_one("label=tome")
    subjects = project.subjects()
    assert len(subjects) == 10
    sessions = [s for subject in subjects for s in subject.sessions.iter()]
    assert {s.id for s in sessions} == {s.id for s in project.sessions.iter()}
    scans = sessions[0].acquisitions()
    assert all(a.parents.session == sessions[0].id for a in scans)
    assert fw.get(scans[0].parents.subject).label == subjects[0].label
    assert sessions[0].subject.label == "TOME_3001"
    assert fw.get(project.id).container_type == "project"


def test_iterating_pages_until_an_empty_one(either: Running) -> None:
    """250 a page by after_id, each row once, one empty page at the end."""
    fw = either.client()
    found = list(fw.acquisitions.iter(limit=50))
    assert len({a.id for a in found}) == len(found) == len(either.sandbox.site.acquisitions)
    pages = [r for r in either.sandbox.requests.last if r.path == "/api/acquisitions"]
    assert len(pages) == len(found) // 50 + 2
    assert dict(pages[-1].query)["after_id"] == found[-1].id
    assert len(fw.acquisitions.find()) == len(found)


FILTERS: dict[str, Callable[[Any], bool]] = {
    "label=T1w": lambda a: a.label == "T1w",
    'label="T1w"': lambda a: a.label == "T1w",
    "label!=T1w": lambda a: a.label != "T1w",
    "label=~^task-rest_run-0[12]$": lambda a: a.label in {"task-rest_run-01", "task-rest_run-02"},
    "label=~^((?!task).)*$": lambda a: "task" not in a.label,
    "created>2021-01-01": lambda a: a.created.year >= 2021,
    "created<2021-01-01": lambda a: a.created.year < 2021,
    "label=T1w,created>=2021-01-01T00:00": lambda a: a.label == "T1w",
    "tags=GOOD": lambda _a: False,
}


@pytest.mark.parametrize("text", FILTERS)
def test_filters(either: Running, text: str) -> None:
    """Each operator selects what the same test in Python selects."""
    fw = either.client()
    found = fw.acquisitions.find(text)
    assert sorted(a.id for a in found) == sorted(a.id for a in fw.acquisitions() if FILTERS[text](a))
    assert bool(found) is (text not in {"created<2021-01-01", "tags=GOOD"})


def test_filters_on_fields_that_lists_hide(either: Running) -> None:
    """Age in seconds, info, sex; several conditions at once; ids unquoted, labels like numbers quoted."""
    fw = either.client()
    project = fw.projects.find_one("label=tome")
    year = 31_557_600
    middle = project.sessions.find(f"age>={30 * year},age<{46 * year}")
    ages = [fw.get_session(s.id).age / year for s in middle]
    assert len(ages) == 6
    assert all(30 <= age < 46 for age in ages)
    assert len(project.subjects.find("sex=male")) == 5
    assert len(fw.sessions.find(f"project={project.id}")) == len(project.sessions())
    assert fw.sessions.find(f'project="{project.id}"') == []
    assert [s.label for s in fw.subjects.find('label="1001"')] == ["1001"]
    assert fw.subjects.find("label=1001") == []
    scan = the_scan(fw)
    when = fw.get_acquisition(scan.id).created
    assert [a.id for a in fw.acquisitions.find(f"_id={scan.id},created={when:%Y-%m-%dT%H:%M:%S.%f}")] == [scan.id]


def test_the_in_operator(recent: Running, old: Running) -> None:
    """A recent site knows lists of values; a 2019 one refuses two of them."""
    assert len(recent.client().projects.find("label=|[tome,kids]")) == 2
    with pytest.raises(flywheel.ApiException) as refused:
        old.client().projects.find("label=|[tome,kids]")
    assert refused.value.status == 422


def test_finders_and_sorting(either: Running) -> None:
    """find_one insists on one, sorted iteration goes by pages."""
    fw = either.client()
    with pytest.raises(ValueError, match="more results"):
        fw.sessions.find_one("label=Session 1")
    with pytest.raises(ValueError, match="No results"):
        fw.sessions.find_one("label=nothing")
    assert fw.sessions.find_first("label=nothing") is None
    found = list(fw.sessions.iter_find(sort="created:desc", limit=10))
    times = [s.created for s in found]
    assert len(found) == len(either.sandbox.site.sessions)
    assert times == sorted(times, reverse=True)
    assert len(fw.sessions.find(limit=5, skip=10, sort="created:desc")) == 5


def test_reload_shows_what_lists_hide(either: Running) -> None:
    """Info of containers and files, analyses with their jobs."""
    fw = either.client()
    subject = fw.subjects.find_one("label=TOME_3009")
    assert subject.analyses is None or not hasattr(subject.analyses, "__len__")
    (analysis,) = subject.reload().analyses
    assert (analysis.gear_info.name, analysis.job.state) == ("freesurfer-recon-all", "complete")
    scan = the_scan(fw, "task-rest_run-02", "TOME_3002")
    report = next(f for f in scan.files if "mriqc.qa" in f.name)
    assert report.info == {}
    assert report.info_exists
    reloaded = next(f for f in scan.reload().files if "mriqc.qa" in f.name)
    assert reloaded.info["snr"] < 1.0
    assert reloaded.classification["Measurement"] == ["T2*"]


def test_info_in_lists(recent: Running, old: Running) -> None:
    """include_all_info saves the reload on a recent site; a 2019 one ignores it."""
    for site, shown in ((recent, True), (old, False)):
        fw = site.client()
        scan = fw.acquisitions.find("label=T1w", include_all_info=True, limit=1)[0]
        assert any(f.info for f in scan.files) is shown


def test_analyses_by_list(recent: Running) -> None:
    """Of a container, below one, site-wide by gear; their jobs as ids."""
    fw = recent.client()
    project = fw.projects.find_one("label=tome")
    assert {a.gear_info.name for a in fw.get_analyses("projects", project.id, "all")} == {
        "freesurfer-recon-all",
        "bids-mriqc",
    }
    assert len(fw.get_analyses("projects", project.id, "sessions")) == 1
    found = fw.analyses.find("gear_info.name=freesurfer-recon-all", sort="created:desc")
    assert {a.label for a in found} == {"Freesurfer_Recon_all_by_hand", "first try"}
    assert isinstance(found[0].job, str)


def test_gears(recent: Running) -> None:
    """By finder, by iteration, all versions, the invocation schema."""
    fw = recent.client()
    assert {g.gear.name for g in fw.gears.iter()} == {"freesurfer-recon-all", "bids-mriqc", "mriqc", "dcm2niix"}
    versions = fw.gears.find("gear.name=freesurfer-recon-all", all_versions=True)
    assert len(versions) == 2
    gear = fw.gears.find_one("gear.name=dcm2niix")
    assert gear.gear.config["merge2d"]["default"] is False
    assert fw.get_gear(gear.id).category == "converter"


def test_jobs_of_a_session_and_of_a_user(recent: Running) -> None:
    """Lists that need no admin."""
    fw = recent.client(recent.sandbox.user_key)
    session = the_session(fw)
    assert [j.gear_info.name for j in fw.get_session_jobs(session.id, states=["complete"]).jobs] == ["bids-mriqc"]
    own = fw.get_current_user_jobs()
    assert own.total == 1
    assert [p.label for p in fw.projects()] == ["tome", "kids", "pilot"]


def test_paths(recent: Running, old: Running) -> None:
    """Labels lead to nodes; on a 2019 site the SDK's paths have no subject."""
    fw = recent.client()
    session = fw.lookup("scien/tome/TOME_3001/Session 1")
    assert session.container_type == "session"
    found = fw.resolve("scien/tome/TOME_3001/Session 1/T1w")
    assert [n.label for n in found.path][1:] == ["tome", "TOME_3001", "Session 1", "T1w"]
    assert {c.name for c in found.children if c.container_type == "file"} >= {"T1w.nii.gz"}
    hostile = fw.lookup(["scien", "scratch", "../x", "a/b"])
    assert hostile.label == "a/b"
    with pytest.raises(flywheel.ApiException) as absent:
        old.client().lookup("scien/tome/TOME_3001/Session 1")
    assert absent.value.status == 404


def test_the_sdk_rides_out_bad_weather(recent: Running) -> None:
    """It repeats a GET after 429 and 503, and never a POST."""
    fw = recent.client()
    scan = the_scan(fw)
    faults = recent.sandbox.faults
    try:
        faults.add("status", method="GET", status=429, retry_after=0, count=1)
        assert scan.reload().id == scan.id
        faults.add("status", method="POST", status=503, count=1)
        with pytest.raises(flywheel.ApiException) as refused:
            scan.add_tag("X")
        assert refused.value.status == 503
        assert scan.reload().tags == []
    finally:
        faults.clear()
