"""The start-up probe and the client on the emulated site, in both of its dialects and in odd ones."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from flyball.clients.exchange import Request, Response
from flyball.clients.flywheel import filters
from flyball.clients.flywheel.client import FlywheelClient, headers_for
from flyball.clients.flywheel.dialect import DateForm, Dialect, JobsAccess, Spelling
from flyball.clients.flywheel.keys import parse_key
from flyball.clients.flywheel.probe import probe, probe_tags
from flyball.clients.flywheel.wire.launch import analysis_body, job_body
from flyball.clients.transport import Timeouts, Transport
from flyball.model.errors import Gone, Refused, Transient, UnknownOutcome
from flyball.sandbox import Sandbox, Scenario

DIALECTS = ("v23", "live19")
QUICK = {"fail_rate": 0, "pending_s": [0, 0], "running_s": [1, 1]}
Bend = Callable[[Request], Request | Response | None]


class Bent(Transport):
    """A site that understands some requests in another way: `bend` changes a request, or answers it."""

    bend: Bend = staticmethod(lambda _: None)

    async def send(self, request: Request) -> Response:
        bent = self.bend(request)
        if isinstance(bent, Response):
            return bent
        return await super().send(bent or request)


@asynccontextmanager
async def lab(
    *, user: bool = False, bend: Bend | None = None, key: str | None = None, **scenario: Any
) -> AsyncIterator[tuple[FlywheelClient, Sandbox]]:
    """A client and the emulated lab it talks to."""
    async with Sandbox(Scenario.named("lab", **scenario)) as sandbox:
        credentials = parse_key(key or (sandbox.user_key if user else sandbox.key))
        transport = Bent(
            sandbox.url, headers=headers_for(credentials), site="main", timeouts=Timeouts(silence=60.0, whole=60.0)
        )
        transport.bend = bend or (lambda _: None)
        async with transport:
            sandbox.requests.clear()
            yield FlywheelClient(transport), sandbox


def replaced_filter(request: Request, pattern: str, replacement: str) -> Request:
    """The request with its filter changed."""
    query = tuple(
        (key, re.sub(pattern, replacement, value) if key == "filter" else value) for key, value in request.query
    )
    return Request(request.method, request.path, query, request.headers, request.body, request.does, request.template)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_probe_proves_the_spellings_with_few_requests_and_no_write(dialect: str) -> None:
    """Ids, dates, operators, sorting, pages by id and job tags, in about 20 reads."""
    async with lab(dialect=dialect) as (client, sandbox):
        found = await probe(client)
        assert sandbox.requests.total <= 25
        assert set(sandbox.requests.by_method) == {"GET"}
    assert found.filters_proved
    assert (found.object_ids, found.string_ids, found.date_form) == (Spelling.BARE, Spelling.QUOTED, DateForm.NAIVE)
    assert {name: found.operators[name] for name in ("=", "<", ">=", "=~")} == dict.fromkeys(
        ("=", "<", ">=", "=~"), True
    )
    assert (found.sort, found.job_tags, found.jobs) == (True, True, JobsAccess.SITE)
    assert found.after_id["session"] is found.after_id["acquisition"] is True
    assert (found.user_id, found.admin) == ("admin@example.org", True)
    assert found.unproved == ()


async def test_a_recent_site_is_told_from_one_of_2019() -> None:
    """Info and tags in lists, files, lists of values, gears by id; the old site's shortcomings are said in words."""
    async with lab(dialect="v23") as (client, _):
        new = await probe(client)
    async with lab(dialect="live19") as (client, _):
        old = await probe(client)
    assert (new.info_in_lists, new.info_in_files, new.files_endpoint, new.operators["=|"]) == (True, True, True, True)
    assert (old.info_in_lists, old.files_endpoint, old.operators["=|"]) == (False, False, False)
    assert (new.after_id["gear"], old.after_id["gear"]) == (True, False)
    assert new.findings == ()
    said = " ".join(old.findings)
    for word in ("include_all_info", "GET /files", "=|", "gears"):
        assert word in said


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_tags_in_lists_are_proved_on_tags_that_are_there(dialect: str) -> None:
    """Before the first tag nothing is known; after it what the lists show, level by level."""
    async with lab(dialect=dialect) as (client, _):
        client.dialect = await probe(client)
        assert not any(client.dialect.tags_listed.values())
        for level in ("project", "subject", "session", "acquisition"):
            row = (await client.page(level, limit=1))[0]
            assert await client.add_tag(level, row["id"], "PROBE") is True
            assert await client.add_tag(level, row["id"], "PROBE") is False
            assert await client.tags(level, row["id"]) == ["PROBE"]
        found = await probe_tags(client)
        whole = await probe(client)
    expected = {"project": True, "subject": True, "session": dialect == "v23", "acquisition": dialect == "v23"}
    assert {level: found.tags_listed[level] for level in expected} == expected
    assert {level: whole.tags_listed[level] for level in expected} == expected
    assert found.lists_tags("session") is (dialect == "v23")
    assert any("hide the tags of session, acquisition" in line for line in found.findings) is (dialect == "live19")


async def test_an_ordinary_user_of_an_old_site_reads_jobs_project_by_project() -> None:
    """The tag is proved on that route, and the look-up goes there."""
    async with lab(dialect="live19", user=True) as (client, sandbox):
        client.dialect = await probe(client)
        assert client.dialect.jobs is JobsAccess.PROJECTS
        assert not client.dialect.admin
        job = next(iter(sandbox.site.jobs.rows.values()))
        sandbox.requests.clear()
        found = await client.find_jobs_by_tag(job["tags"][0])
        assert all(job["tags"][0] in row["tags"] for row in found)
        assert not any(received.path == "/api/jobs" for received in sandbox.requests.last)


async def test_an_empty_site_proves_nothing() -> None:
    """Empty answers are not believed, and the probe asks to be repeated."""
    async with (
        Sandbox(Scenario.of({})) as sandbox,
        FlywheelClient.connect(parse_key(sandbox.key), site="main").transport as t,
    ):
        found = await probe(FlywheelClient(t))
    assert not found.filters_proved
    assert found.sort is None
    assert "object_ids" in found.unproved
    assert any("nothing is proved yet" in line for line in found.findings)


async def test_a_site_that_caps_its_pages_is_found_out() -> None:
    """And whole lists are read all the same, before and after."""
    async with lab(switches={"page_limit": 7}) as (client, sandbox):
        before = [row["id"] async for rows in client.iterate("session") for row in rows]
        client.dialect = await probe(client)
        assert client.dialect.page_size == 7
        after = [row["id"] async for rows in client.iterate("session") for row in rows]
        assert before == after == sorted(sandbox.site.sessions.rows)
    assert any("pages of 7 rows" in line for line in client.dialect.findings)


async def test_a_site_with_quoted_ids_only() -> None:
    """The other spelling is found and said."""

    def bend(request: Request) -> Request | Response | None:
        text = dict(request.query).get("filter", "")
        if re.search(r"(_id|parents\.project)=[0-9a-f]{24}", text):
            return Response(200, {}, b"[]")
        return replaced_filter(request, r'(_id|parents\.project)="([0-9a-f]{24})"', r"\1=\2")

    async with lab(bend=bend) as (client, _):
        found = await probe(client)
    assert found.object_ids is Spelling.QUOTED
    assert found.date_form is DateForm.NAIVE
    assert any("must be quoted" in line for line in found.findings)


@pytest.mark.parametrize(("form", "ending"), [(DateForm.OFFSET, "+00:00"), (DateForm.ZULU, "Z")])
async def test_a_site_with_dates_of_another_form(form: DateForm, ending: str) -> None:
    """Found by trying, and then spoken."""

    def bend(request: Request) -> Request | Response | None:
        text = dict(request.query).get("filter", "")
        dates = re.findall(r"\d{4}-\d\d-\d\dT[\d:.]+[^,]*", text)
        if any(not date.endswith(ending) for date in dates):
            return Response(200, {}, b"[]")
        return replaced_filter(request, re.escape(ending) + r"(?=,|$)", "")

    async with lab(bend=bend) as (client, _):
        found = await probe(client)
    assert found.date_form is form
    assert found.operators[">="] is True
    assert any("dates in filters must be written as" in line for line in found.findings)


async def test_a_site_that_ignores_filters_is_not_believed() -> None:
    """Getting everything back is no proof."""

    def bend(request: Request) -> Request:
        query = tuple(pair for pair in request.query if pair[0] != "filter")
        return Request(request.method, request.path, query, request.headers, request.body, request.does)

    async with lab(bend=bend) as (client, _):
        found = await probe(client)
    assert not found.filters_proved
    assert any("not to be relied on" in line for line in found.findings)


async def test_a_site_that_cannot_compare_is_said_so() -> None:
    """`>=` finding nothing means that changes cannot be polled."""
    async with lab(switches={"comparison_operators": False}) as (client, _):
        found = await probe(client)
    assert found.operators[">="] is False
    assert found.object_ids is Spelling.BARE
    assert any("operator >=" in line for line in found.findings)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_wrong_key_is_refused_before_anything_else(dialect: str) -> None:
    """An empty list would have been believed otherwise; the message holds no key."""
    async with Sandbox(Scenario.named("lab", dialect=dialect)) as sandbox:
        host = sandbox.key.rsplit(":", 1)[0]
        client = FlywheelClient.connect(parse_key(f"{host}:wrong-key-of-mine"), site="main")
        with pytest.raises(Refused, match=r"main: .*does not accept the API key") as caught:
            await probe(client)
        await client.close()
    assert "wrong-key" not in str(caught.value)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_launch_is_found_again_by_its_tag_and_label(dialect: str) -> None:
    """On both dialects, after the answer got lost, by tag and by the destination's analyses."""
    async with lab(dialect=dialect, jobs=QUICK) as (client, sandbox):
        client.dialect = await probe(client)
        gear = await client.gear("freesurfer-recon-all")
        session, acquisition, name = _some_t1(sandbox)
        inputs = {"anatomical": {"type": "acquisition", "id": acquisition, "name": name}}
        job = job_body(gear_id=gear["id"], inputs=inputs, config={}, tags=["fb-key-1"])
        body = analysis_body("recon [fb-abcdef]", job, {"flyball": {"once_key": "fb-key-1"}})
        if dialect == "live19":
            first = await client.launch_analysis("session", session, body)
            assert client.dialect.launch_info is False
            assert (await client.launched(first))[1] is not None
        sandbox.faults.add("reset_after", method="POST", path=r"/analyses$", count=1)
        with pytest.raises(UnknownOutcome) as caught:
            await client.launch_analysis("session", session, body)
        assert not caught.value.timed_out
        made = 2 if dialect == "live19" else 1
        jobs = await client.find_jobs_by_tag("fb-key-1", fresh=True)
        analyses = await client.analyses_of("session", session, label="recon [fb-abcdef]", fresh=True)
        assert len(jobs) == len(analyses) == made
        assert {row["job"]["id"] for row in analyses} == {job["id"] for job in jobs}
        assert await client.find_jobs_by_tag("fb-key-2") == []


@pytest.mark.parametrize(
    ("kind", "arguments", "error"),
    [
        ("reset_before", {}, UnknownOutcome),
        ("truncate", {}, UnknownOutcome),
        ("status", {"status": 429, "retry_after": 1}, Transient),
        ("status", {"status": 503, "html": True, "commit": True}, UnknownOutcome),
        ("status", {"status": 502}, UnknownOutcome),
    ],
)
async def test_faults_at_a_launch_are_named_and_never_repeated(
    kind: str, arguments: dict[str, Any], error: type[Exception]
) -> None:
    """One POST on the wire whatever the site does."""
    async with lab(jobs=QUICK) as (client, sandbox):
        gear = await client.gear("freesurfer-recon-all")
        session, acquisition, name = _some_t1(sandbox)
        inputs = {"anatomical": {"type": "acquisition", "id": acquisition, "name": name}}
        body = analysis_body("L", job_body(gear_id=gear["id"], inputs=inputs, config={}, tags=["fb-key-1"]))
        sandbox.faults.add(kind, method="POST", path=r"/analyses$", count=1, **arguments)
        sandbox.requests.clear()
        with pytest.raises(error):
            await client.launch_analysis("session", session, body)
        assert sandbox.requests.by_method["POST"] == 1


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_what_is_read_and_written_fits_both_dialects(dialect: str) -> None:
    """Notes, info, look-up by path, absent objects, changes, jobs."""
    async with lab(dialect=dialect) as (client, sandbox):
        client.dialect = await probe(client)
        project = (await client.page("project"))[0]
        session = (await client.page("session", parent=("project", project["id"]), limit=1))[0]
        await client.add_note("session", session["id"], "hello")
        assert [note["text"] for note in await client.notes("session", session["id"])] == ["hello"]
        await client.set_info("session", session["id"], {"flyball": {"seen": True}})
        read = await client.get("session", session["id"])
        assert read["info"]["flyball"] == {"seen": True}
        subject = await client.get("subject", session["parents"]["subject"])
        path = (project["group"], project["label"], subject["label"], session["label"])
        assert (await client.lookup(*path))["id"] == session["id"]
        with pytest.raises((Gone, Refused)):
            await client.get("session", "f" * 24)
        stored = filters.where(filters.identified("_id", session["id"], client.dialect))
        again = await client.page("session", filter=stored)
        assert [row["id"] for row in again] == [session["id"]]
        job = (await client.page("job", limit=1))[0]
        assert (await client.job(job["id"]))["inputs"] == job["inputs"]
        assert "config" not in job.get("config", {})
        assert len(sandbox.site.sessions.rows) == len(
            [row async for rows in client.iterate("session", include_all_info=False) for row in rows]
        )


def _some_t1(sandbox: Sandbox) -> tuple[str, str, str]:
    """Session, acquisition and name of a T1 image."""
    for file in sandbox.site.files.rows.values():
        reference = file["parent_ref"]
        if file.get("type") == "nifti" and "T1" in file["classification"].get("Measurement", ()):
            acquisition = sandbox.site.acquisitions.rows[reference["id"]]
            return acquisition["parents"]["session"], reference["id"], file["name"]
    raise AssertionError("the lab has a T1")


def test_the_default_dialect_is_the_documented_one() -> None:
    """Before any probe: documented spellings, nothing proved."""
    assert Dialect().page_size is None
    assert not Dialect().proves_operator(">=")


async def test_files_are_filtered_by_name_only_where_that_is_proved() -> None:
    """Not on a site that passes over the condition, nor on one that finds nothing by it."""

    def passes_over(request: Request) -> Request:
        return replaced_filter(request, r"name=~.*", "parents.project=~.")

    def finds_nothing(request: Request) -> Response | None:
        return Response(200, {}, b'{"results": []}') if "name=~" in dict(request.query).get("filter", "") else None

    found = {}
    for name, bend in (("plain", None), ("passes over", passes_over), ("finds nothing", finds_nothing)):
        async with lab(bend=bend) as (client, _):
            found[name] = (await probe(client)).file_names
    assert found == {"plain": True, "passes over": False, "finds nothing": False}
