"""Durations as people write them: `30s`, `5m`, `2h`, `1d`, `1h30m`, `0`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(ms|[smhdw])")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
_PATTERN = r"^(0|([0-9]+(\.[0-9]+)?(ms|[smhdw]))+)$"
LONGEST = timedelta(days=3660)


def parse_duration(value: Any) -> timedelta:
    """Read a duration; a bare 0 is allowed, any other number wants a unit.

    Raises:
        ValueError: with what would be right.
    """
    if isinstance(value, timedelta):
        return value
    text = str(value).strip()
    if text in ("0", "0.0") and not isinstance(value, bool):
        return timedelta(0)
    if len(text) > 40 or not isinstance(value, str) or not _WHOLE.fullmatch(text):
        raise ValueError(
            f"{shortened(value)} is no duration; write a number with s, m, h, d or w, such as 30s, 2h or 1h30m"
        )
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"{shortened(value)} is longer than ten years")
    return timedelta(seconds=seconds)


def shortened(value: Any, limit: int = 60) -> str:
    """A value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def written_duration(value: timedelta) -> str:
    """A duration as text that reads back as itself, in seconds."""
    return f"{value.total_seconds():.3f}".rstrip("0").rstrip(".") + "s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(written_duration, return_type=str, when_used="json"),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": _PATTERN}, {"const": 0}], "examples": ["30s", "2h", "1h30m"]}
    ),
]
"""A length of time. In JSON: seconds, as `7200s`."""


def within(least: str, most: str | None = None) -> AfterValidator:
    """Bounds of a duration, both inclusive, as an annotation."""
    low, high = parse_duration(least), LONGEST if most is None else parse_duration(most)

    def check(value: timedelta) -> timedelta:
        if not low <= value <= high:
            upper = "" if most is None else f" and at most {most}"
            raise ValueError(f"it must be at least {least}{upper}")
        return value

    return AfterValidator(check)
