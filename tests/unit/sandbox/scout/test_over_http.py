"""The emulated Neuroscout server over a real socket: closed connections, faults, and the hand from outside."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from flyball.sandbox import Fault, FaultPlan, Sandbox, Scenario, ScenarioError
from unit.sandbox.scout.lab import NOW, packaged

SCENARIOS = Path(__file__).parents[4] / "config" / "scenarios"


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The sandbox' clock."""
    return Clock()


@pytest.fixture
async def sandbox(clock: Clock) -> AsyncIterator[Sandbox]:
    """Listening sites."""
    async with Sandbox(packaged(), clock=clock) as running:
        yield running


@pytest.fixture
async def http(sandbox: Sandbox) -> AsyncIterator[aiohttp.ClientSession]:
    """A signed-in client, each request on a connection of its own, without the client's own repeats."""
    connector = aiohttp.TCPConnector(force_close=True)
    base = sandbox.neuroscout.removesuffix("/neuroscout/api")
    async with aiohttp.ClientSession(base, connector=connector) as client:
        async with client.post("/neuroscout/api/auth", json=sandbox.scout_users[0]) as answer:
            client.headers["Authorization"] = f"JWT {(await answer.json())['access_token']}"
        sandbox.scout_requests.clear()
        yield client


async def ask(http: aiohttp.ClientSession, method: str, path: str, **more: Any) -> Any:
    """Status and JSON of a request below the API."""
    async with http.request(method, f"/neuroscout/api{path}", **more) as answer:
        return answer.status, await answer.json()


async def test_a_crash_closes_the_connection(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    """No status, no body; it is counted as status 0."""
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await ask(http, "POST", "/analyses", json={"dataset_id": 9, "runs": ["a"]})
    assert sandbox.scout_requests.by_status == {0: 1}


async def test_a_request_line_that_is_too_long(http: aiohttp.ClientSession) -> None:
    """4094 bytes are read, one more closes the connection."""
    room = 4094 - len("GET /neuroscout/api/runs?number= HTTP/1.1")
    status, _ = await ask(http, "GET", f"/runs?number={'1' * room}")
    assert status == 200
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await ask(http, "GET", f"/runs?number={'1' * (room + 1)}")


async def test_uploads_arrive_as_forms(sandbox: Sandbox, http: aiohttp.ClientSession, clock: Clock) -> None:
    """Repeated fields and files keep their order."""
    form = aiohttp.FormData()
    for name, value in (("collection_name", "c"), ("dataset_id", "9"), ("runs", "236"), ("runs", "237")):
        form.add_field(name, value)
    for value in ("1", "2"):
        form.add_field("event_files", f"onset\tduration\tv\n0\t1\t{value}\n".encode(), filename="e.tsv")
    status, made = await ask(http, "POST", "/predictors/collection", data=form)
    assert (status, made["status"]) == (200, "PENDING")
    clock.now += timedelta(seconds=10)
    (row,) = [p for p in sandbox.scout.predictors.values() if p.name == "v"]
    assert {run: events[0].value for run, events in row.events.items()} == {236: "1", 237: "2"}


async def test_faults_know_their_site(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    """A fault of one site leaves the other alone; without a site it is about both."""
    sandbox.faults.add("status", site="neuroscout", status=502, html=True, count=1)
    sandbox.faults.add("status", site="flywheel", status=503)
    async with http.get("/neuroscout/api/users") as answer:
        assert (answer.status, answer.content_type) == (502, "text/html")
    assert (await ask(http, "GET", "/users"))[0] == 200
    sandbox.faults.clear()
    sandbox.faults.add("status", status=429, path="^/users$")
    assert (await ask(http, "GET", "/users"))[0] == 429
    with pytest.raises(ValueError, match="elsewhere"):
        Fault("slow", site="elsewhere")


async def test_a_created_analysis_whose_answer_is_lost(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    """It is there, among the own ones."""
    sandbox.faults.add("reset_after", method="POST", path="^/analyses$", count=1)
    with pytest.raises(aiohttp.ClientError):
        await ask(http, "POST", "/analyses", json={"dataset_id": 9, "name": "lost"})
    _, mine = await ask(http, "GET", "/user/myanalyses")
    assert [row["name"] for row in mine].count("lost") == 1


async def test_the_hand_from_outside(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    """Habits, locks and accounts are changed below `/sandbox/neuroscout`; what cannot be is refused."""
    change = {
        "habits": {"compile_s": 0, "workers": 1},
        "analyses": {"ncfxs": {"locked": True}},
        "users": {"ben": {"disabled": True}},
    }
    async with http.post("/sandbox/neuroscout", json=change) as answer:
        assert answer.status == 200
    assert (await ask(http, "PUT", "/analyses/ncfxs", json={"dataset_id": 9, "name": "x"}))[0] == 422
    assert sandbox.scout.habits.compile_s == (0.0, 0.0)
    async with http.get("/sandbox/neuroscout") as answer:
        assert await answer.json() == {"analyses": {"DRAFT": 1, "PASSED": 4}, "collections": 0, "backlog": 0}
    refused: list[Any] = [
        [],
        {"x": 1},
        {"habits": {"speed": 1}},
        {"analyses": {"zzzzz": {}}},
        {"users": {"ben": {"id": 1}}},
    ]
    for wrong in refused:
        async with http.post("/sandbox/neuroscout", json=wrong) as answer:
            assert answer.status == 400, wrong


async def test_counts_and_a_fresh_start(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    """Requests are counted by site; a reset puts the data back."""
    await ask(http, "POST", "/analyses", json={"dataset_id": 9})
    async with http.get("/sandbox/requests") as answer:
        counts = await answer.json()
    assert (counts["total"], counts["neuroscout"]["by_method"]) == (0, {"POST": 1})
    assert len(sandbox.scout.analyses) == 6
    async with http.post("/sandbox/reset") as answer:
        assert answer.status == 200
    assert len(sandbox.scout.analyses) == 5
    assert sandbox.scout_requests.total == 0


async def test_pages_beside_the_api(http: aiohttp.ClientSession) -> None:
    """Whatever is no address of the API is the web page, with 200."""
    for path in ("/neuroscout/api/nope", "/neuroscout/api/users/", "/neuroscout/", "/neuroscout/reports/x/y.tsv"):
        async with http.get(path) as answer:
            assert (answer.status, answer.content_type) == (200, "text/html"), path


@pytest.mark.parametrize(
    "section",
    [
        {"data": []},
        {"habits": {"speed": 1}},
        {"datasets": [{"name": "no id"}]},
        {"users": [{"email": "a@example.org"}]},
        {"analyses": [{"name": "x", "owner": "nobody", "dataset": "Life"}]},
    ],
    ids=["key", "habit", "dataset", "user", "owner"],
)
def test_sections_that_cannot_be_used(section: dict[str, Any]) -> None:
    """A scenario with a wrong `neuroscout` is refused when it is read."""
    with pytest.raises(ScenarioError, match="neuroscout"):
        Scenario.of({"neuroscout": section})


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_scenarios(path: Path) -> None:
    """Each of them can be used, and has a Neuroscout server with two users to sign in."""
    scenario = Scenario.load(path)
    assert len(FaultPlan("seed", scenario.faults).faults) == len(scenario.faults)
    assert len(scenario.scout(NOW).users) >= 2


def test_a_scenario_of_its_own() -> None:
    """Without the section the server is empty; with parts of it the rest is the lab's."""
    assert Scenario.of({}).scout(NOW).datasets == {}
    quick = Scenario.named("lab", neuroscout={"habits": {"compile_s": 0}}).scout(NOW)
    assert (quick.habits.compile_s, quick.habits.report_s, len(quick.datasets)) == ((0, 0), 1, 7)
