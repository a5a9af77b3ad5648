"""The sandbox over a real socket: faults, counts, controls, time."""

import asyncio
import io
import socket
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest

from flyball.sandbox import Fault, FaultPlan, Sandbox, Scenario
from unit.sandbox.lab import NOW

DEADLINE = 90.0


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A listening lab."""
    async with Sandbox(Scenario.named("lab"), clock=Clock()) as running:
        yield running


@pytest.fixture
async def http(sandbox: Sandbox) -> AsyncIterator[aiohttp.ClientSession]:
    """A client with the admin's key."""
    headers = {"Authorization": f"Bearer {sandbox.key.rsplit(':', 1)[1]}"}
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(sandbox.url.removesuffix("/api"), headers=headers, connector=connector) as client:
        yield client


async def get(http: aiohttp.ClientSession, path: str) -> Any:
    """A GET that has to succeed."""
    async with http.get(path) as response:
        assert response.status == 200
        return await response.json()


def an_acquisition(sandbox: Sandbox) -> dict[str, Any]:
    """Some acquisition without tags."""
    return sandbox.site.acquisitions.rows[sandbox.site.acquisitions.ids[0]]


async def test_it_answers_and_counts(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    """Requests are kept with query, headers and status, and counted."""
    await get(http, "/api/sessions?filter=label%3DSession+1&limit=2")
    last = sandbox.requests.last[-1]
    assert (last.method, last.path, last.status) == ("GET", "/api/sessions", 200)
    assert last.query == [("filter", "label=Session 1"), ("limit", "2")]
    assert last.headers["authorization"].startswith("Bearer ")
    assert sandbox.requests.total == sandbox.requests.by_method["GET"] == sandbox.requests.by_status[200] == 1


async def test_encoded_path_parts(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    """A percent-encoded slash stays inside its segment."""
    own = an_acquisition(sandbox)["_id"]
    async with http.post(f"/api/acquisitions/{own}/tags", json={"value": "a b"}) as response:
        assert response.status == 200
    async with http.delete(f"/api/acquisitions/{own}/tags/a%20b") as response:
        assert response.status == 200
    assert an_acquisition(sandbox)["tags"] == []
    async with http.get(f"/api/acquisitions/{own}/files/x%2Fy") as response:
        assert response.status == 404
        assert "x/y" in (await response.json())["message"]


async def test_multipart_uploads(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    """The file and its metadata arrive, larger than aiohttp's usual limit."""
    form = aiohttp.FormData()
    form.add_field("metadata", '{"info": {"a": 1}}')
    form.add_field("file", io.BytesIO(b"x" * 3_000_000), filename="big.csv", content_type="text/csv")
    own = sandbox.site.projects.ids[0]
    async with http.post(f"/api/projects/{own}/files", data=form) as response:
        (record,) = await response.json()
    assert (record["size"], record["info"], record["type"]) == (3_000_000, {"a": 1}, "tabular data")
    async with http.get(f"/api/projects/{own}/files/big.csv") as response:
        assert len(await response.read()) == 3_000_000
        assert response.content_type == "text/csv"


async def test_time_moves_the_site(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """A job goes on when the clock does."""
    clock: Any = sandbox._clock
    gear = next(g["_id"] for g in sandbox.site.gears.rows.values() if g["gear"]["name"] == "bids-mriqc")
    session = sandbox.site.sessions.ids[0]
    body = {"label": "L", "job": {"gear_id": gear, "inputs": {}, "tags": ["K"]}}
    async with http.post(f"/api/sessions/{session}/analyses?job=true", json=body) as response:
        assert response.status == 200
    assert [j["state"] for j in await get(http, "/api/jobs?filter=tags=K")] == ["pending"]
    clock.now += timedelta(minutes=5)
    assert (await get(http, "/api/jobs?filter=tags=K"))[0]["state"] in {"complete", "failed"}


async def test_error_answers_on_order(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    """Status, Retry-After and HTML as ordered, only for what fits, only so often."""
    own = an_acquisition(sandbox)["_id"]
    fault = sandbox.faults.add("status", method="POST", path=r"/tags$", status=429, retry_after=7, count=2)
    for _ in range(2):
        async with http.post(f"/api/acquisitions/{own}/tags", json={"value": "X"}) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "7")
    assert an_acquisition(sandbox)["tags"] == []
    async with http.post(f"/api/acquisitions/{own}/tags", json={"value": "X"}) as response:
        assert response.status == 200
    assert fault.hits == 2
    sandbox.faults.add("status", status=502, html=True, count=1)
    async with http.get("/api/sessions") as response:
        assert (response.status, response.content_type) == (502, "text/html")
    sandbox.faults.add("status", status=503, commit=True, count=1)
    async with http.delete(f"/api/acquisitions/{own}/tags/X") as response:
        assert response.status == 503
    assert an_acquisition(sandbox)["tags"] == []


@pytest.mark.parametrize(("kind", "done"), [("reset_before", False), ("reset_after", True), ("truncate", True)])
async def test_broken_connections(sandbox: Sandbox, http: aiohttp.ClientSession, kind: str, done: bool) -> None:
    """The connection ends without a whole answer, before or after the request was carried out."""
    own = an_acquisition(sandbox)["_id"]
    sandbox.faults.add(kind, count=1)
    with pytest.raises(aiohttp.ClientError):
        async with http.post(f"/api/acquisitions/{own}/tags", json={"value": "X"}) as response:
            await response.read()
    assert (an_acquisition(sandbox)["tags"] == ["X"]) is done
    assert sandbox.requests.last[-1].status == 0


async def test_hanging_and_slow_answers(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    """Slow answers come late; a hanging one never, and does not keep the sandbox from stopping."""
    sandbox.faults.add("slow", delay_s=0.05, count=1)
    started = time.monotonic()
    await get(http, "/api/auth/status")
    assert time.monotonic() - started >= 0.05
    own = an_acquisition(sandbox)["_id"]
    sandbox.faults.add("hang", commit=True, count=1)
    async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as tasks:
        hanging = tasks.create_task(http.post(f"/api/acquisitions/{own}/tags", json={"value": "X"}))
        while not an_acquisition(sandbox)["tags"]:
            await asyncio.sleep(0)
        await get(http, "/api/auth/status")
        assert not hanging.done()
        hanging.cancel()
    assert an_acquisition(sandbox)["tags"] == ["X"]


async def test_controls_from_outside(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    """Another process orders faults, reads counts and puts the data back."""
    async with http.post("/sandbox/faults", json=[{"kind": "status", "status": 500, "count": 1}]) as response:
        assert await response.json() == {"added": 1}
    async with http.post("/sandbox/faults", json={"kind": "nope"}) as response:
        assert response.status == 400
    async with http.get("/api/sessions") as response:
        assert response.status == 500
    own = an_acquisition(sandbox)["_id"]
    async with http.post(f"/api/acquisitions/{own}/tags", json={"value": "X"}) as response:
        assert response.status == 200
    counts = await get(http, "/sandbox/requests")
    assert counts["total"] == 2
    assert counts["faults"][0]["hits"] == 1
    async with http.delete("/sandbox/faults") as response:
        assert response.status == 200
    async with http.post("/sandbox/reset") as response:
        assert response.status == 200
    assert an_acquisition(sandbox)["tags"] == []
    assert sandbox.requests.total == 0
    async with http.get("/elsewhere") as response:
        assert response.status == 404


async def test_what_the_command_prints(sandbox: Sandbox) -> None:
    """Keys in the official SDK's form, the Neuroscout server's address, and two of its users."""
    host, port = sandbox.address
    ready = sandbox.ready()
    assert ready["flywheel"] == f"{host}:{port}:__force_insecure:{sandbox.key.rsplit(':', 1)[1]}"
    assert ready["neuroscout"] == f"http://{host}:{port}/neuroscout/api"
    assert [sorted(user) for user in ready["users"]] == [["email", "password"]] * 2
    assert sandbox.user_key != sandbox.key


def test_fault_plans_are_repeatable() -> None:
    """The same seed hits the same requests, at about the rate asked for."""

    def hits(seed: str) -> list[bool]:
        plan = FaultPlan(seed, [{"kind": "status", "rate": 0.2}])
        return [plan.pick("GET", "/x") is not None for _ in range(500)]

    assert hits("a") == hits("a") != hits("b")
    assert 60 < sum(hits("a")) < 140


@pytest.mark.parametrize("settings", [{"kind": "nope"}, {"kind": "slow", "path": "["}])
def test_impossible_faults(settings: dict[str, Any]) -> None:
    """Unknown kinds and broken patterns are refused."""
    with pytest.raises(ValueError, match=r"nope|\["):
        Fault(**settings)
    with pytest.raises(ValueError, match="speed"):
        FaultPlan().add("slow", speed=1)


@pytest.mark.parametrize("kind", ["reset_after", "hang"])
async def test_a_request_is_carried_out_long_after_its_connection(
    kind: str, sandbox: Sandbox, http: aiohttp.ClientSession
) -> None:
    """Nobody gets an answer; a moment later the tag is there all the same, and meanwhile the site says that it owes it."""
    acquisition = an_acquisition(sandbox)
    more = {"commit": True} if kind == "hang" else {}
    fault = sandbox.faults.add(kind, method="POST", path="/tags$", late_s=2.0, count=1, **more)
    began = time.monotonic()
    async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(_unanswered(http, f"/api/acquisitions/{acquisition['_id']}/tags"))
        while not (owed := await get(http, "/sandbox/requests"))["late"]:
            assert time.monotonic() - began < DEADLINE
        assert (owed["late"], fault.hits, acquisition["tags"]) == (1, 1, [])
        asked.cancel()
        while (await get(http, "/sandbox/requests"))["late"]:
            assert time.monotonic() - began < DEADLINE
    assert "late" in acquisition["tags"]
    assert time.monotonic() - began >= 2.0


async def _unanswered(http: aiohttp.ClientSession, path: str) -> None:
    """A request that gets no answer, however long it is waited for."""
    with pytest.raises(aiohttp.ClientError):
        await http.post(path, json={"value": "late"})


@pytest.mark.parametrize("turns", range(6))
async def test_a_connection_that_comes_while_it_stops_is_closed(turns: int) -> None:
    """However far the loop was with accepting it; an open one would be left behind, and its client waiting."""
    async with Sandbox(Scenario.named("lab"), clock=Clock()) as box:
        client = socket.create_connection(box.address)
        for _ in range(turns):
            await asyncio.sleep(0)
    with client:
        client.settimeout(DEADLINE)
        try:
            assert await asyncio.to_thread(client.recv, 1) == b""
        except ConnectionResetError:
            assert turns < 3, "it was accepted"


@pytest.mark.parametrize("wrong", [{"kind": "status", "late_s": 1.0}, {"kind": "reset_after", "late_s": -1.0}])
def test_a_fault_that_would_never_be_late_is_refused(wrong: dict[str, Any]) -> None:
    """Only what is carried out can be carried out late."""
    with pytest.raises(ValueError, match="late_s"):
        FaultPlan().add(**wrong)
