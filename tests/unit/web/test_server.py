"""The server as a whole: health, readiness, metrics, hooks, headers, errors, starting and stopping."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from flyball.logs import Secrets
from flyball.model.errors import ConfigError, FlyballError, Permanent, Stopping
from flyball.web.metrics import Metrics
from flyball.web.server import MOST_BYTES, Server
from flyball.web.sessions import COOKIE
from unit.web.conftest import TOKEN, Make, Site
from unit.web.fakes import Clock, FakeDaemon, effect, rule
from unit.web.fakes import site as a_site

PROTECTED = ["/status", "/", "/events/stream", "/api/rules", "/api/rules/x", "/api/events", "/api/decisions"]
PROTECTED += ["/api/effects", "/api/effects/1", "/api/alerts", "/api/why?rule=x&target=y", "/nowhere"]
ACTS = ["/api/effects/1/approve", "/api/effects/1/reject", "/api/effects/1/retry", "/api/rules/x/pause"]
ACTS += ["/api/rules/x/resume", "/api/poll", "/api/reload"]


# --- health, readiness, metrics


async def test_healthz_answers_while_the_loop_turns(site: Site) -> None:
    """200, whatever the daemon's state."""
    site.daemon.state = "starting"
    site.daemon.broken = RuntimeError("x")
    answer = await site.get("/healthz")
    assert (answer.status, answer.json) == (200, {"status": "ok"})


@pytest.mark.parametrize(("state", "status"), [("ready", 200), ("degraded", 200), ("starting", 503), ("stopping", 503)])
async def test_readyz_by_state(site: Site, state: str, status: int) -> None:
    """Ready and degraded are good, starting and stopping are not; the checks are told either way."""
    site.daemon.state = state
    site.daemon.sites = {"main": a_site(ok=False, error="no answer")}
    answer = await site.get("/readyz")
    assert (answer.status, answer.json["status"]) == (status, state)
    assert answer.json["checks"]["sites"]["main"]["error"] == "no answer"
    assert ("Retry-After" in answer.headers) is (status == 503)


async def test_readyz_without_a_store(site: Site) -> None:
    """A store that cannot be reached is not ready, though the daemon calls itself degraded."""
    site.daemon.state = "degraded"
    site.daemon.store = {"ok": False, "error": "no space left"}
    answer = await site.get("/readyz")
    assert (answer.status, answer.json["checks"]["store"]["error"]) == (503, "no space left")


async def test_readyz_when_asking_fails(make: Make) -> None:
    """A ledger that cannot be read is told in the shape of a readiness."""

    class Broken(FakeDaemon):
        async def readiness(self) -> dict[str, Any]:
            raise FlyballError("disk I/O error")

    answer = await (await make(Broken())).get("/readyz")
    assert answer.status == 503
    assert answer.json == {"status": "degraded", "checks": {"store": {"ok": False, "error": "disk I/O error"}}}


async def test_readyz_while_stopping(site: Site) -> None:
    """From the first moment of a stop, before the daemon's own word changes."""
    site.daemon.stopping = True
    answer = await site.get("/readyz")
    assert (answer.status, answer.json["status"]) == (503, "stopping")


async def test_metrics_are_measured_when_read(site: Site) -> None:
    """Gauges are brought up to date before they are shown; trouble with that hides no counter."""
    site.metrics.effect("tag", "done", 0.1)
    site.daemon.broken = FlyballError("the ledger is away")
    answer = await site.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert b'flyball_effects_total{kind="tag",outcome="done"} 1.0' in answer.body
    assert b"flyball_ready 1.0" in answer.body
    assert site.daemon.measured == 1


async def test_status_is_the_daemons(site: Site) -> None:
    """Passed on as it is."""
    site.daemon.known_effects = [effect(1), effect(2, "held")]
    site.daemon.known_rules = {"bold-qc": rule()}
    answer = await site.get("/status")
    assert answer.status == 200
    assert (answer.json["effects"]["done"], answer.json["held"], answer.json["idle"]) == (1, 1, True)


# --- access over HTTP


@pytest.mark.parametrize("path", PROTECTED)
async def test_a_token_is_asked_for(locked: Site, path: str) -> None:
    """Every address but the public ones, unknown ones included, is closed without the token."""
    answer = await locked.get(path, Authorization="Bearer wrong")
    assert (answer.status, answer.error) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ACTS)
async def test_acting_asks_for_the_token(locked: Site, path: str) -> None:
    """And with it, it reaches the daemon."""
    refused = await locked.post(path, Authorization="Bearer wrong")
    assert (refused.status, locked.daemon.asked) == (401, [])
    taken = await locked.post(path)
    assert taken.status in (200, 409, 501)
    assert len(locked.daemon.asked) == 1


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_the_public_addresses_need_no_token(locked: Site, path: str) -> None:
    """Probes and Prometheus have none, and ask under any name."""
    locked.bearer = {}
    assert (await locked.get(path, Host="10.1.2.3:8080", Origin="https://evil.example")).status == 200


@pytest.mark.parametrize("path", PROTECTED)
@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}]
)
async def test_foreign_pages_are_refused_without_a_token(site: Site, path: str, headers: dict[str, str]) -> None:
    """DNS rebinding and requests of other pages find nothing."""
    answer = await site.get(path, **headers)
    assert answer.status == 403
    assert answer.error in ("foreign_host", "foreign_origin")


@pytest.mark.parametrize("path", ACTS)
async def test_nobody_acts_where_no_token_is_set(site: Site, path: str) -> None:
    """The answer says how to change that."""
    answer = await site.post(path)
    assert (answer.status, answer.error) == (403, "no_token_set")
    assert "FLYBALL_HTTP__TOKEN" in answer.json["error"]["message"]
    assert site.daemon.asked == []


@pytest.mark.parametrize("path", ACTS)
async def test_this_machine_acts_where_it_was_allowed(make: Make, path: str) -> None:
    """With the switch on, loopback acts, but never a foreign page."""
    site = await make(act_without_token=True)
    assert (await site.post(path, Origin="https://evil.example")).status == 403
    assert site.daemon.asked == []
    assert (await site.post(path)).status in (200, 409, 501)
    assert len(site.daemon.asked) == 1


async def test_other_machines_get_the_public_addresses_only(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a token, on an address that others reach."""
    site = await make()
    monkeypatch.setattr("flyball.web.access.is_loopback", lambda name: False)  # the peer is somebody else
    assert (await site.get("/healthz")).status == 200
    answer = await site.get("/status")
    assert (answer.status, answer.error) == (403, "loopback_only")


# --- signing in


async def test_the_page_asks_for_the_token(locked: Site) -> None:
    """Without a session `/` is the form, with 401; the form has no script at all."""
    locked.bearer = {}
    answer = await locked.get("/")
    assert (answer.status, answer.headers["Content-Type"]) == (401, "text/html; charset=utf-8")
    assert b'action="/session"' in answer.body
    assert "script-src" not in answer.headers["Content-Security-Policy"]


async def test_signing_in_gives_a_cookie_that_reads(locked: Site) -> None:
    """HttpOnly and strict; good for reading everything and for acting on nothing."""
    locked.bearer = {}
    answer = await locked.ask("POST", "/session", data={"token": TOKEN})
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert TOKEN not in cookie
    session = cookie.split(";")[0]
    assert (await locked.get("/", Cookie=session)).status == 200
    assert (await locked.get("/status", Cookie=session)).status == 200
    assert (await locked.post("/api/poll", Cookie=session)).status == 401
    locked.clock.advance(timedelta(days=8))
    assert (await locked.get("/status", Cookie=session)).status == 401


async def test_the_cookie_is_for_https_only_behind_a_proxy(locked: Site) -> None:
    """A proxy that speaks TLS says so."""
    form = {"data": {"token": TOKEN}, "headers": {"X-Forwarded-Proto": "https"}}
    assert "Secure" in (await locked.ask("POST", "/session", **form)).headers["Set-Cookie"]


@pytest.mark.parametrize("data", [{}, {"token": ""}, {"token": "wrong"}, {"other": TOKEN}])
async def test_a_wrong_token_gets_no_cookie(locked: Site, data: dict[str, str]) -> None:
    """The form again, and a word about it."""
    locked.bearer = {}
    answer = await locked.ask("POST", "/session", data=data)
    assert answer.status == 401
    assert "Set-Cookie" not in answer.headers
    assert b"This is not the token" in answer.body


async def test_signing_out_takes_the_cookie_back(locked: Site) -> None:
    """Nothing but the browser's own cookie ends; without a token there is no session to end."""
    locked.bearer.clear()
    answer = await locked.post("/session/end")
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert f'{COOKIE}="";' in cookie
    assert "Max-Age=0" in cookie
    assert "SameSite=Strict" in cookie


async def test_there_is_no_session_to_end_without_a_token(make: Make) -> None:
    """404, as for signing in."""
    free = await make(act_without_token=True)
    assert (await free.post("/session/end")).status == 404


async def test_there_is_no_signing_in_without_a_token(site: Site) -> None:
    """Nothing to sign in to."""
    assert (await site.post("/session")).status in (403, 404)


# --- hooks


async def test_unknown_hooks_are_not_found(site: Site) -> None:
    """Public, but there is none."""
    answer = await site.ask("POST", "/hooks/lab", json={})
    assert (answer.status, answer.error) == (404, "not_found")


class OneHook:
    """A hook `lab` that takes everything."""

    def __init__(self) -> None:
        self.got: list[tuple[str, Mapping[str, str], bytes]] = []

    def knows(self, name: str) -> bool:
        return name == "lab"

    async def receive(self, name: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        self.got.append((name, headers, body))
        return 202, {"event": "7"}


async def test_a_hook_gets_headers_and_body(make: Make) -> None:
    """As they came, header names in lower case; from anywhere, with any token."""
    hook = OneHook()
    site = await make(hooks=hook, token=TOKEN)
    site.bearer = {}
    answer = await site.ask("POST", "/hooks/lab", data=b"{}", headers={"X-Delivery-Id": "1", "Host": "any.example"})
    assert (answer.status, answer.json) == (202, {"event": "7"})
    ((name, headers, body),) = hook.got
    assert (name, headers["x-delivery-id"], body) == ("lab", "1", b"{}")
    assert (await site.post("/hooks/other")).status == 404
    site.daemon.stopping = True
    stopping = await site.post("/hooks/lab")
    assert (stopping.status, "Retry-After" in stopping.headers) == (503, True)


async def test_a_hook_that_takes_no_more_says_when(make: Make) -> None:
    """429 with the wait where senders look for it."""

    class Full(OneHook):
        async def receive(self, name: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
            await super().receive(name, headers, body)
            return 429, {"error": {"code": "too_many", "message": "later"}, "retry_after": 7}

    answer = await (await make(hooks=Full())).post("/hooks/lab")
    assert (answer.status, answer.error, answer.headers["Retry-After"]) == (429, "too_many", "7")


@pytest.mark.parametrize(("size", "status"), [(MOST_BYTES, 202), (MOST_BYTES + 1, 413)])
async def test_a_hooks_body_has_a_limit(make: Make, size: int, status: int) -> None:
    """256 KiB and not a byte more."""
    site = await make(hooks=OneHook())
    answer = await site.ask("POST", "/hooks/lab", data=b"x" * size)
    assert answer.status == status
    assert status == 202 or answer.error == "too_large"


# --- errors and headers


async def test_what_is_not_there_is_json(site: Site) -> None:
    """404 and 405 have the shape of errors; 405 says what is taken."""
    assert (await site.get("/nowhere")).error == "not_found"
    assert (await site.get("/api/../etc/passwd")).error == "not_found"
    assert (await site.ask("DELETE", "/status")).error == "method_not_allowed"


async def test_a_wrong_method_is_told(locked: Site) -> None:
    """With the token: 405, and which methods there are."""
    answer = await locked.ask("DELETE", "/status")
    assert (answer.status, answer.error) == (405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]


async def test_a_body_that_is_too_large_is_refused(locked: Site) -> None:
    """Acts expect no body; a huge one is not read."""
    answer = await locked.ask("POST", "/api/poll", data=b"x" * (MOST_BYTES + 1))
    assert (answer.status, answer.error) == (413, "too_large")
    assert locked.daemon.asked == []


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Stopping("stopping"), 503, "stopping"),
        (FlyballError("the ledger cannot be read"), 503, "unavailable"),
        (Permanent("main: 400 GET /sessions: bad filter"), 502, "site_error"),
    ],
)
async def test_what_the_daemon_cannot_do_is_told(site: Site, error: FlyballError, status: int, code: str) -> None:
    """Errors that are raised on purpose reach the caller, with a hint when to come again."""
    site.daemon.broken = error
    answer = await site.get("/status")
    assert (answer.status, answer.error) == (status, code)
    assert ("Retry-After" in answer.headers) is (status == 503)


async def test_a_fault_shows_nothing_of_its_inside(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """500 without text or trace; the log has it."""
    site.daemon.broken = ValueError("inside /srv/secret.py")
    answer = await site.get("/status")
    assert (answer.status, answer.error) == (500, "internal")
    assert b"inside" not in answer.body
    assert b"Traceback" not in answer.body


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/status", "/", "/api/rules", "/nowhere"])
async def test_every_answer_has_the_security_headers(site: Site, path: str) -> None:
    """Nothing is kept, framed, sniffed, or told elsewhere; the policy allows nothing by default."""
    headers = (await site.get(path)).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Server"] == "flyball"
    assert "Access-Control-Allow-Origin" not in headers


async def test_planted_secrets_are_never_shown(make: Make) -> None:
    """Wherever a secret stands in what the daemon says, it is blackened, and what is left is JSON."""
    daemon = FakeDaemon()
    secret = 'k3y"with\\quotes'
    daemon.known_effects = [effect(1, "failed", error=f"refused: {secret}", params={secret: [secret]})]
    daemon.known_alerts = [{"id": "1", "title": f"see https://user:{secret}@example.org/x"}]
    daemon.known_rules = {"bold-qc": rule(last_error=f"Bearer {secret}")}
    daemon.sites = {"main": a_site(error=f"401 with {secret}")}
    site = await make(daemon, secrets=Secrets(secret, "4711"))
    for path in ("/status", "/readyz", "/api/effects", "/api/effects/1", "/api/rules", "/api/alerts"):
        answer = await site.get(path)
        assert answer.status == 200
        assert "***" in str(answer.json)
        assert secret not in str(answer.json)
    daemon.broken = FlyballError(f"no way: {secret}")
    assert secret not in str((await site.get("/status")).json)


async def test_a_number_that_looks_like_a_secret_stays_a_number(make: Make) -> None:
    """Masking never breaks the JSON."""
    daemon = FakeDaemon()
    daemon.known_effects = [effect(1, params={"count": 47110, "text": "pin 4711"})]
    site = await make(daemon, secrets=Secrets("4711"))
    (row,) = (await site.get("/api/effects")).json["results"]
    assert row["params"] == {"count": 47110, "text": "pin ***"}


@pytest.mark.parametrize("request_line", [b"NONSENSE", b"GET /healthz HTTP/1.1\r\nX: \x00", b"GET / HTTP/9.9"])
async def test_what_is_no_http_makes_no_noise(
    site: Site, request_line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Scanners and stray bytes get a 400; the log stays free of traces that strangers choose."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(request_line + b"\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert b" 400 Bad Request" in answer
    assert b"Traceback" not in answer
    assert caplog.records == []


# --- starting and stopping


async def test_a_taken_port_is_told(site: Site) -> None:
    """With the setting to change."""
    second = Server(FakeDaemon(), Metrics(), port=site.port, act_without_token=False, clock=Clock())
    with pytest.raises(ConfigError, match=r"taken by another program.*FLYBALL_HTTP__PORT"):
        await second.start()


async def test_a_host_that_is_not_ours_is_told() -> None:
    """An address of another machine (TEST-NET-1) cannot be listened on."""
    server = Server(FakeDaemon(), Metrics(), host="192.0.2.1", port=0, act_without_token=False, clock=Clock())
    with pytest.raises(ConfigError, match="FLYBALL_HTTP__HOST"):
        await server.start()


@pytest.mark.parametrize("token", ["", "  "])
def test_an_empty_token_is_refused(token: str) -> None:
    """It would look like protection."""
    with pytest.raises(ConfigError, match=r"http\.token is empty"):
        Server(FakeDaemon(), Metrics(), token=token, act_without_token=False, clock=Clock())


async def test_after_the_stop_nobody_listens(make: Make) -> None:
    """The port is free, and stopping again is harmless."""
    site = await make()
    await site.server.stop()
    await site.server.stop()
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", site.port)
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", site.port))
