"""Logs: facts with dotted event names (`effect.done`), values as keys, JSON or console, secrets masked.

Whatever is logged, through structlog or the standard library, passes `Secrets` last before it becomes text: keys,
values however deep, exception texts and tracebacks. The same object masks what goes to the ledger and into HTTP
answers, so a secret that a site echoes in an error ends here.
"""

from __future__ import annotations

import json
import logging
import math
import re
import sys
from collections.abc import Mapping, MutableMapping
from collections.abc import Set as AbstractSet
from datetime import date, timedelta
from enum import Enum
from pathlib import PurePath
from typing import Any, Literal, TextIO
from urllib.parse import quote, quote_plus

import orjson
import structlog

LogFormat = Literal["auto", "json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]

MASK = "***"
_WHOLE_WORD_BELOW = 4  # a shorter secret would blacken half of every text, so it is masked as a whole word only
_LONG_LINE = 8
_DEEPEST = 8
_MOST_NAMES = 1024
_SENSITIVE = re.compile(
    r"(?:.*[_-])?(?:passw(?:or)?d|secret|secrets|token|api[_-]?key|authorization|cookie|licen[cs]e)", re.IGNORECASE
)
_USERINFO = re.compile(r"(?<=://)[^/\s@?#'\"]+@")  # user and password in an address, masked whole
_HEADER = re.compile(r"\b(Bearer|scitran-user|Basic)(\s+)[A-Za-z0-9+/=._:~-]{6,}")  # Flywheel's and ordinary ones
_QUIET = ("aiohttp.access", "alembic", "apscheduler", "asyncio", "watchfiles")
_MUTE = ("sqlalchemy",)  # its debug lines hold the rows themselves: names, birth dates, all that the site has of people


class Secrets:
    """The secrets in use, and the masking of texts that may hold them. Texts are masked before they are trimmed."""

    def __init__(self, *values: str) -> None:
        self._spellings: set[str] = set()
        self._names: dict[str, tuple[str, bool]] = {}  # names of values: masked, and whether the value is to be
        self._pattern: re.Pattern[str] | None = None
        for value in values:
            self.add(value)

    def __repr__(self) -> str:
        return f"Secrets(<{len(self._spellings)} spellings>)"

    def add(self, value: str) -> None:
        """Mask `value` from now on: as it is, its long lines, and as URLs, JSON and Python write it."""
        value = value.strip()
        if not value:
            return
        lines = [line.strip() for line in value.splitlines()]
        parts = {value, *(line for line in lines if len(line) >= _LONG_LINE)}
        for part in parts:
            self._spellings |= {
                part,
                quote(part, safe=""),
                quote(part),
                quote_plus(part),
                json.dumps(part)[1:-1],
                json.dumps(part, ensure_ascii=False)[1:-1],
                repr(part)[1:-1],
            }
        self._names.clear()
        ordered = sorted(self._spellings, key=lambda text: (-len(text), text))
        self._pattern = re.compile("|".join(_alternative(text) for text in ordered))

    def mask(self, text: str) -> str:
        """The text with every secret replaced, registered or recognised by its shape (headers, addresses)."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        if "://" in text:
            text = _USERINFO.sub(f"{MASK}@", text)
        if "Bearer" in text or "scitran-user" in text or "Basic" in text:
            text = _HEADER.sub(rf"\1\2{MASK}", text)
        return text

    def masked(self, value: Any, depth: int = 0) -> Any:
        """A value as masked JSON: texts masked, anything that is no JSON as its masked `repr`."""
        if value is None or isinstance(value, (bool, int)):
            return value if type(value) in (type(None), bool, int) else self.masked(_plain(value), depth)
        if isinstance(value, float):
            return value if math.isfinite(value) else repr(value)
        if isinstance(value, Enum):
            return self.masked(value.value, depth)
        if isinstance(value, str):
            return self.mask(value)
        if depth >= _DEEPEST:
            return self.mask(repr(value))
        if isinstance(value, Mapping):
            found: dict[str, Any] = {}
            for key, one in value.items():
                name, sensitive = self._named(str(key))
                if type(one) is str and not sensitive:  # most of them
                    found[name] = self.mask(one)
                else:
                    found[name] = MASK if sensitive and one is not None else self.masked(one, depth + 1)
            return found
        if isinstance(value, (list, tuple, AbstractSet)):
            return [self.masked(one, depth + 1) for one in value]
        if isinstance(value, bytes):
            return self.mask(value.decode(errors="backslashreplace"))
        if isinstance(value, BaseException):
            return self.mask(f"{type(value).__name__}: {value}")
        return self.mask(str(_plain(value)))

    def _named(self, key: str) -> tuple[str, bool]:
        """A value's name, masked, and whether it says that the value is a secret. The same few come again and again."""
        known = self._names.get(key)
        if known is None:
            if len(self._names) >= _MOST_NAMES:
                self._names.clear()
            known = self._names[key] = (self.mask(key), _SENSITIVE.fullmatch(key) is not None)
        return known


def _alternative(text: str) -> str:
    escaped = re.escape(text)
    return escaped if len(text) >= _WHOLE_WORD_BELOW else rf"(?<![^\W_]){escaped}(?![^\W_])"


def _plain(value: Any) -> Any:
    """A value's usual text or number, for the types that logs carry most."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value) if isinstance(value, PurePath) else repr(value)


def configure(
    secrets: Secrets, *, form: LogFormat = "auto", level: LogLevel = "info", stream: TextIO | None = None
) -> None:
    """Set up structlog and the standard library's logging for the process; later calls replace earlier ones.

    Args:
        secrets: what must never be written; values added later count at once.
        form: `json` (one object a line), `console` (for people), `auto` (console on a terminal, else JSON).
        level: least severity that is written. Libraries speak from `warning` on, unless it is `debug`.
        stream: where to; the standard error stream by default.
    """
    out = sys.stderr if stream is None else stream
    console = form == "console" or (form == "auto" and out.isatty())
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _Masking(secrets, printable=console),
    ]
    renderer = _renderer(console=console, colors=console and out.isatty())
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shared, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.NOTSET if level == "debug" else logging.WARNING)
    for name in _MUTE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def _renderer(*, console: bool, colors: bool) -> Any:
    if not console:
        return structlog.processors.JSONRenderer(serializer=_as_json)
    return structlog.dev.ConsoleRenderer(
        colors=colors,
        timestamp_key="at",
        exception_formatter=structlog.dev.plain_traceback,  # the rich one shows local variables: secrets
    )


class _Masking:
    """The processor that stands last before the renderer."""

    def __init__(self, secrets: Secrets, *, printable: bool) -> None:
        self._secrets = secrets
        self._printable = printable

    def __call__(self, _logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        masked: dict[str, Any] = self._secrets.masked(event)
        if self._printable:
            for key, value in masked.items():
                if isinstance(value, str) and key not in ("exception", "stack") and not value.isprintable():
                    masked[key] = _escaped(value)
        return masked


def _as_json(value: Any, **_: Any) -> str:
    """As text. Numbers of more than 64 bits and broken Unicode are beyond the quicker encoder."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _escaped(text: str) -> str:
    """Control characters spelled out, so that a label cannot move a terminal's cursor or forge a line."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )
