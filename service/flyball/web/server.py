"""The daemon's HTTP server: health, status, metrics, the ledger, the status page. aiohttp's server door.

Every request passes three layers: errors become answers (`answers`), the caller is judged (`access`), the address is
served. Four addresses are public: health, readiness, metrics, hooks.
"""

from __future__ import annotations

import errno
import logging
import socket
from contextlib import suppress
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware

from flyball.logs import Secrets
from flyball.model.errors import ConfigError, FlyballError
from flyball.model.ports import Clock
from flyball.wake import stop_accepting
from flyball.web.access import Caller, Gate
from flyball.web.answers import RETRY_AFTER, Answers, add_headers
from flyball.web.api import Api, parameters
from flyball.web.live import Live
from flyball.web.metrics import CONTENT_TYPE, Metrics
from flyball.web.pages import sign_in_page, status_page
from flyball.web.port import Daemon, Hooks
from flyball.web.readiness import readiness
from flyball.web.sessions import COOKIE, LASTS, same, seal
from flyball.web.streaming import Streams

MOST_BYTES: Final = 256 * 1024  # of a request's body: spec of the hooks; nothing else needs as much
_PUBLIC: Final = frozenset({"/healthz", "/readyz", "/metrics", "/hooks/{name}"})
_SIGN_IN: Final = "/session"
_SIGN_OUT: Final = "/session/end"
_READING: Final = frozenset({"GET", "HEAD"})
_PATIENCE: Final = 2.0  # seconds that open answers get when the server stops


class Server:
    """Serves one daemon.

    Args:
        daemon: what is shown and asked.
        metrics: of the daemon.
        host: address to listen on. Without a token, other machines get nothing but the public addresses from it.
        port: to listen on; 0 takes a free one.
        token: for reading from elsewhere and for acting; None: none is set.
        act_without_token: whether this machine may act when no token is set.
        clock: the time.
        secrets: what must not appear in any answer.
        hooks: the incoming webhooks, if there are any.
        live_every: seconds between two looks for the live page.
    """

    def __init__(
        self,
        daemon: Daemon,
        metrics: Metrics,
        *,
        host: str = "127.0.0.1",
        port: int = 8080,
        token: str | None = None,
        act_without_token: bool,
        clock: Clock,
        secrets: Secrets | None = None,
        hooks: Hooks | None = None,
        live_every: float = 1.0,
    ) -> None:
        if token is not None and not token.strip():
            raise ConfigError("http.token is empty: set one, or leave it out")
        self._daemon = daemon
        self._metrics = metrics
        self._host = host
        self._port = port
        self._token = token
        self._hooks = hooks
        self._clock = clock
        self._gate = Gate(token, act_without_token)
        self._answers = Answers(secrets or Secrets())
        self._streams = Streams(Live(daemon, self._clock, live_every, acting=self._gate.acting), self._answers)
        self._pages = {"status": status_page(), "sign-in": sign_in_page(), "wrong": sign_in_page(wrong=True)}
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Listen; the port.

        Raises:
            ConfigError: the port is taken or the address is not this machine's. The text says what to change.
        """
        runner = web.AppRunner(
            self._application(),
            access_log=None,
            logger=_logger(),
            handle_signals=False,
            shutdown_timeout=_PATIENCE,
            lingering_time=_PATIENCE,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            await runner.cleanup()
            raise ConfigError(self._refusal(error)) from error
        self._runner = runner
        port: int = runner.addresses[0][1]
        return port

    async def stop(self) -> None:
        """End the streams, let open answers end, close. May be called again."""
        self._streams.close()
        runner, self._runner = self._runner, None
        if runner is not None:
            await stop_accepting(site._server for site in runner.sites)  # noqa: SLF001 - aiohttp names them nowhere else
            await runner.cleanup()

    def _refusal(self, error: OSError) -> str:
        where = f"{self._host}:{self._port}"
        if error.errno == errno.EADDRINUSE:
            return f"http: {where} is taken by another program; set another http.port (FLYBALL_HTTP__PORT), 0 for any"
        if error.errno == errno.EACCES:
            return f"http: {where} is for the system's own programs; set an http.port above 1023 (FLYBALL_HTTP__PORT)"
        if isinstance(error, socket.gaierror) or error.errno in (errno.EADDRNOTAVAIL, None):
            return f"http: {self._host} is no address of this machine; set http.host (FLYBALL_HTTP__HOST)"
        return f"http: cannot listen on {where}: {error.strerror}"

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._answers.middleware(), self._guard()], client_max_size=MOST_BYTES)
        app.on_response_prepare.append(add_headers)
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._show_metrics),
                web.post("/hooks/{name}", self._hook),
                web.get("/status", self._status),
                web.get("/", self._page),
                web.post(_SIGN_IN, self._sign_in),
                web.post(_SIGN_OUT, self._sign_out),
                web.get("/events/stream", self._streams.handle, allow_head=False),
                *Api(self._daemon, self._answers).routes(),
            ]
        )
        return app

    def _guard(self) -> Middleware:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            resource = request.match_info.route.resource
            address = None if resource is None else resource.canonical
            if address in _PUBLIC:
                return await handler(request)
            signing_in = address in (_SIGN_IN, _SIGN_OUT) and self._token is not None
            acting = request.method not in _READING and not signing_in and address is not None
            denied = None if signing_in else self._gate.judge(_caller(request), acting=acting, now=self._clock.now())
            if denied is None:
                return await handler(request)
            if denied.status != 401:
                return self._answers.error(denied.status, denied.code, denied.message)
            response = (
                self._pages["sign-in"].answer(401)
                if address == "/" and "Authorization" not in request.headers
                else self._answers.error(401, denied.code, denied.message)
            )
            response.headers["WWW-Authenticate"] = 'Bearer realm="flyball"'
            return response

        return guard

    async def _healthz(self, _request: web.Request) -> web.Response:
        return self._answers.json({"status": "ok"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        said, good = await readiness(self._daemon)
        self._metrics.set_ready(good)
        return self._answers.json(said, 200 if good else 503, None if good else RETRY_AFTER)

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        with suppress(FlyballError):  # the counters are there all the same, and /readyz tells of the trouble
            await self._daemon.measure()
        _, good = await readiness(self._daemon)
        self._metrics.set_ready(good)
        return web.Response(body=self._metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    async def _status(self, request: web.Request) -> web.Response:
        parameters(request, ())
        return self._answers.json(await self._daemon.status())

    async def _page(self, _request: web.Request) -> web.Response:
        return self._pages["status"].answer()

    async def _sign_in(self, request: web.Request) -> web.Response:
        """The form's token becomes a cookie that is good for reading."""
        if self._token is None:
            return self._answers.error(404, "not_found", "no token is set, so there is nothing to sign in to")
        given = (await request.post()).get("token")
        if not (isinstance(given, str) and same(given.strip(), self._token)):
            return self._pages["wrong"].answer(401)
        response = web.Response(status=303, headers={"Location": "/"})
        response.set_cookie(
            COOKIE,
            seal(self._token, self._clock.now()),
            max_age=int(LASTS.total_seconds()),
            path="/",
            httponly=True,
            samesite="Strict",
            secure=request.secure or request.headers.get("X-Forwarded-Proto") == "https",
        )
        return response

    async def _sign_out(self, _request: web.Request) -> web.Response:
        """The browser forgets its session. Another site's page cannot end it: the cookie is not sent along from there,
        and what is sent back to there is not kept.
        """
        if self._token is None:
            return self._answers.error(404, "not_found", "no token is set, so there is no session to end")
        response = web.Response(status=303, headers={"Location": "/"})
        response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
        return response

    async def _hook(self, request: web.Request) -> web.Response:
        if self._daemon.stopping:
            return self._answers.error(503, "stopping", "the daemon is stopping", RETRY_AFTER)
        name = request.match_info["name"]
        if self._hooks is None or not self._hooks.knows(name):
            return self._answers.error(404, "not_found", "there is no hook of this name")
        headers = {key.lower(): value for key, value in request.headers.items()}
        status, said = await self._hooks.receive(name, headers, await request.read())
        wait = said.pop("retry_after", None)
        return self._answers.json(said, status, None if wait is None else {"Retry-After": str(wait)})


def _logger() -> logging.Logger:
    """Where aiohttp tells of trouble; what is no HTTP at all is left out: strangers could fill the log with it."""
    logger = logging.getLogger("flyball.http")
    logger.addFilter(_worth_telling)
    return logger


def _worth_telling(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def _caller(request: web.Request) -> Caller:
    transport, headers = request.transport, request.headers
    peer = None if transport is None else transport.get_extra_info("peername")
    return Caller(
        peer=peer[0] if isinstance(peer, tuple) else None,
        hosts=headers.getall("Host", []),
        origins=headers.getall("Origin", []),
        fetch_sites=headers.getall("Sec-Fetch-Site", []),
        authorization=headers.getall("Authorization", []),
        session=request.cookies.get(COOKIE),
    )
