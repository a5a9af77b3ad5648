"""The live view: one look for all, only news sent, and the stream that carries it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import aiohttp
import orjson
import pytest

from flyball.logs import Secrets
from flyball.model.errors import FlyballError
from flyball.web import streaming
from flyball.web.live import Live, View, news
from unit.web.conftest import TOKEN, Make, Site
from unit.web.fakes import Clock, FakeDaemon, effect, rule

DEADLINE = 90.0
PARTS = {"at", "readiness", "status", "rules", "now", "held", "recent", "alerts", "trouble", "acting"} | {
    "failures",
    "weather",
}


def view(**parts: Any) -> View:
    return View("2026-11-20T14:02:11+00:00", parts)


class Stream:
    """The messages of an open stream."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer

    async def next(self) -> Any:
        """The next message; None at the end."""
        async with asyncio.timeout(DEADLINE):
            while line := await self.answer.content.readline():
                if line.startswith(b"data: "):
                    return orjson.loads(line.removeprefix(b"data: "))
        return None

    async def drain(self) -> None:
        """Read to the end."""
        while await self.next() is not None:
            pass

    async def until(self, part: str) -> Any:
        """The next message that has a part."""
        while part not in (message := await self.next()):
            assert message is not None
        return message[part]


def open_stream(site: Site, **headers: str) -> Any:
    return site.http.get(f"{site.url}/events/stream", headers={**site.bearer, **headers})


# --- news


def test_the_first_message_has_everything() -> None:
    """Who has seen nothing is told all."""
    assert news(view(status={"idle": True}, rules={}), None) == {
        "at": "2026-11-20T14:02:11+00:00",
        "status": {"idle": True},
        "rules": {},
    }


def test_what_did_not_change_is_not_sent() -> None:
    """Only changed parts, nothing at all when there is nothing new; a running clock is no news."""
    before = view(status={"idle": True, "uptime_s": 1}, recent=[1])
    assert news(view(status={"idle": True, "uptime_s": 2}, recent=[1]), before) is None
    told = news(view(status={"idle": True, "uptime_s": 2}, recent=[2]), before)
    assert told == {"at": before.at, "recent": [2]}


def test_rules_are_sent_one_by_one() -> None:
    """Of a thousand rules only those that changed, and null for those that are gone."""
    before = view(rules={"a": {"n": 1}, "b": {"n": 1}, "c": {"n": 1}})
    told = news(view(rules={"a": {"n": 1}, "b": {"n": 2}, "d": {"n": 1}}), before)
    assert told is not None
    assert told["rules"] == {"b": {"n": 2}, "c": None, "d": {"n": 1}}


# --- looking


async def test_many_pages_share_one_look() -> None:
    """The daemon is asked once for all that look in the same moment, and again when the moment has passed."""
    daemon, clock = FakeDaemon(), Clock()
    live = Live(daemon, clock, every=1.0)
    first = await live.view()
    asked = len(daemon.asked)
    assert await live.view() is first
    assert len(daemon.asked) == asked
    clock.advance(timedelta(seconds=1))
    assert await live.view() is not first
    assert len(daemon.asked) == 2 * asked


async def test_a_costly_look_is_taken_less_often() -> None:
    """A tenth of the time at the most: a look of half a second is good for five."""
    daemon, clock = FakeDaemon(), Clock()

    class Slow(FakeDaemon):
        async def status(self) -> dict[str, Any]:
            clock.advance(timedelta(seconds=0.5))
            return await daemon.status()

    live = Live(Slow(), clock, every=1.0)
    await live.view()
    assert live.pause == pytest.approx(5.0)


async def test_a_broken_ledger_is_part_of_the_view() -> None:
    """The page is told what is wrong, and keeps what it knew."""
    daemon = FakeDaemon()
    daemon.broken = FlyballError("disk I/O error")
    parts = (await Live(daemon, Clock()).view()).parts
    assert parts["trouble"] == "disk I/O error"
    assert parts["readiness"]["status"] == "ready"
    assert "status" not in parts


async def test_effects_are_sent_without_their_parameters() -> None:
    """They may be long; the state of a launched job is kept."""
    daemon = FakeDaemon()
    daemon.known_effects = [effect(1, params={"text": "x" * 10_000}, outcome={"job": "j", "job_state": "running"})]
    (row,) = (await Live(daemon, Clock()).view()).parts["recent"]
    assert "params" not in row
    assert row["job_state"] == "running"


# --- the stream


async def test_the_stream_begins_with_a_snapshot(site: Site) -> None:
    """The first message has every part."""
    site.daemon.known_rules = {"bold-qc": rule()}
    async with open_stream(site) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")
        first = await Stream(answer).next()
    assert set(first) == PARTS
    assert first["rules"]["bold-qc"]["mode"] == "live"


async def test_changes_follow(site: Site) -> None:
    """What happens on the daemon reaches the page without its asking."""
    async with open_stream(site) as answer:
        stream = Stream(answer)
        assert (await stream.next())["recent"] == []
        site.daemon.known_effects = [effect(1, "running", summary="<script>alert(1)</script>")]
        site.clock.advance(timedelta(seconds=2))
        assert (await stream.until("now"))[0]["summary"] == "<script>alert(1)</script>"


async def test_a_stop_ends_the_streams(site: Site) -> None:
    """Open streams end at once, so that the stop does not wait for them."""
    async with open_stream(site) as answer:
        stream = Stream(answer)
        await stream.next()
        async with asyncio.timeout(DEADLINE):
            await site.server.stop()
        assert await stream.next() is None


async def test_streams_are_counted(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is told so; a closed one makes room."""
    monkeypatch.setattr(streaming, "MOST", 1)
    async with open_stream(site) as answer:
        await Stream(answer).next()
        refused = await site.get("/events/stream")
        assert (refused.status, refused.error) == (503, "too_many")


async def test_a_stream_needs_the_token(locked: Site) -> None:
    """Like everything else."""
    async with open_stream(locked, Authorization="Bearer wrong") as answer:
        assert answer.status == 401
    async with open_stream(locked, Authorization=f"Bearer {TOKEN}") as answer:
        assert set(await Stream(answer).next()) == PARTS


async def test_the_stream_shows_no_secret(make: Make) -> None:
    """What is sent is masked like any answer."""
    daemon = FakeDaemon()
    daemon.known_effects = [effect(1, "failed", error="refused: k3y-of-the-lab")]
    site = await make(daemon, secrets=Secrets("k3y-of-the-lab"))
    async with open_stream(site) as answer:
        first = await Stream(answer).next()
    assert first["recent"][0]["error"] == "refused: ***"


async def test_a_fault_before_the_stream_is_an_error(site: Site) -> None:
    """While an answer can still be given, it is given."""
    site.daemon.broken = ValueError("inside")
    answer = await site.get("/events/stream")
    assert (answer.status, answer.error) == (500, "internal")


async def test_a_fault_within_the_stream_ends_it(site: Site) -> None:
    """The browser comes back by itself; nothing of the fault is sent."""
    async with open_stream(site) as answer:
        stream = Stream(answer)
        await stream.next()
        site.daemon.broken = ValueError("inside")
        site.clock.advance(timedelta(seconds=2))
        with pytest.raises(aiohttp.ClientPayloadError):
            await stream.drain()
    site.daemon.broken = None
    assert (await site.get("/healthz")).status == 200
