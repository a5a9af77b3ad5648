"""The sandbox over HTTP: reads requests, lets faults have their way, sends what the site answers.

All addresses of the Flywheel site are below `/api`, those of the Neuroscout server below `/neuroscout`.
Outside of them, `/sandbox/…` is for whoever runs the sandbox as a process of its own: faults, request
counts, a fresh start.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson
from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.multipart import BodyPartReader, MultipartReader
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from flyball.sandbox.api.call import Part, Reply, Request
from flyball.sandbox.api.front import answer
from flyball.sandbox.api.storage import answer_storage
from flyball.sandbox.faults import Fault, FaultPlan
from flyball.sandbox.scout.api.front import answer as scout_answer
from flyball.sandbox.scout.api.front import table
from flyball.sandbox.scout.control import control, overview
from flyball.sandbox.scout.state import Scout
from flyball.sandbox.state import Site
from flyball.wake import stop_accepting

_HANG_S = 3600.0
_LARGEST = 1 << 30
_SCOUT = "/neuroscout"
_STORAGE = "/storage/"
_LONGEST_LINE = 4094
"""The longest request line that the Neuroscout server reads, in bytes."""
_LONGEST_KEPT = 1 << 20
"""Bodies of requests up to this size, in bytes, are kept with the request."""
_HTML = b"<html><head><title>%d</title></head><body><center><h1>%d</h1></center><hr>nginx</body></html>"


@dataclass(frozen=True, slots=True)
class Received:
    """A request that arrived, with the status that it was answered (0: no answer)."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    status: int
    body: bytes


@dataclass(slots=True)
class Requests:
    """What arrived: the last ones in full, all of them counted."""

    last: deque[Received] = field(default_factory=lambda: deque(maxlen=5000))
    total: int = 0
    by_method: Counter[str] = field(default_factory=Counter)
    by_status: Counter[int] = field(default_factory=Counter)

    def note(self, received: Received) -> None:
        """Count a request in."""
        self.last.append(received)
        self.total += 1
        self.by_method[received.method] += 1
        self.by_status[received.status] += 1

    def counts(self) -> dict[str, Any]:
        """How many arrived."""
        by_status = {str(status): n for status, n in self.by_status.items()}
        return {"total": self.total, "by_method": dict(self.by_method), "by_status": by_status}

    def clear(self) -> None:
        """Start counting anew."""
        self.last.clear()
        self.by_method.clear()
        self.by_status.clear()
        self.total = 0


class Server:
    """The listening sites."""

    def __init__(
        self,
        state: Callable[[], Site],
        scout: Callable[[], Scout],
        faults: FaultPlan,
        reset: Callable[[], None],
    ) -> None:
        """`state` and `scout` give the sites brought up to the present; `reset` puts their data back."""
        self._state = state
        self._scout = scout
        self._reset = reset
        self.faults = faults
        self.requests = Requests()
        self.scout_requests = Requests()
        self._runner: web.ServerRunner | None = None
        self._late: set[asyncio.TimerHandle] = set()
        self.address: tuple[str, int] = ("127.0.0.1", 0)
        self.storage = ""
        """Where the object storage is, when it has a port of its own."""

    async def start(self, host: str, port: int, *, storage: bool = False) -> None:
        """Listen; port 0 takes a free one.

        The object storage gets a port of its own if asked for: clients drop their key when they are
        sent to another origin, and only then.
        """
        server = web.Server(self._handle, request_factory=_unlimited, access_log=None)
        self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.address = self._runner.addresses[0][:2]
        if storage:
            await web.TCPSite(self._runner, host, 0).start()
            own = next(each[1] for each in self._runner.addresses if each[1] != self.address[1])
            self.storage = f"http://{self.address[0]}:{own}"

    async def stop(self) -> None:
        """Stop listening and close the connections; what was to be carried out later is not."""
        for handle in self._late:
            handle.cancel()
        self._late.clear()
        if self._runner is not None:
            await stop_accepting(site._server for site in self._runner.sites)  # noqa: SLF001 - aiohttp names them nowhere else
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.rel_url.raw_path
        if not path.startswith(("/api", _SCOUT, _STORAGE)):
            return await self._control(request)
        site, requests = ("neuroscout", self.scout_requests) if path.startswith(_SCOUT) else ("flywheel", self.requests)
        below = path.removeprefix(_SCOUT).removeprefix("/api")
        fault = self.faults.pick(request.method, below, site) if self.faults.faults else None
        reply = Reply(status=0)
        headers = {name.lower(): value for name, value in request.headers.items()}
        query = parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True)
        body, parts = await _read_body(request)
        try:
            if fault is not None and fault.kind == "slow":
                await asyncio.sleep(fault.delay_s)
            if path.startswith(_SCOUT) and len(f"{request.method} {request.path_qs} HTTP/1.1") > _LONGEST_LINE:
                return _hang_up(request)
            asked = _read(request.method, path, query, headers, body, parts)
            if fault is not None and fault.is_late:
                self._later(fault.late_s, path, asked)
            elif fault is None or fault.carries_out:
                reply = self._answer(path, asked)
            if fault is not None and fault.kind != "slow":
                status = fault.status if fault.kind == "status" else 0
                reply = Reply(status=status, raw=_bytes(reply), content_type=reply.content_type)
                return await _misbehave(request, fault, reply)
            if reply.chunks is not None:
                return await _streamed(request, reply, reply.chunks)
            return _response(reply) if reply.status else _hang_up(request)
        finally:
            kept = body if len(body) <= _LONGEST_KEPT else b""
            requests.note(Received(request.method, unquote(path), query, headers, reply.status, kept))

    def _answer(self, path: str, request: Request) -> Reply:
        if path.startswith(_SCOUT):
            return self._scout_answer(path, request)
        return (answer_storage if path.startswith(_STORAGE) else answer)(self._state(), request)

    def _scout_answer(self, path: str, request: Request) -> Reply:
        path = path.removeprefix(_SCOUT)
        if not path.startswith("/api/"):
            return table(self._scout(), request.segments if path.startswith("/reports/") else [])
        if path.endswith("/"):
            request = replace(request, segments=[*request.segments, ""])
        return scout_answer(self._scout(), request)

    def _later(self, seconds: float, path: str, request: Request) -> None:
        """Carry a request out later, whether or not anybody waits for it."""

        def act() -> None:
            self._late.discard(handle)
            self._answer(path, request)

        handle = asyncio.get_running_loop().call_later(seconds, act)
        self._late.add(handle)

    async def _control(self, request: web.BaseRequest) -> web.StreamResponse:
        """`/sandbox/faults`, `/sandbox/requests`, `/sandbox/neuroscout`, `/sandbox/reset`."""
        match request.method, request.path:
            case "GET", "/sandbox/requests":
                counts = {
                    **self.requests.counts(),
                    "neuroscout": self.scout_requests.counts(),
                    "faults": [{"kind": f.kind, "path": f.path, "hits": f.hits} for f in self.faults.faults],
                    "late": len(self._late),
                }
                return _response(Reply(body=counts))
            case "POST", "/sandbox/faults":
                given = orjson.loads(await request.read() or b"[]")
                try:
                    planned = [self.faults.add(**fault) for fault in (given if isinstance(given, list) else [given])]
                except (ValueError, TypeError) as error:
                    return _response(Reply(status=400, body={"message": str(error)}))
                return _response(Reply(body={"added": len(planned)}))
            case "DELETE", "/sandbox/faults":
                self.faults.clear()
                return _response(Reply(body={}))
            case "GET", "/sandbox/neuroscout":
                return _response(Reply(body=overview(self._scout())))
            case "POST", "/sandbox/neuroscout":
                try:
                    return _response(Reply(body=control(self._scout(), orjson.loads(await request.read()))))
                except (ValueError, TypeError, AttributeError) as error:
                    return _response(Reply(status=400, body={"message": str(error)}))
            case "POST", "/sandbox/reset":
                self._reset()
                self.requests.clear()
                self.scout_requests.clear()
                return _response(Reply(body={}))
        return _response(Reply(status=404, body={"message": "The resource could not be found."}))


def _unlimited(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: Any,
    task: "asyncio.Task[None]",
) -> web.BaseRequest:
    """Requests whose bodies may be as large as scans are."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_LARGEST)


def _read(
    method: str,
    path: str,
    query: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes,
    parts: list[Part] | None,
) -> Request:
    values: dict[str, list[str]] = {}
    for name, value in query:
        values.setdefault(name, []).append(value)
    segments = [unquote(part) for part in path.removeprefix(_SCOUT).split("/")[2:] if part]
    return Request(method, segments, values, headers, body, parts)


async def _read_body(request: web.BaseRequest) -> tuple[bytes, list[Part] | None]:
    if not request.body_exists:
        return b"", None
    if not request.content_type.startswith("multipart/"):
        return await request.read(), None
    parts: list[Part] = []
    reader = await request.multipart()
    async for part in reader:
        if isinstance(part, MultipartReader) or not isinstance(part, BodyPartReader):
            continue
        content = bytes(await part.read(decode=False))
        parts.append(Part(part.name or "", part.filename, part.headers.get("Content-Type"), content))
    return b"", parts


def _response(reply: Reply) -> web.Response:
    body = _bytes(reply)
    headers = {**reply.headers, "Content-Type": reply.content_type}
    return web.Response(status=reply.status, body=body, headers=headers)


async def _streamed(request: web.BaseRequest, reply: Reply, chunks: Iterable[bytes]) -> web.StreamResponse:
    """A large body, piece by piece."""
    headers = {**reply.headers, "Content-Type": reply.content_type, "Content-Length": str(reply.length)}
    response = web.StreamResponse(status=reply.status, headers=headers)
    await response.prepare(request)
    for chunk in chunks:
        await response.write(chunk)
    await response.write_eof()
    return response


def _bytes(reply: Reply) -> bytes:
    if reply.chunks is not None:
        return b"".join(reply.chunks)
    return reply.raw if reply.raw is not None else orjson.dumps(reply.body)


async def _misbehave(request: web.BaseRequest, fault: Fault, reply: Reply) -> web.StreamResponse:
    match fault.kind:
        case "status":
            headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            if fault.html:
                text = _HTML % (fault.status, fault.status)
                return web.Response(status=fault.status, body=text, content_type="text/html", headers=headers)
            body = {"message": "The sandbox was told to fail", "status_code": fault.status, "request_id": "fault"}
            return web.json_response(body, status=fault.status, headers=headers)
        case "hang":
            await asyncio.sleep(_HANG_S)
        case "truncate":
            whole = _bytes(reply)
            response = web.StreamResponse(headers={"Content-Length": str(len(whole) + 1)})
            response.content_type = "application/json"
            await response.prepare(request)
            await response.write(whole[: len(whole) // 2])
    return _hang_up(request)


def _hang_up(request: web.BaseRequest) -> web.StreamResponse:
    """Close the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
