"""Times as people write them for `flyball silence --until`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flyball.cli.silence import until_when

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4h", NOW + timedelta(hours=4)),
        ("3d", NOW + timedelta(days=3)),
        ("2026-12-01T08:00:00+01:00", datetime(2026, 12, 1, 7, tzinfo=UTC)),
        ("2026-12-01T08:00Z", datetime(2026, 12, 1, 8, tzinfo=UTC)),
        ("2026-12-01T08:00", datetime(2026, 12, 1, 8).astimezone()),
        ("2026-12-01", datetime(2026, 12, 1).astimezone()),
        ("tomorrow", None),
        ("25:00", None),
        ("", None),
        ("99999w", None),
    ],
)
def test_until(text: str, expected: datetime | None) -> None:
    """A duration from now, a date or time; without a zone by the machine's clock."""
    assert until_when(text, NOW) == expected


@pytest.mark.parametrize("minutes", [-60, 60])
def test_a_time_of_day_is_the_next_one(minutes: int) -> None:
    """Today, or tomorrow when it is over."""
    here = (NOW + timedelta(minutes=minutes)).astimezone()
    found = until_when(f"{here:%H:%M}", NOW)
    assert found is not None
    assert timedelta(0) < found - NOW < timedelta(hours=25)
    assert f"{found.astimezone():%H:%M}" == f"{here:%H:%M}"
