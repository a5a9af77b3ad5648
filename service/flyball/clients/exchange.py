"""Requests and responses as plain values, and what the transport asks of the pace. No I/O.

A wire function makes a `Request`; the transport turns it into a `Response` or an error. What a repetition would do is
a property of the request, decided where the request is made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import orjson

from flyball.model.errors import Permanent

RETRY_AFTER_CAP = 900.0
"""Longest wait, in seconds, that one Retry-After can impose. A mistaken or hostile value must not stop us for days."""

_NEARLY_JSON = re.compile(rb"NaN|Infinity|\\u[dD][89a-fA-F]")

TRIM = 200
"""Characters of a site's own words that an error may carry."""


class Does(Enum):
    """What a request does, and so what a repetition of it would do.

    READ: changes nothing; the transport may repeat it.
    SET: leaves the same state however often it is sent (PUT, DELETE, PATCH of sets).
    ADD: adds one thing that the site refuses to add twice (a tag: 409); no usable answer is an unknown outcome.
    CREATE: every repetition makes another one (launch, note): sent once, on a fresh connection.
    """

    READ = "read"
    SET = "set"
    ADD = "add"
    CREATE = "create"


@dataclass(frozen=True, slots=True)
class Slice:
    """A stretch of a file on our disk, to be read while it is sent."""

    path: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, relative to a site's base address.

    Attributes:
        method: in capitals.
        path: below the base, percent-encoded already, beginning with `/`.
        query: decoded pairs in order; keys may repeat.
        headers: beyond those of every request (authorisation and the like).
        body: None for no body.
        does: what a repetition would do.
        template: the path with placeholders, for metrics (`/sessions/{id}/tags`).
        timeout: seconds for the whole exchange, None for the transport's default.
        fresh: use a new connection; implied by CREATE.
        secrets: texts that must not appear in an error, should the site echo them.
        pieces: instead of `body`: what is sent piece by piece, with its length told beforehand and never chunked.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # a token may be among them
    body: bytes | None = field(default=None, repr=False)
    does: Does = Does.READ
    template: str = ""
    timeout: float | None = None
    fresh: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)
    pieces: tuple[bytes | Slice, ...] = field(default=(), repr=False)

    @property
    def idempotent(self) -> bool:
        """Repeating it harms nothing."""
        return self.does in (Does.READ, Does.SET)

    @property
    def creates(self) -> bool:
        """Repeating it makes a second one."""
        return self.does is Does.CREATE

    @property
    def alone(self) -> bool:
        """It goes out on a connection that nothing else has used."""
        return self.fresh or self.creates

    @property
    def target(self) -> str:
        """Path and query as they stand on the request line. Blanks become `+`, as the official SDK sends them."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    @property
    def name(self) -> str:
        """Method and path template, for people and metrics; no ids, no query."""
        return f"{self.method} {self.template or self.path}"

    def on_fresh_connection(self) -> Request:
        """The same request, to be sent over a new connection."""
        return replace(self, fresh=True)


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer, read to its end. Header names are lower-case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """2xx."""
        return 200 <= self.status < 300

    @property
    def is_json(self) -> bool:
        """The content type says JSON."""
        return "json" in self.headers.get("content-type", "").lower()


def length_of(pieces: tuple[bytes | Slice, ...]) -> int:
    """Bytes of all pieces together."""
    return sum(piece.length if isinstance(piece, Slice) else len(piece) for piece in pieces)


class Receiver(Protocol):
    """Takes an answer as it comes."""

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """A good answer (2xx) begins."""
        ...

    async def write(self, piece: bytes) -> None:
        """Some more of it."""
        ...


class Seen(Enum):
    """What one exchange says about how much the site can take."""

    OK = "ok"  # any answer but the ones below
    BUSY = "busy"  # 429, or a 503 that names a time (Retry-After)
    ILL = "ill"  # 503 without one: something behind the site fails, which is not always its load
    SLOW = "slow"  # our own time-out
    LOST = "lost"  # no connection, or a broken one


class Pace(Protocol):
    """Holds back requests to one site. `workers.pace` has the implementation."""

    def slot(self) -> AbstractAsyncContextManager[None]:
        """Waits for its turn; the request goes out inside."""
        ...

    def saw(self, seen: Seen, retry_after: float | None = None) -> None:
        """Tells how an exchange ended; `retry_after` in seconds pauses the whole site."""
        ...


class BodyTooLarge(Permanent):
    """The answer is larger than the transport's cap. Remedy: ask for fewer rows at a time."""


def segment(value: str) -> str:
    """One path segment, percent-encoded with nothing left bare, as the official SDK does (SDK 23 wire).

    Raises:
        Permanent: for a segment that is empty, `.` or `..`: servers and proxies would take it for another address.
    """
    if value in ("", ".", ".."):
        raise Permanent(f"{value!r} cannot stand in an address")
    return quote(value, safe="")


def to_json(value: Any) -> bytes:
    """JSON bytes; dates become ISO text."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)


def from_json(body: bytes) -> Any:
    """The JSON in `body`. Raises ValueError when there is none, or only a part of it.

    Sites that write numbers as Python does may send NaN and infinities, which are no JSON: they are read as null. So is
    a text with half a character in it, as it is.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        if not _NEARLY_JSON.search(body):
            raise
    try:
        return json.loads(body, parse_constant=lambda _: None)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def trimmed(text: str, *, limit: int = TRIM, secrets: tuple[str, ...] = ()) -> str:
    """One line of at most `limit` characters, without control characters and without the given secrets."""
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, "…")
    line = re.sub(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+", " ", text).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for: a number of seconds or an HTTP date; None without a usable one.

    Args:
        headers: with lower-case names.
        now: the present in UTC, for the date form.
    """
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,12}(\.\d+)?", value):
        return min(float(value), RETRY_AFTER_CAP)
    if not value:
        return None
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), RETRY_AFTER_CAP)
