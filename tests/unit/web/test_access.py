"""Who may read and who may act, as rules over values."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flyball.web.access import Caller, Gate, host_name, is_loopback
from flyball.web.sessions import LASTS, seal
from unit.web.fakes import NOW

LOCKED = Gate("secret", act_without_token=False)
READ_ONLY = Gate(None, act_without_token=False)
OPEN = Gate(None, act_without_token=True)


def local(**more: Any) -> Caller:
    return Caller(**{"peer": "127.0.0.1", "hosts": ("127.0.0.1:8080",), **more})


def code(gate: Gate, caller: Caller, *, acting: bool = False) -> tuple[int, str] | None:
    denied = gate.judge(caller, acting=acting, now=NOW)
    return None if denied is None else (denied.status, denied.code)


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_this_machine_reads_without_a_token(peer: str) -> None:
    """Every form of loopback address is this machine."""
    assert code(READ_ONLY, local(peer=peer)) is None


@pytest.mark.parametrize("peer", [None, "10.0.0.7", "192.168.1.2", "fe80::1%eth0", "::ffff:10.0.0.7", "0.0.0.0", "x"])  # noqa: S104 - a peer
def test_other_machines_do_not_read_without_a_token(peer: str | None) -> None:
    """Whatever Host they claim."""
    assert code(READ_ONLY, local(peer=peer)) == (403, "loopback_only")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8080", "127.0.0.1", "[::1]:8080", "[::1]", "127.1.2.3:1", " localhost "]
)
def test_our_own_names_are_taken(host: str) -> None:
    """Loopback names and addresses with any port: a tunnel may have another one than ours."""
    assert code(READ_ONLY, local(hosts=(host,))) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "10.0.0.7",
        "0.0.0.0:8080",
        "[::2]",
        "",
        "localhost:8080@evil.example",
        "[",
        "0x7f.1",
    ],
)
def test_foreign_names_are_refused(host: str) -> None:
    """A name that a foreign server can point at us (DNS rebinding) is no way in."""
    assert code(READ_ONLY, local(hosts=(host,))) == (403, "foreign_host")


def test_one_foreign_name_among_several_is_refused() -> None:
    """A second Host header does not help."""
    assert code(READ_ONLY, local(hosts=("localhost", "evil.example"))) == (403, "foreign_host")


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8080", "HTTP://127.0.0.1:8080".lower(), "https://127.0.0.1:8080"])
def test_our_own_origin_is_taken(origin: str) -> None:
    """The page's own requests."""
    assert code(OPEN, local(origins=(origin,)), acting=True) is None


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "http://127.0.0.1:3000",
        "http://localhost:8080",
        "http://127.0.0.1:8080.evil.example",
        "file://127.0.0.1:8080",
        "127.0.0.1:8080",
    ],
)
def test_foreign_origins_are_refused(origin: str) -> None:
    """Other pages, other ports of this machine included, neither read nor act."""
    assert code(OPEN, local(origins=(origin,)), acting=True) == (403, "foreign_origin")
    assert code(READ_ONLY, local(origins=(origin,))) == (403, "foreign_origin")


@pytest.mark.parametrize(("site", "fine"), [("same-origin", True), ("none", True), ("None", True)])
def test_the_browsers_own_word_is_heard(site: str, fine: bool) -> None:
    """Same origin, and what a person typed, is fine."""
    assert (code(READ_ONLY, local(fetch_sites=(site,))) is None) is fine


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "strange"])
def test_foreign_fetches_are_refused(site: str) -> None:
    """Everything else that a browser says of a request is foreign."""
    assert code(READ_ONLY, local(fetch_sites=(site,))) == (403, "foreign_origin")


def test_a_caller_that_is_no_browser_needs_no_headers() -> None:
    """A command-line client sends none of them."""
    assert code(READ_ONLY, Caller("127.0.0.1")) is None


def test_without_a_token_acting_is_the_roots_choice() -> None:
    """Refused with a remedy, or taken from this machine only."""
    assert code(READ_ONLY, local(), acting=True) == (403, "no_token_set")
    assert code(OPEN, local(), acting=True) is None
    assert code(OPEN, local(peer="10.0.0.7"), acting=True) == (403, "loopback_only")


def test_the_token_opens_everything_from_everywhere() -> None:
    """The bearer may read and act, under any name."""
    caller = Caller("10.0.0.7", ("flyball.example:443",), authorization=("Bearer secret",))
    assert code(LOCKED, caller) is None
    assert code(LOCKED, caller, acting=True) is None


@pytest.mark.parametrize("header", ["bearer secret", "BEARER  secret ", "Bearer secret"])
def test_the_scheme_is_read_as_the_standard_says(header: str) -> None:
    """RFC 9110: the scheme's name has no case."""
    assert code(LOCKED, Caller("10.0.0.7", authorization=(header,))) is None


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("Bearer",),
        ("Bearer ",),
        ("Bearer wrong",),
        ("Bearer secre",),
        ("Bearer secret2",),
        ("Basic secret",),
        ("secret",),
        ("Bearer secret", "Bearer secret"),
        ("Bearer \udcff",),
    ],
)
def test_without_the_token_nothing_is_answered(headers: tuple[str, ...]) -> None:
    """Loopback or not: once a token is set, it is needed."""
    assert code(LOCKED, local(authorization=headers)) == (401, "unauthorized")


def test_a_session_reads_but_does_not_act() -> None:
    """The cookie is good for reading alone, and only while it lasts."""
    session = seal("secret", NOW)
    assert code(LOCKED, local(session=session)) is None
    assert code(LOCKED, local(session=session), acting=True) == (401, "unauthorized")
    stale = seal("secret", NOW - LASTS - timedelta(seconds=1))
    assert code(LOCKED, local(session=stale)) == (401, "unauthorized")


def test_a_wrong_token_is_not_mended_by_a_session() -> None:
    """Who sends a token means it."""
    caller = local(session=seal("secret", NOW), authorization=("Bearer wrong",))
    assert code(LOCKED, caller) == (401, "unauthorized")


@pytest.mark.parametrize(("host", "name"), [("a.b:1", "a.b"), ("[::1]:1", "::1"), ("A", "a"), ("[::1", ""), ("", "")])
def test_the_name_in_a_host_header(host: str, name: str) -> None:
    """Port and brackets go."""
    assert host_name(host) == name


def test_names_are_not_looked_up() -> None:
    """Only `localhost` is known by name."""
    assert is_loopback("localhost")
    assert not is_loopback("localhost.localdomain")
