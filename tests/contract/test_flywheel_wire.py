"""Our requests against those of the official SDK 23 for the same purpose, recorded in `samples`.

Every difference is declared beside its purpose with the reason; one that is declared and does not occur fails too.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flyball.clients.exchange import Request, Response
from flyball.clients.flywheel import filters
from flyball.clients.flywheel.client import OWN, FlywheelClient, headers_for
from flyball.clients.flywheel.dialect import Dialect, JobsAccess
from flyball.clients.flywheel.keys import parse_key
from flyball.clients.flywheel.wire.launch import analysis_body, job_body
from flyball.clients.transport import Transport

SAMPLES = Path(__file__).parent.parent / "samples" / "flywheel-sdk-requests.jsonl"
PROJECT, SUBJECT, SESSION, ACQUISITION, ANALYSIS, JOB, GEAR, UTILITY, FILE, NOTE = (
    f"64a0000000000000000000{n}" for n in ("01", "02", "03", "04", "05", "06", "07", "08", "0a", "0b")
)
MOMENT = datetime(2026, 11, 2, 9, 15, 42, 318000, tzinfo=UTC)
KEY = "k" * 57

LIMIT = "one page of 1,000 instead of 250: a quarter of the requests"
INFO = "info is wanted in the rows, so that no object is read again"
QUOTED = "strings are always quoted: unquoted, 1001 or null would silently match nothing"
INFLATED = "the job is wanted with its analysis, so that it is not read again"
SUBJECTS = "sites of 2019 have subjects in paths only for clients that say so"
SLIM = "only tags or notes are wanted, not the files and analyses"
ADDED = "the recording's launch had none"


Ours = Callable[[FlywheelClient], Awaitable[Any]]


@dataclass
class Purpose:
    """One thing that both can do.

    `differs` maps a place (`query.limit`, `headers.x-accept-feature`, `body.…`) to the reason for the difference.
    """

    call: str
    ours: Ours
    differs: dict[str, str] = field(default_factory=dict)
    answer: Any = field(default_factory=list)
    request: int = 0

    def __str__(self) -> str:
        return self.call


PAGED = {"query.limit": LIMIT}
PAGED_INFO = {"query.limit": LIMIT, "query.include_all_info": INFO}

T1W = {"type": "acquisition", "id": ACQUISITION, "name": "T1w.nii.gz"}
CONFIG = {"gear-FREESURFER_LICENSE": "", "reconall_options": "-all -qcache"}
TAGS = ["fwd-key-0001"]
RUN = analysis_body("L", job_body(gear_id=GEAR, inputs={"anatomical": T1W}, config=CONFIG, tags=TAGS, priority="high"))
RUN_INFO = analysis_body(
    "L", job_body(gear_id=GEAR, inputs={"anatomical": T1W}, config={}, tags=TAGS), info={"k": 1}
) | {"description": "d"}
UTILITY_RUN = job_body(
    gear_id=UTILITY,
    inputs={"dcm2niix_input": T1W},
    destination=("acquisition", ACQUISITION),
    config={"compress_images": "n"},
    tags=TAGS,
)


def listing(level: str, **arguments: Any) -> Ours:
    """A list."""
    return lambda client: client.page(level, **arguments)


def reading(level: str, id_: str) -> Ours:
    """One object."""
    return lambda client: client.get(level, id_)


def tagging(level: str, id_: str) -> Ours:
    """One more tag."""
    return lambda client: client.add_tag(level, id_, "LOW_SNR")


def setting(level: str, id_: str) -> Ours:
    """One key of info."""
    return lambda client: client.set_info(level, id_, {"qc": {"snr": 4.2}})


def by_project(client: FlywheelClient) -> filters.Filter:
    """Changes below one project."""
    return filters.where(filters.identified("parents.project", PROJECT, client.dialect))


def states(client: FlywheelClient) -> filters.Filter:
    """Ended jobs, as one list of values."""
    dialect = Dialect(operators={"=|": True})
    return filters.where(*filters.any_of("state", ["complete", "failed", "cancelled"], dialect))


PURPOSES = [
    Purpose("flywheel.Client('HOST:PORT:__force_insecure:<57-char key>')", lambda c: c.auth_status(), answer={}),
    Purpose("fw.get_current_user()", lambda c: c.current_user(), answer={}),
    Purpose("fw.get_config()", lambda c: c.config(), answer={}),
    Purpose("fw.get_version()", lambda c: c.version(), answer={}),
    *[
        Purpose(f"fw.{plural}()", listing(level, include_all_info=False), PAGED)
        for level, plural in {
            "project": "projects",
            "group": "groups",
            "subject": "subjects",
            "session": "sessions",
            "acquisition": "acquisitions",
            "gear": "gears",
            "job": "jobs",
            "collection": "collections",
            "user": "users",
        }.items()
    ],
    Purpose(
        "fw.sessions.iter(limit=50)",
        lambda c: drain(c.iterate("session", limit=50, include_all_info=False)),
    ),
    Purpose(
        "fw.sessions.find(limit=5, after_id='64a000000000000000000003')",
        lambda c: c.page("session", limit=5, after_id=SESSION, include_all_info=False),
    ),
    Purpose(
        "fw.sessions.find('created>2021-01-01', limit=5, page=2)",
        lambda c: c.page("session", filter="created>2021-01-01", limit=5, number=2, include_all_info=False),
    ),
    Purpose(
        "fw.sessions.find('label=\"1001\"')",
        lambda c: c.page("session", filter=filters.where(filters.equals("label", "1001")), include_all_info=False),
        PAGED,
    ),
    Purpose(
        "fw.sessions.find('tags=LOW_SNR')",
        lambda c: c.page("session", filter=filters.where(filters.equals("tags", "LOW_SNR"))),
        {**PAGED_INFO, "query.filter": QUOTED},
    ),
    Purpose(
        "fw.sessions.find('project=64a000000000000000000001')",
        lambda c: c.page("session", filter=filters.where(filters.identified("project", PROJECT, c.dialect))),
        PAGED_INFO,
    ),
    Purpose(
        "fw.sessions.find('label=x', include_all_info=True, limit=5)",
        lambda c: c.page("session", filter="label=x", limit=5),
    ),
    Purpose(
        "fw.acquisitions.find('label=~^((?!SBRef).)*$')",
        lambda c: c.page("acquisition", filter=filters.where(filters.matches("label", "^((?!SBRef).)*$"))),
        PAGED_INFO,
    ),
    Purpose(
        "fw.sessions.find('modified>=2026-11-02T09:15:42.318000', sort='modified:asc')",
        lambda c: c.changes("session", MOMENT),
        {**PAGED_INFO, "query.page": "numbered pages over a moving key skip rows; we go on from the last time"},
    ),
    Purpose(
        "fw.acquisitions.find('parents.project=64a000000000000000000001,modified>=2026-11-02T09:15:42.318000', "
        "sort='modified:asc', limit=250)",
        lambda c: c.changes("acquisition", MOMENT, limit=250, where=by_project(c)),
        {"query.include_all_info": INFO, "query.filter": "the same two conditions in the other order"},
    ),
    Purpose(
        "fw.files.find('parents.project=64a000000000000000000001,modified>=2026-11-02T09:15:42.318000', "
        "sort='modified:asc', limit=250)",
        lambda c: c.changes("file", MOMENT, limit=250, where=by_project(c)),
        {"query.include_all_info": INFO, "query.filter": "the same two conditions in the other order"},
    ),
    Purpose(
        "fw.jobs.find('state=|[complete,failed,cancelled],modified>=2026-11-02T09:15:42.318000', "
        "sort='modified:asc', limit=100)",
        lambda c: c.changes("job", MOMENT, limit=100, where=states(c)),
        {"query.filter": "the same two conditions in the other order"},
    ),
    Purpose(
        "fw.files.find('type=nifti', limit=5)",
        lambda c: c.page("file", filter="type=nifti", limit=5, include_all_info=False),
        answer={"count": 0, "results": []},
    ),
    Purpose(
        "fw.analyses.find('label=x', limit=5)",
        lambda c: c.page("analysis", filter="label=x", limit=5, include_all_info=False),
    ),
    Purpose(
        "fw.gears.find_first('gear.name=dcm2niix', all_versions=True)",
        lambda c: c.gear("dcm2niix", "1.4.1"),
        {
            "query.filter": "name and version, both quoted: " + QUOTED,
            "query.limit": "the newest of all matches is chosen here, by creation",
        },
        [{"_id": UTILITY, "gear": {"name": "dcm2niix", "version": "1.4.1"}}],
    ),
    Purpose(
        "fw.gears.find('gear.name=dcm2niix')",
        lambda c: c.gear("dcm2niix"),
        {"query.filter": QUOTED, "query.limit": "one version of one name needs no pages"},
        [{"_id": UTILITY, "gear": {"name": "dcm2niix", "version": "1.4.1"}}],
    ),
    Purpose("fw.get_gear(ID)", lambda c: c.gear_by_id(GEAR), answer={}),
    Purpose(
        "fw.jobs.find('tags=fwd-key-0001')",
        lambda c: c.find_jobs_by_tag("fwd-key-0001"),
        {"query.filter": QUOTED, "query.limit": "a once-key has a handful of jobs, all wanted at once"},
    ),
    Purpose(
        "fw.get_session_jobs(SESSION_ID, states=['failed','complete'], tags=['a','b'])",
        lambda c: elsewhere(c).find_jobs_by_tag("a", within=("session", SESSION)),
        {"query.states": "in any state", "query.tags": "one tag"},
        {"jobs": []},
    ),
    Purpose(
        "fw.get_current_user_jobs(filter='state=complete')",
        lambda c: c.page("job", filter="state=complete", parent=OWN),
        {"query.limit": "asked as every list; an address without pages ignores it"},
        {"total": 0, "jobs": [], "stats": {}},
    ),
    *[
        Purpose(call, reading(level, id_), answer={})
        for call, level, id_ in [
            ("fw.get_project(ID)", "project", PROJECT),
            ("fw.get_subject(ID)", "subject", SUBJECT),
            ("fw.get_session(ID)", "session", SESSION),
            ("fw.get_acquisition(ID)", "acquisition", ACQUISITION),
            ("fw.get_group('demo-group')", "group", "demo-group"),
            ("fw.get_analysis(ID)", "analysis", ANALYSIS),
            ("fw.get_job(ID)", "job", JOB),
            ("fw.get_file(FILE_ID)", "file", FILE),
        ]
    ],
    Purpose("fw.get('<session id>')", lambda c: c.get_container(SESSION), answer={}),
    Purpose("fw.get_job_detail(ID)", lambda c: c.job(JOB), answer=403, request=0),
    *[
        Purpose(call, listing(level, parent=parent), PAGED_INFO)
        for call, level, parent in [
            ("group.projects()", "project", ("group", "demo-group")),
            ("project.subjects()", "subject", ("project", PROJECT)),
            ("ses.acquisitions()", "acquisition", ("session", SESSION)),
        ]
    ],
    Purpose(
        "fw.get_project_acquisitions(PROJECT_ID, filter='label=T1w', limit=5)",
        lambda c: c.page(
            "acquisition", parent=("project", PROJECT), filter="label=T1w", limit=5, include_all_info=False
        ),
    ),
    Purpose(
        "fw.get_session_analyses(SESSION_ID, inflate_job=True)",
        lambda c: c.analyses_of("session", SESSION),
        {"query.include_all_info": "the once-key stands in info"},
    ),
    Purpose(
        "fw.get_session_analyses(SESSION_ID, filter='label=x', limit=5)",
        lambda c: c.analyses_of("session", SESSION, label="x"),
        {
            "query.include_all_info": "the once-key stands in info",
            "query.inflate_job": INFLATED,
            "query.filter": QUOTED,
            "query.limit": "all analyses of one label are wanted at once",
        },
    ),
    Purpose(
        "fw.lookup('demo-group/Test_Project/sub-01/ses-01')",
        lambda c: c.lookup("demo-group", "Test_Project", "sub-01", "ses-01"),
        {"headers.x-accept-feature": SUBJECTS},
        {},
    ),
    Purpose(
        "fw.lookup('gears/freesurfer-recon-all')",
        lambda c: c.lookup("gears", "freesurfer-recon-all"),
        {"headers.x-accept-feature": SUBJECTS},
        {},
    ),
    *[
        Purpose(call, tagging(level, id_), answer={"modified": 1})
        for call, level, id_ in [
            ("acq.add_tag('LOW_SNR')", "acquisition", ACQUISITION),
            ("ses.add_tag('LOW_SNR')", "session", SESSION),
            ("sub.add_tag('LOW_SNR')", "subject", SUBJECT),
            ("project.add_tag('LOW_SNR')", "project", PROJECT),
            ("ana.add_tag('LOW_SNR')", "analysis", ANALYSIS),
            ("f0.add_tag('LOW_SNR')", "file", FILE),
        ]
    ],
    Purpose("acq.delete_tag('LOW_SNR')", lambda c: c.remove_tag("acquisition", ACQUISITION, "LOW_SNR")),
    Purpose("acq.delete_tag('a b/c')", lambda c: c.remove_tag("acquisition", ACQUISITION, "a b/c")),
    Purpose("fw.delete_file_tags(FILE_ID, body=['A'])", lambda c: c.remove_tag("file", FILE, "A")),
    Purpose("fw.get_file_tags(FILE_ID)", lambda c: c.tags("file", FILE)),
    Purpose("ses.reload()", lambda c: c.tags("session", SESSION), {"headers.x-accept-feature": SLIM}, {"tags": []}),
    Purpose("ses.add_note('checked')", lambda c: c.add_note("session", SESSION, "checked"), answer={"_id": NOTE}),
    *[
        Purpose(call, setting(level, id_), answer={})
        for call, level, id_ in [
            ("ses.update_info({'qc': {'snr': 4.2}})", "session", SESSION),
            ("acq.update_info({'qc': {'snr': 4.2}})", "acquisition", ACQUISITION),
            ("ana.update_info({'qc': {'snr': 4.2}})", "analysis", ANALYSIS),
            ("project.update_info({'qc': {'snr': 4.2}})", "project", PROJECT),
        ]
    ],
    Purpose("ses.delete_info('a','b')", lambda c: c.set_info("session", SESSION, delete=("a", "b")), answer={}),
    Purpose(
        "f0.update_info({'qc': 1})",
        lambda c: c.set_info("acquisition", ACQUISITION, {"qc": 1}, file_name="T1w.nii.gz"),
        answer={},
    ),
    Purpose(
        "gear.run(analysis_label='L', inputs={...}, destination=session, tags=['fwd-key-0001'], priority='high')",
        lambda c: c.launch_analysis("session", SESSION, RUN),
        answer={"_id": ANALYSIS},
    ),
    Purpose(
        "fw.add_session_analysis(SESSION_ID, {'label':..., 'job': {...}})",
        lambda c: c.launch_analysis("session", SESSION, RUN_INFO),
        answer={"_id": ANALYSIS},
    ),
    Purpose(
        "utility_gear.run(config={...}, dcm2niix_input=file, destination=acq, tags=['fwd-key-0001'])",
        lambda c: c.add_job(UTILITY_RUN),
        {"body.priority": "the site's default, unless the rule says one"},
        answer={"_id": JOB},
    ),
    Purpose("fw.retry_job(ID)", lambda c: c.retry_job(JOB), answer={"_id": JOB}),
    Purpose("job.change_state('cancelled')", lambda c: c.cancel_job(JOB)),
]


class Recorder(Transport):
    """Notes what would go out, and answers from a list."""

    def __init__(self, answer: Any) -> None:
        self.credentials = parse_key(f"site.example.org:{KEY}")
        super().__init__(self.credentials.base_url, headers=headers_for(self.credentials), site="main")
        self.answer = answer
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        if self.answer == 403:
            self.answer = {}
            return Response(403, {}, b'{"message": "is_admin privilege required for action."}')
        return Response(200, {}, json.dumps(self.answer).encode())

    def as_recorded(self, request: Request) -> dict[str, Any]:
        """The request in the recordings' shape."""
        given = {**headers_for(self.credentials), **dict(request.headers)}
        headers = {name.lower(): value.replace(KEY, "<key>") for name, value in given.items()}
        headers.pop("user-agent")
        return {
            "method": request.method,
            "path": "/api" + request.path,
            "query": [list(pair) for pair in request.query],
            "headers": headers,
            "body": None if request.body is None else json.loads(request.body),
        }


async def drain(pages: Any) -> None:
    """All pages."""
    async for _ in pages:
        pass


def elsewhere(client: FlywheelClient) -> FlywheelClient:
    """The same client, with a key that may not list the site's jobs."""
    client.dialect = Dialect(jobs=JobsAccess.PROJECTS)
    return client


def recorded() -> dict[str, list[dict[str, Any]]]:
    """Call → requests."""
    lines = [json.loads(line) for line in SAMPLES.read_text().splitlines()]
    return {line["call"]: line["requests"] for line in lines}


def flat(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """A JSON object as places and values, nested objects opened."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from flat(item, f"{place}.{key}")
    else:
        yield place, value


def places(request: dict[str, Any]) -> dict[str, Any]:
    """A request as a flat table of places and values."""
    found: dict[str, Any] = {"method": request["method"], "path": request["path"]}
    for key, value in request["query"]:
        found.setdefault(f"query.{key}", []).append(value)
    found |= {f"headers.{name}": value for name, value in request["headers"].items()}
    return found | dict(flat(request["body"], "body"))


@pytest.mark.parametrize("purpose", PURPOSES, ids=str)
async def test_our_request_is_the_official_clients_but_for_declared_differences(purpose: Purpose) -> None:
    """For each purpose the same method, path, query, headers and body."""
    transport = Recorder(purpose.answer)
    await purpose.ours(FlywheelClient(transport))
    ours = places(transport.as_recorded(transport.requests[-1]))
    theirs = places(recorded()[purpose.call][purpose.request])
    differing = {place for place in ours.keys() | theirs.keys() if ours.get(place) != theirs.get(place)}
    assert differing == set(purpose.differs), {place: (ours.get(place), theirs.get(place)) for place in differing}


async def test_a_key_of_another_length_is_no_bearer_token() -> None:
    """The authorisation scheme follows the key's length, as in the recordings."""
    calls = recorded()
    headers = calls["flywheel.Client('HOST:PORT:__force_insecure:<any other length key>')"][0]["headers"]
    ours = headers_for(parse_key("site.example.org:443:short-key"))
    assert ours["Authorization"].replace("short-key", "<key>") == headers["authorization"]


def test_the_samples_are_small() -> None:
    """The recordings kept here are the ones that are used."""
    assert SAMPLES.stat().st_size < 200_000
    used = {purpose.call for purpose in PURPOSES} | {
        "flywheel.Client('HOST:PORT:__force_insecure:<any other length key>')"
    }
    assert set(recorded()) == used
