"""Who may read and who may act: pure rules over what is known of a caller.

With a token set, its bearer may do everything, a signed-in browser may read, and anybody else nothing. Without one,
only this machine may read, and a browser on this machine is not led by another site's page: a foreign `Host` (DNS
rebinding), `Origin` or `Sec-Fetch-Site` is refused. Whether this machine may also act then is the composition root's
choice. The public addresses (health, readiness, metrics, hooks) are not asked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from flyball.web.sessions import is_open, same

_OURS: Final = frozenset({"same-origin", "none"})  # `none`: typed into the address bar, or a bookmark


@dataclass(frozen=True, slots=True)
class Caller:
    """What a request shows of who sent it. Headers that came several times are all there."""

    peer: str | None
    hosts: Sequence[str] = ()
    origins: Sequence[str] = ()
    fetch_sites: Sequence[str] = ()
    authorization: Sequence[str] = ()
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Denied:
    """Why not: HTTP status, short name for machines, one line for people."""

    status: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Gate:
    """The rules in force.

    Attributes:
        token: the bearer token, None when none is set.
        act_without_token: whether this machine may act when no token is set.
    """

    token: str | None
    act_without_token: bool

    @property
    def acting(self) -> str:
        """What acting takes: `token`, `free` (nothing, on this machine) or `never`."""
        if self.token is not None:
            return "token"
        return "free" if self.act_without_token else "never"

    def judge(self, caller: Caller, *, acting: bool, now: datetime) -> Denied | None:
        """None when the caller may read (or, with `acting`, change something)."""
        if self.token is not None:
            return self._by_token(self.token, caller, acting=acting, now=now)
        denied = _by_place(caller)
        if denied is None and acting and not self.act_without_token:
            return Denied(
                403,
                "no_token_set",
                "acting needs a token, and none is set: set http.token (FLYBALL_HTTP__TOKEN), or use the command line",
            )
        return denied

    @staticmethod
    def _by_token(token: str, caller: Caller, *, acting: bool, now: datetime) -> Denied | None:
        if caller.authorization:
            if len(caller.authorization) == 1 and same(_bearer(caller.authorization[0]), token):
                return None
            return Denied(401, "unauthorized", "this is not the token; send `Authorization: Bearer TOKEN`")
        if caller.session is not None and is_open(token, caller.session, now):
            if not acting:
                return None
            return Denied(401, "unauthorized", "signing in is for reading; acting needs `Authorization: Bearer TOKEN`")
        return Denied(401, "unauthorized", "send `Authorization: Bearer TOKEN`, or sign in at /")


def _bearer(header: str) -> str:
    scheme, _, value = header.strip().partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def _by_place(caller: Caller) -> Denied | None:
    if caller.peer is None or not is_loopback(caller.peer):
        return Denied(
            403,
            "loopback_only",
            "without a token this is answered on the daemon's own machine only; set http.token (FLYBALL_HTTP__TOKEN)",
        )
    for host in caller.hosts:
        if not is_loopback(host_name(host)):
            return Denied(403, "foreign_host", "this was asked under a foreign name; use localhost or 127.0.0.1")
    for origin in caller.origins:
        if not _is_same(origin, caller.hosts):
            return Denied(403, "foreign_origin", "a page of another site asked for this")
    for site in caller.fetch_sites:
        if site.strip().lower() not in _OURS:
            return Denied(403, "foreign_origin", "a page of another site led here; type the address instead")
    return None


def _is_same(origin: str, hosts: Sequence[str]) -> bool:
    """Whether an Origin is the server itself, under the name by which it was asked."""
    scheme, _, rest = origin.strip().partition("://")
    return scheme in ("http", "https") and len(hosts) == 1 and rest.lower() == hosts[0].strip().lower()


def host_name(host: str) -> str:
    """The name or address in a Host header, without port and brackets; empty when it makes no sense."""
    try:
        return urlsplit(f"//{host.strip()}").hostname or ""
    except ValueError:
        return ""


def is_loopback(name: str) -> bool:
    """Whether a name or address is this machine's own loopback. No name is looked up."""
    if name == "localhost":
        return True
    try:
        address = ip_address(name.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
