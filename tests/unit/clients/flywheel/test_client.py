"""The client's own decisions, against a transport that answers from a script."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from flyball.clients.exchange import BodyTooLarge, Request, Response
from flyball.clients.flywheel import filters
from flyball.clients.flywheel.client import OWN, FlywheelClient
from flyball.clients.flywheel.dialect import Dialect, JobsAccess
from flyball.clients.flywheel.wire.launch import analysis_body, job_body
from flyball.clients.transport import Transport
from flyball.model.errors import Gone, Permanent, Refused, Transient, UnknownOutcome

NOW = datetime(2026, 11, 2, 9, 15, 42, 318000, tzinfo=UTC)
ZEROS = "0" * 24


def hexid(number: int) -> str:
    """An object id."""
    return f"64a{number:021x}"


class Scripted(Transport):
    """Answers each request by a function, or by the next of a list."""

    def __init__(self, *script: Any) -> None:
        super().__init__("http://127.0.0.1/api", site="main", now=lambda: NOW)
        self.script = list(script)
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        step = self.script[0] if callable(self.script[0]) else self.script.pop(0)
        answer = step(request) if callable(step) else step
        if isinstance(answer, Exception):
            raise answer
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        return Response(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())

    @property
    def targets(self) -> list[str]:
        """Method and address of each request, decoded."""
        return [
            f"{request.method} {request.path}"
            + ("?" + "&".join(f"{key}={value}" for key, value in request.query) if request.query else "")
            for request in self.requests
        ]


def client_of(*script: Any, **dialect: Any) -> tuple[FlywheelClient, Scripted]:
    """A client over a script, in a dialect."""
    transport = Scripted(*script)
    return FlywheelClient(transport, Dialect(**dialect)), transport


def a_site(number: int, cap: int | None = None, *, unsorted_first: bool = False) -> Callable[[Request], Any]:
    """A list of so many rows that is paged by id, or by number."""
    ids = [hexid(n) for n in range(number)]

    def answer(request: Request) -> Any:
        query = dict(request.query)
        size = min(int(query.get("limit", 10**9)), cap or 10**9)
        if "after_id" in query:
            rows = [id_ for id_ in ids if id_ > query["after_id"]][:size]
        elif "page" in query:
            rows = ids[size * (int(query["page"]) - 1) :][:size]
        else:
            rows = (ids[::-1] if unsorted_first else ids)[:size]
        return [{"_id": id_} for id_ in rows]

    return answer


async def drained(client: FlywheelClient, level: str = "session", **arguments: Any) -> list[str]:
    """All ids of a list."""
    return [row["id"] async for rows in client.iterate(level, **arguments) for row in rows]


# --- pages


@pytest.mark.parametrize("number", [0, 1, 9, 10, 11, 20, 25])
@pytest.mark.parametrize("cap", [None, 4])
async def test_pages_go_on_until_one_is_empty(number: int, cap: int | None) -> None:
    """Also where the site gives fewer rows than were asked for."""
    client, _ = client_of(a_site(number, cap))
    assert await drained(client, limit=10) == [hexid(n) for n in range(number)]


async def test_a_short_page_ends_a_list_only_where_the_page_size_is_proved() -> None:
    """Then the last request is saved; otherwise it is made."""
    for page_size, requests in ((None, 4), (10, 3)):
        client, transport = client_of(a_site(25), page_size=page_size)
        assert len(await drained(client, limit=10)) == 25
        assert len(transport.requests) == requests


async def test_a_proved_smaller_page_is_what_is_asked_for() -> None:
    """A site that gives 4 is asked for 4, and its short page ends the list."""
    client, transport = client_of(a_site(10, 4), page_size=4)
    assert len(await drained(client)) == 10
    assert [dict(request.query)["limit"] for request in transport.requests] == ["4", "4", "4"]


async def test_a_first_page_in_no_order_is_asked_for_again() -> None:
    """Going on from its largest id would skip rows."""
    client, transport = client_of(a_site(25, unsorted_first=True))
    assert await drained(client, limit=10) == [hexid(n) for n in range(25)]
    assert dict(transport.requests[1].query)["after_id"] == ZEROS


async def test_the_first_page_is_asked_for_by_id_where_that_is_proved() -> None:
    """So nothing is asked for twice."""
    client, transport = client_of(a_site(25, unsorted_first=True), after_id={"session": True})
    assert await drained(client, limit=10) == [hexid(n) for n in range(25)]
    assert len(transport.requests) == 4


async def test_a_list_can_be_taken_up_again_after_an_id() -> None:
    """A sweep that was interrupted goes on where it stopped."""
    client, _ = client_of(a_site(25))
    assert await drained(client, limit=10, after_id=hexid(19)) == [hexid(n) for n in range(20, 25)]


async def test_gears_are_paged_by_number() -> None:
    """K19 answers 500 to `after_id` there."""
    client, transport = client_of(a_site(25))
    assert len(await drained(client, "gear", limit=10)) == 25
    assert [dict(request.query)["page"] for request in transport.requests] == ["1", "2", "3", "4"]


async def test_a_site_that_repeats_its_page_is_not_asked_for_ever() -> None:
    """A full page again means that the rest cannot be had; a short one was all there is."""
    rows = [{"_id": hexid(n)} for n in range(10)]
    client, _ = client_of(lambda _: rows)
    with pytest.raises(Permanent, match="same page again"):
        await drained(client, limit=10)
    assert len(await drained(client, limit=50)) == 10


async def test_an_answer_too_large_is_asked_for_in_halves() -> None:
    """Down to what fits."""
    small = a_site(25)

    def heavy(request: Request) -> Any:
        return BodyTooLarge("too large") if int(dict(request.query)["limit"]) > 3 else small(request)

    client, transport = client_of(heavy)
    assert len(await drained(client, limit=10)) == 25
    assert [dict(request.query)["limit"] for request in transport.requests][:4] == ["10", "5", "2", "2"]


async def test_one_row_too_large_is_an_error() -> None:
    """It cannot be halved."""
    client, _ = client_of(lambda _: BodyTooLarge("too large"))
    with pytest.raises(BodyTooLarge):
        await drained(client, limit=4)


async def test_groups_begin_without_an_id() -> None:
    """Their ids are texts."""
    client, transport = client_of([{"_id": "b"}, {"_id": "a"}], [], after_id={"group": True})
    assert await drained(client, "group") == ["b", "a"]
    assert transport.targets == ["GET /groups?limit=1000", "GET /groups?limit=1000&after_id=b"]


async def test_rows_that_only_match_the_pattern_are_dropped_but_do_not_end_the_list() -> None:
    """A page on which nothing is left is no empty page."""
    rows = [[{"_id": hexid(1), "label": "axb"}], [{"_id": hexid(2), "label": "a,b"}], []]
    client, _ = client_of(*rows)
    chosen = filters.where(filters.equals("label", "a,b"))
    assert await drained(client, filter=chosen, limit=1) == [hexid(2)]


async def test_changes_are_one_request() -> None:
    """From a time on, oldest change first, with info, also below a parent and by another field."""
    client, transport = client_of([], [], [])
    await client.changes("session", NOW)
    await client.changes("job", NOW, parent=OWN)
    await client.changes("acquisition", NOW, parent=("project", hexid(1)), field="created", limit=50)
    since = "2026-11-02T09:15:42.318000"
    assert transport.targets == [
        f"GET /sessions?include_all_info=true&filter=modified>={since}&sort=modified:asc&limit=1000",
        f"GET /users/self/jobs?filter=modified>={since}&sort=modified:asc&limit=1000",
        f"GET /projects/{hexid(1)}/acquisitions?include_all_info=true&filter=created>={since}&sort=created:asc&limit=50",
    ]


async def test_info_is_not_asked_for_where_it_is_not_given() -> None:
    """Nor for levels that have none."""
    client, transport = client_of([], [], info_in_lists=False)
    await client.page("session")
    await client.page("job")
    assert transport.targets == ["GET /sessions?limit=1000", "GET /jobs?limit=1000"]


async def test_an_error_page_is_no_empty_list() -> None:
    """HTML with 200 is transient, JSON of another shape permanent."""
    client, _ = client_of(b"<html>", {"message": "?"})
    with pytest.raises(Transient):
        await client.page("session")
    with pytest.raises(Permanent):
        await client.page("session")


# --- single reads


async def test_files_without_ids_are_read_with_their_container() -> None:
    """`<container id>/<name>`; absent ones are gone."""
    container = {"_id": "c1", "container_type": "acquisition", "files": [{"name": "a/b", "tags": ["x"]}]}
    client, transport = client_of(lambda _: container)
    assert (await client.get("file", "c1/a/b"))["id"] == "c1/a/b"
    assert await client.tags("file", "c1/a/b") == ["x"]
    with pytest.raises(Gone):
        await client.get("file", "c1/other")
    assert set(transport.targets) == {"GET /containers/c1"}


async def test_tags_and_notes_are_read_without_files_and_analyses() -> None:
    """Absent lists are empty ones."""
    client, transport = client_of({"_id": "s", "tags": ["A"], "notes": [{"text": "n"}]}, {"_id": "s"}, {"_id": "s"})
    assert await client.tags("session", "s") == ["A"]
    assert await client.tags("session", "s", fresh=True) == []
    assert await client.notes("session", "s") == []
    assert [request.fresh for request in transport.requests] == [False, True, False]
    assert all("slim-containers" in dict(request.headers)["X-Accept-Feature"] for request in transport.requests)


async def test_a_job_that_only_administrators_may_read_is_read_in_detail() -> None:
    """Plain GET is 403 there; another refusal stays one."""
    client, transport = client_of((403, {"message": "is_admin privilege required"}), {"id": "j"}, (401, {}))
    assert (await client.job("j"))["id"] == "j"
    with pytest.raises(Refused):
        await client.job("j")
    assert transport.targets == ["GET /jobs/j", "GET /jobs/j/detail", "GET /jobs/j"]


GEARS = [
    {"_id": "g1", "gear": {"name": "mriqc", "version": "0.9"}, "created": "2026-03-01T00:00:00+00:00"},
    {"_id": "g2", "gear": {"name": "mriqc", "version": "0.10"}, "created": "2026-01-01T00:00:00+00:00"},
    {
        "_id": "g3",
        "gear": {"name": "mriqc", "version": "1.0"},
        "created": "2026-05-01T00:00:00+00:00",
        "disabled": "2026-06-01T00:00:00+00:00",
    },
    {"_id": "g4", "gear": {"name": "bids-mriqc", "version": "9"}, "created": "2026-09-01T00:00:00+00:00"},
    {"_id": "g5", "gear": None},
]


async def test_the_newest_gear_is_the_last_created_that_is_not_disabled() -> None:
    """Not the highest version, and never one of another name."""
    client, transport = client_of(lambda _: GEARS)
    assert (await client.gear("mriqc"))["id"] == "g1"
    assert (await client.gear("mriqc", "0.10"))["id"] == "g2"
    assert transport.targets == [
        'GET /gears?filter=gear.name="mriqc"',
        'GET /gears?all_versions=true&filter=gear.name="mriqc",gear.version="0.10"',
    ]
    with pytest.raises(Gone, match=r"gear mriqc 1\.0 is disabled"):
        await client.gear("mriqc", "1.0")
    with pytest.raises(Gone, match="gear fmriprep is not there"):
        await client.gear("fmriprep")


async def test_analyses_come_with_their_jobs_and_one_label_means_that_label() -> None:
    """A job that is still an id is read; one without a job stays so; others of a like label are dropped."""
    rows = [
        {"_id": "a1", "label": "x [fb-1]", "job": {"id": "j1", "config": {"config": {"k": "SECRET"}}}},
        {"_id": "a2", "label": "x [fb-1]", "job": "j2"},
        {"_id": "a3", "label": "x [fb-1]"},
        {"_id": "a4", "label": "x (fb-1)"},
    ]
    client, transport = client_of(rows, {"id": "j2"})
    found = await client.analyses_of("session", "s", label="x [fb-1]", fresh=True)
    assert [row["id"] for row in found] == ["a1", "a2", "a3"]
    assert found[1]["job"]["id"] == "j2"
    assert "SECRET" not in json.dumps(found)
    assert transport.targets[0] == (
        "GET /sessions/s/analyses?include_all_info=true&inflate_job=true&filter=label=~^x .fb-1.$"
    )
    assert transport.requests[0].fresh


async def test_a_launch_that_answered_with_a_job_is_followed_to_its_analysis() -> None:
    """The docs and the server do not agree on what `job=true` returns."""
    client, _ = client_of({"_id": "a", "job": {"id": "j"}})
    analysis, job = await client.launched("a")
    assert (analysis, (job or {})["id"]) == ("a", "j")
    client, _ = client_of((404, {}), {"id": "j", "destination": {"type": "analysis", "id": "a"}})
    analysis, job = await client.launched("j")
    assert (analysis, (job or {})["id"]) == ("a", "j")


# --- jobs by tag

JOBS = [
    {"_id": "j2", "tags": ["KEY", "x"], "created": "2026-02-01T00:00:00+00:00"},
    {"_id": "j1", "tags": ["KEY"], "created": "2026-01-01T00:00:00+00:00"},
    {"_id": "j0", "tags": ["OTHER"], "created": "2026-01-01T00:00:00+00:00"},
    {"_id": "j9"},
]


@pytest.mark.parametrize(
    ("access", "within", "targets"),
    [
        (None, None, ['GET /jobs?filter=tags="KEY"']),
        (JobsAccess.SITE, ("session", "s"), ['GET /jobs?filter=tags="KEY"']),
        (JobsAccess.PROJECTS, ("session", "s"), ["GET /sessions/s/jobs?tags=KEY"]),
        (JobsAccess.PROJECTS, ("project", "p"), ['GET /projects/p/jobs?filter=tags="KEY"']),
        (JobsAccess.SELF, ("session", "s"), ["GET /sessions/s/jobs?tags=KEY"]),
        (JobsAccess.SELF, ("project", "p"), ['GET /users/self/jobs?filter=tags="KEY"']),
    ],
)
async def test_jobs_are_looked_up_by_the_route_that_is_open(access: Any, within: Any, targets: list[str]) -> None:
    """The tag is checked again on the rows, oldest first."""
    client, transport = client_of(lambda _: {"jobs": JOBS}, jobs=access)
    found = await client.find_jobs_by_tag("KEY", within=within, fresh=True)
    assert [job["id"] for job in found] == ["j1", "j2"]
    assert transport.targets == targets
    assert transport.requests[0].fresh


async def test_without_a_place_all_projects_are_asked() -> None:
    """Each job once, whichever project shows it."""

    def answer(request: Request) -> Any:
        if request.path != "/projects":
            return JOBS
        return [] if "after_id" in dict(request.query) else [{"_id": hexid(1)}, {"_id": hexid(2)}]

    client, transport = client_of(answer, jobs=JobsAccess.PROJECTS)
    assert len(await client.find_jobs_by_tag("KEY")) == 2
    assert len(transport.targets) == 4
    assert len(await client.find_jobs_by_tag("KEY", projects=(hexid(1),))) == 2
    assert len(transport.targets) == 5


async def test_where_nothing_can_be_looked_up_nothing_is_said() -> None:
    """An empty list would read as "never launched"."""
    client, _ = client_of([], jobs=JobsAccess.NONE)
    with pytest.raises(Refused):
        await client.find_jobs_by_tag("KEY")
    client, _ = client_of([], job_tags=False)
    with pytest.raises(Permanent):
        await client.find_jobs_by_tag("KEY")


# --- writes


async def test_a_tag_that_was_there_is_no_error() -> None:
    """409 says so; other complaints stay errors."""
    client, _ = client_of({"modified": 1}, (409, {"message": "Item already exists in list."}), (400, {}))
    assert await client.add_tag("session", "s", "A") is True
    assert await client.add_tag("session", "s", "A") is False
    with pytest.raises(Permanent):
        await client.add_tag("session", "s", "A")


async def test_taking_off_an_absent_tag_is_no_error() -> None:
    """200 on some sites, 404 on others."""
    client, _ = client_of({"modified": 1}, (404, {}))
    assert await client.remove_tag("session", "s", "A") is True
    assert await client.remove_tag("session", "s", "A") is False


@pytest.mark.parametrize("tag", [".", ".."])
async def test_tags_that_would_move_the_address_travel_in_the_body(tag: str) -> None:
    """`DELETE /sessions/s/tags/..` could delete the session."""
    client, transport = client_of({"modified": 1})
    await client.remove_tag("session", "s", tag)
    assert transport.targets == ["DELETE /sessions/s/tags"]
    assert json.loads(transport.requests[0].body or b"") == [tag]


async def test_files_without_ids_cannot_be_tagged() -> None:
    """Said clearly, and nothing is sent."""
    client, transport = client_of()
    for asked in (client.add_tag("file", "c/a", "A"), client.remove_tag("file", "c/a", "A")):
        with pytest.raises(Permanent, match="no address for the tags"):
            await asked
    assert transport.requests == []


async def test_no_empty_id_is_ever_sent() -> None:
    """`/sessions/` would be another address."""
    client, transport = client_of()
    with pytest.raises(Permanent):
        await client.get("session", "")
    with pytest.raises(Permanent):
        await client.get("planet", "x")
    assert transport.requests == []


async def test_a_note_tells_its_id_where_the_site_does() -> None:
    """2019 answers only that something was modified."""
    client, _ = client_of({"_id": "n"}, {"modified": 1})
    assert await client.add_note("session", "s", "hello") == "n"
    assert await client.add_note("session", "s", "hello") is None


async def test_info_is_written_by_post_where_patch_is_unknown_and_that_is_remembered() -> None:
    """501 once, then POST at once."""
    client, transport = client_of((501, {"title": "Not Implemented"}), b"", b"")
    await client.set_info("session", "s", {"a": 1})
    await client.set_info("session", "s", delete=("a",))
    assert [request.method for request in transport.requests] == ["PATCH", "POST", "POST"]
    assert client.dialect.info_method == "POST"
    with pytest.raises(Permanent):
        await client.set_info("session", "s", {"a": 1}, delete=("b",))


RUN = analysis_body(
    "L",
    job_body(gear_id="g", inputs={}, config={"lic": "SECRETLICENCE"}, tags=["KEY"], priority="high"),
    {"k": "KEY"},
)


async def test_a_launch_is_sent_once_and_gives_the_id() -> None:
    """With info and priority."""
    client, transport = client_of({"_id": "a"})
    assert await client.launch_analysis("session", "s", RUN) == "a"
    assert len(transport.requests) == 1
    assert transport.requests[0].creates
    assert json.loads(transport.requests[0].body or b"")["info"] == {"k": "KEY"}
    assert client.dialect.launch_info is True


async def test_a_site_of_2019_gets_the_launch_without_info() -> None:
    """Its schema complaint is certain, so it may be sent again; from then on at once."""
    complaint = (400, {"message": "Object does not match schema on key 'none': {'info': {'k'…"})
    client, transport = client_of(complaint, {"_id": "a"}, {"_id": "b"})
    assert await client.launch_analysis("session", "s", RUN) == "a"
    assert await client.launch_analysis("session", "s", RUN) == "b"
    bodies = [json.loads(request.body or b"") for request in transport.requests]
    assert ["info" in body for body in bodies] == [True, False, False]
    assert "priority" not in bodies[1]["job"]
    assert bodies[1]["job"]["tags"] == ["KEY"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((400, {"message": "Job input bogus is not listed in gear manifest"}), Permanent),
        ((404, {"message": "No such file"}), Gone),
        ((412, {"message": "Cannot determine compute provider"}), Permanent),
        ((429, {}), Transient),
        ((500, {}), UnknownOutcome),
        ((503, {}), UnknownOutcome),
        ((200, b'{"_id": "64a'), UnknownOutcome),
        ((200, b"{}"), UnknownOutcome),
        ((200, b"<html>"), UnknownOutcome),
    ],
)
async def test_a_launch_that_fails_is_not_sent_again(answer: Any, kind: type[Exception]) -> None:
    """Each ending by name; a licence that the site repeats is not carried on."""
    client, transport = client_of(answer)
    with pytest.raises(kind) as caught:
        await client.launch_analysis("session", "s", RUN)
    assert type(caught.value) is kind
    assert len(transport.requests) == 1
    assert "SECRET" not in str(caught.value)


async def test_jobs_are_started_retried_and_cancelled() -> None:
    """Ids come back; cancelling answers nothing."""
    client, transport = client_of({"_id": "j1"}, {"_id": "j2"}, b"")
    assert await client.add_job({"gear_id": "g", "inputs": {}, "config": {}}) == "j1"
    assert await client.retry_job("j1") == "j2"
    await client.cancel_job("j2")
    assert transport.targets == ["POST /jobs/add", "POST /jobs/j1/retry", "PUT /jobs/j2"]


def test_a_dialect_is_stored_and_read_again() -> None:
    """As JSON, with unknown keys ignored and missing ones unproved."""
    known = Dialect(
        user_id="u", roles=("user",), jobs=JobsAccess.SELF, operators={"=|": None}, findings=("x",), page_size=10
    )
    stored = json.loads(json.dumps(known.to_json()))
    assert Dialect.from_json({**stored, "future": 1}) == known
    assert Dialect.from_json({}) == Dialect()
    assert not Dialect().filters_proved
    assert "object_ids" in Dialect().unproved
