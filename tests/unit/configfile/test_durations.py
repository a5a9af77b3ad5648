"""Durations as people write them."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from flyball.configfile.durations import Duration, parse_duration, written_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("2h", 7200),
        ("1d", 86400),
        ("1h30m", 5400),
        ("1w", 604800),
        ("250ms", 0.25),
        ("1.5m", 90),
        ("0", 0),
    ],
)
def test_reads(text: str, seconds: float) -> None:
    """Numbers with units add up."""
    assert parse_duration(text) == timedelta(seconds=seconds)


def test_zero_needs_no_unit() -> None:
    """0 is 0 in any unit."""
    assert parse_duration(0) == timedelta(0)


@pytest.mark.parametrize(
    "value", ["30", 30, "", "s", "1y", "-1s", "1 h", True, False, None, ["1s"], "9" * 50 + "s", "\u0661s"]
)
def test_refuses(value: Any) -> None:
    """A number without a unit, or anything else, is refused with an example of what is right."""
    with pytest.raises(ValueError, match=r"is no duration; write a number with s, m, h, d or w, such as 30s"):
        parse_duration(value)


def test_refuses_centuries() -> None:
    """A slip such as 4000w is told rather than waited for."""
    with pytest.raises(ValueError, match="'4000w' is longer than ten years"):
        parse_duration("4000w")


def test_json_form_reads_back() -> None:
    """What a duration is written as in JSON is a duration again."""
    kind = TypeAdapter(Duration)
    text = kind.dump_python(timedelta(days=3, milliseconds=250), mode="json")
    assert text == "259200.25s"
    assert kind.validate_python(text) == timedelta(days=3, milliseconds=250)
    assert written_duration(timedelta(seconds=1234567)) == "1234567s"
