"""aiohttp's client door: sends a `Request`, returns a `Response`, and says by the error what is known of the rest.

Repetitions happen here only for requests that change nothing, a few times within seconds. aiohttp's own second try on
a dead kept-alive connection is turned off, so one attempt here is one request on the wire. What creates something
goes out on a connection of its own, where "the connection was already closed" cannot be mistaken for "not done".
"""

from __future__ import annotations

import asyncio
import ssl as ssl_module
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

from flyball.clients.causes import cause_of
from flyball.clients.exchange import (
    BodyTooLarge,
    Does,
    Pace,
    Receiver,
    Request,
    Response,
    Seen,
    Slice,
    length_of,
    retry_after,
)
from flyball.clients.fenced import FencedBody, May, NotAllowedError, Watched, note_sent, while_allowed
from flyball.clients.pieces import ended, sent
from flyball.model.errors import Permanent, SiteError, Stopping, Transient, UnknownOutcome

Observer = Callable[[str, str, int | None, float], None]
"""Called once per attempt with method, path template, status (None: no answer) and seconds."""

_KEPT_HEADERS = ("content-type", "retry-after", "location", "date", "content-length", "content-range", "etag")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HOPS = 5  # redirects that are followed
_SAME_TIME = timedelta(seconds=2)  # Date has whole seconds: a smaller difference of the clocks cannot be told
_REPEATED = frozenset({429, 502, 503, 504})
_LONGEST_OBEYED_HERE = 30.0
_FENCED = "{site}: nothing was sent: this replica's lease has run out"
_NOT_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Time limits in seconds, the official SDK's for connecting and silence (SDK 23 wire).

    Attributes:
        connect: until the connection stands, TLS included.
        silence: between two pieces of the answer.
        whole: for one attempt, body included.
    """

    connect: float = 10.0
    silence: float = 60.0
    whole: float = 300.0


@dataclass(frozen=True, slots=True)
class Repetition:
    """Short repetitions of reads: the wait before each further attempt, in seconds. Longer ones are the ledger's."""

    waits: tuple[float, ...] = (0.2, 1.0, 3.0)


class Unpaced:
    """No pace at all: for tests and one-off calls."""

    def slot(self) -> Any:
        """A turn at once."""
        return _Turn()

    def saw(self, seen: Seen, retry_after: float | None = None) -> None:
        """Not interested."""


class _Turn:
    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        return None


class Transport:
    """Connections to one site.

    Args:
        base_url: scheme, host, port and base path, without a slash at the end.
        headers: for every request; the Authorization among them never appears in an error or a `repr`.
        site: the configured name, put before every message.
        pace: holds requests back; by default nothing does.
        timeouts: time limits.
        repetition: short repetitions of reads.
        ssl: True for the system's certificates, or a context with the lab's own.
        max_body: largest answer in bytes, counted after decompression.
        observer: told about every attempt.
        may_act: asked right before anything is sent that changes something; where it says no, nothing is.
        sleep, clock, now: time, for tests: a pause, monotonic seconds, the present in UTC.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        site: str = "site",
        pace: Pace | None = None,
        timeouts: Timeouts = Timeouts(),
        repetition: Repetition = Repetition(),
        ssl: ssl_module.SSLContext | bool = True,
        max_body: int = 128 * 1024 * 1024,
        observer: Observer | None = None,
        may_act: May | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.site = site
        self.now = now
        self.skew = timedelta(0)
        """How far the site's clock is ahead of ours, by the Date of its last answer; 0 within two seconds."""
        self._headers = dict(headers or {})
        self._pace: Pace = pace or Unpaced()
        self._timeouts = timeouts
        self._repetition = repetition
        self._ssl = ssl
        self._max_body = max_body
        self._observer = observer
        self._may_act = may_act
        self._sleep = sleep
        self._clock = clock
        self._kept: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None
        self._date: str | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"Transport({self.base_url!r}, site={self.site!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def site_now(self) -> datetime:
        """The present by the site's clock, as far as its last answer showed it: what a date in an answer is held to."""
        return self.now() + self.skew

    async def close(self) -> None:
        """Closes all connections; nothing can be sent afterwards."""
        self._closed = True
        for session in (self._kept, self._fresh):
            if session is not None:
                await session.close()

    async def send(self, request: Request) -> Response:
        """Sends the request and reads the answer to its end, whatever its status.

        Raises:
            Transient: no usable answer, and repeating is harmless, or certainly nothing was sent.
            UnknownOutcome: no usable answer to a request that may have been carried out.
            Permanent: the answer is larger than the cap, or the address is none.
            Stopping: `close` was called.
        """
        waits = self._repetition.waits if request.does is Does.READ else ()
        for wait in waits:
            try:
                response = await self._attempt(request)
            except Transient:
                pass
            else:
                if response.status not in _REPEATED:
                    return response
                asked = retry_after(response.headers, self.site_now())
                if asked is not None and asked > _LONGEST_OBEYED_HERE:
                    return response
                wait = max(wait, asked or 0.0)  # noqa: PLW2901 - the site's wish over ours
            await self._sleep(wait)
        return await self._attempt(request)

    async def _attempt(self, request: Request) -> Response:
        """One request on the wire."""
        async with self._pace.slot():
            begun = self._clock()
            status: int | None = None
            trace = SimpleNamespace(sent=False, may=None)
            if self._may_act is not None and request.does is not Does.READ:
                trace.may = Watched(self._may_act)
            try:
                response = await self._exchange(request, trace)
                status = response.status
            except NotAllowedError as error:
                raise Stopping(_FENCED.format(site=self.site)) from error
            except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
                if trace.may is not None and trace.may.refused:
                    raise Stopping(_FENCED.format(site=self.site)) from error
                self._pace.saw(Seen.SLOW if isinstance(error, TimeoutError) else Seen.LOST)
                sent = trace.sent or not (request.alone or isinstance(error, _NOT_CONNECTED))
                raise self._translated(request, error, sent=sent) from error
            finally:
                if self._observer is not None:
                    self._observer(request.method, request.template or request.path, status, self._clock() - begun)
            asked = retry_after(response.headers, self.site_now()) if status in (429, 503) else None
            busy = status == 429 or asked is not None
            self._pace.saw(Seen.BUSY if busy else Seen.ILL if status == 503 else Seen.OK, asked)
            return response

    async def fetch(self, request: Request, receiver: Receiver) -> Response:
        """Sends a read and hands a good answer to `receiver` as it comes; the answer without its body.

        A redirect is followed by hand: a signed address gets none of our headers but the range that is asked for, on
        whatever host it is (storage refuses a second way of signing in). Only silence has a time limit.

        Raises:
            Transient: no usable answer, or it broke off. What came before was handed over.
            Permanent: it leads from https to http, or nowhere.
        """
        url, headers = URL(self.base_url + request.target, encoded=True), {**self._headers, **dict(request.headers)}
        times = self._timeouts
        limit = aiohttp.ClientTimeout(total=None, sock_connect=times.connect, sock_read=times.silence)
        async with self._pace.slot():
            begun, status = self._clock(), None
            try:
                for _ in range(_HOPS + 1):
                    async with self._session(fresh=request.alone).request(
                        "GET", url, headers=headers, allow_redirects=False, ssl=self._ssl, timeout=limit
                    ) as response:
                        status = response.status
                        kept = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
                        if status in _REDIRECTS and "location" in kept:
                            url = self._next(url, kept["location"])
                            headers = {name: text for name, text in headers.items() if name.lower() == "range"}
                            continue
                        self._pace.saw(Seen.BUSY if status == 429 else Seen.OK)
                        if not response.ok:
                            return Response(status, kept, (await response.content.read(65536)))
                        await receiver.begin(status, kept)
                        async for piece in response.content.iter_any():
                            await receiver.write(piece)
                        return Response(status, kept)
            except (aiohttp.ClientError, OSError, ValueError) as error:
                self._pace.saw(Seen.SLOW if isinstance(error, TimeoutError) else Seen.LOST)
                raise self._translated(request, error, sent=not isinstance(error, _NOT_CONNECTED)) from error
            finally:
                if self._observer is not None:
                    self._observer(request.method, request.template or request.path, status, self._clock() - begun)
        raise Permanent(f"{self.site}: {request.name} leads from one address to the next without end", site=self.site)

    def _next(self, url: URL, location: str) -> URL:
        there = url.join(URL(location, encoded=True))
        if there.scheme not in ("http", "https") or (url.scheme == "https" and there.scheme == "http"):
            raise Permanent(f"{self.site}: it sends us on to an unsafe address ({there.scheme})", site=self.site)
        return there

    async def put_elsewhere(self, url: str, headers: Mapping[str, str], pieces: tuple[bytes | Slice, ...]) -> Response:
        """Puts bytes to a storage address that the site has signed. None of our own headers go there.

        Raises:
            Transient: no usable answer; the same may be sent again.
        """
        there = URL(url, encoded=True)
        if there.scheme not in ("http", "https") or not there.host:
            raise Permanent(f"{self.site}: it names no usable address for an upload", site=self.site)
        request = Request("PUT", "/", does=Does.SET, template="(storage)", pieces=pieces)
        given = {**headers, "Content-Length": str(length_of(pieces))}
        times = self._timeouts
        limit = aiohttp.ClientTimeout(total=None, sock_connect=times.connect, sock_read=times.silence)
        sending = sent(pieces)
        async with self._pace.slot():
            try:
                async with self._session(fresh=False).request(
                    "PUT", there, headers=given, data=sending, allow_redirects=False, ssl=self._ssl, timeout=limit
                ) as response:
                    kept = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
                    return Response(response.status, kept, await response.content.read(65536))
            except (aiohttp.ClientError, OSError, ValueError) as error:
                raise self._translated(request, error, sent=not isinstance(error, _NOT_CONNECTED)) from error
            finally:
                await ended(sending)

    async def _exchange(self, request: Request, trace: SimpleNamespace) -> Response:
        headers = {**self._headers, **dict(request.headers)}
        times = self._timeouts
        may = trace.may
        if may is not None and not may():
            raise NotAllowedError
        data: Any = request.body if may is None or not request.body else FencedBody(request.body, may)
        sending: AsyncGenerator[bytes, None] | None = None
        whole: float | None = request.timeout or times.whole
        if request.pieces:
            headers["Content-Length"] = str(length_of(request.pieces))
            sending = sent(request.pieces) if may is None else while_allowed(sent(request.pieces), may)
            data, whole = sending, request.timeout  # a large file takes its time; silence ends it
        try:
            return await self._exchanged(request, headers, data, whole, trace)
        finally:
            if sending is not None:
                await ended(sending)

    async def _exchanged(
        self, request: Request, headers: Mapping[str, str], data: Any, whole: float | None, trace: SimpleNamespace
    ) -> Response:
        times = self._timeouts
        async with self._session(fresh=request.alone).request(
            request.method,
            URL(self.base_url + request.target, encoded=True),
            headers=headers,
            data=data,
            allow_redirects=False,
            ssl=self._ssl,
            timeout=aiohttp.ClientTimeout(total=whole, sock_connect=times.connect, sock_read=times.silence),
            trace_request_ctx=trace,
        ) as response:
            trace.sent = True
            body = await self._body(request, response)
            kept = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
            self._compare_clocks(kept.get("date"))
            return Response(response.status, kept, body)

    def _compare_clocks(self, date: str | None) -> None:
        if date is None or date == self._date:  # it says whole seconds, and a second has hundreds of answers
            return
        self._date = date
        try:
            there = parsedate_to_datetime(date)
        except ValueError:
            return
        if there.tzinfo is not None:
            skew = there - self.now()
            self.skew = skew if abs(skew) > _SAME_TIME else timedelta(0)

    async def _body(self, request: Request, response: aiohttp.ClientResponse) -> bytes:
        length = response.content_length
        if length is not None and length <= self._max_body and "Content-Encoding" not in response.headers:
            return await response.read()
        pieces: list[bytes] = []
        size = 0
        async for piece in response.content.iter_any():
            size += len(piece)
            if size > self._max_body:
                response.close()
                message = f"{self.site}: {request.name} answered with more than {self._max_body} bytes"
                if request.idempotent:
                    raise BodyTooLarge(message, status=response.status, site=self.site)
                raise UnknownOutcome(message, status=response.status, site=self.site)
            pieces.append(piece)
        return b"".join(pieces)

    def _session(self, *, fresh: bool) -> aiohttp.ClientSession:
        """The session of kept or of fresh connections, made on first use (it needs the running loop)."""
        if self._closed:
            raise Stopping(f"{self.site}: the connections are closed")
        found = self._fresh if fresh else self._kept
        if found is not None:
            return found
        tracing = aiohttp.TraceConfig()
        tracing.on_request_headers_sent.append(note_sent)
        session = aiohttp.ClientSession(
            # no limit of connections here: the pace is the only queue
            connector=aiohttp.TCPConnector(limit=0, force_close=fresh, ttl_dns_cache=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Content-Type",),
            trace_configs=[tracing] if fresh else None,  # costs time, and only creates need the certainty
        )
        # aiohttp would send GET, PUT and DELETE a second time on a dead kept-alive connection, unseen by us
        session._retry_connection = False  # noqa: SLF001 - the switch has no public name (aiohttp 3.14)
        if fresh:
            self._fresh = session
        else:
            self._kept = session
        return session

    def _translated(self, request: Request, error: Exception, *, sent: bool) -> SiteError:
        """Our error for one of aiohttp's, the socket's or the TLS layer's."""
        what = cause_of(error)
        where = URL(self.base_url).authority
        if isinstance(error, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
            return Permanent(f"{self.site}: {self.base_url} is no usable address", site=self.site)
        if not sent:
            return Transient(
                f"{self.site}: cannot reach {where}: {what}; check the address in the settings, and the network",
                site=self.site,
            )
        message = f"{self.site}: {request.name} at {where} got no usable answer: {what}"
        if request.idempotent:
            return Transient(message, site=self.site)
        return UnknownOutcome(message, timed_out=isinstance(error, TimeoutError), site=self.site)
