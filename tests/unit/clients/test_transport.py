"""The transport against a loopback server that answers, breaks off, resets and hangs as told."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import uvloop

from fakes.scripted import ADD, CREATE, GET, OK, SET, Server, answer
from flyball.clients.exchange import BodyTooLarge, Request, Seen
from flyball.clients.transport import Repetition, Timeouts, Transport, Unpaced
from flyball.model.errors import Stopping, Transient, UnknownOutcome

SECRET = "scitran-user very-secret"


class Plain(Server):
    """Speaks HTTP to whoever begins a TLS handshake."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer(400))
        writer.close()


class Notes(Unpaced):
    """A pace that only takes notes."""

    def __init__(self) -> None:
        self.seen: list[tuple[Seen, float | None]] = []

    def saw(self, seen: Seen, retry_after: float | None = None) -> None:
        self.seen.append((seen, retry_after))


@asynccontextmanager
async def talking(server: Server, **arguments: Any) -> AsyncIterator[tuple[Transport, list[float], Notes]]:
    """A transport to the server, the waits it made (none really waited), and what its pace was told."""
    waits: list[float] = []
    notes = Notes()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with Transport(
        server.url,
        headers={"Authorization": SECRET, "Accept": "application/json"},
        site="main",
        pace=notes,
        sleep=sleep,
        now=lambda: datetime(2026, 11, 2, tzinfo=UTC),
        **arguments,
    ) as transport:
        yield transport, waits, notes


async def test_an_answer_comes_back_whole() -> None:
    """Status, body and the headers that matter."""
    async with Server() as server, talking(server) as (transport, waits, notes):
        response = await transport.send(GET)
    assert (response.status, response.body, response.is_json) == (200, b'{"_id":"x"}', True)
    assert server.heads[0].startswith("GET /api/sessions HTTP/1.1\r\n")
    assert "Authorization: scitran-user very-secret" in server.heads[0]
    assert "Content-Type" not in server.heads[0]
    assert (waits, notes.seen) == ([], [(Seen.OK, None)])


async def test_the_encoding_of_the_address_is_left_alone() -> None:
    """Percent-encoded slashes and question marks arrive as they were made."""
    request = Request("GET", "/acquisitions/1/tags/a%20b%2Fc", (("filter", 'label="a+b",x>=1'),))
    async with Server() as server, talking(server) as (transport, _, _):
        await transport.send(request)
    assert server.heads[0].split()[1] == "/api/acquisitions/1/tags/a%20b%2Fc?filter=label%3D%22a%2Bb%22%2Cx%3E%3D1"


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_reads_are_repeated_within_seconds(status: int) -> None:
    """Two bad answers, then a good one; the waits are short and bounded."""
    async with Server(answer(status), answer(status)) as server, talking(server) as (transport, waits, _):
        response = await transport.send(GET)
    assert response.status == 200
    assert waits == [0.2, 1.0]
    assert len(server.heads) == 3


async def test_repetitions_end_and_the_last_answer_is_given() -> None:
    """Four attempts at most."""
    async with Server(*[answer(503)] * 9) as server, talking(server) as (transport, waits, _):
        response = await transport.send(GET)
    assert response.status == 503
    assert len(server.heads) == 4
    assert waits == [0.2, 1.0, 3.0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500, 501])
async def test_other_answers_are_given_at_once(status: int) -> None:
    """A 500 is not repeated here: K19 said so to plain input errors."""
    async with Server(answer(status)) as server, talking(server) as (transport, waits, _):
        assert (await transport.send(GET)).status == status
    assert waits == []


async def test_retry_after_wins_over_the_own_wait_and_reaches_the_pace() -> None:
    """The site is told to the pace, the wait is the longer of the two."""
    async with Server(answer(429, Retry_After="7")) as server, talking(server) as (transport, waits, notes):
        assert (await transport.send(GET)).status == 200
    assert waits == [7.0]
    assert notes.seen == [(Seen.BUSY, 7.0), (Seen.OK, None)]


async def test_a_date_to_wait_for_is_read_by_the_sites_own_clock() -> None:
    """A site whose clock is an hour ahead names a time five seconds from its present: five seconds are waited."""
    ahead = datetime.now(UTC) + timedelta(hours=1)
    until = format_datetime(ahead + timedelta(seconds=5), usegmt=True)
    told = answer(429, Date=format_datetime(ahead, usegmt=True), Retry_After=until)
    async with Server(told) as server, talking(server) as (transport, waits, notes):
        assert (await transport.send(GET)).status == 200
    assert waits == [pytest.approx(5.0, abs=1.5)]
    assert notes.seen[0][0] is Seen.BUSY


async def test_a_long_retry_after_is_left_to_the_caller() -> None:
    """A minute is not waited for here: the answer is given back, the pace knows."""
    async with Server(answer(503, Retry_After="60")) as server, talking(server) as (transport, waits, notes):
        assert (await transport.send(GET)).status == 503
    assert waits == []
    assert notes.seen == [(Seen.BUSY, 60.0)]


async def test_a_503_without_retry_after_is_told_apart_from_a_busy_site() -> None:
    """Fewer at once, but no pause for the whole site."""
    async with Server(answer(503)) as server, talking(server) as (transport, _, notes):
        assert (await transport.send(GET)).status == 200
    assert notes.seen == [(Seen.ILL, None), (Seen.OK, None)]


@pytest.mark.parametrize("request_", [SET, ADD, CREATE], ids=["set", "add", "create"])
@pytest.mark.parametrize("step", [answer(429), answer(503), "close", "reset"], ids=["429", "503", "close", "reset"])
async def test_nothing_that_changes_the_site_is_repeated(request_: Request, step: Any) -> None:
    """One request on the wire, whatever comes back."""
    async with Server(step) as server, talking(server) as (transport, waits, _):
        if isinstance(step, bytes):
            assert (await transport.send(request_)).status in (429, 503)
        else:
            with pytest.raises(Transient if request_ is SET else UnknownOutcome) as caught:
                await transport.send(request_)
            assert not getattr(caught.value, "timed_out", False)
    assert len(server.heads) == 1
    assert waits == []


@pytest.mark.parametrize("request_", [GET, SET, ADD], ids=["get", "set", "add"])
async def test_a_dead_kept_alive_connection_gives_no_hidden_second_request(request_: Request) -> None:
    """The own repetition of aiohttp is off: the connection dies after a good answer, and one request stays one."""
    async with (
        Server(OK, "close") as server,
        talking(server, repetition=Repetition(())) as (transport, _, _),
    ):
        await transport.send(GET)
        with pytest.raises((Transient, UnknownOutcome)):
            await transport.send(request_)
    assert len(server.heads) == 2
    assert server.connections == 1


async def test_a_read_over_a_dead_connection_is_repeated_by_us_and_counted() -> None:
    """The observer sees both attempts."""
    seen: list[tuple[str, str, int | None]] = []

    def observer(method: str, template: str, status: int | None, seconds: float) -> None:
        assert seconds >= 0
        seen.append((method, template, status))

    async with Server("reset") as server, talking(server, observer=observer) as (transport, _, notes):
        await transport.send(GET)
    assert seen == [("GET", "/sessions", None), ("GET", "/sessions", 200)]
    assert notes.seen == [(Seen.LOST, None), (Seen.OK, None)]


async def test_creates_go_out_on_connections_of_their_own() -> None:
    """Reads share one connection, every create has a new one, and so has a fresh look-up."""
    async with Server() as server, talking(server) as (transport, _, _):
        for request in (GET, GET, CREATE, CREATE, GET.on_fresh_connection(), GET):
            await transport.send(request)
    assert server.connections == 4


async def test_a_truncated_answer_to_a_read_is_repeated() -> None:
    """The length was announced and not kept."""
    cut = (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b'{"_id"')
    async with Server(cut) as server, talking(server) as (transport, waits, _):
        assert (await transport.send(GET)).body == b'{"_id":"x"}'
    assert waits == [0.2]


@pytest.mark.parametrize(
    "cut",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b'{"_id"'),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"5\r\n"),
        (b"HTTP/1.1 2",),
        (b"this is no HTTP at all\r\n\r\n",),
    ],
    ids=["length", "chunk", "status line", "nonsense"],
)
async def test_a_broken_answer_to_a_create_leaves_its_outcome_unknown(cut: tuple[bytes, ...]) -> None:
    """It may have been carried out, and we did not time out."""
    async with Server(cut) as server, talking(server) as (transport, _, _):
        with pytest.raises(UnknownOutcome) as caught:
            await transport.send(CREATE)
    assert not caught.value.timed_out
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize("request_", [ADD, CREATE], ids=["add", "create"])
async def test_no_answer_in_time_is_an_unknown_outcome_of_our_own_making(request_: Request) -> None:
    """The site may still be at work, so `timed_out` says to wait longer before looking."""
    times = Timeouts(connect=60.0, silence=0.05, whole=60.0)
    async with Server("hang") as server, talking(server, timeouts=times) as (transport, _, notes):
        with pytest.raises(UnknownOutcome) as caught:
            await transport.send(request_)
    assert caught.value.timed_out
    assert notes.seen == [(Seen.SLOW, None)]


async def test_a_body_that_drips_ends_with_the_whole_time() -> None:
    """Bytes that come one by one do not keep a request alive for ever."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx"
    times = Timeouts(connect=60.0, silence=60.0, whole=0.1)
    async with Server(head) as server, talking(server, timeouts=times, repetition=Repetition(())) as (transport, _, _):
        with pytest.raises(Transient, match="no answer within the time limit"):
            await transport.send(GET)


async def test_a_request_may_bring_its_own_time_limit() -> None:
    """Shorter than the transport's."""
    request = Request("GET", "/x", timeout=0.05)
    async with Server("hang") as server, talking(server, repetition=Repetition(())) as (transport, _, _):
        with pytest.raises(Transient):
            await transport.send(request)


async def test_a_refused_connection_is_transient_for_everything() -> None:
    """Nothing was sent, so even a create may be tried again; the message says where and what to check."""
    async with Server() as server:
        pass
    async with talking(server, repetition=Repetition(())) as (transport, _, _):
        for request in (GET, SET, ADD, CREATE):
            with pytest.raises(Transient) as caught:
                await transport.send(request)
            assert f"main: cannot reach 127.0.0.1:{server.port}: " in str(caught.value)
            assert "check the address" in str(caught.value)


async def test_https_to_a_plain_server_is_said_so() -> None:
    """A wrong scheme is the likeliest of wrong addresses."""
    async with Plain() as server:
        transport = Transport(server.url.replace("http:", "https:"), site="main", repetition=Repetition(()))
        async with transport:
            with pytest.raises(Transient, match="does the site speak https on this port"):
                await transport.send(CREATE)


async def test_an_unknown_host_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name, no request."""
    loop = asyncio.get_running_loop()

    async def nowhere(*_: Any, **__: Any) -> Any:
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr(loop, "getaddrinfo", nowhere)
    async with Transport("http://nowhere.invalid/api", site="main", repetition=Repetition(())) as transport:
        with pytest.raises(Transient, match="the host name is not known"):
            await transport.send(CREATE)


async def test_redirects_are_not_followed() -> None:
    """The caller sees them; the key goes to no other host."""
    async with (
        Server(answer(302, Location="http://elsewhere.invalid/")) as server,
        talking(server) as (transport, _, _),
    ):
        response = await transport.send(GET)
    assert response.status == 302
    assert response.headers["location"] == "http://elsewhere.invalid/"


@pytest.mark.parametrize("packed", [False, True])
async def test_an_answer_beyond_the_cap_is_cut_off(packed: bool) -> None:
    """Counted after decompression, so that a small packed answer cannot fill the memory."""
    body = b"x" * 100_000
    sent = gzip.compress(body) if packed else body
    headers = {"Content_Encoding": "gzip"} if packed else {}
    async with Server(answer(200, sent, **headers)) as server, talking(server, max_body=50_000) as (transport, _, _):
        with pytest.raises(BodyTooLarge):
            await transport.send(GET)


async def test_a_create_with_an_endless_answer_is_of_unknown_outcome() -> None:
    """It said 200, but not what it made."""
    async with Server(answer(200, b"x" * 100_000)) as server, talking(server, max_body=50_000) as (transport, _, _):
        with pytest.raises(UnknownOutcome):
            await transport.send(CREATE)


async def test_packed_answers_are_unpacked() -> None:
    """A page of documents comes gzipped."""
    async with (
        Server(answer(200, gzip.compress(b"[1,2]"), Content_Encoding="gzip")) as server,
        talking(server) as (transport, _, _),
    ):
        assert (await transport.send(GET)).body == b"[1,2]"


async def test_a_closed_transport_sends_nothing() -> None:
    """Late work is told so."""
    async with Server() as server, talking(server) as (transport, _, _):
        await transport.close()
        with pytest.raises(Stopping, match="closed"):
            await transport.send(GET)
    assert server.heads == []


async def test_a_cancelled_request_stays_cancelled() -> None:
    """Stopping is no error of the site."""
    async with Server("hang") as server, talking(server) as (transport, _, _):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await transport.send(CREATE)


def test_the_same_holds_on_uvloop() -> None:
    """The loop that the daemon runs on reports broken connections in its own words."""

    async def dialogue() -> list[type[Exception]]:
        seen: list[type[Exception]] = []
        async with (
            Server("reset", "close", "reset") as server,
            talking(server, repetition=Repetition(())) as (transport, _, _),
        ):
            for request in (GET, ADD, CREATE):
                with pytest.raises((Transient, UnknownOutcome)) as caught:
                    await transport.send(request)
                seen.append(caught.type)
        async with talking(server, repetition=Repetition(())) as (transport, _, _):
            with pytest.raises(Transient):
                await transport.send(CREATE)
        return seen

    expected: list[type[Exception]] = [Transient, UnknownOutcome, UnknownOutcome]
    assert uvloop.run(dialogue()) == expected


def test_a_transport_shows_no_secret() -> None:
    """Neither in its own text nor in that of its parts."""
    transport = Transport("https://x.org/api", headers={"Authorization": SECRET}, ssl=ssl.create_default_context())
    assert "secret" not in repr(transport)
