"""Sites in trouble: shown with address and remedy, waited out with backoff, nothing lost; one stream or the whole site."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from flow.watched import COMPLETE, DIALECTS, QA, Watched, watched
from flyball.clients.exchange import Request, Response
from flyball.clients.transport import Timeouts
from flyball.model.errors import Refused
from flyball.sandbox.metadata import modify

ANALYSES = """
rules:
  - id: analysed
    each: analysis
    since: all
    if: analysis.label == 'run'
    do: [{alert: {title: run}}]
"""


async def recovers(lab: Watched) -> None:
    """What changed meanwhile is decided once the site is well again."""
    lab.sandbox.faults.clear()
    for _ in range(4):
        await lab.settle(minutes=3)
    assert (await lab.verdicts())["scien/tome/sub-01/meanwhile"] == "yes"
    assert lab.watch.weather.error is None
    assert lab.watch.weather.failures == 0


@pytest.mark.parametrize(
    ("kind", "more", "says"),
    [
        ("status", {"status": 502, "html": True}, "502"),
        ("status", {"status": 503}, "503"),
        ("status", {"status": 429, "retry_after": 40}, "429"),
        ("status", {"status": 401}, "API key"),
        ("reset_before", {}, "check that"),
        ("truncate", {}, "check that"),
    ],
)
async def test_the_whole_site_is_ill(kind: str, more: dict[str, Any], says: str) -> None:
    """The error names the site's address and what to check; after it everything is there."""
    async with watched() as lab:
        polls = lab.watch.weather.polls
        lab.sandbox.faults.add(kind, **more)
        lab.session("meanwhile", ("T1w", "T2w"))
        requests = []
        for _ in range(3):
            requests.append(await lab.round())
            await lab.decide()
        weather = lab.watch.weather
        assert weather.error is not None
        assert says in weather.error
        assert lab.sandbox.url in weather.error
        assert weather.failures == 3
        assert weather.polls == polls
        assert max(requests) <= 2
        assert "scien/tome/sub-01/meanwhile" not in await lab.verdicts()
        await recovers(lab)


async def test_nobody_is_there() -> None:
    """A site that does not listen: which address, what to check; it is found again by itself."""
    async with watched(started=False) as lab:
        transport: Any = lab.client.transport
        good, transport.base_url = transport.base_url, "http://127.0.0.1:9/api"
        lab.session("meanwhile", ("T1w", "T2w"))
        await lab.settle()
        assert lab.watch.weather.error is not None
        assert "127.0.0.1:9" in lab.watch.weather.error
        assert lab.watch.weather.polls == 0
        transport.base_url = good
        await recovers(lab)


async def test_a_wrong_key() -> None:
    """It says so, before anything is listed; an old site would have answered 200 and nothing."""
    async with watched(dialect="live19", started=False) as lab:
        transport: Any = lab.client.transport
        transport._headers["Authorization"] = "scitran-user wrong"
        await lab.settle()
        assert lab.watch.weather.error is not None
        assert "check the API key of site 'main'" in lab.watch.weather.error
        assert await lab.ids("session") == set()


@pytest.mark.parametrize(
    ("kind", "more"),
    [("status", {"status": 500}), ("status", {"status": 503, "html": True}), ("truncate", {}), ("hang", {})],
)
async def test_one_stream_is_ill(kind: str, more: dict[str, Any]) -> None:
    """The others are polled on, within their time; the ill one is tried less and less often."""
    async with watched(COMPLETE + ANALYSES.replace("rules:\n", "")) as lab:
        fault = lab.sandbox.faults.add(kind, path="^/analyses", **more)
        transport: Any = lab.client.transport
        if kind == "hang":
            transport._timeouts = Timeouts(60.0, 3.0, 60.0)
        for number in range(6):
            lab.session(f"s{number}", ("T1w", "T2w"))
            await lab.settle()
            assert (await lab.verdicts())[f"scien/tome/sub-01/s{number}"] == "yes"
        assert lab.watch.weather.failures == 0
        assert lab.watch.weather.error is not None
        assert fault.hits < 6
        made = lab.site.add_analysis("session", lab.session("meanwhile", ("T1w", "T2w"))["_id"], "run")
        await recovers(lab)
        assert made["_id"] in await lab.ids("analysis")


async def test_a_storm_of_429_is_obeyed_and_passes() -> None:
    """Half of all requests are turned away for a while; nothing is lost."""
    async with watched(QA) as lab:
        lab.sandbox.faults.add("status", status=429, rate=0.5)
        scans = [lab.scan(lab.session(f"s{number}")) for number in range(5)]
        for scan in scans:
            lab.qa(scan, 0.5)
        for _ in range(10):
            await lab.settle()
        lab.sandbox.faults.clear()
        for _ in range(3):
            await lab.settle(minutes=3)
        assert list((await lab.verdicts()).values()) == ["yes"] * 5


async def test_a_row_that_cannot_be_read_singly_does_not_stop_the_page() -> None:
    """A site of 2019 breaks on one object: its info is unknown, the others are decided, and it is tried again."""
    async with watched(QA, dialect="live19") as lab:
        scans = [lab.scan(lab.session("s"), f"run-{number}") for number in range(4)]
        for scan in scans:
            lab.qa(scan, 0.5)
        lab.sandbox.faults.add("status", path=scans[2]["_id"], status=500)
        await lab.settle()
        found = {path.split("/")[4]: verdict for path, verdict in (await lab.verdicts()).items()}
        assert found == {"run-0": "yes", "run-1": "yes", "run-2": "unknown", "run-3": "yes"}
        lab.sandbox.faults.clear()
        await lab.settle()
        assert set((await lab.verdicts()).values()) == {"yes"}


async def test_the_backoff_of_the_loop_and_its_end() -> None:
    """`run` waits longer after each failure, is woken by hand, and keeps to its times when all is well."""
    async with watched() as lab:
        lab.sandbox.faults.add("status", status=503)
        task = asyncio.get_running_loop().create_task(lab.watch.run())
        try:
            for failures in (1, 2, 3):
                async with asyncio.timeout(90):
                    while lab.watch.weather.failures < failures:
                        await asyncio.sleep(0.01)
                lab.watch.poll_now()
            lab.sandbox.faults.clear()
            polls = lab.watch.weather.polls
            async with asyncio.timeout(90):
                while lab.watch.weather.polls == polls:
                    lab.watch.poll_now()
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()
        assert lab.watch.weather.failures == 0


class Dirty:
    """A site whose answers are changed before they are read."""

    def __init__(self, lab: Watched, path: str, spoil: Any) -> None:
        transport: Any = lab.client.transport
        send = transport.send

        async def bent(request: Request) -> Response:
            response: Response = await send(request)
            if request.path.startswith(path) and response.ok:
                body = json.loads(response.body)
                rows = body["results"] if isinstance(body, dict) and "results" in body else body
                return Response(response.status, response.headers, spoil(body, rows))
            return response

        transport.send = bent


@pytest.mark.parametrize(
    "dirt",
    [
        {"label": None},
        {"label": ["a"], "created": 12, "modified": True},
        {"parents": None, "session": None},
        {"parents": {"session": 3, "project": None}},
        {"info": "none", "tags": "x", "files": "y", "notes": 3},
        {"files": [None, 3, "x", {"name": None}, {"name": {"a": 1}}, {}]},
        {"revision": "4", "timestamp": 1e400, "uid": 2**80},
        {"revision": 2**70, "created": "yesterday", "modified": ""},
        {"info": {"a": {"b": [float("nan"), float("inf")]}}},
        {"_id": None},
        {"_id": 17},
    ],
    ids=str,
)
async def test_a_dirty_row_does_not_stop_the_stream(dirt: dict[str, Any]) -> None:
    """Whatever stands in one row, the others of its page are read, and later pages too."""
    text = COMPLETE + QA.replace("rules:\n", "")
    async with watched(text) as lab:
        session = lab.session("s")
        spoiled = lab.scan(session, "spoiled")
        for label in ("T1w", "T2w"):
            lab.qa(lab.scan(session, label), 0.5)

        def spoil(body: Any, rows: Any) -> bytes:
            for row in rows if isinstance(rows, list) else ():
                if row.get("_id") == spoiled["_id"]:
                    row.update(dirt)
            return json.dumps(body).encode()

        Dirty(lab, "/acquisitions", spoil)
        for _ in range(2):
            await lab.settle()
        assert lab.watch.weather.failures == 0
        assert len(await lab.verdicts("qa")) == 2
        assert (await lab.verdicts("complete"))["scien/tome/sub-01/s"] == "yes"
        lab.scan(session, "later")
        await lab.settle()
        assert len(await lab.ids("acquisition")) >= 5


async def test_info_beyond_all_measure() -> None:
    """Deep and large info is stored and compared like any other."""
    async with watched(QA) as lab:
        session = lab.session("s")
        deep: dict[str, Any] = {}
        for _ in range(200):
            deep = {"deeper": deep}
        modify(lab.site, "session", session, {"info": {"large": "x" * 2_000_000, "deep": deep}})
        await lab.settle()
        before = await lab.events()
        await lab.settle()
        assert await lab.events() == before
        node = await lab.node("session", session["_id"])
        assert node is not None
        assert len(node.doc["info"]["large"]) == 2_000_000


async def test_a_page_that_is_too_large() -> None:
    """It is asked for in smaller pieces; a row that is too large alone is read without its info."""
    async with watched(QA) as lab:
        transport: Any = lab.client.transport
        transport._max_body = 60_000
        session = lab.session("s")
        for number in range(40):
            scan = lab.scan(session, f"run-{number}")
            lab.qa(scan, 0.5)
            modify(lab.site, "acquisition", scan, {"info": {"text": "x" * 4000}})
        huge = lab.scan(session, "huge")
        modify(lab.site, "acquisition", huge, {"info": {"text": "x" * 100_000}})
        for _ in range(2):
            await lab.settle()
        assert list((await lab.verdicts()).values()) == ["yes"] * 40
        assert huge["_id"] in await lab.ids("acquisition")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_key_that_is_taken_away_while_running(dialect: str) -> None:
    """401 to everything: nothing is marked as gone or hidden."""
    async with watched(dialect=dialect) as lab:
        before = await lab.ids("session")
        lab.sandbox.faults.add("status", status=401)
        await lab.settle(hours=30)
        await lab.watch.sweep_if_due()
        await lab.settle()
        assert await lab.ids("session") == before
        with pytest.raises(Refused):
            await lab.client.auth_status()
