"""API keys in all their spellings, and what follows from them: base address and authorisation header. Pure.

Two grammars are accepted, the official SDK's and the laxer one of Flywheel's HTTP client package:

    host:KEY    host:PORT:KEY    host:PORT:__force_insecure:KEY
    [bearer |scitran-user ][http(s)://]host[:port][/api]:KEY

No message made here repeats any part of the key string: whoever swaps host and key must not find the key in a log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address

from flyball.model.errors import ConfigError

_BEARER_LENGTH = 57  # SDK 23 wire: exactly this long means a bearer token, anything else a scitran-user key
_INSECURE = "__force_insecure"
_FORMS = "expected host:key, host:port:key or host:port:__force_insecure:key"
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?")


class Secret:
    """A text that shows itself only when asked to: neither `repr`, `str` nor formatting give it away."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('…')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __deepcopy__(self, _memo: object) -> Secret:
        return self

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where a site is and how it is told who asks.

    Attributes:
        base_url: `{scheme}://{host}[:port]/api`, the port left out where it is the scheme's own.
        scheme: first word of the Authorization header, `Bearer` or `scitran-user`.
        secret: the key proper.
    """

    base_url: str
    scheme: str
    secret: Secret = field(repr=False)

    def authorization(self) -> str:
        """The Authorization header's value, in clear."""
        return f"{self.scheme} {self.secret.reveal()}"

    @property
    def is_loopback(self) -> bool:
        """The site is on this machine, so the key guards nothing."""
        host = self.base_url.split("://", 1)[1].split("/", 1)[0]
        host = host.rsplit("]", 1)[0].lstrip("[") if host.startswith("[") else host.split(":", 1)[0]
        if host.lower().rstrip(".") == "localhost":
            return True
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return False


def parse_key(text: str) -> Credentials:
    """Credentials from an API key string in any accepted form.

    Raises:
        ConfigError: the string is none; says what is missing, and repeats no part of it.
    """
    rest = text.strip()
    rest = re.sub(r"^(bearer|scitran-user)\s+", "", rest, flags=re.IGNORECASE)
    scheme = ""
    if found := re.match(r"(https?)://", rest, flags=re.IGNORECASE):
        scheme = found[1].lower()
        rest = rest[found.end() :]
    if not rest:
        raise ConfigError(f"the Flywheel API key is empty; {_FORMS}")
    host, parts = _host_and_parts(rest)
    if not parts:
        raise ConfigError(f"the Flywheel API key names no host, or no key after it; {_FORMS}")
    *middle, secret = parts
    port: int | None = None
    if middle:
        if _INSECURE in middle:
            scheme = "http"
        port = _port(middle[0])
    elif secret.isdigit() and len(secret) <= 5:
        raise ConfigError(f"the Flywheel API key ends after the port, the key itself is missing; {_FORMS}")
    if not secret or re.search(r"[^\x21-\x7e]", secret):
        raise ConfigError(f"the Flywheel API key is empty, or holds blanks or unprintable characters; {_FORMS}")
    scheme = scheme or "https"
    if port == {"http": 80, "https": 443}[scheme]:
        port = None
    return Credentials(
        base_url=f"{scheme}://{host}{'' if port is None else f':{port}'}/api",
        scheme="Bearer" if len(secret) == _BEARER_LENGTH else "scitran-user",
        secret=Secret(secret),
    )


def _host_and_parts(rest: str) -> tuple[str, list[str]]:
    """The host (IPv6 in brackets kept so) and what stands after it, split at the colons."""
    if rest.startswith("["):
        inner, closed, after = rest[1:].partition("]")
        after = re.sub(r"^/api/?(?=:)", "", after)
        try:
            ip_address(inner)
        except ValueError:
            closed = ""
        if not closed or not after.startswith(":"):
            raise ConfigError(f"the Flywheel API key's address in brackets is no IPv6 address; {_FORMS}")
        return f"[{inner}]", after[1:].split(":")
    host, *parts = rest.split(":")
    host = re.sub(r"/(api/?)?$", "", host)
    if parts and not _HOST.fullmatch(host):
        raise ConfigError(f"the Flywheel API key does not begin with a host name; {_FORMS}")
    return host.lower(), parts


def _port(text: str) -> int:
    if text == _INSECURE:
        raise ConfigError("the Flywheel API key lacks the port: write host:80:__force_insecure:key")
    text = re.sub(r"/(api/?)?$", "", text)
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise ConfigError(f"the Flywheel API key's port is not a number from 1 to 65535; {_FORMS}")
    return int(text)
